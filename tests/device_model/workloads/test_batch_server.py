"""A server of batches as its host sees it: queue, waiting, padding, workers, conservation, and AWS's published runs."""

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.hbm import PAGE_BYTES
from device_model.workloads.arrivals import ClosedLoop
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.calibration.fit import QUANTITIES, generation_of, in_flight
from device_model.workloads.calibration.rows import Row, load_rows
from tests.conftest import Golden
from tests.device_model.hosts import costly, forward, host, process_of, readings, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums
from tests.device_model.workloads.servers import (
    INF1,
    INF2,
    Executions,
    doing,
    encoder,
    events_of,
    executed,
    loaded,
    over,
    pipeline,
    vision,
)

ROWS = [row for row in load_rows() if row.kind in ("encoder", "cnn")]
BATCHES = 300
"""Of every worker in a run that is measured: those cut off at its ends are less than 1 %."""


def label(row: Row) -> str:
    return f"{row.model}-{row.instance}-{row.replicas}x{row.batch}"


def configured(row: Row) -> dict[str, Any]:
    """The server of a published row: its workers, and as many clients as Little's law finds in its figures."""
    published = in_flight(row)
    assert published is not None
    common: dict[str, Any] = {"model": row.model, "workers": row.replicas, "batch": row.batch}
    arrivals = {"kind": "closed", "users": round(published) * row.batch}
    if row.sequence is None:
        return vision(**common, arrivals=arrivals)
    return encoder(**common, arrivals=arrivals, context=row.sequence, tokens={"mean": row.sequence})


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_a_published_run_has_its_batches_in_flight_and_the_predicted_throughput(row: Row) -> None:
    quantity = next(quantity for quantity in QUANTITIES if quantity.kind == row.kind)
    predicted = quantity.predict(row, constants_for(generation_of(row)))
    model = loaded(host(configured(row), instance=row.instance))
    seconds = BATCHES * row.replicas * row.batch / predicted
    before, after = over(forward(model, seconds / 10), seconds)
    throughput = (after.completed - before.completed) / seconds
    assert throughput == pytest.approx(predicted, rel=0.01)
    assert after.request_latency is not None
    percentiles = after.request_latency.since(before.request_latency).percentiles_ns([50])
    assert percentiles is not None
    of_bert = row.replicas == 2 and row.sequence is not None
    expected = 2 if of_bert else 1 if row.batch == 1 else 4
    assert throughput * percentiles[0] / 1e9 / row.batch == pytest.approx(expected, rel=0.02)
    assert in_flight(row) == pytest.approx(expected, rel=0.03), "the published figures themselves"
    busy = [core.busy_ns or 0 for device in model.snapshot().devices for core in device.cores][: row.replicas]
    assert min(busy) > 0.85 * seconds * 1e9, "no time is lost between batches but the host's"


ARRIVALS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda users, think: {"kind": "closed", "users": users, "think": think}, st.integers(1, 30),
              st.sampled_from(["0s", "1ms", "30ms"])),
    st.builds(lambda rate: {"kind": "poisson", "per_second": rate}, st.sampled_from([20.0, 300.0, 3000.0])),
)  # fmt: skip
LIMITS = {"batch": st.sampled_from([1, 3, 4]), "wait": st.sampled_from(["0s", "2ms", "40ms"]),
          "queue_limit": st.sampled_from([0, 1, 5, 1000]), "arrivals": ARRIVALS}  # fmt: skip
SERVERS = st.one_of(
    st.builds(encoder, workers=st.sampled_from([1, 2]), shapes=st.sampled_from(["fixed", "bucket", "dynamic"]),
              **LIMITS),
    st.builds(vision, workers=st.sampled_from([1, 2]), model=st.sampled_from(["resnet18", "deit-tiny-patch16-224"]),
              **LIMITS),
    st.builds(encoder, pipeline=st.just(2), **LIMITS),
)  # fmt: skip
CHAINS = st.builds(lambda stages, server: (server, stages), st.sampled_from([(16, 1), (4, 4), (8, 2)]),
                   st.builds(encoder, **LIMITS))  # fmt: skip


