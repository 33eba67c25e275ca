"""A scenario's faults happen when their tables say, as if somebody had injected them; a saved model replays them."""

import json
from typing import Any

import pytest

from device_model.save import restore, saved
from device_model.simulation import NS, Simulation
from neurontools.schema.document import encode
from neurontools.schema.events import PROCESS_END
from tests.device_model.hosts import CLOSED, forward, host, readings, server

SLOW = {"fault": "straggler", "core": 1, "parameters": {"factor": 2.0}}
CRASH = {"fault": "crash", "process": "a"}
WATCHED = "processes[a].executions_total.completed"


def small(*faults: dict[str, Any], **changes: Any) -> Simulation:
    process = server(arrivals=CLOSED) | {"restart": "5s"}
    return host(process, instance="inf2.xlarge", faults=list(faults), **changes)


def ends_s(model: Simulation) -> list[float]:
    """When processes ended, in s after the start."""
    return [(e.time_ns - model.epoch_ns) / NS for e in model.events(0).events if e.kind == PROCESS_END]


def test_a_scheduled_fault_is_an_injection_at_that_time() -> None:
    scheduled, by_hand = forward(small(SLOW | {"at": "10s", "for": "20s"}), 10), forward(small(), 10)
    by_hand.inject("straggler", {"core": 1}, {"factor": 2.0}, 20 * NS)
    for seconds in (0.5, 7, 12.5, 30):
        ours, theirs = forward(scheduled, seconds).snapshot(), forward(by_hand, seconds).snapshot()
        assert ours.devices == theirs.devices
        assert ours.processes == theirs.processes
    assert scheduled.journal == []


def test_a_fault_lasts_as_long_as_it_says() -> None:
    model = forward(small(SLOW | {"at": "10s", "for": "20s"}), 9.9)
    active = [len(forward(model, seconds).faults()) for seconds in (0.1, 19.9, 0.1)]
    assert active == [1, 1, 0]


def test_a_fault_comes_again_and_again() -> None:
    model = forward(small(CRASH | {"every": "30s"}), 100)
    assert ends_s(model) == [30, 60, 90]


def test_a_fault_at_random_comes_when_the_seed_says() -> None:
    first, again, other = (ends_s(forward(small(CRASH | {"rate": "4/m"}, seed=seed), 90)) for seed in (1, 1, 2))
    assert len(first) >= 2
    assert first == again != other


def test_another_fault_changes_no_draw() -> None:
    alone = forward(small(CRASH | {"rate": "4/m"}), 90)
    beside = forward(small({"fault": "hbm-corrected", "core": 0, "rate": "1/m"}, CRASH | {"rate": "4/m"}), 90)
    assert ends_s(beside) == ends_s(alone)


def test_two_faults_alike_have_draws_of_their_own() -> None:
    error = {"fault": "sram-uncorrected", "core": 0, "rate": "6/m"}
    alone, both = (
        (forward(host(instance="inf2.xlarge", faults=[error] * count), 60).snapshot().devices[0].ecc or {})
        for count in (1, 2)
    )
    assert both["sram_ecc_uncorrected"] > alone["sram_ecc_uncorrected"] > 0


def test_a_fault_that_waits_happens_once_when_its_metric_is_there() -> None:
    untouched, seconds, completed = small(), 0, 0
    while completed <= 200:
        (process,) = forward(untouched, 1).snapshot().processes or ()
        completed, seconds = (process.executions or {})["completed"], seconds + 1
    model = forward(small(CRASH | {"when": {"metric": WATCHED, "above": 200}}), 60)
    assert ends_s(model) == [seconds]


def test_a_metric_that_never_is_there_brings_nothing() -> None:
    model = forward(small(CRASH | {"when": {"metric": "cores[9].flops", "below": 1}}), 20)
    assert ends_s(model) == []
    assert model.missed_faults() == []


def test_a_fault_whose_process_is_away_is_missed() -> None:
    model = forward(small(CRASH | {"at": "10s"}, CRASH | {"at": "12s"}), 20)
    assert ends_s(model) == [10]
    (missed,) = model.missed_faults()
    assert (missed.entry, missed.time_ns - model.epoch_ns) == (1, 12 * NS)
    assert "'a'" in missed.reason


@pytest.mark.parametrize(
    "when",
    [{"at": "10s"}, {"every": "7s", "jitter": "3s"}, {"rate": "4/m"}, {"when": {"metric": WATCHED, "above": 99}}],
)
def test_a_saved_model_is_restored_with_its_faults(when: dict[str, Any]) -> None:
    model = forward(small(CRASH | when, SLOW | {"at": "4s", "for": "1m"}), 25)
    again = restore(json.dumps(saved(model)), "x")
    assert readings(again) == readings(model)
    assert readings(forward(again, 25)) == readings(forward(model, 25))


def test_the_way_there_may_be_divided_anyhow() -> None:
    faults = (CRASH | {"when": {"metric": WATCHED, "above": 150}}, SLOW | {"every": "9s", "jitter": "5s", "for": "2s"})
    once, often = forward(small(*faults), 60), small(*faults)
    for _ in range(120):
        forward(often, 0.5)
    assert encode(once.snapshot()) == encode(often.snapshot())
