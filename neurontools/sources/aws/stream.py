"""Lines in the order of their arrival, made into readings; where their sequence has a hole, counting begins anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from statistics import median_low

from msgspec import UNSET

from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS, ReportError, Salvage, salvage
from neurontools.report_format.format import Document
from neurontools.schema.events import PROCESS_END, PROCESS_START, Event, Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Snapshot
from neurontools.sources.aws.clock import LineClock, Span
from neurontools.sources.aws.lines import LONGEST_LINE, Line
from neurontools.sources.aws.reading import before, inventory_with_holders, snapshot_of
from neurontools.sources.aws.runtime import RuntimeTotals
from neurontools.sources.aws.totals import Totals
from neurontools.units import MIB, NS_PER_S

STREAM = "stream"
"""The part of a reading under which a gap tells what is wrong with the lines as such."""

_EVENTS_KEPT = 1000


class Stream:
    """All lines of one producer. Not to be used by two threads at a time.

    `count` is how many could be read, `period_ns` how long the groups of the last one have watched.
    """

    def __init__(self, live: bool, detail: str, boot_id: str = "") -> None:
        self.count = 0
        self.period_ns = 0
        self._live = live
        self._detail = detail
        self._boot_id = boot_id
        self._beginnings = 0
        self._broken = True
        self._totals = Totals()
        self._clock = LineClock(live)
        self._now_ns = 0
        self._past: Snapshot | None = None
        self._lost = 0
        self._why_lost = ""
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._happened = 0
        self._made: Snapshot | None = None

    def add(self, lines: Sequence[Line], arrival_ns: int) -> None:
        """Adds lines that have arrived together; empty ones are none."""
        last = len(lines) - 1
        for place, line in enumerate(lines):
            if line is None:
                self._lose(f"it has more than {LONGEST_LINE // MIB} MiB")
            elif line.strip():
                self._add(line, arrival_ns, more_waiting=place < last)

    def interrupt(self) -> None:
        """What follows does not join what was: nothing is counted over the gap."""
        self._broken = True

    def snapshot(self) -> Snapshot:
        """The totals as of the newest line."""
        if self._made is None:
            self._made = self._read()
        return self._made

    def past(self, age_ns: int) -> Snapshot | None:
        """The reading before the first line, where it is that old."""
        past = self._past
        return past if past is not None and self._now_ns - past.head.time_ns >= age_ns else None

    def inventory(self) -> Inventory:
        """The hardware and the runtimes on it."""
        return inventory_with_holders(self._totals)

    def events(self, since: int) -> Events:
        """Runtimes that came and went since the first line."""
        kept = tuple(event for event in self._events if event.seq > since)
        return Events(events=kept, lost=max(0, self._happened - len(self._events) - since))

    def what_was_lost(self) -> str:
        """Lines that could not be read, in words; empty where all could."""
        if not self._lost:
            return ""
        lines = "line" if self._lost == 1 else "lines"
        return f"{self._lost} {lines} could not be read, the last because: {self._why_lost}"

    def _add(self, line: bytes, arrival_ns: int, more_waiting: bool) -> None:
        try:
            read = salvage(line)
        except ReportError as error:
            self._lose(str(error))
            return
        periods = dict(_periods(read.document))
        if self._broken or self._totals.is_another_host(read):
            self._begin(read)
        span = self._clock.advance(periods, arrival_ns, more_waiting)
        if span.hole:
            self._begin(read)
            span = self._clock.advance(periods, arrival_ns, more_waiting)
        self._totals.add(read, span)
        self.count += 1
        self.period_ns = median_low(periods.values()) if periods else self.period_ns
        self._now_ns = span.ended_ns
        self._made = None
        if self._past is None:
            self._past = before(self._read(), span.began_ns)
        self._tell(span)

    def _lose(self, why: str) -> None:
        self._lost += 1
        self._why_lost = why
        self._made = None
        self.interrupt()

    def _begin(self, read: Salvage) -> None:
        self._broken = False
        self._beginnings += 1
        self._totals = Totals()
        self._clock = LineClock(self._live)
        self._past = None
        if not self._live:
            self._boot_id = f"of-{read.document.instance_info.instance_id or 'an-unnamed-instance'}"

    def _read(self) -> Snapshot:
        again = f"/{self._beginnings}" if self._beginnings > 1 else ""
        return snapshot_of(self._totals, self._now_ns, f"{self._boot_id}{again}", self._detail, self._notes())

    def _notes(self) -> Mapping[str, Gap]:
        lost = self.what_was_lost()
        return {STREAM: Gap(reason=f"{lost}; counting began anew")} if lost else {}

    def _tell(self, span: Span) -> None:
        for kind, runtimes in ((PROCESS_END, self._totals.ended), (PROCESS_START, self._totals.started)):
            for runtime in runtimes:
                self._happened += 1
                self._events.append(_event(self._happened, span.ended_ns, kind, runtime))


def _event(number: int, time_ns: int, kind: str, runtime: RuntimeTotals) -> Event:
    return Event(seq=number, time_ns=time_ns, kind=kind, text=runtime.tag, pid=runtime.pid)


def _periods(document: Document) -> Iterator[tuple[str, int]]:
    """How long each group of a line has watched; of several runtimes, the longest."""
    for name in SYSTEM_GROUPS:
        yield from _period(name, [getattr(document.system_data, name)])
    for name in RUNTIME_GROUPS:
        yield from _period(name, [getattr(data.report, name) for data in document.neuron_runtime_data or ()])


def _period(name: str, groups: Sequence[object]) -> Iterator[tuple[str, int]]:
    longest = max((getattr(group, "period", 0) for group in groups if group is not UNSET), default=0)
    if longest:
        yield name, round(longest * NS_PER_S)
