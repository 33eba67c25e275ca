"""From a feed's intervals to CloudWatch data, one list a period, and where these go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from neurontools.commands.errors import UsageError
from neurontools.commands.feed import Item, Lost
from neurontools.commands.publishing import Say, is_loopback, made_up
from neurontools.exporters.cloudwatch.datum import Datum, Dimensions, merged
from neurontools.exporters.cloudwatch.render import Layout, layout_of, lost, render
from neurontools.schema.snapshot import Head, Origin
from neurontools.units import NS_PER_S

_NEARLY = 0.99
"""Intervals of 5 s never add up to a minute exactly."""


class Period(NamedTuple):
    """What a period gave: data, and the origin of the numbers; None where nothing was read."""

    data: list[Datum]
    origin: Origin | None


class Periods:
    """The data of each period of a feed: of so many intervals as together are `least_s` long, and of at least one.

    `now` gives the time in seconds since 1970, for when the source's own stands still.
    """

    def __init__(
        self,
        items: Iterator[Item],
        dimensions: tuple[str, ...],
        resolution_s: int,
        least_s: float,
        now: Callable[[], float],
    ) -> None:
        self._items = items
        self._dimensions = dimensions
        self._resolution_s = resolution_s
        self._least_ns = least_s * NS_PER_S * _NEARLY
        self._now = now

    def __iter__(self) -> Iterator[Period]:
        layout: Layout | None = None
        data: list[Datum] = []
        covered_ns = 0
        head: Head | None = None
        for item in self._items:
            if isinstance(item, Lost):
                if layout is not None:
                    data += lost(int(self._now()), layout)
                covered_ns = int(self._least_ns)
            else:
                layout = layout_of(self._dimensions, item.inventory, self._resolution_s)
                data += render(item.interval, layout, item.diagnosis)
                covered_ns += item.interval.duration_ns
                head = item.interval.head
            if covered_ns >= self._least_ns and data:
                yield Period(merged(data), head.origin if head is not None else None)
                data, covered_ns = [], 0
        if data:
            yield Period(merged(data), head.origin if head is not None else None)


class SeriesLimit:
    """Lets through so many series, the first that come, so that no mistake makes a bill."""

    def __init__(self, most: int, say: Say) -> None:
        self._most = most
        self._say = say
        self._known: set[tuple[str, Dimensions]] = set()
        self._told = False

    def take(self, data: list[Datum]) -> list[Datum]:
        """The data of series that are within the limit."""
        for datum in data:
            if len(self._known) < self._most:
                self._known.add(datum.series)
        kept = [datum for datum in data if datum.series in self._known]
        if len(kept) < len(data) and not self._told:
            self._told = True
            self._say(
                f"left out series beyond the first {self._most}, such as {_left_out(data, self._known)}: "
                "name fewer --dimensions, or raise --max-series"
            )
        return kept


def _left_out(data: list[Datum], known: set[tuple[str, Dimensions]]) -> str:
    datum = next(datum for datum in data if datum.series not in known)
    return f"{datum.name} of {', '.join(value for _, value in datum.dimensions)}"


def namespace_for(namespace: str, origin: Origin | None, endpoint: str | None, allowed: bool, prefix: str) -> str:
    """Where data of an origin may go: simulated and replayed ones never among a real host's.

    Raises UsageError for those unless they are allowed or the endpoint is this machine's own.
    """
    if not made_up(origin):
        return namespace
    if allowed:
        return prefix + namespace
    if is_loopback(endpoint):
        return namespace
    raise UsageError(
        "these data are simulated or replayed and would be taken for a real host's: "
        f"--allow-simulated publishes them under {prefix}{namespace}"
    )
