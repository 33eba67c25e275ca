"""One host in time: the division of time, commands, what is kept of the past, and every shipped scenario."""

from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.scenario import NamedScenario, ScenarioError, from_document, load, shipped
from device_model.simulation import NS, PAST_KEPT_NS, PAST_STEP_NS, CommandError, Simulation
from neurontools.schema.document import encode
from neurontools.schema.interval import between
from neurontools.units import parse_duration_ns
from tests.device_model.hosts import (
    AGES_NS,
    CLOSED,
    busy_host,
    costly,
    document,
    forward,
    host,
    process_of,
    readings,
    server,
    workload_of,
)  # fmt: skip
from tests.device_model.invariants import check_bounds, check_grown, check_sums

PARTS = st.lists(st.sampled_from([0, 1, 12_345, 10**8, 3 * 10**9, 5 * 10**9, 40 * 10**9]), max_size=8)


@given(PARTS, st.integers(2, 40))
@costly
def test_the_division_of_time_changes_nothing(parts: list[int], patience: int) -> None:
    whole, divided, paused = busy_host(), busy_host(), busy_host()
    end_ns = whole.now_ns + sum(parts)
    whole.advance(end_ns)
    for part in parts:
        divided.advance(divided.now_ns + part)
    questions = count(1)
    while not paused.advance(end_ns, lambda: next(questions) % patience == 0):
        assert paused.now_ns < end_ns
    assert readings(divided) == readings(whole)
    assert readings(paused) == readings(whole)


def test_time_goes_only_forward() -> None:
    model = forward(host(), 1)
    with pytest.raises(CommandError, match="only forward"):
        model.advance(model.now_ns - 1)
    assert model.now_ns == STEPPED_EPOCH_NS + NS


@pytest.mark.parametrize("make", [host, busy_host])
def test_the_past_is_the_newest_kept_snapshot_of_that_age(make: Any) -> None:
    model, taken = make(), {}
    for second in range(0, 130, 5):
        model.advance(STEPPED_EPOCH_NS + second * NS)
        taken[model.now_ns] = encode(model.snapshot())
        for age in (0, 1, NS, 5 * NS, 7 * NS, 60 * NS):
            past = model.past(age)
            due_ns = model.now_ns - age
            due_ns -= (due_ns - STEPPED_EPOCH_NS) % PAST_STEP_NS
            if due_ns < STEPPED_EPOCH_NS:
                assert past is None
            else:
                assert past is not None
                assert past.head.time_ns == due_ns
                assert encode(past) == taken[due_ns]


@pytest.mark.parametrize("make", [host, busy_host])
def test_a_first_figure_exists_after_five_seconds_in_one_step(make: Any) -> None:
    model = forward(make(), 5)
    past = model.past(NS)
    assert past is not None
    assert past.head.time_ns == STEPPED_EPOCH_NS


@given(st.lists(st.sampled_from([1, 4 * NS, 61 * NS, 599 * NS, 601 * NS, 3600 * NS]), min_size=1, max_size=4))
@costly
def test_the_past_ends_after_ten_minutes_however_time_was_divided(parts: list[int]) -> None:
    process = server("a", arrivals={"kind": "closed", "users": 1, "think": "45s"}, stop="20m")
    whole, divided = host(process), host(process)
    whole.advance(whole.now_ns + sum(parts))
    for part in parts:
        divided.advance(divided.now_ns + part)
    for age in AGES_NS:
        past, same = whole.past(age), divided.past(age)
        assert past == same
        if past is not None:
            assert age <= whole.now_ns - past.head.time_ns <= PAST_KEPT_NS
    assert whole.past(5 * NS) is not None or sum(parts) < 5 * NS
    assert whole.past(PAST_KEPT_NS + 1) is None


def test_on_the_way_of_a_long_advance_nothing_false_is_kept() -> None:
    seen = busy_host()
    for second in range(5, 100, 5):
        forward(seen, second - (seen.now_ns - STEPPED_EPOCH_NS) / NS)
    model = busy_host()
    asked = count(1)
    assert not model.advance(STEPPED_EPOCH_NS + 3600 * NS, lambda: next(asked) > 500)
    stopped_ns = model.now_ns
    assert stopped_ns < STEPPED_EPOCH_NS + 95 * NS
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 9)
    model.advance(stopped_ns + NS)
    for age in AGES_NS:
        past = model.past(age)
        if past is not None and past.head.time_ns < stopped_ns:
            other = seen.past(seen.now_ns - past.head.time_ns)
            assert other is not None
            assert encode(past) == encode(other)


