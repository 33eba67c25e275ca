"""What comes with the program: every scenario teaches, shows what it expects, and runs wherever it fits."""

import tomllib
from itertools import takewhile
from typing import Any

import jsonschema
import pytest

from device_model.expectations import Run
from device_model.faults.table import FAULTS
from device_model.scenario import NamedScenario, ScenarioError, from_document, json_schema, load, shipped
from device_model.simulation import NS, Simulation
from neurontools.hardware.instances import INSTANCES
from tests.conftest import Golden
from tests.device_model.invariants import Watch, check_bounds, check_grown, check_sums

MANY_REQUESTS = ("bert-300m", "encoder-1b", "pipeline-inf1", "resnet50")
"""Scenarios with a thousand requests a second, of which ten minutes take some 40 s to compute."""

LONG = ("busy-day", "faults-tour")
"""Scenarios whose expectations take some ten seconds to compute."""

WATCHED_NS = 3 * NS
"""The shortest period over which capacities are checked while a scenario is run."""


def tried(names: list[str]) -> list[Any]:
    """The names, the long ones for the full tier only."""
    return [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in names]


def holders(name: str) -> list[str]:
    """The instance types that can hold a scenario."""
    found = []
    for instance in INSTANCES:
        try:
            Simulation(load(name), instance)
        except ScenarioError:
            continue
        found.append(instance)
    return found


@pytest.mark.parametrize("name", shipped())
def test_every_scenario_begins_with_what_it_teaches(name: str) -> None:
    lines = shipped()[name].splitlines()
    comment = [line.removeprefix("# ") for line in takewhile(lambda line: line.startswith("# "), lines)]
    assert len(" ".join(comment)) > 80


@pytest.mark.parametrize("name", tried(list(shipped())))
def test_every_scenario_shows_what_it_expects(name: str) -> None:
    run = Run(model := Simulation(load(name)))
    assert run.wanted
    watch = Watch(model, max(WATCHED_NS, run.lasts_ns // 50))
    failed = [finding for finding in run.findings(watch) if not finding.holds]
    assert not failed, [f"{finding.expectation.text}; found {finding.text}" for finding in failed]
    watch.check()
    assert model.missed_faults() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped() if name not in LONG])
@pytest.mark.parametrize("seed", [2, 3])
def test_what_a_scenario_expects_does_not_hang_on_its_seed(name: str, seed: int) -> None:
    failed = [f for f in Run(Simulation(load(name), seed=seed)).findings(lambda: None) if not f.holds]
    assert not failed, [f"{finding.expectation.text}; found {finding.text}" for finding in failed]


@pytest.mark.parametrize("name", tried([name for name in shipped() if load(name).scenario.faults]))
def test_without_its_faults_a_scenario_does_not_show_what_it_expects(name: str) -> None:
    sound = from_document(tomllib.loads(shipped()[name]) | {"faults": []}, name)
    findings = Run(Simulation(NamedScenario(name, sound))).findings(lambda: None)
    assert not all(finding.holds for finding in findings)


def test_the_tour_has_every_fault_that_there_is() -> None:
    assert sorted(spec.fault for spec in load("faults-tour").scenario.faults) == sorted(FAULTS)


def run_and_check(model: Simulation, *steps_ns: int) -> None:
    """Runs a model in steps and looks after each at what must hold of every host."""
    early = model.snapshot()
    for step_ns in steps_ns:
        model.advance(model.now_ns + step_ns)
        late = model.snapshot()
        check_sums(model)
        check_grown(early, late)
        check_bounds(model.instance, "bf16", early, late)
        early = late


@pytest.mark.parametrize("name", shipped())
def test_every_scenario_runs_on_its_own_instance(name: str) -> None:
    model = Simulation(load(name))
    run_and_check(model, *[(2 if name in MANY_REQUESTS else 40) * NS] * 2)


def runs_where_it_fits(name: str, instance: str, step_ns: int) -> bool:
    """Runs a scenario for a moment, in which models may still load, and five steps, unless the instance type cannot
    hold it; the golden file has those that can.
    """
    try:
        model = Simulation(load(name), instance)
    except ScenarioError as error:
        return str(error).startswith(f"{name}: ")
    run_and_check(model, 3 * NS, *[step_ns] * 5)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("instance", INSTANCES)
@pytest.mark.parametrize("name", shipped())
def test_every_scenario_runs_wherever_it_fits(name: str, instance: str) -> None:
    """For ten minutes; those with many requests for one, and in the nightly tier for ten."""
    assert runs_where_it_fits(name, instance, (12 if name in MANY_REQUESTS else 120) * NS)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("instance", INSTANCES)
@pytest.mark.parametrize("name", MANY_REQUESTS)
def test_scenarios_with_many_requests_run_wherever_they_fit(name: str, instance: str) -> None:
    assert runs_where_it_fits(name, instance, 120 * NS)


@pytest.mark.slow
def test_which_instances_hold_which_scenario(golden: Golden) -> None:
    golden("neuron-model/holders.txt", "".join(f"{name}: {' '.join(holders(name))}\n" for name in shipped()))


def test_the_schema_is_one_and_accepts_every_scenario() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name, text in shipped().items():
        assert list(validator.iter_errors(tomllib.loads(text))) == [], name


REFUSED = (
    ("instance =", "instanze ="),
    ('fault = "straggler"', 'fault = "stragler"'),
    ("{ factor = 1.6 }", "{ factr = 1.6 }"),
    ("{ factor = 1.6 }", '{ factor = "1.6" }'),
    ("core = 7", "device = 7"),
    ("tp = 8", 'tp = "8"'),
    ('kind = "llm"', 'kind = "llmm"'),
    ('at = "4m"', 'at = "4 minutes"'),
    ("above = 95", 'above = "95"'),
)


@pytest.mark.parametrize(("old", "new"), REFUSED)
def test_the_schema_refuses_what_an_editor_can_know(old: str, new: str) -> None:
    text = shipped()["straggler"]
    assert old in text
    changed = tomllib.loads(text.replace(old, new))
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(changed))
