"""Latency histograms with fixed logarithmic buckets, so that any two of them subtract to a period's distribution."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from msgspec import field

from neurontools.schema.document import Document

GAMMA = 1.02
"""Ratio of neighbouring bucket edges: a bucket's middle is within 1 % of every value in it."""

_LOG_GAMMA = math.log(GAMMA)
_MIDDLE = 2.0 / (1.0 + 1.0 / GAMMA)


def bucket_of(value_ns: int) -> int:
    """Index of the bucket that holds a duration in ns; durations below 1 ns count as 1 ns."""
    return math.floor(math.log(value_ns) / _LOG_GAMMA) if value_ns > 1 else 0


def middle_of(index: int) -> float:
    """The duration in ns that stands for a bucket, within 1 % of everything in it."""
    return _MIDDLE * float(GAMMA**index)


class Histogram(Document, frozen=True, kw_only=True):
    """Counts by bucket index since the process started, sparse and never collapsed; `sum_ns` is exact."""

    counts: dict[int, int] = field(default_factory=dict)
    sum_ns: int = 0

    @property
    def count(self) -> int:
        """Number of durations recorded."""
        return sum(self.counts.values())

    def since(self, earlier: Histogram | None) -> Histogram:
        """What was recorded after `earlier`, an older reading of the same histogram.

        It is all of it, this very object, when there is no earlier reading, or when a bucket or the
        sum fell, because then the histogram was reset in between.
        """
        if earlier is None or self.sum_ns < earlier.sum_ns or not self.counts.keys() >= earlier.counts.keys():
            return self
        before = earlier.counts.get
        rest = {i: n - old for i, n in self.counts.items() if n != (old := before(i, 0))}
        if rest and min(rest.values()) < 0:
            return self
        return Histogram(counts=rest, sum_ns=self.sum_ns - earlier.sum_ns)

    def mean_ns(self) -> float | None:
        """Mean duration in ns; None when nothing was recorded."""
        count = self.count
        return self.sum_ns / count if count else None

    def percentiles_ns(self, percents: Iterable[float]) -> list[float] | None:
        """Durations in ns at the given percents (nearest rank); None when nothing was recorded.

        0 and 100 are the outermost occupied buckets. Each value is within 1 % of the
        duration that sorting all samples would give.
        """
        indices = sorted(self.counts)
        reached = list(accumulate(map(self.counts.__getitem__, indices)))
        if not reached or not reached[-1]:
            return None
        # The first bucket that reaches a rank reaches the next whole one too; that of 0 % is the first occupied.
        ranks = [reached[-1] * percent / 100.0 or 1 for percent in percents]
        return [middle_of(indices[bisect_left(reached, rank)]) for rank in ranks]