@pytest.mark.parametrize("at_s", [0, 2, 5, 60])
def test_what_a_command_does_is_in_the_interval_that_begins_with_it(at_s: int) -> None:
    model = forward(host(server("a")), at_s)
    before = encode(model.snapshot())
    model.inject("hbm-uncorrected", {"core": 1}, {})
    forward(model, 1)
    past = model.past(NS)
    assert past is not None
    if past.head.time_ns == model.now_ns - NS:
        assert encode(past) == before
    ecc = between(past, model.snapshot()).devices[0].ecc
    assert ecc is not None
    assert ecc["mem_ecc_uncorrected"] == 1


@pytest.mark.parametrize(
    ("pid", "number", "message"),
    [(1, 9, "no simulated process has pid 1"), (4096, 11, r"know the signals 1 \(SIGHUP\), 2 .*, not 11")],
)
def test_a_signal_that_makes_no_sense_is_refused_and_changes_nothing(pid: int, number: int, message: str) -> None:
    model = forward(host(server("a")), 2)
    before = readings(model)
    with pytest.raises(CommandError, match=message):
        model.signal(pid, number)
    assert readings(model) == before


def test_commands_are_noted_in_the_journal() -> None:
    model = forward(host(server("a")), 2)
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 2)
    assert model.journal == [{"time_ns": model.now_ns, "command": "signal", "pid": process.pid, "number": 2}]
    with pytest.raises(CommandError):
        model.signal(process.pid, 2)
    assert len(model.journal) == 1


def test_boots_are_told_apart() -> None:
    named = NamedScenario("t", from_document(document(server("a")), "t"))
    boots = [
        Simulation(named),
        Simulation(named, seed=2),
        Simulation(named, instance="trn2.48xlarge"),
        Simulation(named, epoch_ns=NS),
        host(),
    ]
    assert len({model.snapshot().head.boot_id for model in boots}) == len(boots)
    assert Simulation(named).snapshot().head.boot_id == boots[0].snapshot().head.boot_id


def test_the_next_event_is_when_something_happens_by_itself() -> None:
    assert host().next_event_ns() is None
    model = host(server("a", start="3s"))
    assert model.next_event_ns() == STEPPED_EPOCH_NS + 3 * NS
    forward(model, 30)
    following = model.next_event_ns()
    assert following is not None
    assert following > model.now_ns


def check_two_minutes(scenario: str, instance: str) -> None:
    """Runs a shipped scenario and checks it on the way."""
    named = load(scenario)
    model = Simulation(named, instance)
    types = {getattr(process.workload, "data_type", "bf16") for process in named.scenario.processes} or {"bf16"}
    start, snapshots = model.snapshot(), []
    for seconds in (3, 37, 80):
        snapshots.append(forward(model, seconds).snapshot())
        check_sums(model)
    for early, late in zip([start, *snapshots], snapshots, strict=False):
        check_grown(early, late)
        check_bounds(instance, min(types), early, late)


ENDING_WITHIN_20_S = {"opt-66b-out-of-memory": 1}
"""Scenario -> processes whose early end is what it shows."""


@pytest.mark.parametrize("scenario", sorted(shipped()))
def test_every_shipped_scenario_runs_where_it_is_at_home(scenario: str) -> None:
    model = forward(Simulation(load(scenario)), 20)
    check_sums(model)
    named = load(scenario).scenario
    begun = [process for process in named.processes if parse_duration_ns(process.start) <= 20 * NS]
    expected = sum(process.replicas for process in begun) - ENDING_WITHIN_20_S.get(scenario, 0)
    assert len(model.snapshot().processes or ()) == expected


@pytest.mark.parametrize(("scenario", "instance"), [("opt-30b", "trn1.32xlarge"), ("idle", "inf1.xlarge")])
def test_a_sample_of_scenarios_on_other_instance_types(scenario: str, instance: str) -> None:
    """All of them: `tests/device_model/test_scenarios.py`."""
    check_two_minutes(scenario, instance)


def test_two_physical_cores_make_a_logical_one() -> None:
    model = forward(host(server("a", tp=2, arrivals=CLOSED), server("b", tp=1), instance="trn2.48xlarge"), 20)
    first, second = process_of(model, "a"), process_of(model, "b")
    assert first is not None
    assert second is not None
    assert (first.cores, second.cores) == ((0, 1, 2, 3), (4, 5))
    assert workload_of(model, "a").completed > 0
    cores = model.snapshot().devices[0].cores
    assert len({core.busy_ns for core in cores[:4]}) == len({core.busy_ns for core in cores[4:6]}) == 1
    assert {core.busy_ns for core in cores[6:]} == {0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"tp": 8}, "tp = 8 does not fit on trn2.3xlarge: expected one of 1, 2, 4"),
     ({"tp": 4, "replicas": 2}, "needs 4 free NeuronCores side by side, but trn2.3xlarge has 4 and 0 of them are free"),
     ({"tp": 2, "first_core": 4}, "go beyond the last NeuronCore of trn2.3xlarge, 3")],
)  # fmt: skip
def test_logical_cores_are_what_a_scenario_counts(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(server("a", **changes), instance="trn2.3xlarge")
