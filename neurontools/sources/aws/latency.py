"""A latency histogram made of the seven percentiles that AWS's neuron-monitor prints for a period.

Percentiles do not say how the durations lie between them, so what is made is a distribution that has the same ones.
"""

from __future__ import annotations

from itertools import groupby, pairwise

from neurontools.schema.deltas import NS_PER_S, PERCENTS
from neurontools.schema.histogram import Histogram, bucket_of
from neurontools.schema.interval_records import Percentiles

_ALWAYS_ENOUGH = 101
"""So many durations can have any seven percentiles."""


def reconstruct(percentiles: Percentiles, executed: int) -> Histogram:
    """A histogram with these percentiles, of `executed` durations.

    Few durations cannot have seven different percentiles, which AWS's tool interpolates: then the histogram counts as
    many as that takes, at most 101. Half of what lies between two percentiles is counted at each of them.
    """
    values = [NS_PER_S * getattr(percentiles, f"p{percent}") for percent in PERCENTS]
    values = [max(values[: place + 1]) for place in range(len(values))]
    buckets = _by_bucket(values)
    for total in range(max(1, executed), max(executed, _ALWAYS_ENOUGH) + 1):
        reached = _reached(buckets, total)
        if reached is not None:
            break
    counts = [upper - lower for lower, upper in pairwise((0, *(reached or ()), total))]
    return Histogram(
        counts={bucket: count for (bucket, _), count in zip(buckets, counts, strict=True)},
        sum_ns=round(total * _mean_ns(values)),
    )


def _by_bucket(values: list[float]) -> list[tuple[int, list[int]]]:
    """The buckets of the seven values in order, each with the percents that lie in it."""
    placed = [(bucket_of(round(value)), percent) for value, percent in zip(values, PERCENTS, strict=True)]
    return [(bucket, [percent for _, percent in group]) for bucket, group in groupby(placed, key=lambda pair: pair[0])]


def _reached(buckets: list[tuple[int, list[int]]], total: int) -> list[int] | None:
    """How many of `total` durations lie in each bucket or below, the last one left out; None where it is impossible.

    By nearest rank a percent is found in the first bucket up to which so many are counted.
    """
    reached = []
    for (_, below), (_, above) in pairwise(buckets):
        least = max(1, -(-total * below[-1] // 100))
        most = -(-total * above[0] // 100) - 1
        if least > most:
            return None
        middle = round(total * (below[-1] + above[0]) / 200)
        reached.append(min(max(middle, least), most))
    return reached


def _mean_ns(values: list[float]) -> float:
    """The mean where durations lie evenly between two percentiles."""
    shares = [(upper - lower) / 100 for lower, upper in pairwise(PERCENTS)]
    return sum(share * (low + high) / 2 for share, (low, high) in zip(shares, pairwise(values), strict=True))
