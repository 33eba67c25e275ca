"""Scenarios: what comes with the program is correct, every mistake is told by its key, and nothing is a traceback."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from device_model.scenario import (
    MAX_CHARACTERS,
    NamedScenario,
    ScenarioError,
    from_document,
    load,
    parse,
    shipped,
)
from device_model.simulation import Simulation
from tests.conftest import Golden

GOOD = """
description = "two servers"
instance = "inf2.48xlarge"

[[processes]]
name = "chat"
replicas = 2
stop = "1h"
[processes.workload]
kind = "llm"
model = "opt-30b"
tp = 8
arrivals = { kind = "closed", users = 8 }
prompt = { mean = 96, cv = 0.8 }
output = { mean = 256 }
reload = { every = "2m" }

[[processes]]
name = "batch"
[processes.workload]
kind = "llm"
model = "opt-6.7b"
tp = 2
arrivals = { kind = "poisson", per_second = 0.5 }
prompt = { mean = 96 }
output = { mean = 256 }

[[faults]]
fault = "straggler"
core = 3
parameters = { factor = 1.5 }
every = "5m"
jitter = "10s"
for = "1m"

[[faults]]
fault = "leak"
process = "chat-1"
when = { metric = "node.running", above = 4 }

[[expect]]
metric = "cores[3].utilization_percent"
from = "2m"
to = "3m"
at_least = "0.5 x"
baseline = { metric = "cores[4].utilization_percent" }

