"""Pipelines on the simulated node: filling and draining, gaps, what each stage counts, and traffic along the chain."""

from typing import Any

import pytest

from device_model.simulation import Simulation
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Core
from tests.device_model.hosts import forward, host, process_of, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums
from tests.device_model.workloads.servers import (
    INF1,
    Executions,
    encoder,
    events_of,
    executed,
    loaded,
    over,
    pipeline,
)

STAGES = 16
BATCH_BYTES = 4 * 128 * 768 * 2
"""Activations of a batch of the tests' server: sequences, tokens, width, bytes of BF16."""


def beat_ns(model: Simulation) -> int:
    """The length of the beat that is under way."""
    process = next(iter(model._world.runtime.processes.values()))
    execution = model._world.runtime.under_way(process)
    assert execution is not None
    return execution.run.step_ns


def cores(model: Simulation) -> list[Core]:
    return [core for device in model.snapshot().devices for core in device.cores]


def sent(model: Simulation) -> dict[tuple[int, int], int]:
    """Bytes over every directed link."""
    devices = model.snapshot().devices
    return {(d.index, link.peer): link.transmitted_bytes or 0 for d in devices for link in d.links or ()}


def one_batch(**changes: Any) -> Simulation:
    """A pipeline in which a single batch has just entered the first stage; its clients think for an hour."""
    arrivals = {"kind": "closed", "users": 4, "think": "1h"}
    return loaded(host(pipeline(arrivals=arrivals, **changes), instance=INF1))


def test_a_lone_batch_takes_a_beat_a_stage_and_is_executed_once() -> None:
    model = one_batch()
    start_ns, step_ns = model.now_ns, beat_ns(model)
    for stage in range(STAGES):
        model.advance(start_ns + stage * step_ns)
        assert executed(model) == [1] * stage + [0] * (STAGES - stage), "credited by the stages that it has left"
        assert (workload_of(model).running, workload_of(model).completed) == (4, 0)
    model.advance(start_ns + STAGES * step_ns)
    assert executed(model) == [1] * STAGES
    workload, process = workload_of(model), process_of(model, "a")
    assert process is not None
    assert (workload.running, workload.completed) == (0, 4)
    assert process.executions is not None
    assert process.executions["completed"] == 1
    for latency, count in ((process.latency_total, 1), (workload.request_latency, 4)):
        assert latency is not None
        assert (latency.count, latency.sum_ns) == (count, count * STAGES * step_ns)


def test_a_stage_without_a_batch_does_nothing() -> None:
    model = one_batch()
    start_ns, step_ns = model.now_ns, beat_ns(model)
    before = cores(model)
    model.advance(start_ns + step_ns)
    after = cores(model)
    moved = [(new.busy_ns or 0) - (old.busy_ns or 0) for old, new in zip(before, after, strict=True)]
    assert 0 < moved[0] <= step_ns
    assert moved[1:] == [0] * (STAGES - 1)
    assert [new.flops == old.flops for old, new in zip(before, after, strict=True)] == [False] + [True] * (STAGES - 1)


def test_the_pipeline_drains_when_nobody_asks_any_more() -> None:
    model = one_batch()
    forward(model, 60)
    assert (workload_of(model).running, workload_of(model).queued) == (0, 0)
    at_rest = [core.busy_ns for core in cores(model)]
    forward(model, 60)
    assert [core.busy_ns for core in cores(model)] == at_rest


def test_a_full_pipeline_answers_a_batch_a_beat() -> None:
    model = loaded(host(pipeline(arrivals={"kind": "closed", "users": 4 * STAGES}), instance=INF1))
    step_ns = beat_ns(model)
    model.advance(model.now_ns + 2 * STAGES * step_ns)
    counted = executed(model)
    before, after = over(model, 200 * step_ns / 1e9)
    assert after.completed - before.completed == 4 * 200
    assert [new - old for old, new in zip(counted, executed(model), strict=True)] == [200] * STAGES
    assert (after.running, after.queued) == (4 * STAGES, 0)
    latency = after.request_latency
    assert latency is not None
    assert latency.since(before.request_latency).sum_ns == 4 * 200 * STAGES * step_ns


def test_stages_are_busy_by_what_they_have_to_do() -> None:
    """The slowest is busy for the whole beat, but for the host's part of it; nobody else is, and none for longer."""
    model = forward(loaded(host(pipeline(arrivals={"kind": "closed", "users": 100}), instance=INF1)), 0.2)
    start = model.snapshot()
    interval = between(start, forward(model, 1).snapshot())
    busy = [core.utilization_percent or 0.0 for core in interval.cores]
    slowest = max(busy)
    assert slowest == pytest.approx(100 * (1 - 108_000 / beat_ns(model)), rel=1e-3)
    assert busy.index(slowest) == 2
    assert len({round(percent) for percent in busy}) > 2
    assert min(busy) > 50


