"""The page of the history: charts of the last minute to the last hour, and the way back to any instant of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.units import NS_PER_S, format_duration_ns
from neurontools.views.top import plan as places
from neurontools.views.top.history.history import SPAN_NS
from neurontools.views.top.panels import footer, timeline
from neurontools.views.top.panels.charts import DEVICE_CHARTS, NODE_CHARTS, Drawer, Past
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.panels.timeline import Timeline
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block, Line, Span, cut
from neurontools.views.top.state import why_unknown

TIMELINE, MISSING = "timeline", "missing"
MOST_CHARTS = 12
_CHARTS = tuple(f"chart-{place}" for place in range(MOST_CHARTS))
_WINDOWS_NS = tuple(seconds * NS_PER_S for seconds in (60, 300, 900, 3600))
_LEAST_CHART, _GOOD_CHART = 6, 8
_TWO_COLUMNS, _THREE_COLUMNS = 100, 240
_READING_NS = 6 * NS_PER_S


class HistoryScreen(PageScreen):
    """`window` is the place of the span that is shown, `device` the one whose charts these are, None for all."""

    ABOUT = About("history", "h", "History")
    SECTIONS = (TIMELINE, *_CHARTS, MISSING)
    TIME_ONLY = True
    HINTS = (
        footer.QUIT,
        footer.HELP,
        footer.PAUSE,
        Hint("left/right", "step through time", "step", "app.travel(-1)"),
        Hint("[ ]", "a minute", action="app.travel_s(-60)"),
        Hint(", .", "to what happened", "events", "app.to_marker(-1)"),
        Hint("w", "1 min to 1 h", "span", "next_window"),
        Hint("a/d", "device", action="step_device(1)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w,W", "next_window", "The last minute, 5, 15 or 60 minutes"),
        Binding("up", "step_window(1)", "A longer span"),
        Binding("down", "step_window(-1)", "A shorter span"),
        Binding("a,A", "step_device(-1)", "The device before, or all of them"),
        Binding("d,D", "step_device(1)", "The next device"),
        Binding("home", "app.seek(0)", "To the beginning"),
        Binding("end", "to_end", "To the end"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.window = 1
        self.device: int | None = None
        self.shown: tuple[Drawer, ...] = ()
        self.past = Past((), 0, 0, 1, None, _READING_NS)
        self._drawers: dict[int | None, tuple[Drawer, ...]] = {None: tuple(Drawer(chart) for chart in NODE_CHARTS)}

    def forget(self) -> None:
        """Another host has other devices."""
        self.device = None
        self._drawers = {None: self._drawers[None]}

    def prepare(self) -> None:
        """The rows of the span, and which charts have something to draw."""
        session = self.session
        span_ns = _WINDOWS_NS[self.window]
        now_ns, newest_ns = session.now_ns, self._newest_ns()
        rewound = session.playback.paused
        last_ns = newest_ns if now_ns > newest_ns - span_ns * 9 // 10 else min(newest_ns, now_ns + span_ns // 2)
        first_ns = last_ns - span_ns
        self.past = Past(
            session.history.rows_between(first_ns, last_ns),
            session.history.rows.changes,
            first_ns,
            last_ns,
            now_ns if rewound else None,
            _READING_NS,
            tuple(session.history.markers(first_ns, last_ns)),
        )
        every = session.history.rows_between(newest_ns - SPAN_NS, newest_ns)
        self.shown = tuple(drawer for drawer in self._drawers_of(self.device) if drawer.known(every))

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """The timeline, then as many charts as can be read, in columns."""
        found: dict[str, Place] = {}
        if body >= _LEAST_CHART + 2:
            found[TIMELINE] = Place(0, top, width, 2, headed=False)
            top, body = top + 2, body - 2
        missing = len(self.shown) < len(self._drawers_of(self.device)) and body > _LEAST_CHART
        if missing:
            body -= 1
            found[MISSING] = Place(0, top + body, width, 1, headed=False)
        columns = 3 if width >= _THREE_COLUMNS else 2 if width >= _TWO_COLUMNS else 1
        least = _LEAST_CHART if body < 2 * _GOOD_CHART else _GOOD_CHART
        rows = max(1, min(body // least, -(-len(self.shown) // columns)))
        for place in range(min(len(self.shown), rows * columns)):
            row, column = divmod(place, columns)
            x, y = width * column // columns, body * row // rows
            right, bottom = width * (column + 1) // columns, body * (row + 1) // rows
            if bottom > y:
                found[_CHARTS[place]] = Place(x, top + y, right - x - (column < columns - 1), bottom - y)
        return found

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        if name == TIMELINE:
            return self._timeline()
        if name == MISSING:
            return (self.device, len(self.shown), self.session.now_ns // (10 * NS_PER_S))
        if name == places.FOOTER:
            return self.window
        past = self.past
        return (self._drawer(name), past.last_ns, past.first_ns, past.cursor_ns, past.markers, past.changes)

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        width, height = place.inner
        if name == TIMELINE:
            return timeline.render(self._timeline(), width)
        if name == MISSING:
            return self._missing(width)
        drawer = self._drawer(name)
        if drawer is None:
            return Block()
        block = drawer.render(self.past, width, height)
        if self.device is None:
            return block
        return block._replace(heading=(*block.heading, Span(f" of device {self._device_number()}", "strong")))

    def action_next_window(self) -> None:
        """A longer span, after the longest the shortest."""
        self.window = (self.window + 1) % len(_WINDOWS_NS)
        self.update()

    def action_step_window(self, step: int) -> None:
        """A longer or a shorter span."""
        self.window = max(0, min(len(_WINDOWS_NS) - 1, self.window + step))
        self.update()

    def action_step_device(self, step: int) -> None:
        """All devices, or one after the other."""
        inventory = self.session.inventory
        count = len(inventory.devices) if inventory is not None else 0
        place = (0 if self.device is None else self.device + 1) + step
        place %= count + 1
        self.device = None if place == 0 else place - 1
        self.update()

    def action_to_end(self) -> None:
        """The newest reading of a live host, or the end of a recording."""
        playback = self.session.playback
        playback.seek(playback.span_ns[1])
        if not self.session.replays:
            playback.resume()
        self.session.look()
        self.update()

    def foot(self, width: int) -> Block:
        """The keys, and the span."""
        span = f" {format_duration_ns(_WINDOWS_NS[self.window])} "
        line = footer.keys(self.hints(), max(1, width - len(span)))
        end = (Span(span, "tab", "next_window"),) if width > 2 * len(span) else ()
        return Block(rows=(Line((*line.spans, *end)),))

    def _timeline(self) -> Timeline:
        session = self.session
        first_ns, last_ns = session.playback.span_ns
        return Timeline(
            first_ns,
            last_ns,
            session.playback.position_ns if session.replays else session.now_ns,
            session.playback.paused,
            tuple(session.history.markers(first_ns, last_ns)),
            None if session.replays else session.history.size // 100_000 * 100_000,
            session.playback.speed if session.replays else None,
        )

    def _missing(self, width: int) -> Block:
        """Which charts are not there, and why the first of them is not."""
        interval = self.session.interval
        missing = [drawer.chart for drawer in self._drawers_of(self.device) if drawer not in self.shown]
        if interval is None or not missing:
            return Block()
        names = ", ".join(chart.title.lower() for chart in missing)
        why = why_unknown(interval.head, missing[0].metric)
        return Block(rows=(Line(cut((Span(f"not here: {names} ({why})", "dim"),), width)),))

    def _newest_ns(self) -> int:
        times = self.session.history.rows.times
        return times[-1] if times else self.session.now_ns

    def _drawers_of(self, device: int | None) -> tuple[Drawer, ...]:
        if device not in self._drawers:
            self._drawers[device] = tuple(Drawer(chart, device) for chart in DEVICE_CHARTS)
        return self._drawers[device]

    def _drawer(self, name: str) -> Drawer | None:
        place = _CHARTS.index(name)
        return self.shown[place] if place < len(self.shown) else None

    def _device_number(self) -> int:
        inventory = self.session.inventory
        if inventory is None or self.device is None or self.device >= len(inventory.devices):
            return 0
        return inventory.devices[self.device].device
