"""Streams of requests for tests: made as a scenario makes them, followed by arrivals, and judged over ten seeds."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from statistics import fmean, stdev
from typing import Any

from pydantic import TypeAdapter

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS, STEPPED_EPOCH_NS
from device_model.workloads.arrivals import Arrivals
from device_model.workloads.spec import ArrivalSpec

SEEDS = range(10)

CLOSED = {"kind": "closed", "users": 3, "think": "300ms", "think_cv": 0.5}
POISSON = {"kind": "poisson", "per_second": 2.0}
GAMMA = {"kind": "gamma", "per_second": 2.0, "cv": 2.0}
CONSTANT = {"kind": "constant", "per_second": 3.0}
BURSTY = {
    "kind": "bursty",
    "base_per_second": 0.5,
    "burst_per_second": 8.0,
    "base_lasts": "20s",
    "burst_lasts": "5s",
}
DIURNAL = {"kind": "diurnal", "per_second": 2.0, "peak": "14:00", "ratio": 4.0}
TRACE = {"kind": "trace", "rows": [[0, 20, 5], [0.25, 30, 8], [0.25, 9, 1], [3, 60, 40]], "loop": True}
OPEN: dict[str, dict[str, Any]] = {
    str(table["kind"]): table for table in (POISSON, GAMMA, CONSTANT, BURSTY, DIURNAL, TRACE)
}
"""A table of each kind whose clients do not wait."""

_SPECS: TypeAdapter[Any] = TypeAdapter(ArrivalSpec)


def stream(table: dict[str, Any], seed: int = 1, entity: str = "a") -> Arrivals:
    """The stream that a scenario's table describes."""
    made: Arrivals = _SPECS.validate_python(table).made(Chance(seed), entity)
    return made


def arrivals(source: Arrivals, begin_ns: int = STEPPED_EPOCH_NS) -> Iterator[int]:
    """The times of a stream that waits for nobody, in ns, one after another."""
    following = next(iter(source.opening(begin_ns)), None)
    index = 0
    while following is not None:
        yield following
        following = source.after_arrival(index, following)
        index += 1


def arrivals_for(source: Arrivals, seconds: float, begin_ns: int = STEPPED_EPOCH_NS) -> list[int]:
    """Its times within the first seconds of service."""
    return list(takewhile(lambda time_ns: time_ns < begin_ns + seconds * NS, arrivals(source, begin_ns)))


def gaps_of(times_ns: Sequence[int], begin_ns: int = STEPPED_EPOCH_NS) -> list[int]:
    """From one arrival to the next, the first from the beginning of service."""
    return [after - before for before, after in zip([begin_ns, *times_ns], times_ns, strict=False)]


def counts(times_ns: Sequence[int], width_ns: int, number: int, begin_ns: int = STEPPED_EPOCH_NS) -> list[int]:
    """How many arrivals fall into each of `number` periods."""
    found = [0] * number
    for time_ns in times_ns:
        found[(time_ns - begin_ns) // width_ns] += 1
    return found


def check_mean(estimate: Callable[[int], float], expected: float, deviation: float | None = None) -> None:
    """An estimate made from each of ten seeds has the expected mean, within three standard errors."""
    check_within_three_errors([estimate(seed) for seed in SEEDS], expected, deviation)


def check_within_three_errors(estimates: Sequence[float], expected: float, deviation: float | None = None) -> None:
    """The estimates' mean is the expected one within three standard errors.

    `deviation` is the standard deviation of one estimate where theory knows it; otherwise that of those given counts.
    """
    error = (stdev(estimates) if deviation is None else deviation) / math.sqrt(len(estimates))
    assert abs(fmean(estimates) - expected) <= 3 * error, (fmean(estimates), expected, error)
