"""A scenario as a test: what a run finds is what the model's own intervals and events say, and wrong wishes fail."""

from typing import Any

import pytest

from device_model.expectations import Finding, Run
from device_model.metric_path import metric_path
from device_model.simulation import NS, Simulation
from neurontools.schema.interval import between
from tests.conftest import Golden
from tests.device_model.hosts import CLOSED, forward, host, server

TOKENS = "processes[a].workload.generated_tokens_per_s"


def nothing() -> None:
    """Does not pause."""


def expecting(*wanted: dict[str, Any], **changes: Any) -> Simulation:
    """A small server whose scenario expects something."""
    process = server(arrivals=CLOSED) | {"restart": "5s"}
    return host(process, instance="inf2.xlarge", expect=list(wanted), **changes)


def findings(*wanted: dict[str, Any], **changes: Any) -> list[Finding]:
    return Run(expecting(*wanted, **changes)).findings(nothing)


def measured(metric: str, from_s: float, to_s: float) -> Any:
    """A value as anybody would measure it from outside."""
    model = expecting()
    earlier = forward(model, from_s).snapshot()
    return metric_path(metric).read(between(earlier, forward(model, to_s - from_s).snapshot()))


@pytest.mark.parametrize(
    ("when", "from_s", "to_s"),
    [({"at": "20s"}, 19, 20), ({"from": "10s", "to": "30s"}, 10, 30), ({"from": "0s", "to": "12500ms"}, 0, 12.5)],
)
@pytest.mark.parametrize("metric", [TOKENS, "cores[0].utilization_percent", "node.memory_used_bytes"])
def test_a_value_is_that_of_its_period(metric: str, when: dict[str, str], from_s: float, to_s: float) -> None:
    (found,) = findings({"metric": metric, "above": 0} | when)
    assert found.holds
    assert found.found == measured(metric, from_s, to_s)


def test_what_holds_holds_and_the_opposite_does_not() -> None:
    value = measured(TOKENS, 10, 20)
    period = {"metric": TOKENS, "from": "10s", "to": "20s"}
    found = findings(
        period | {"above": value - 1},
        period | {"above": value},
        period | {"between": [value - 1, value + 1]},
        period | {"below": value - 1},
    )
    assert [each.holds for each in found] == [True, False, True, False]


def test_what_is_awaited_is_found_at_the_first_second_that_shows_it() -> None:
    metric = "processes[a].executions_total.completed"
    first_s = next(s for s in range(2, 60) if measured(metric, s - 1, s) > 0)
    (found, never) = findings(
        {"metric": metric, "above": 0, "by": "1m"}, {"metric": metric, "above": 1e12, "by": "20500ms"}
    )
    assert found.up_ns == first_s * NS
    assert found.found == measured(metric, first_s - 1, first_s)
    assert not never.holds
    assert never.up_ns == 20 * NS


def test_a_baseline_is_another_period_or_another_metric() -> None:
    period = {"metric": TOKENS, "from": "10s", "to": "20s", "at_least": "0.1 x"}
    other = findings(
        period | {"baseline": {"from": "20s", "to": "30s"}},
        period | {"baseline": {"metric": "node.running"}},
        period | {"baseline": {"metric": "node.running", "from": "20s", "to": "30s"}},
    )
    assert [each.baseline for each in other] == [
        measured(TOKENS, 20, 30),
        measured("node.running", 10, 20),
        measured("node.running", 20, 30),
    ]


def test_what_is_awaited_waits_for_its_baseline() -> None:
    wanted = {"metric": TOKENS, "by": "40s", "at_least": "0.5 x", "baseline": {"from": "10s", "to": "20s"}}
    (found,) = findings(wanted)
    assert found.holds
    assert found.up_ns is not None
    assert found.up_ns >= 20 * NS


CRASHES = {"fault": "crash", "process": "a", "every": "20s"}


def test_events_are_counted_in_their_period() -> None:
    gone = {"event": "killed by SIGSEGV"}
    found = findings(
        gone | {"by": "1m"},
        gone | {"from": "15s", "to": "45s", "equals": 2},
        gone | {"from": "21s", "to": "39s", "equals": 0},
        gone | {"by": "1m", "kind": "runtime_log"},
        {"event": "serve.py", "kind": "process_start", "by": "30s", "equals": 2},
        faults=[CRASHES],
    )
    assert [(each.holds, each.found) for each in found] == [(True, 3), (True, 2), (True, 0), (False, 0), (True, 2)]
    assert found[0].up_ns == 20 * NS


REFUSED = {"fault": "bad-input", "process": "a", "parameters": {"share": 1.0}, "at": "2s"}


def test_events_are_fetched_before_the_model_forgets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"event": "wrong input", "by": "3m", "above": 250}
    (found,) = findings(wanted, faults=[REFUSED])
    monkeypatch.setattr("device_model.runtime.eventlog.KEPT", 150)
    assert findings(wanted, faults=[REFUSED]) == [found]
    assert found.holds
    monkeypatch.setattr("device_model.runtime.eventlog.KEPT", 20)
    (lost,) = findings(wanted, faults=[REFUSED])
    assert not lost.holds
    assert lost.text.endswith("events came faster than they could be fetched")


def test_a_process_that_is_not_there_is_no_value() -> None:
    found = findings(
        {"metric": "processes[a].pid", "at": "20s", "above": 0},
        {"metric": "cores[7].flops", "at": "20s", "equals": 0},
        faults=[CRASHES],
    )
    assert [(each.holds, each.text) for each in found] == [
        (False, "there is no processes[a]"),
        (False, "there is no cores[7]"),
    ]


def test_the_run_ends_with_what_is_expected_last() -> None:
    model = expecting({"metric": TOKENS, "at": "5s", "above": 0}, {"event": "x", "from": "1s", "to": "7s", "equals": 0})
    run = Run(model)
    run.findings(nothing)
    assert model.now_ns - model.epoch_ns == run.lasts_ns == 7 * NS


def test_a_run_moves_the_model_as_one_advance_does() -> None:
    wanted = {"metric": TOKENS, "by": "20s", "above": 1e9}
    run, alone = expecting(wanted), expecting(wanted)
    Run(run).findings(nothing)
    assert run.snapshot() == forward(alone, 20).snapshot()


def test_what_was_found_reads_as_a_line(golden: Golden) -> None:
    period = {"metric": TOKENS, "from": "10s", "to": "19s"}
    found = findings(
        period | {"above": 1},
        period | {"at_least": "9 x", "baseline": {"from": "2s", "to": "9s"}},
        period | {"at_least": "1 x", "baseline": {"metric": "devices[0].ecc.mem_ecc_corrected"}},
        {"metric": "cores[0].memory_used_bytes", "at": "19s", "above": 1},
        {"metric": "devices[0].reset_state", "at": "19s", "equals": "reset"},
        {"metric": "processes[a].executions_total.completed", "by": "30s", "above": 10},
        {"metric": "processes[a].pid", "at": "20s", "above": 1},
        {"event": "killed by", "by": "30s"},
        {"event": "killed by", "by": "10s"},
        faults=[CRASHES],
    )
    lines = [f"{'holds' if each.holds else 'fails'}  {each.expectation.text}; found {each.text}" for each in found]
    golden("neuron-model/findings.txt", "\n".join(lines) + "\n")