@given(st.one_of(SERVERS.map(lambda server: (server, (1, 1))), CHAINS), st.integers(1, 900_000_000))
@costly
def test_every_request_is_in_exactly_one_place(served: tuple[dict[str, Any], tuple[int, int]], moment_ns: int) -> None:
    server, (stages, workers) = served
    if stages > 1:
        server["workload"] |= {"pipeline": stages, "workers": workers}
    model = host(server, instance=INF1 if stages > 1 else INF2)
    model.advance(model.now_ns + moment_ns)
    table, workload = server["workload"], workload_of(model)
    places = table["batch"] * table.get("pipeline", 1) * table.get("workers", 1)
    waiting = workload.queued + workload.running
    assert workload.submitted == workload.completed + workload.rejected + waiting
    assert (workload.failed, workload.timed_out, workload.cancelled) == (0, 0, 0)
    assert workload.running <= places
    assert workload.queued <= table["queue_limit"] + table["batch"] * table.get("workers", 1)
    assert waiting <= table["arrivals"].get("users", waiting)
    assert workload.request_latency is not None
    assert workload.request_latency.count == workload.completed
    assert (workload.prompt_tokens > 0) == (table["kind"] == "encoder" and workload.completed > 0)


@given(SERVERS, st.lists(st.integers(1, 300_000_000), min_size=1, max_size=4))
@costly
def test_sums_agree_and_no_hardware_does_more_than_it_can(server: dict[str, Any], steps: list[int]) -> None:
    model = host(server, instance=INF2)
    for step_ns in steps:
        before = model.snapshot()
        model.advance(model.now_ns + step_ns)
        if server["workload"].get("workers", 1) == 1:
            check_sums(model)  # where all cores of a process take part in all that it executes
        process = process_of(model, "a")
        assert process is not None
        assert sum(executed(model)) >= (process.executions or {})["completed"]
        check_grown(before, model.snapshot())
        check_bounds(INF2, "bf16", before, model.snapshot())


@given(st.lists(st.integers(1, 200_000_000), min_size=2, max_size=6))
@costly
def test_the_way_there_does_not_matter(steps: list[int]) -> None:
    at_once, divided = (host(encoder(wait="3ms"), vision("b"), instance=INF2) for _ in range(2))
    at_once.advance(at_once.now_ns + sum(steps))
    for step_ns in steps:
        divided.advance(divided.now_ns + step_ns)
    assert readings(at_once) == readings(divided)


@pytest.mark.parametrize("server", [encoder(), vision(), pipeline(), encoder(workers=2)])
@pytest.mark.parametrize("think", ["0s", "7ms"])
def test_who_comes_first_is_answered_first(server: dict[str, Any], think: str) -> None:
    server["workload"]["arrivals"] = {"kind": "closed", "users": 30, "think": think}
    answered: list[int] = []
    after_completion = ClosedLoop.after_completion
    with pytest.MonkeyPatch.context() as patch:

        def noted(users: ClosedLoop, index: int, time_ns: int) -> int | None:
            answered.append(index)
            return after_completion(users, index, time_ns)

        patch.setattr(ClosedLoop, "after_completion", noted)
        forward(host(server, instance=INF1 if "pipeline" in server["workload"] else INF2), 1.5)
    assert len(answered) > 100
    assert answered == sorted(answered)


@pytest.mark.parametrize("arrivals", [{"kind": "poisson", "per_second": 700.0}, {"kind": "closed", "users": 9}])
def test_no_worker_rests_while_a_batch_is_ready(arrivals: dict[str, Any]) -> None:
    model = loaded(host(encoder(workers=2, arrivals=arrivals), instance=INF2))
    process = next(iter(model._world.runtime.processes.values()))
    waited = 0

    def look(_: int) -> None:
        nonlocal waited
        resting = [lane for lane in range(2) if model._world.runtime.under_way(process, lane) is None]
        queued = workload_of(model).queued
        assert not queued or not resting
        waited += queued > 0

    events_of(model, 1, look)
    assert waited > 50


