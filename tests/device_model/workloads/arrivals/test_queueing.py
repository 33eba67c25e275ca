"""Streams in front of an exact server: mean waiting times are those of M/D/1, M/M/1 and M/M/c."""

import heapq
import math
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import fmean
from typing import NamedTuple

import pytest

from device_model.kernel.chance import Chance
from tests.device_model.workloads.arrivals.streams import POISSON, arrivals, check_mean, stream

SERVICE_NS = 100_000_000
WAITS = 4000
LOADS = (0.3, 0.5, 0.7, 0.9)
SERVERS = 4

Service = Callable[[Chance, int], int]


def deterministic(chance: Chance, index: int) -> int:
    return SERVICE_NS


def exponential(chance: Chance, index: int) -> int:
    return chance.exponential_ns("server", "service", index, SERVICE_NS)


def md1(load: float, servers: int) -> float:
    """Pollaczek and Khinchine, without variance of service; in mean services, as all of these."""
    return load / (2 * (1 - load))


def mm1(load: float, servers: int) -> float:
    return load / (1 - load)


def mmc(load: float, servers: int) -> float:
    """Erlang's C formula."""
    offered = load * servers
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    queueing = offered**servers / math.factorial(servers) / (1 - load)
    return queueing / (sum(terms) + queueing) / (servers * (1 - load))


class Queue(NamedTuple):
    """A service, how many serve, the mean wait that theory gives for a load, and how exactly it can be measured.

    `deviations` are those of `mean_wait` over WAITS arrivals by load, measured over the seeds 1000 to 1299: ten seeds
    are too few to tell, since one long queue makes most of the spread.
    """

    service: Service
    servers: int
    theory: Callable[[float, int], float]
    deviations: dict[float, float]


QUEUES = {
    "M/D/1": Queue(deterministic, 1, md1, {0.3: 0.0097, 0.5: 0.0270, 0.7: 0.0956, 0.9: 0.957}),
    "M/M/1": Queue(exponential, 1, mm1, {0.3: 0.0317, 0.5: 0.0817, 0.7: 0.282, 0.9: 2.77}),
    "M/M/4": Queue(exponential, SERVERS, mmc, {0.3: 0.0033, 0.5: 0.0156, 0.7: 0.0656, 0.9: 0.688}),
}


def waits(times_ns: Iterator[int], chance: Chance, queue: Queue) -> Iterator[float]:
    """How long each arrival waits for the server that is free first, in mean services (Lindley; Kiefer, Wolfowitz)."""
    free_ns = [0] * queue.servers
    for index, time_ns in enumerate(times_ns):
        start_ns = max(time_ns, free_ns[0])
        heapq.heapreplace(free_ns, start_ns + queue.service(chance, index))
        yield (start_ns - time_ns) / SERVICE_NS


def mean_wait(queue: Queue, load: float, seed: int, number: int) -> float:
    """Over `number` arrivals, after a tenth of them in which the queue fills."""
    source = stream(POISSON | {"per_second": load * queue.servers * 1e9 / SERVICE_NS}, seed)
    warming = number // 10
    return fmean(islice(waits(arrivals(source), Chance(seed), queue), warming, warming + number))


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("name", QUEUES)
def test_waits_are_those_of_theory(name: str, load: float) -> None:
    queue = QUEUES[name]
    expected = queue.theory(load, queue.servers)
    check_mean(lambda seed: mean_wait(queue, load, seed, WAITS), expected, queue.deviations[load])


@pytest.mark.nightly
@pytest.mark.parametrize("name", QUEUES)
def test_waits_are_within_three_percent_where_queues_are_long(name: str) -> None:
    queue = QUEUES[name]
    measured = fmean(mean_wait(queue, 0.9, seed, 1_000_000) for seed in range(10))
    assert measured == pytest.approx(queue.theory(0.9, queue.servers), rel=0.03)


def test_theory_agrees_with_itself() -> None:
    for load in LOADS:
        assert mmc(load, 1) == pytest.approx(mm1(load, 1))
        assert mm1(load, 1) == pytest.approx(2 * md1(load, 1))
        # What a mean of waits of M/M/1 deviates by, after Whitt, "Planning queueing simulations" (1989).
        variance = load * (2 + 5 * load - 4 * load**2 + load**3) / (1 - load) ** 4 / WAITS
        assert QUEUES["M/M/1"].deviations[load] == pytest.approx(math.sqrt(variance), rel=0.1)
    # Two servers: load² / (1 - load²).
    assert mmc(0.5, 2) == pytest.approx(0.25 / 0.75)


def test_littles_law_holds_exactly() -> None:
    """The integral of the number in the system is the sum of times in it, once everyone has left."""
    chance, queue = Chance(3), QUEUES["M/M/4"]
    times_ns = list(islice(arrivals(stream(POISSON | {"per_second": 36.0}, 3)), 2000))
    waited_ns = [round(wait * SERVICE_NS) for wait in waits(iter(times_ns), chance, queue)]
    left_ns = [time_ns + wait_ns + queue.service(chance, i)
               for i, (time_ns, wait_ns) in enumerate(zip(times_ns, waited_ns, strict=True))]  # fmt: skip
    area, present, last_ns = 0, 0, 0
    for time_ns, change in sorted([(t, 1) for t in times_ns] + [(t, -1) for t in left_ns]):
        area += present * (time_ns - last_ns)
        present, last_ns = present + change, time_ns
    assert present == 0
    assert area == sum(left_ns) - sum(times_ns)
