"""Several workers that share the queue of a custom operator's calls: who runs what, when, and what they say of it."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.scenario import ScenarioError
from device_model.simulation import Simulation
from tests.device_model.hosts import costly, forward, host, process_of, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums
from tests.device_model.workloads.kinds.test_custom_operator import (
    ALWAYS_THREE,
    ARRIVALS,
    LIMITS,
    TRIPS,
    VARYING,
    account,
    caller,
    core_of,
    fail_next,
)

WORKERS = st.sampled_from([(1, 2), (1, 4), (2, 2), (2, 3)])
"""Cores of each worker, and how many there are."""


def crew(cores: int, workers: int, **changes: Any) -> Simulation:
    """A host with a process of so many workers."""
    return host(caller(cores=cores, workers=workers, **changes), instance="inf2.24xlarge")


@given(ARRIVALS, TRIPS, LIMITS, WORKERS, st.lists(st.integers(1, 300_000_000), min_size=1, max_size=3), st.booleans())
@costly
def test_every_call_is_in_exactly_one_place_and_nobody_waits_for_a_free_worker(
    arrivals: dict[str, Any],
    trips: dict[str, Any],
    limit: int,
    size: tuple[int, int],
    moments: list[int],
    fails: bool,
) -> None:
    cores, workers = size
    model = crew(cores, workers, arrivals=arrivals, trips=trips, queue_limit=limit)
    for moment_ns in moments:
        before = model.snapshot()
        model.advance(model.now_ns + moment_ns)
        work, process = workload_of(model), process_of(model, "a")
        assert work.submitted == work.completed + work.failed + work.rejected + work.queued + work.running
        assert 0 <= work.queued <= limit
        assert work.running == workers or not work.queued
        assert process is not None
        assert (process.executions or {})["completed"] == work.completed
        assert work.request_latency is not None
        assert work.request_latency.count == work.completed
        check_sums(model)
        check_grown(before, model.snapshot())
        check_bounds(model.instance, "bf16", before, model.snapshot())
        if fails:
            fail_next(model)


@pytest.mark.parametrize("trips", [VARYING, ALWAYS_THREE])
def test_more_workers_answer_in_proportion(trips: dict[str, Any]) -> None:
    users = {"kind": "closed", "users": 12}
    completed = {n: workload_of(forward(crew(1, n, arrivals=users, trips=trips), 8)).completed for n in (1, 2, 4)}
    assert completed[2] == pytest.approx(2 * completed[1], rel=0.02)
    assert completed[4] == pytest.approx(4 * completed[1], rel=0.02)


def test_the_worker_that_has_been_free_the_longest_takes_the_next_call() -> None:
    """So that calls that are far apart go round."""
    model = forward(crew(1, 4, arrivals={"kind": "constant", "per_second": 10.0}), 2.05)
    executed = [(core_of(model, core).status or {})["success"].total for core in (0, 1)]
    executed += [(core.status or {})["success"].total for core in model.snapshot().devices[1].cores]
    assert sum(executed) == workload_of(model).completed >= 15
    assert max(executed) - min(executed) <= 1


def test_it_says_how_many_work() -> None:
    users = {"kind": "closed", "users": 2}
    model = forward(crew(1, 4, arrivals=users), 1)
    doing = "calling an operator on 2 of 4 workers, the first call on 1,000,000 elements of 32 bits, 3 trips: GPSIMD "
    calls = next(iter(model._world.programs.values())).account(model.now_ns)
    assert calls.doing.startswith(doing)
    assert sorted(bool(cost.parts) for cost in calls.costs) == [False, False, True, True]
    explained = [model.explain(core) for core in range(4)]
    assert [found.step is None for found in explained] == [not cost.parts for cost in calls.costs]
    crowded = forward(crew(1, 4, arrivals={"kind": "closed", "users": 9}), 1)
    assert account(crowded)[1] == ("5 calls wait behind them.",)


def test_workers_take_cores_that_the_instance_must_have() -> None:
    with pytest.raises(ScenarioError, match=r"cores x workers = 14 does not fit on inf2\.24xlarge"):
        crew(2, 7)