def test_a_batch_waits_for_its_oldest_request_only() -> None:
    """A request every 10 ms: the fourth comes when the first has waited for 30 ms; a sixth would fill the batch."""
    arrivals = {"kind": "constant", "per_second": 100.0}
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        model = forward(loaded(host(encoder(batch=6, wait="30ms", arrivals=arrivals), instance=INF2)), 4)
    starts = [time_ns for time_ns, _, _ in executions.started]
    assert {later - earlier for earlier, later in pairwise(starts)} == {40_000_000}
    latency = workload_of(model).request_latency
    duration_ns = executions.started[0][2][0].duration_ns
    assert latency is not None
    assert latency.sum_ns == latency.count // 4 * (4 * duration_ns + 60_000_000), "30, 20, 10 and 0 ms of waiting"


def test_a_full_batch_waits_for_nobody() -> None:
    arrivals = {"kind": "constant", "per_second": 100.0}
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        forward(loaded(host(encoder(batch=2, wait="1h", arrivals=arrivals), instance=INF2)), 4)
    starts = [time_ns for time_ns, _, _ in executions.started]
    assert {later - earlier for earlier, later in pairwise(starts)} == {20_000_000}


def test_work_is_shared_by_the_worker_that_rested_longest() -> None:
    arrivals = {"kind": "constant", "per_second": 100.0}
    model = forward(host(encoder(workers=4, arrivals=arrivals), instance="inf2.24xlarge"), 5)
    counts = executed(model)
    assert max(counts[:4]) - min(counts[:4]) <= 1
    assert min(counts[:4]) > 50
    assert set(counts[4:]) == {0}


def test_a_full_queue_turns_clients_away_and_they_come_again_later() -> None:
    model = forward(host(encoder(batch=2, queue_limit=3, arrivals={"kind": "closed", "users": 9}), instance=INF2), 5)
    workload = workload_of(model)
    assert workload.rejected > 0
    assert workload.completed > 0
    assert workload.queued <= 3
    assert workload.running == 2


def test_without_a_queue_the_places_of_free_workers_are_still_taken() -> None:
    arrivals = {"kind": "closed", "users": 30}
    workload = workload_of(forward(host(encoder(workers=2, queue_limit=0, arrivals=arrivals), instance=INF2), 3))
    assert (workload.queued, workload.running) == (0, 8)
    assert workload.completed > 0


@pytest.mark.parametrize("moment", [0.05, 1.0])
@pytest.mark.parametrize("server", [encoder(workers=2), pipeline(arrivals={"kind": "closed", "users": 200})])
def test_a_process_that_is_killed_leaves_nothing_under_way(server: dict[str, Any], moment: float) -> None:
    instance = INF1 if "pipeline" in server["workload"] else INF2
    model = forward(host(server, instance=instance), moment)
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 9)
    counts = executed(model)
    check_sums(model)
    forward(model, 5)
    assert model.next_event_ns() is None
    assert executed(model) == counts
    used = [bank.used_bytes for device in model.snapshot().devices for bank in device.banks]
    empty = [bank.used_bytes for device in host(instance=instance).snapshot().devices for bank in device.banks]
    assert used == empty


WRONG_INPUT = 1002


@pytest.mark.parametrize("server", [encoder(workers=2), vision(), encoder(pipeline=4)])
def test_requests_of_an_execution_that_fails_are_told_so_and_come_again(server: dict[str, Any]) -> None:
    server["workload"]["arrivals"] = {"kind": "closed", "users": 40}
    model = loaded(host(server, instance=INF1 if "pipeline" in server["workload"] else INF2))
    process = next(iter(model._world.runtime.processes.values()))
    process.spoiled[WRONG_INPUT] = 0.1
    model._world.runtime.disturbed(model.now_ns, process)
    failed = 0
    for _ in range(2):
        workload = workload_of(forward(model, 1.1))
        waiting = workload.queued + workload.running
        assert workload.submitted == workload.completed + workload.failed + waiting
        assert workload.failed > failed
        failed = workload.failed
    process.spoiled.clear()
    before, after = over(model, 1.2)
    assert after.failed - before.failed <= 4 * (len(process.lanes)), "what had begun to fail"
    assert (after.completed - before.completed, after.queued + after.running) > (40, 39)


