"""All that is remembered, filled by the thread that reads and looked at by the one that draws."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from neurontools.schema.events import Event
from neurontools.schema.finding import Diagnosis
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.units import NS_PER_S
from neurontools.views.top.cells import Trends
from neurontools.views.top.history.rows import NO_DOTS, Row, Rows, row_of

if TYPE_CHECKING:
    from neurontools.recording.ring import Ring

SPAN_NS = 3600 * NS_PER_S
"""How far back one can go."""

_MOST_ROWS = 7200
_MOST_EVENTS = 2000
_MOST_DIAGNOSES = 500
_TREND = 32
_DIGITS = bytes(ord(" ") if each == NO_DOTS else ord("0") + each % 10 for each in range(256))
"""How the dots of a core are written in its trend."""


class Marker(NamedTuple):
    """Something at an instant: what it is, and in a few words."""

    time_ns: int
    kind: str
    text: str


EVENT, FINDING = "event", "finding"


class History:
    """The last hour, in bounded memory. With `frames` false the source itself can be asked for what was."""

    def __init__(self, frames: bool = True) -> None:
        self.rows = Rows(_MOST_ROWS)
        self._keeps = frames
        self._frames: Ring | None = None
        self._lock = Lock()
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._diagnoses: deque[Diagnosis] = deque(maxlen=_MOST_DIAGNOSES)
        self._boot_id = ""
        self._cores: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that the readings take."""
        return self._frames.size if self._frames is not None else 0

    def begin(self, boot_id: str) -> None:
        """What follows is of this boot: of another one all is forgotten."""
        with self._lock:
            if boot_id == self._boot_id:
                return
            self._boot_id = boot_id
            self.rows.clear()
            self._events.clear()
            self._diagnoses.clear()
            if self._frames is not None:
                self._frames.clear()

    def add(self, snapshot: Snapshot, interval: Interval | None, inventory: Inventory) -> None:
        """A reading of the boot that was begun, what it did since the one before where that is known, and of whom."""
        with self._lock:
            if self._keeps:
                self._keep(snapshot, inventory)
            if interval is not None:
                self._cores = tuple(core.core for core in interval.cores)
                self.rows.add(row_of(interval))
                if self._keeps:
                    self.rows.forget_before(snapshot.head.time_ns - SPAN_NS)

    def _keep(self, snapshot: Snapshot, inventory: Inventory) -> None:
        # Loaded after the first screen: it takes as long as all of the screen's sections.
        from neurontools.recording.frames import Frame
        from neurontools.recording.ring import Ring

        if self._frames is None:
            self._frames = Ring()
        self._frames.add(Frame(snapshot, inventory))
        self._frames.forget_before(snapshot.head.time_ns - SPAN_NS)

    def add_events(self, events: Sequence[Event]) -> None:
        """What happened."""
        with self._lock:
            self._events.extend(events)

    def forget_events(self) -> None:
        """What happened is told anew."""
        with self._lock:
            self._events.clear()
            self._diagnoses.clear()

    def add_diagnosis(self, diagnosis: Diagnosis) -> None:
        """What was found; kept only if it differs from what was found before."""
        with self._lock:
            before = self._diagnoses[-1] if self._diagnoses else None
            if before is None or (before.findings, before.cannot_tell) != (diagnosis.findings, diagnosis.cannot_tell):
                self._diagnoses.append(diagnosis)

    def interval(self, time_ns: int) -> Interval | None:
        """What the host did up to the last reading that is not after an instant."""
        with self._lock:
            pair = self._frames.pair(time_ns) if self._frames is not None else None
        if pair is None:
            return None
        try:
            return between(pair[0].snapshot, pair[1].snapshot)
        except NoInterval:
            return None

    def times(self) -> list[int]:
        """The instants that one can go to."""
        with self._lock:
            return self._frames.times[1:] if self._frames is not None else []

    def rows_between(self, first_ns: int, last_ns: int) -> list[Row]:
        """The rows of a span, without its first instant."""
        with self._lock:
            return self.rows.between(first_ns, last_ns)

    def trends(self, time_ns: int) -> Trends:
        """The last utilizations of each logical core up to an instant."""
        with self._lock:
            rows = self.rows.until(time_ns, _TREND)
            cores = self._cores
        # The rows one after the other: a core's are those at equal distances.
        digits = b"".join([row.dots for row in rows if len(row.dots) == len(cores)]).translate(_DIGITS).decode()
        return {core: digits[place :: len(cores)] for place, core in enumerate(cores)}

    def events(self, time_ns: int | None = None) -> list[Event]:
        """The events up to an instant, the newest first."""
        with self._lock:
            return [event for event in reversed(self._events) if time_ns is None or event.time_ns <= time_ns]

    def diagnosis(self, time_ns: int | None = None) -> Diagnosis | None:
        """What was known to be wrong at an instant."""
        with self._lock:
            found = (each for each in reversed(self._diagnoses) if time_ns is None or each.time_ns <= time_ns)
            return next(found, None)

    def markers(self, first_ns: int, last_ns: int) -> list[Marker]:
        """When events happened and findings began, in the order of time."""
        with self._lock:
            events = [Marker(each.time_ns, EVENT, each.text) for each in self._events]
            findings = {
                (each.since_ns, each.rule): Marker(each.since_ns, FINDING, each.message)
                for diagnosis in self._diagnoses
                for each in diagnosis.findings
            }
        return sorted(each for each in (*events, *findings.values()) if first_ns <= each.time_ns <= last_ns)
