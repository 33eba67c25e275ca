"""Calls of a custom operator as their host sees them: order, queue, trips, and runs of many calls at once."""

import math
from statistics import mean, stdev
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from device_model.runtime.execution import StepWork
from device_model.runtime.fate import OUT_OF_BOUNDS
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.scenario import ScenarioError, load
from device_model.simulation import NS, Simulation
from device_model.workloads.kinds.custom_operator import OperatorCalls
from neurontools.schema.document import encode
from neurontools.schema.snapshot import Core, EngineTimes, Snapshot
from tests.device_model.hosts import costly, forward, host, process_of, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums

AT_ONCE = {"kind": "closed", "users": 3}
BACKLOG = {"kind": "poisson", "per_second": 900.0}
VARYING = {"mean": 4, "cv": 0.8, "least": 1, "most": 20}
ALWAYS_THREE = {"mean": 4, "cv": 0.5, "least": 3, "most": 3}
ARRIVALS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda users, think, cv: {"kind": "closed", "users": users, "think": think, "think_cv": cv},
              st.integers(1, 9), st.sampled_from(["0s", "1ms", "2500us", "9ms", "300ms"]), st.sampled_from([0.0, 1.5])),
    st.builds(lambda rate: {"kind": "poisson", "per_second": rate}, st.sampled_from([3.0, 90.0, 900.0])),
)  # fmt: skip
TRIPS: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{"mean": 3}, VARYING, ALWAYS_THREE, {"mean": 1}])
LIMITS = st.sampled_from([0, 1, 5, 1000])


