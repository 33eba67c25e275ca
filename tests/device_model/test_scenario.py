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
    "a syntax error": ("tp = 8", "tp = = 8"),
    "a key written twice": ("tp = 8", "tp = 8\ntp = 8"),
    "too many cores": ("replicas = 2", "replicas = 3"),
    "a degree that is not possible": ("tp = 8", "tp = 7"),
    "a first core beyond the last": ("replicas = 2", "first_core = 20"),
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
