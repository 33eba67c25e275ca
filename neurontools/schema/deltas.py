"""The arithmetic of two readings: deltas, rates, percents, and what to make of a counter that falls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from neurontools.schema.histogram import Histogram
from neurontools.schema.interval_records import Percentiles

NS_PER_S = 1_000_000_000
PERCENTS = (0, 1, 25, 50, 75, 99, 100)


class Period(NamedTuple):
    """What all records of one interval share: its length, physical cores per logical core, counters that fell, and the
    parts of the later reading that are unknown."""

    duration_ns: int
    core_size: int
    resets: list[str]
    gaps: Collection[str] = ()


def delta(previous: int | None, current: int | None, wrap_bits: int | None = None) -> int | None:
    """What a counter counted between two readings; None when one of them is unknown.

    A counter that falls was reset: its delta is the new value. With `wrap_bits` it may have
    wrapped instead, and did so when the way round is less than half of its range; otherwise five
    errors forgotten by a reloaded driver would become 65531 new ones.
    """
    if previous is None or current is None:
        return None
    if current >= previous:
        return current - previous
    return current if is_reset(previous, current, wrap_bits) else current - previous + (1 << (wrap_bits or 0))


def is_reset(previous: int, current: int, wrap_bits: int | None = None) -> bool:
    """Whether the step between two readings is a reset, not growth and not a wrap."""
    if current >= previous:
        return False
    return wrap_bits is None or previous >> wrap_bits > 0 or (previous - current) * 2 <= 1 << wrap_bits


def part(record: object | None, name: str) -> Any:
    """A field of a record that may not be there."""
    return None if record is None else getattr(record, name)


def own_duration_ns(previous: object | None, current: object, period: Period) -> int:
    """How long a record was watched: where it was not read at the times of the heads, between its own times."""
    before_ns, now_ns = part(previous, "time_ns"), part(current, "time_ns")
    if before_ns is None or now_ns is None:
        return period.duration_ns
    return max(0, int(now_ns - before_ns))


def same_counters(previous: object, current: object) -> bool:
    """Whether two readings of a record are of the same counters: another part of the source has its own time, too."""
    return (part(previous, "time_ns") is None) == (part(current, "time_ns") is None)


def per_s(count: int | None, duration_ns: int) -> float | None:
    """A count in a period as a rate per second; None for a period of no length."""
    return None if count is None or not duration_ns else count * NS_PER_S / duration_ns


def percent(part: float | None, whole: float | None) -> float | None:
    """`part` in percent of `whole`; None when one is unknown or `whole` is 0. Not clamped."""
    return None if part is None or not whole else 100.0 * part / whole


def mean(values: Iterable[float | None]) -> float | None:
    """The mean; None when one value is unknown, or there are none."""
    known = tuple(values)
    total: float | None = total_of(known)
    return None if total is None else total / len(known)


def total_of(values: Iterable[Any]) -> Any:
    """The sum; None when one value is unknown, or there are none: part of a whole must not pass for the whole."""
    known = tuple(values)
    return sum(known) if known and None not in known else None


def percentiles(histogram: Histogram | None) -> Percentiles | None:
    """A histogram of nanoseconds as seconds; None when it is unknown or empty."""
    values = histogram.percentiles_ns(PERCENTS) if histogram is not None else None
    if histogram is None or values is None:
        return None
    p0, p1, p25, p50, p75, p99, p100 = (value / NS_PER_S for value in values)
    count = histogram.count
    mean_s = histogram.sum_ns / count / NS_PER_S
    return Percentiles(p0=p0, p1=p1, p25=p25, p50=p50, p75=p75, p99=p99, p100=p100, mean=mean_s, count=count)


class Meters:
    """The counters of one record in two readings; appends the path of each counter that fell to `resets`."""

    __slots__ = ("path", "resets")

    def __init__(self, path: str, resets: list[str]) -> None:
        self.path = path
        self.resets = resets

    def one(self, name: str, previous: int | None, current: int | None, wrap_bits: int | None = None) -> int | None:
        """The delta of one counter; see `delta`."""
        if previous is None or current is None:
            return None
        if current >= previous:
            return current - previous
        if is_reset(previous, current, wrap_bits):
            self.resets.append(f"{self.path}/{name}")
        return delta(previous, current, wrap_bits)

    def tally(
        self,
        name: str,
        previous: Mapping[str, int] | None,
        current: Mapping[str, int] | None,
        wrap_bits: Mapping[str, int] | None = None,
    ) -> dict[str, int] | None:
        """The deltas of counters by key, None when a reading is unknown; a key not read before is left out."""
        if previous is None or current is None:
            return None
        if previous.keys() == current.keys():
            counted = {key: now - previous[key] for key, now in current.items()}
            if min(counted.values(), default=0) >= 0:
                return counted
        bits = wrap_bits or {}
        steps = {key: self.one(f"{name}/{key}", previous.get(key), now, bits.get(key)) for key, now in current.items()}
        return {key: step for key, step in steps.items() if step is not None}

    def histogram(self, name: str, previous: Histogram | None, current: Histogram | None) -> Histogram | None:
        """What a histogram recorded; when it was reset, all it holds is new."""
        if previous is None or current is None:
            return None
        recorded = current.since(previous)
        if recorded is current:
            self.resets.append(f"{self.path}/{name}")
        return recorded