def test_a_worker_has_a_copy_of_the_model() -> None:
    model = loaded(host(encoder(model="bert-large-uncased", workers=2), instance=INF2))
    process = process_of(model, "a")
    assert process is not None
    held = [categories["constants"] for categories in (process.memory or {}).values()]
    assert held == [pytest.approx(2 * 335e6, rel=0.01)] * 2
    assert process.groups == ()


def test_a_model_that_does_not_fit_ends_its_process() -> None:
    huge = encoder(model="encoder-1b", data_type="fp32", batch=4096, context=512)
    model = forward(host(huge, instance=INF2), 30)
    assert process_of(model, "a") is None
    assert any("Failed to allocate" in event.text for event in model.events(0).events)
    peak = max((core.memory or {})["constants"].peak or 0 for core in model.snapshot().devices[0].cores)
    assert peak >= 4e9 - PAGE_BYTES, "its weights did fit"


STATES: dict[str, tuple[dict[str, Any], str, float]] = {
    "loading": (encoder(), INF2, 0.01),
    "nobody asks": (encoder(arrivals={"kind": "poisson", "per_second": 1e-6}), INF2, 0.5),
    "waiting for a batch": (encoder(batch=8, wait="1h", arrivals={"kind": "closed", "users": 3}), INF2, 0.5),
    "one of two workers": (encoder(workers=2, arrivals={"kind": "closed", "users": 4}), INF2, 0.5),
    "one works, others wait": (
        encoder(workers=2, batch=8, wait="1h", arrivals={"kind": "closed", "users": 11}), INF2, 0.5,
    ),
    "padded": (encoder(batch=8, arrivals={"kind": "closed", "users": 3}), INF2, 0.5),
    "dynamic": (encoder(workers=2, shapes="dynamic", arrivals={"kind": "closed", "users": 14}), INF2, 0.5),
    "one sequence": (encoder(batch=1, arrivals={"kind": "closed", "users": 3}), INF2, 0.5),
    "images": (vision(workers=2, batch=8, arrivals={"kind": "closed", "users": 32}), INF2, 0.5),
    "patches": (vision(model="vit-base-patch16-224", batch=1, arrivals={"kind": "closed", "users": 1}), INF2, 0.5),
    "a full pipeline": (pipeline(arrivals={"kind": "closed", "users": 80}), INF1, 0.5),
    "a pipeline with gaps": (pipeline(arrivals={"kind": "closed", "users": 21, "think": "3ms"}), INF1, 0.5),
    "four pipelines": (encoder(pipeline=4, workers=4, arrivals={"kind": "closed", "users": 20}), INF1, 0.5),
}  # fmt: skip


def test_a_server_says_what_it_is_doing(golden: Golden) -> None:
    said = []
    for state, (server, instance, seconds) in STATES.items():
        model = forward(host(server, instance=instance), seconds)
        said.append(f"{state}\n" + "".join(f"  {line}\n" for line in doing(model)))
    golden("neuron-model/batch-servers.txt", "\n".join(said))


@given(SERVERS, st.integers(1, 900_000_000))
@costly
def test_costs_are_those_of_the_groups_that_work(server: dict[str, Any], moment_ns: int) -> None:
    model = host(server, instance=INF2)
    model.advance(model.now_ns + moment_ns)
    process = next(iter(model._world.runtime.processes.values()))
    costs = model._world.programs[process.pid].account(model.now_ns).costs
    assert len(costs) in (0, len(process.groups))
    for group, cost in zip(process.groups, costs, strict=bool(costs)):
        run = group.meter.run
        works = run is not None and run.credit_ns > 0
        assert works == bool(cost.parts)
        assert run is None or run.step_ns == cost.work.duration_ns