def test_gaps_move_through_the_stages() -> None:
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        forward(host(pipeline(batch=1, arrivals={"kind": "poisson", "per_second": 300.0}), instance=INF1), 2)
    filled = [[work.flops > 0 for work in works] for _, _, works in executions.started]
    following = [
        (earlier, later)
        for earlier, later, (begun, _, works), (next_ns, _, _) in zip(
            filled, filled[1:], executions.started, executions.started[1:], strict=False
        )
        if next_ns == begun + works[0].duration_ns
    ]
    assert len(following) > 300
    assert all(later[1:] == earlier[:-1] for earlier, later in following)
    assert {sum(stages) for stages in filled} >= {1, 2, 3, 8}


def test_activations_cross_the_chain_one_way_and_only_between_devices() -> None:
    model = one_batch()
    step_ns = beat_ns(model)
    for batches in range(4):
        crossed = {(device, device + 1): BATCH_BYTES * (batches > device) for device in range(3)}
        back = {(device + 1, device): 0 for device in range(3)}
        assert sent(model) == crossed | back
        model.advance(model.now_ns + 4 * step_ns)


def test_stages_that_send_to_another_device_take_time_for_it() -> None:
    model = forward(host(pipeline(arrivals={"kind": "closed", "users": 100}), instance=INF1), 0.5)
    sending = [core.core for core in cores(model) if core.collectives_ns]
    assert sending == [3, 7, 11]


def test_every_stage_holds_a_part_of_the_model() -> None:
    model = one_batch()
    process = process_of(model, "a")
    assert process is not None
    held = [categories["constants"] for categories in (process.memory or {}).values()]
    assert len(held) == STAGES
    whole = 2 * 109.5e6
    assert whole / STAGES <= held[0] <= 1.3 * whole / STAGES, "what the largest stage needs"
    assert len(set(held)) == 1


def test_a_pipeline_that_is_killed_while_full_counts_what_had_passed() -> None:
    model = forward(loaded(host(pipeline(arrivals={"kind": "closed", "users": 100}), instance=INF1)), 0.5)
    process, counted = process_of(model, "a"), executed(model)
    assert process is not None
    model.signal(process.pid, 9)
    assert executed(model) == counted
    check_sums(model)
    assert model.next_event_ns() is None


@pytest.mark.parametrize(
    ("instance", "server"),
    [
        (INF1, pipeline()),
        (INF1, pipeline(batch=1, arrivals={"kind": "closed", "users": 40})),
        ("inf2.24xlarge", encoder(pipeline=12, model="bert-large-uncased", batch=8)),
        ("inf2.24xlarge", encoder(pipeline=3, tp=4, batch=8)),
        ("trn1.32xlarge", encoder(pipeline=24, batch=16, arrivals={"kind": "closed", "users": 900})),
        ("trn2.3xlarge", encoder(pipeline=2)),
    ],
)
def test_sums_agree_and_no_hardware_does_more_than_it_can(instance: str, server: dict[str, Any]) -> None:
    model = loaded(host(server, instance=instance))
    for seconds in (0.01, 0.1003, 0.2):
        before = model.snapshot()
        after = forward(model, seconds).snapshot()
        check_sums(model)
        check_grown(before, after)
        check_bounds(instance, "bf16", before, after)
    assert workload_of(model).completed > 0


def test_stages_on_devices_that_are_not_neighbours_send_over_those_between() -> None:
    """On the torus of trn1 a row of four devices ends at device 3, and device 4 begins the next."""
    model = loaded(host(encoder(pipeline=12, arrivals={"kind": "closed", "users": 8}), instance="trn1.32xlarge"))
    forward(model, 0.5)
    carried = {edge for edge, amount in sent(model).items() if amount}
    assert carried == {(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5)}


def test_pipelines_side_by_side_share_one_queue() -> None:
    server = encoder(pipeline=4, workers=4, batch=2, arrivals={"kind": "closed", "users": 64})
    model = forward(loaded(host(server, instance=INF1)), 0.5)
    per_device = [executed(model)[first : first + 4] for first in range(0, 16, 4)]
    assert max(max(counts) for counts in per_device) - min(min(counts) for counts in per_device) <= 4
    assert sum(sent(model).values()) == 0, "each is within one device"
    queued: list[int] = []
    events_of(model, 0.05, lambda _: queued.append(workload_of(model).queued))
    assert max(queued) <= 64 - 4 * 4 * 2