[[expect]]
event = "Failed to allocate"
kind = "runtime_log"
by = "10m"
between = [1, 2]
"""

# Each mistake as a replacement in the good text.
MISTAKES = {
    "an unknown key at the top": ("instance =", 'instanze = "x"\ninstance ='),
    "an unknown key of a process": ("replicas = 2", "replica = 2"),
    "an unknown key of a workload": ("tp = 8", "tp = 8\nbatch_size = 4"),
    "an unknown key of arrivals": ("users = 8 }", "users = 8, thinks = '1s' }"),
    "an unknown key of lengths": ("cv = 0.8", "vc = 0.8"),
    "an unknown key of reload": ('every = "2m"', 'every = "2m", pauze = "1s"'),
    "a key with spaces": ("replicas = 2", '"my replicas" = 2'),
    "a key that is missing": ("tp = 8\n", ""),
    "a table that is missing": ("prompt = { mean = 96, cv = 0.8 }", ""),
    "a text for a whole number": ("tp = 8", 'tp = "8"'),
    "a fraction for a whole number": ("tp = 8", "tp = 8.5"),
    "a truth value for a whole number": ("users = 8", "users = true"),
    "a number for a text": ('name = "chat"', "name = 7"),
    "a text for a number": ("mean = 96, cv", 'mean = "96", cv'),
    "a number that is not finite": ("mean = 96, cv", "mean = inf, cv"),
    "a number for a table": ('reload = { every = "2m" }', "reload = 2"),
    "a table for an array": (GOOD, 'description = "x"\ninstance = "inf2.xlarge"\n[processes]\nname = "chat"'),
    "a number for an array": (GOOD, 'description = "x"\ninstance = "inf2.xlarge"\nprocesses = [1]'),
    "an array for a table": ("arrivals = { kind", "arrivals = [1]\n_arrivals = { kind"),
    "a number below its range": ("replicas = 2", "replicas = 0"),
    "a number beyond its range": ("users = 8", "users = 100001"),
    "a huge number": ("users = 8", f"users = {10**400}"),
    "a rate of nothing": ("per_second = 0.5", "per_second = 0"),
    "a duration without unit": ('stop = "1h"', 'stop = "90"'),
    "a duration of ages": ('stop = "1h"', 'stop = "99999999d"'),
    "a reload all the time": ('every = "2m"', 'every = "0s"'),
    "a stop before the start": ('stop = "1h"', 'start = "2h"\nstop = "1h"'),
    "lengths in the wrong order": ("cv = 0.8", "least = 9, most = 8"),
    "an unknown model": ('model = "opt-30b"', 'model = "opt-31b"'),
    "a model that generates nothing": ('model = "opt-30b"', 'model = "bert-base-uncased"'),
    "an unknown instance type": ("inf2.48xlarge", "inf2.48xlrge"),
    "an unknown data type": ("tp = 8", 'tp = 8\ndata_type = "bf-16"'),
    "an unknown kind of workload": ('kind = "llm"\nmodel = "opt-30b"', 'kind = "llmm"\nmodel = "opt-30b"'),
    "a workload without kind": ('kind = "llm"\nmodel = "opt-30b"', 'model = "opt-30b"'),
    "an unknown kind of arrivals": ('kind = "closed"', 'kind = "closd"'),
    "a kind of arrivals that is a number": ('kind = "closed"', "kind = 3"),
    "arrivals without kind": ('kind = "closed", ', ""),
    "a name with spaces": ('name = "chat"', 'name = "chat bot"'),
    "a name used twice": ('name = "batch"', 'name = "chat"'),
    "a description of two lines": ('"two servers"', '"two\\nservers"'),
    "a logical core of three": ("description", "logical_neuroncore_config = 3\ndescription"),
    "an unknown fault": ('"straggler"', '"stragler"'),
    "an unknown key of a fault": ("core = 3", "cores = 3"),
    "an unknown parameter": ("factor =", "factr ="),
    "a parameter of a fault that has none": ('fault = "straggler"', 'fault = "hang"'),
    "a parameter out of range": ("factor = 1.5", "factor = 0.5"),
    "a parameter of another type": ("factor = 1.5", 'factor = "1.5"'),
    "parameters that are no table": ("parameters = { factor = 1.5 }", "parameters = 1.5"),
    "another target than the fault takes": ("core = 3", "device = 3"),
    "two targets": ("core = 3", "core = 3\ndevice = 1"),
    "a fault without target": ("core = 3\n", ""),
    "a target of a fault of the node": ('fault = "leak"', 'fault = "driver-missing"'),
    "a link that is spelled wrongly": ('fault = "leak"\nprocess = "chat-1"', 'fault = "link-down"\nlink = "2:3"'),
    "a link that there is not": ('fault = "leak"\nprocess = "chat-1"', 'fault = "link-down"\nlink = "2-7"'),
    "a core that there is not": ("core = 3", "core = 99"),
    "a fault that the chip has not": ('fault = "leak"\nprocess = "chat-1"', 'fault = "hbm-repairable"\ncore = 1'),
    "a fault of an unknown process": ('process = "chat-1"', 'process = "chat"'),
    "a fault without time": ('every = "5m"\njitter = "10s"\n', ""),
    "a fault with two times": ('every = "5m"', 'every = "5m"\nat = "1m"'),
    "jitter without every": ('every = "5m"', 'at = "5m"'),
    "more jitter than time": ('jitter = "10s"', 'jitter = "10m"'),
    "a rate that is none": ('every = "5m"\njitter = "10s"', 'rate = "often"'),
    "a rate that is too high": ('every = "5m"\njitter = "10s"', 'rate = "1000/s"'),
    "a duration for what happens in an instant": (
        'fault = "leak"\nprocess = "chat-1"',
        'fault = "crash"\nprocess = "chat-1"\nfor = "1m"',
    ),
    "a metric that is watched and unknown": ("node.running", "node.runing"),
    "a metric that is watched and no number": ("node.running", "processes[chat-1].tag"),
    "a metric of an unknown process": ("node.running", "processes[chad-1].pid"),
    "a limit that is missing": (", above = 4", ""),
    "two limits": ("above = 4", "above = 4, below = 3"),
    "an unknown key of when": ("above = 4", "over = 4"),
    "an unknown key of an expectation": ('by = "10m"', 'til = "10m"'),
    "an unknown key of a baseline": ("baseline = { metric", "baseline = { form = '1m', metric"),
    "an unknown metric": ("cores[3].utilization_percent", "cores[3].utilisation_percent"),
    "a metric and an event": ('by = "10m"', 'by = "10m"\nmetric = "node.running"'),
    "neither metric nor event": ('event = "Failed to allocate"\n', ""),
    "an expectation without time": ('by = "10m"\n', ""),
    "an expectation with two times": ('by = "10m"', 'by = "10m"\nat = "5m"'),
    "from without to": ('to = "3m"\n', ""),
    "from after to": ('from = "2m"', 'from = "4m"'),
    "an event at an instant": ('by = "10m"', 'at = "10m"'),
    "a kind of event that there is not": ('"runtime_log"', '"run_log"'),
    "a kind of a metric": ('from = "2m"', 'kind = "kernel_log"\nfrom = "2m"'),
    "a comparison that is missing": ('at_least = "0.5 x"\nbaseline = { metric = "cores[4].utilization_percent" }', ""),
    "two comparisons": (
        'at_least = "0.5 x"\nbaseline = { metric = "cores[4].utilization_percent" }',
        "above = 1\nbelow = 9",
    ),
    "a multiple without baseline": ('baseline = { metric = "cores[4].utilization_percent" }', ""),
    "a baseline without multiple": ('at_least = "0.5 x"', "above = 5"),
    "a baseline of an event": ("between = [1, 2]", 'at_least = "2 x"\nbaseline = { from = "0s", to = "1m" }'),
    "a baseline that is the same": ('{ metric = "cores[4].utilization_percent" }', "{}"),
    "a baseline that is no number": ("cores[4].utilization_percent", "devices[0].reset_state"),
    "a multiple that is none": ('"0.5 x"', '"half"'),
    "limits in the wrong order": ("[1, 2]", "[2, 1]"),
    "limits that are three": ("[1, 2]", "[1, 2, 3]"),
    "a text for a number of events": ("between = [1, 2]", 'equals = "one"'),
    "a text that is more than a number": (
        'at_least = "0.5 x"\nbaseline = { metric = "cores[4].utilization_percent" }',
        'equals = "high"',
    ),
    "an array that is compared": ("between = [1, 2]", "equals = [1]"),
    "a syntax error": ("tp = 8", "tp = = 8"),
    "a key written twice": ("tp = 8", "tp = 8\ntp = 8"),
    "too many cores": ("replicas = 2", "replicas = 3"),
    "a degree that is not possible": ("tp = 8", "tp = 7"),
    "a first core beyond the last": ("replicas = 2", "replicas = 2\nfirst_core = 20"),
    "logical cores that the chip has not": ("description", "logical_neuroncore_config = 2\ndescription"),
}


def complaint(text: str) -> str:
    """What is said about a scenario, up to the placement on its instance; empty when it is accepted."""
    try:
        Simulation(NamedScenario("host", parse(text, "host.toml")))
    except ScenarioError as error:
        return str(error)
    return ""


def test_the_good_example_is_good() -> None:
    assert complaint(GOOD) == ""


def test_every_mistake_is_told_by_its_key(golden: Golden) -> None:
    told = []
    for title, (old, new) in MISTAKES.items():
        assert old in GOOD, title
        told.append(f"{title}\n" + "".join(f"  {line}\n" for line in complaint(GOOD.replace(old, new, 1)).splitlines()))
    assert not [entry for entry in told if entry.count("\n") < 2]
    golden("neuron-model/mistakes.txt", "\n".join(told))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a = " + "[" * 5000, "nested too deeply"), (f"seed = 1{'0' * 5000}", "digits"), ("\x00", "line 1")],
)
def test_what_is_hardly_toml_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(ScenarioError, match=r"^x: not valid TOML: ") as caught:
        parse(text, "x")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", shipped())
def test_what_comes_with_the_program_can_be_used(name: str) -> None:
    model = Simulation(load(name))
    assert model.name == name
    assert model.inventory().devices


def test_a_file_needs_no_slash_where_no_scenario_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text('description = "x"\ninstance = "inf2.xlarge"\n')
    (tmp_path / "idle").write_text("this is not read")
    monkeypatch.chdir(tmp_path)
    assert load("mine").scenario.instance == "inf2.xlarge"
    assert load("idle").scenario.instance == "inf2.48xlarge"


def test_a_scenario_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my-host.toml"
    path.write_text(GOOD)
    assert load(str(path)).name == "my-host"


def missing(path: Path) -> None:
    """Makes nothing."""


def latin(path: Path) -> None:
    path.write_bytes(b'description = "\xe9"')


def huge(path: Path) -> None:
    path.write_text("#" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("make", "reason"),
    [(missing, "No such file"), (Path.mkdir, "Is a directory"), (latin, "not UTF-8"), (huge, "more than 1000000")],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    path = tmp_path / "x.toml"
    make(path)
    with pytest.raises(ScenarioError, match=reason):
        load(str(path))


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario is called 'two-tenant' \(did you mean 'two-tenants'\?\)"):
        load("two-tenant")


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, part in inner for spot in spots(part, (*path, key)))]


DOCUMENT = tomllib.loads(GOOD)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0s", "closed"])
)
junk = (
    scalars
    | st.lists(scalars, max_size=2)
    | st.dictionaries(st.sampled_from(["kind", "mean", "x"]), scalars, max_size=2)
)
changes = st.tuples(st.sampled_from(spots(DOCUMENT)[1:]), st.sampled_from(["set", "delete", "add"]), junk)


def mutate(document: Any, spot: tuple[Any, ...], how: str, value: Any) -> None:
    """Changes one value of a document, as far as it still has it."""
    *way, last = spot
    for key in way:
        if not isinstance(document, dict | list) or (isinstance(document, dict) and key not in document):
            return
        if isinstance(document, list) and (not isinstance(key, int) or key >= len(document)):
            return
        document = document[key]
    if isinstance(document, dict):
        if how == "delete":
            document.pop(last, None)
        else:
            document[f"{last}x" if how == "add" else last] = value


@given(st.lists(changes, min_size=1, max_size=3))
@example(edits=[(("processes",), "set", "\x85 ends a line, as some see it")])
def test_random_changes_are_accepted_or_told(edits: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    document = copy.deepcopy(DOCUMENT)
    for spot, how, value in edits:
        mutate(document, spot, how, value)
    try:
        model = Simulation(NamedScenario("host", from_document(document, "host.toml")))
    except ScenarioError as error:
        assert all(line.startswith("host") and ": " in line for line in str(error).splitlines())
    else:
        assert model.snapshot().head.origin.scenario == "host"


@given(st.text(max_size=60))
def test_any_text_is_accepted_or_told(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"(?s)^x: "):
        parse(text, "x")
