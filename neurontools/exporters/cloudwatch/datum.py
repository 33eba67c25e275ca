"""One CloudWatch datum: a name, a unit, dimensions, and what was seen of it in a period as a statistic set."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

Dimensions = tuple[tuple[str, str], ...]
"""Names and values; every other set of them is another series, and is billed as one."""


class StatisticSet(Struct, frozen=True, array_like=True):
    """What CloudWatch keeps of several values: how many, their sum, the lowest and the highest."""

    count: float
    total: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> StatisticSet:
        """The set of some values; ValueError where there are none."""
        seen = list(values)
        if not seen:
            raise ValueError("a statistic set needs a value")
        return cls(len(seen), sum(seen), min(seen), max(seen))

    def plus(self, other: StatisticSet) -> StatisticSet:
        """The set of both sets' values, exactly."""
        return StatisticSet(
            self.count + other.count,
            self.total + other.total,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


class Datum(Struct, frozen=True, array_like=True):
    """What one series showed in the period that ended at `time_s` (seconds since 1970).

    `resolution_s` is 60, or 1 for a high-resolution metric.
    """

    name: str
    unit: str
    dimensions: Dimensions
    values: StatisticSet
    time_s: int
    resolution_s: int = 60

    @property
    def series(self) -> tuple[str, Dimensions]:
        """What CloudWatch tells series apart by, within a namespace."""
        return self.name, self.dimensions


def merged(data: Iterable[Datum]) -> list[Datum]:
    """One datum for each series, with the values of all and the latest time, in the order of first appearance."""
    found: dict[tuple[str, Dimensions], Datum] = {}
    for datum in data:
        before = found.get(datum.series)
        if before is not None:
            time_s = max(before.time_s, datum.time_s)
            datum = Datum(
                datum.name, datum.unit, datum.dimensions, before.values.plus(datum.values), time_s, datum.resolution_s
            )
        found[datum.series] = datum
    return list(found.values())