def caller(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that calls an operator on one core, some milliseconds a call; `changes` go to its workload."""
    workload = {
        "kind": "custom-operator",
        "elements": 1_000_000,
        "element_bits": 32,
        "operations": 100,
        "trips": {"mean": 3},
        "arrivals": AT_ONCE,
    }
    return {"name": name, "workload": workload | changes}


def small(process: dict[str, Any], **changes: Any) -> Simulation:
    """A host with one device."""
    return host(process, instance="inf2.8xlarge", **changes)


def noting_runs(patch: pytest.MonkeyPatch, most: int = 1 << 30) -> list[int]:
    """Cuts every run to `most` executions; the numbers that were asked for are noted in what is returned."""
    asked: list[int] = []
    execute = Runtime.execute

    def noted(
        runtime: Runtime, time_ns: int, process: Process, works: Any, steps: int, done: Any, **others: Any
    ) -> None:
        asked.append(steps)
        execute(runtime, time_ns, process, works, min(steps, most), done, **others)

    patch.setattr(Runtime, "execute", noted)
    return asked


def state(model: Simulation) -> bytes:
    """All of a snapshot but its head, which names the scenario."""
    snapshot = model.snapshot()
    return encode(Snapshot(head=small(caller()).snapshot().head, devices=snapshot.devices,
                           processes=snapshot.processes, host=snapshot.host))  # fmt: skip


def core_of(model: Simulation, core: int = 0) -> Core:
    return model.snapshot().devices[0].cores[core]


def engines_of(model: Simulation, core: int = 0) -> EngineTimes:
    engines = core_of(model, core).engines
    assert engines is not None
    return engines


def call_ns(model: Simulation) -> int:
    """What one call takes, of a model whose calls are all alike."""
    process = next(iter(model._world.runtime.processes.values()))
    execution = model._world.runtime.under_way(process)
    assert execution is not None
    return execution.run.step_ns


def fail_next(model: Simulation) -> None:
    """The next call of the only process will fail."""
    runtime = model._world.runtime
    (process,) = runtime.processes.values()
    runtime.fail_next(model.now_ns, process, OUT_OF_BOUNDS)


def snapshots(process: dict[str, Any], seed: int = 1) -> list[bytes]:
    """All of a host with this process, at a few instants."""
    model = small(process, seed=seed)
    return [encode(forward(model, seconds).snapshot()) for seconds in (0.0, 0.213, 0.4, 0.8)]


@given(ARRIVALS, TRIPS, LIMITS, st.integers(0, 99))
@costly
def test_runs_of_many_calls_are_the_same_as_single_calls(
    arrivals: dict[str, Any], trips: dict[str, Any], limit: int, seed: int
) -> None:
    process = caller(arrivals=arrivals, trips=trips, queue_limit=limit)
    many = snapshots(process, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OperatorCalls, "_series_ahead", lambda *_: (1, False))
        assert snapshots(process, seed) == many


@pytest.mark.parametrize("arrivals", [AT_ONCE, BACKLOG])
@pytest.mark.parametrize("most", [1, 2, 7])
def test_runs_that_end_early_leave_the_other_calls_waiting(arrivals: dict[str, Any], most: int) -> None:
    whole = snapshots(caller(arrivals=arrivals))
    with pytest.MonkeyPatch.context() as patch:
        asked = noting_runs(patch, most)
        assert snapshots(caller(arrivals=arrivals)) == whole
    assert max(asked) > most


@given(
    st.sampled_from([1, 2, 5, 9, 63, 64, 65]),
    st.lists(st.tuples(st.integers(0, 1_500_000_000), st.booleans()), min_size=1, max_size=4),
)
@example(users=5, steps=[(700_000_000, True), (1_300_000_000, True), (1_400_000_000, False)])
@costly
def test_going_round_is_the_same_as_users_who_call_one_by_one(users: int, steps: list[tuple[int, bool]]) -> None:
    arrivals = {"kind": "closed", "users": users}
    round_and_round = small(caller(arrivals=arrivals, trips={"mean": 3}))
    event_by_event = small(caller(arrivals=arrivals, trips=ALWAYS_THREE))
    for step_ns, fails in steps:
        for model in (round_and_round, event_by_event):
            model.advance(model.now_ns + step_ns)
        assert state(round_and_round) == state(event_by_event)
        if fails:
            fail_next(round_and_round)
            fail_next(event_by_event)


def test_users_who_call_again_at_once_cost_next_to_no_work() -> None:
    with pytest.MonkeyPatch.context() as patch:
        asked = noting_runs(patch)
        workload = workload_of(forward(small(caller(element_bits=8)), 600))
    assert workload.completed > 300_000
    assert len(asked) < 20


def test_a_long_queue_runs_at_once_and_a_varied_one_call_by_call() -> None:
    for trips, expected in (({"mean": 3}, True), (VARYING, False)):
        with pytest.MonkeyPatch.context() as patch:
            asked = noting_runs(patch)
            forward(small(caller(arrivals=BACKLOG, trips=trips)), 1)
        assert (max(asked) > 50) == expected


@given(ARRIVALS, TRIPS, LIMITS, st.integers(0, 99), st.integers(1, 600_000_000))
@costly
def test_every_call_is_in_exactly_one_place(
    arrivals: dict[str, Any], trips: dict[str, Any], limit: int, seed: int, moment_ns: int
) -> None:
    model = small(caller(arrivals=arrivals, trips=trips, queue_limit=limit), seed=seed)
    model.advance(model.now_ns + moment_ns)
    work = workload_of(model)
    assert work.submitted == work.completed + work.rejected + work.queued + work.running
    assert (work.failed, work.timed_out, work.cancelled, work.prompt_tokens, work.generated_tokens) == (0,) * 5
    assert work.running in (0, 1)
    assert 0 <= work.queued <= limit
    assert not work.queued or work.running, "nobody waits for an idle core"
    assert work.queued + work.running <= arrivals.get("users", work.queued + work.running)
    assert work.request_latency is not None
    assert work.request_latency.count == work.completed
    process = process_of(model, "a")
    assert process is not None
    assert (process.executions or {})["completed"] == work.completed, "a call is one execution"
    check_sums(model)


@given(ARRIVALS, TRIPS, LIMITS, st.lists(st.integers(1, 400_000_000), min_size=2, max_size=4))
@costly
def test_a_call_that_fails_is_failed_and_nothing_else(
    arrivals: dict[str, Any], trips: dict[str, Any], limit: int, moments: list[int]
) -> None:
    model = small(caller(arrivals=arrivals, trips=trips, queue_limit=limit))
    for moment_ns in moments:
        fail_next(model)
        model.advance(model.now_ns + moment_ns)
        work, process = workload_of(model), process_of(model, "a")
        assert work.submitted == work.completed + work.rejected + work.failed + work.queued + work.running
        assert work.request_latency is not None
        assert work.request_latency.count == work.completed
        assert process is not None
        assert (process.executions or {})["completed"] == work.completed
        assert (process.executions or {})["completed_with_err"] == work.failed


def test_a_user_whose_call_failed_calls_again_and_joins_the_others() -> None:
    model = forward(small(caller(arrivals={"kind": "closed", "users": 3})), 1)
    fail_next(model)
    assert workload_of(forward(model, 0.1)).failed == 1
    assert workload_of(model).queued + workload_of(model).running == 2, "a second passes until the third is back"
    one_ns, before = call_ns(model), workload_of(forward(model, 2)).request_latency
    after = workload_of(forward(model, 1)).request_latency
    assert before is not None
    assert after is not None
    assert after.sum_ns - before.sum_ns == 3 * one_ns * (after.count - before.count), "each waits for the two others"


@given(ARRIVALS, TRIPS, st.sampled_from([0.0, 1e9, 1e12]), st.integers(1, 500_000_000))
@costly
def test_no_engine_exceeds_the_busy_time_or_the_data_sheet(
    arrivals: dict[str, Any], trips: dict[str, Any], flops: float, moment_ns: int
) -> None:
    model = small(caller(arrivals=arrivals, trips=trips, matmul_flops=flops, vector_elements=1e7))
    early = forward(model, 0.1).snapshot()
    model.advance(model.now_ns + moment_ns)
    check_grown(early, model.snapshot())
    check_bounds("inf2.8xlarge", "bf16", early, model.snapshot())


@pytest.mark.parametrize("users", [1, 5])
def test_users_who_call_again_at_once_wait_for_all_others(users: int) -> None:
    model = forward(small(caller(arrivals={"kind": "closed", "users": users})), 1)
    one_ns = call_ns(model)
    workload = workload_of(forward(model, 20))
    assert (workload.queued, workload.running) == (users - 1, 1)
    assert workload.request_latency is not None
    waited = sum(range(1, users)) + users * (workload.completed - users + 1)
    assert workload.request_latency.sum_ns == one_ns * waited


def test_gpsimd_is_active_while_the_tensor_engine_is_not() -> None:
    model = forward(small(caller(operations=5000)), 10)
    engines, core = engines_of(model), core_of(model)
    assert core.busy_ns is not None
    assert engines.gpsimd_ns > 0.98 * core.busy_ns > 0.95 * 10 * NS
    assert (engines.tensor_ns, engines.vector_ns, engines.scalar_ns, core.flops) == (0, 0, 0, 0)
    assert engines_of(model, 1).gpsimd_ns == 0, "the other core is nobody's"


def test_trips_vary_from_call_to_call_and_belong_to_their_number() -> None:
    latencies = []
    for neighbour in ([], [caller("0", trips=VARYING)]):
        model = host(*neighbour, caller(arrivals={"kind": "closed", "users": 1}, trips=VARYING))
        workload = workload_of(forward(model, 2))
        assert workload.request_latency is not None
        latencies.append(workload.request_latency)
    assert latencies[0] == latencies[1]
    assert len(latencies[0].counts) > 10
    assert max(latencies[0].counts) - min(latencies[0].counts) > 50, "in buckets of 2 %"


def test_mean_trips_are_what_the_table_says() -> None:
    """GPSIMD time of a call, against that of calls of exactly the mean."""
    steady = forward(small(caller(trips={"mean": 8}, local=0.0)), 1)
    begin_ns = engines_of(steady).gpsimd_ns
    steady.advance(steady.now_ns + call_ns(steady))
    expected_ns = engines_of(steady).gpsimd_ns - begin_ns
    means = []
    for seed in range(10):
        model = forward(small(caller(trips={"mean": 8, "cv": 0.3}, local=0.0), seed=seed), 4)
        means.append(engines_of(model).gpsimd_ns / workload_of(model).completed)
    standard_error = stdev(means) / math.sqrt(len(means))
    assert abs(mean(means) - expected_ns) < 3 * standard_error < 0.03 * expected_ns


def test_cores_share_a_call_and_send_nothing() -> None:
    completed = {}
    for cores in (1, 2, 4):
        model = forward(host(caller(cores=cores, operations=5000)), 10)
        completed[cores] = workload_of(model).completed
        assert len({core_of(model, core).busy_ns for core in range(min(2, cores))}) == 1
        assert all(not link.transmitted_bytes for device in model.snapshot().devices for link in device.links or ())
        assert engines_of(model).gpsimd_ns > 0
    assert completed[2] == pytest.approx(2 * completed[1], rel=0.05)
    assert completed[4] == pytest.approx(4 * completed[1], rel=0.1)


def work_of(**changes: Any) -> StepWork:
    """A call as one core does it, on a host where nothing else has happened yet."""
    model = forward(host(caller(**changes)), 1)
    (cost,) = next(iter(model._world.programs.values())).account(model.now_ns).costs
    return cost.work


def test_a_core_does_its_part_of_what_the_table_says() -> None:
    beside = {"elements": 100_000, "inputs": 3, "outputs": 2, "matmul_flops": 4e9, "vector_elements": 4e6}
    alone, half = (work_of(cores=cores, trips={"mean": 1}, **beside) for cores in (1, 2))
    assert (alone.hbm_read_bytes, alone.hbm_written_bytes, alone.flops) == (3 * 400_000, 2 * 400_000, 4 * 10**9)
    assert (half.hbm_read_bytes, half.hbm_written_bytes, half.flops) == (3 * 200_000, 2 * 200_000, 2 * 10**9)
    for engine in ("gpsimd_ns", "tensor_ns", "vector_ns"):
        assert getattr(half, engine) == pytest.approx(getattr(alone, engine) / 2, abs=1)
    kept, read_again = (work_of(elements=50_000, operations=1, local=local) for local in (1.0, 0.0))
    # Of three trips of reading, operating and writing once at the end, two need not read again.
    assert kept.gpsimd_ns == pytest.approx(read_again.gpsimd_ns * 5 / 7, rel=1e-3)


def test_a_logical_core_of_two_counts_on_both() -> None:
    model = forward(host(caller(), instance="trn2.48xlarge"), 1)
    engines = [engines_of(model, core).gpsimd_ns for core in range(3)]
    assert engines[0] == engines[1] > 0 == engines[2]


def test_a_full_queue_turns_callers_away_and_they_call_again_later() -> None:
    model = forward(small(caller(arrivals={"kind": "closed", "users": 9}, queue_limit=2)), 3)
    workload = workload_of(model)
    assert workload.rejected > 6
    assert (workload.queued, workload.running) == (2, 1)
    assert workload.completed > 100


def test_a_process_killed_between_its_calls_keeps_what_it_counted() -> None:
    model = forward(small(caller()), 1.0003)
    process, before = process_of(model, "a"), core_of(model)
    assert process is not None
    model.signal(process.pid, 9)
    after = core_of(forward(model, 1))
    assert (after.busy_ns, after.engines, after.status) == (before.busy_ns, before.engines, before.status)
    assert model.next_event_ns() is None or forward(model, 60).next_event_ns() is None
    check_sums(model)


def test_chips_without_the_processors_are_refused_by_name() -> None:
    with pytest.raises(ScenarioError) as refused:
        host(caller(), instance="inf1.xlarge")
    assert str(refused.value) == (
        "test: processes[0].workload.kind: Inferentia has no GPSIMD processors to run a custom operator on; "
        "Inferentia2, Trainium1, Trainium2 and Trainium3 have"
    )


def test_elements_beyond_the_memory_end_the_process() -> None:
    model = forward(small(caller(elements=1 << 33)), 5)
    assert process_of(model, "a") is None
    texts = [event.text for event in model.events(0).events]
    assert any("Failed to allocate" in text for text in texts)
    assert texts[-1].endswith("exit status 1 (NRT_RESOURCE)")


def account(model: Simulation) -> tuple[str, tuple[str, ...]]:
    """What the first process says it is doing."""
    told = next(iter(model._world.programs.values())).account(model.now_ns)
    assert all(cost.parts for cost in told.costs)
    return told.doing, told.notes


def test_it_says_what_it_is_doing() -> None:
    rare = small(caller(arrivals={"kind": "poisson", "per_second": 0.01}))
    assert account(rare) == ("loading a custom operator", ())
    assert account(forward(rare, 1)) == ("waiting for the next call of a custom operator", ())
    alone = forward(small(caller(arrivals={"kind": "closed", "users": 1}, trips={"mean": 1})), 1)
    assert account(alone) == (
        "calling an operator on 1,000,000 elements of 32 bits, 1 trip: GPSIMD 73 % of the call, launch 26 %, HBM 4 %",
        (),
    )
    beside = forward(small(caller(elements=1_048_576, element_bits=16, matmul_flops=2e10, vector_elements=4e7)), 1)
    assert account(beside) == (
        "calling an operator on 1,048,576 elements of 16 bits, 3 trips: "
        "GPSIMD 77 % of the call, tensor engine 29 %, vector engine 24 %, launch 18 %, HBM 1 %",
        ("2 calls wait behind it.",),
    )


def test_the_shipped_scenario_shows_gpsimd_alone_and_beside_other_engines() -> None:
    model = Simulation(load("custom-operator"))
    forward(model, 30)
    alone, beside = (engines_of(model, core) for core in (0, 1))
    assert alone.gpsimd_ns > 0.9 * 30 * NS > 0 == alone.tensor_ns
    assert min(beside.gpsimd_ns, beside.tensor_ns, beside.vector_ns) > 0.15 * 30 * NS
    busy = core_of(model, 1).busy_ns
    assert busy is not None
    assert beside.gpsimd_ns + beside.vector_ns + beside.tensor_ns > 1.2 * busy, "they overlap"
    works = [workload_of(model, name) for name in ("alone", "beside")]
    assert all(work.completed > 500 and work.rejected == 0 for work in works)
