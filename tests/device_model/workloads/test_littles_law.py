"""Little's law without an error: the time integral of the number in a server is the sum of times in it, to the ns."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.simulation import Simulation
from neurontools.schema.snapshot import Workload
from tests.device_model.hosts import host, server
from tests.device_model.workloads.servers import INF1, encoder, loaded, pipeline, vision
from tests.device_model.workloads.test_queueing import operator

SERVERS: dict[str, Callable[..., dict[str, Any]]] = {
    "llm": lambda **c: server(**c),
    "llm, static": lambda **c: server(batching={"kind": "static", "wait": "30ms"}, **c),
    "llm, chunked": lambda **c: server(batching={"kind": "continuous", "chunk": 32}, **c),
    "llm, preempting": lambda **c: server(batch=8, cache={"kind": "paged", "block": 16, "blocks": 33}, **c),
    "llm, turning away": lambda **c: server(batch=2, queue_limit=1, **c),
    "encoder": lambda **c: encoder(workers=2, wait="2ms", shapes="bucket", **c),
    "encoder, turning away": lambda **c: encoder(batch=1, queue_limit=1, **c),
    "pipeline": lambda **c: pipeline(wait="1ms", **c),
    "vision": lambda **c: vision(workers=2, **c),
    "operator": lambda **c: operator(trips={"mean": 3}, **c),
    "operator, varying": lambda **c: operator(trips={"mean": 5, "cv": 1.0, "distribution": "gamma"}, **c),
    "operator, several workers": lambda **c: operator(workers=2, queue_limit=3, **c),
}
REQUESTS = st.lists(
    st.tuples(st.sampled_from([0, 1, 500, 20_000, 300_000]), st.integers(1, 200), st.integers(1, 100)),
    min_size=1,
    max_size=25,
)
"""Gaps in µs, and tokens of prompt and answer."""


def next_change_ns(model: Simulation) -> int | None:
    """When a request may come or go: at an event, or, where steps under way are requests, at the end of one."""
    changes = [] if (next_ns := model.next_event_ns()) is None else [next_ns]
    runtime = model._world.runtime
    for pid, program in model._world.programs.items():
        if program.kind == "custom-operator":
            process = runtime.processes[pid]
            under_way = [runtime.under_way(process, lane) for lane in range(len(process.lanes))]
            changes += [each.run.boundary_after(model.now_ns + 1) for each in under_way if each is not None]
    return min(changes, default=None)


def emptied(name: str, requests: list[tuple[int, int, int]], seed: int) -> Workload:
    """What a server says when all its requests have left it; checked whenever nobody is in it."""
    times_us = [sum(gap for gap, _, _ in requests[: i + 1]) for i in range(len(requests))]
    rows = [[time_us / 1e6, *tokens] for time_us, (_, *tokens) in zip(times_us, requests, strict=True)]
    process = SERVERS[name](arrivals={"kind": "trace", "rows": rows})
    model = loaded(host(process, seed=seed, instance=INF1 if name == "pipeline" else "inf2.8xlarge"))
    program = next(iter(model._world.programs.values()))
    area = 0
    while True:
        work = program.reading(model.now_ns)
        present = work.queued + work.running
        assert work.submitted == present + work.completed + work.rejected
        if not present:
            assert work.request_latency is not None
            assert area == work.request_latency.sum_ns
        next_ns = next_change_ns(model)
        if next_ns is None:
            return work
        area += present * (next_ns - model.now_ns)
        model.advance(next_ns)


@pytest.mark.parametrize("name", SERVERS)
@given(requests=REQUESTS, seed=st.integers(0, 1000))
def test_the_integral_of_requests_in_a_server_is_the_sum_of_their_times_in_it(
    name: str, requests: list[tuple[int, int, int]], seed: int
) -> None:
    work = emptied(name, requests, seed)
    assert work.queued == work.running == 0
    assert work.completed + work.rejected == len(requests)


CROWD = [(10, 100, 100)] * 30


@pytest.mark.parametrize("name", SERVERS)
def test_a_crowd_waits_and_is_preempted_or_turned_away_where_the_name_says_so(name: str) -> None:
    work = emptied(name, CROWD, 1)
    assert (work.preempted > 0) == name.endswith("preempting")
    assert (work.rejected > 0) == name.endswith(("turning away", "several workers"))
