"""When the period of a line ended: lines carry no time, only how long each of their groups has watched."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median_low
from typing import NamedTuple

from neurontools.units import NS_PER_S


class Span(NamedTuple):
    """What a line tells of, from the end of the line before it on; of a part of that time no line tells if `hole`."""

    began_ns: int
    ended_ns: int
    hole: bool = False


class LineClock:
    """The time of one stream: that of the lines' arrival where they come as they are made, else the sum of periods."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._now_ns: int | None = None
        self._ends: dict[str, int] = {}

    def advance(self, periods: Mapping[str, int], arrival_ns: int, more_waiting: bool = False) -> Span:
        """The span of the next line, by the periods of its groups in ns; with `more_waiting` another has come already.

        The first line ends when it arrives. A line without periods ends where it began.
        """
        began_ns = self._now_ns
        if began_ns is None:
            span = Span(arrival_ns - median_low(periods.values() or [0]), arrival_ns)
        else:
            span = self._after(began_ns, self._covered_ns(began_ns, periods), arrival_ns, more_waiting)
        self._now_ns = span.ended_ns
        self._ends |= dict.fromkeys(periods, span.ended_ns)
        return span

    def _covered_ns(self, began_ns: int, periods: Mapping[str, int]) -> int:
        """How far the line leads; a group that was not in the lines before cannot say so."""
        ends = [self._ends.get(name, began_ns) + period_ns for name, period_ns in periods.items()]
        return median_low([end - began_ns for end in ends if end > began_ns] or [0])

    def _after(self, began_ns: int, covered_ns: int, arrival_ns: int, more_waiting: bool) -> Span:
        said_ns = began_ns + covered_ns
        if not self._live or not covered_ns or (more_waiting and said_ns < arrival_ns):
            return Span(began_ns, said_ns)
        # Two periods and a second: a line that is late is no hole, one that is missing is.
        return Span(began_ns, max(began_ns + 1, arrival_ns), hole=arrival_ns - said_ns > covered_ns + NS_PER_S)
