"""Servers of the node as queues: they begin each request when theory's server would, and let it wait as long."""

import heapq
import math
from collections.abc import Callable
from statistics import fmean
from typing import Any, NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.simulation import Simulation
from neurontools.schema.snapshot import Process
from tests.device_model.hosts import forward, host, process_of
from tests.device_model.workloads.arrivals.streams import POISSON, check_mean
from tests.device_model.workloads.arrivals.test_queueing import QUEUES, SERVERS, WAITS
from tests.device_model.workloads.servers import Executions, encoder, loaded, vision

SMALL, LARGE = "inf2.8xlarge", "inf2.24xlarge"
"""Instance types with 2 NeuronCores and 12."""

MANY = 1_000_000


def operator(**changes: Any) -> dict[str, Any]:
    """A process that calls an operator, 0.4 ms for each trip; `changes` go to its workload."""
    workload = {"kind": "custom-operator", "elements": 1_000_000, "operations": 64, "arrivals": POISSON}
    return {"name": "a", "workload": workload | changes}


def server(model: Simulation) -> Process:
    """The reading of the process."""
    return process_of(model, "a") or pytest.fail("it ended")


# Exactly: a request begins when it would where one queue feeds so many servers.

VARYING = {"mean": 60, "cv": 1.0, "distribution": "gamma", "most": 128}
EXACT: dict[str, Callable[..., dict[str, Any]]] = {
    "encoder": lambda **c: encoder(batch=1, **c),
    "encoder, as long as its sequences": lambda **c: encoder(batch=1, shapes="dynamic", **c),
    "vision": lambda **c: vision(batch=1, **c),
    "operator": lambda **c: operator(trips={"mean": 2}, **c),
    "operator, as long as its calls": lambda **c: operator(trips=VARYING | {"mean": 4}, **c),
}
REQUESTS = st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 128)), min_size=1, max_size=40)
"""Gaps in µs, and tokens of those that are sequences."""


def begun(executions: Executions) -> list[tuple[int, int]]:
    """When each request began, and how long it was served; those of a run follow one another."""
    found = []
    for (start_ns, _, works), steps in zip(executions.started, executions.steps, strict=True):
        found += [(start_ns + step * works[0].duration_ns, works[0].duration_ns) for step in range(steps)]
    return found


@pytest.mark.parametrize("name", EXACT)
@given(requests=REQUESTS, servers=st.sampled_from([1, 2, 4]), seed=st.integers(0, 10**6))
def test_a_request_begins_exactly_when_it_would_in_one_queue(
    name: str, requests: list[tuple[int, int]], servers: int, seed: int
) -> None:
    times_us = [sum(gap for gap, _ in requests[: i + 1]) for i in range(len(requests))]
    rows = [[time_us / 1e6, tokens, 1] for time_us, (_, tokens) in zip(times_us, requests, strict=True)]
    trace = {"kind": "trace", "rows": rows}
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        model = loaded(host(EXACT[name](workers=servers, arrivals=trace), seed=seed, instance=LARGE))
        arrived_ns = [model.now_ns + 1000 * time_us for time_us in times_us]
        process = server(forward(model, 60))
    free_ns, in_system_ns = [0] * servers, 0
    # Kiefer and Wolfowitz: whoever has come first begins as soon as one of the servers is free.
    for time_ns, (start_ns, service_ns) in zip(arrived_ns, begun(executions), strict=True):
        assert start_ns == max(time_ns, free_ns[0])
        heapq.heapreplace(free_ns, start_ns + service_ns)
        in_system_ns += start_ns + service_ns - time_ns
    assert process.workload is not None
    assert process.workload.request_latency is not None
    assert process.workload.request_latency.sum_ns == in_system_ns


# On the average: a request waits as long as theory says.


def sequences(per_second: float) -> dict[str, Any]:
    """Sequences of one at a time, all computed in the shape that the model was compiled for."""
    return encoder(batch=1, arrivals=POISSON | {"per_second": per_second}, queue_limit=MANY)


def calls(per_second: float, workers: int = 1) -> dict[str, Any]:
    """Calls of an exponential number of trips, a thousand on the average: what a call costs beside is little."""
    trips = {"mean": 1000, "cv": 1.0, "distribution": "gamma"}
    return operator(workers=workers, trips=trips, arrivals=POISSON | {"per_second": per_second}, queue_limit=MANY)


class Server(NamedTuple):
    """A process at a number of requests a second, and what a request of mean length takes it."""

    process: Callable[[float], dict[str, Any]]
    service_ns: int


NODE = {
    "M/D/1": Server(sequences, 986_601),
    "M/M/1": Server(calls, 415_420_959),
    f"M/M/{SERVERS}": Server(lambda per_second: calls(per_second, SERVERS), 415_420_959),
}
assert NODE.keys() == QUEUES.keys()


class Waited(NamedTuple):
    """Completed requests, and their time in the server and in service, in ns."""

    requests: int
    in_system_ns: int
    served_ns: int


def waited(model: Simulation) -> Waited:
    """Since the server's start. What is served is one execution each, so the process counts that."""
    process = server(model)
    assert process.workload is not None
    assert process.workload.request_latency is not None
    assert process.latency_total is not None
    in_system, served = process.workload.request_latency, process.latency_total
    assert in_system.count == served.count
    return Waited(in_system.count, in_system.sum_ns, served.sum_ns)


def mean_wait(name: str, load: float, seed: int, number: int) -> float:
    """Of some `number` requests, in mean services, after a tenth of them in which the queue fills."""
    made, servers = NODE[name], QUEUES[name].servers
    per_second = load * servers * 1e9 / made.service_ns
    model = loaded(host(made.process(per_second), seed=seed, instance=SMALL if servers == 1 else LARGE))
    before = waited(forward(model, 0.1 * number / per_second))
    after = waited(forward(model, number / per_second))
    waited_ns = (after.in_system_ns - before.in_system_ns) - (after.served_ns - before.served_ns)
    return waited_ns / (after.requests - before.requests) / made.service_ns


def check_waits(name: str, load: float, number: int) -> None:
    """Over ten seeds, the mean wait is that of theory within three of the errors that such a mean has."""
    queue = QUEUES[name]
    deviation = queue.deviations[load] * math.sqrt(WAITS / number)
    check_mean(lambda seed: mean_wait(name, load, seed, number), queue.theory(load, queue.servers), deviation)


@pytest.mark.parametrize("name", NODE)
def test_services_are_those_that_waits_are_measured_in(name: str) -> None:
    process = NODE[name].process(1.0)
    trips = {} if name == "M/D/1" else {"trips": {"mean": 1000}}
    alone = {"kind": "closed", "users": 1, "think": "1s"}
    model = forward(host(process | {"workload": process["workload"] | trips | {"arrivals": alone}}), 20)
    found = waited(model)
    assert found.served_ns == found.in_system_ns == NODE[name].service_ns * found.requests > 0


@pytest.mark.parametrize("name", NODE)
def test_a_server_lets_requests_wait_as_long_as_theory_says(name: str) -> None:
    check_waits(name, 0.7, WAITS // 4)


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", NODE)
def test_a_server_lets_requests_wait_as_long_as_theory_says_at_every_load(name: str, load: float) -> None:
    check_waits(name, load, 2 * WAITS)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NODE)
def test_waits_in_a_server_are_within_three_percent_where_queues_are_long(name: str) -> None:
    queue = QUEUES[name]
    measured = fmean(mean_wait(name, 0.9, seed, 500_000) for seed in range(10))
    assert measured == pytest.approx(queue.theory(0.9, queue.servers), rel=0.03)
