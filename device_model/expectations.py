"""A scenario as a test: steps through a model's time and says which of its expectations hold."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from device_model.metric_path import Absent, Value, metric_path, shown
from device_model.simulation import Simulation
from device_model.timeline.expect import Expectation
from device_model.timeline.parts import LOOK_NS, Window
from neurontools.schema.events import Event
from neurontools.schema.interval import Interval, between
from neurontools.schema.snapshot import Snapshot
from neurontools.units import format_duration_ns

_STRIDE_NS = 60 * LOOK_NS
"""Events are fetched at least this often: the model keeps the last 10,000."""


class Finding(NamedTuple):
    """What came of one expectation.

    `found` is the value, or the number of events, None where there was nothing to measure; `baseline` is what it was
    compared with, where there is one; `up_ns` is when what was awaited, or the first event, was seen, after the
    start; `reason` says why there was nothing to measure.
    """

    expectation: Expectation
    holds: bool
    found: Value | None = None
    baseline: float | None = None
    up_ns: int | None = None
    reason: str = ""

    @property
    def text(self) -> str:
        """What was found, in a few words."""
        if self.found is None:
            return self.reason
        text = shown(self.found)
        if self.baseline is not None:
            multiple = f"{float(self.found) / self.baseline:.3g} x " if self.baseline else "the baseline is "
            text += f", {multiple}{shown(self.baseline)}"
        if self.up_ns is not None:
            text += f", {'the first ' if self.expectation.event else ''}at {format_duration_ns(self.up_ns, 3)}"
        return text


class Run:
    """One run of a model from its start on; `wanted` is what its scenario expects."""

    def __init__(self, model: Simulation) -> None:
        self._model = model
        self.wanted = model.scenario.expect
        self._periods = {window for each in self.wanted for window in (each.measured, each.compared) if window}
        self._kept: dict[int, Snapshot] = {}
        self._events: list[Event] = []
        self._lost = 0
        self._awaited = {i: each for i, each in enumerate(self.wanted) if each.by is not None and each.metric}
        self._last_look: dict[int, Finding] = {}

    @property
    def lasts_ns(self) -> int:
        """How much of the model's time it takes at most."""
        return max((window.end_ns for window in self._periods), default=0)

    def findings(self, pause: Callable[[], None]) -> list[Finding]:
        """Runs the model as far as needed, and says of each expectation what came of it; calls `pause` on the way."""
        edges = deque(sorted({edge for window in self._periods for edge in window}))
        looked = self._model.snapshot()
        while edges:
            up_ns = min(edges[0], self._next_look_ns())
            self._advance(up_ns, pause)
            if up_ns == edges[0]:
                self._kept[edges.popleft()] = self._model.snapshot()
            if self._awaited and up_ns % LOOK_NS == 0 and up_ns:
                earlier, looked = looked, self._model.snapshot()
                self._look(between(earlier, looked), up_ns)
        return [self._finding(i, each) for i, each in enumerate(self.wanted)]

    def _next_look_ns(self) -> int:
        up_ns = self._model.now_ns - self._model.epoch_ns
        step_ns = LOOK_NS if self._awaited else _STRIDE_NS
        return up_ns - up_ns % step_ns + step_ns

    def _advance(self, up_ns: int, pause: Callable[[], None]) -> None:
        def go_on() -> bool:
            pause()
            return False

        self._model.advance(self._model.epoch_ns + up_ns, go_on)
        fetched = self._model.events(self._events[-1].seq if self._events else 0)
        self._events += fetched.events
        self._lost += fetched.lost

    def _look(self, interval: Interval, up_ns: int) -> None:
        """Looks at what is awaited; what has come, or is too late, is awaited no longer."""
        for i, each in list(self._awaited.items()):
            self._last_look[i] = finding = self._measured(each, interval)._replace(up_ns=up_ns)
            if finding.holds or up_ns + LOOK_NS > each.measured.end_ns:
                del self._awaited[i]

    def _finding(self, i: int, wanted: Expectation) -> Finding:
        if i in self._last_look:
            return self._last_look[i]
        if wanted.event is not None:
            return self._counted(wanted)
        return self._measured(wanted, self._interval(wanted.measured))

    def _interval(self, window: Window) -> Interval:
        return between(self._kept[window.start_ns], self._kept[window.end_ns])

    def _measured(self, wanted: Expectation, interval: Interval) -> Finding:
        try:
            found = metric_path(wanted.metric or "").read(interval)
            baseline = self._baseline(wanted)
        except Absent as absent:
            return Finding(wanted, False, reason=str(absent))
        return Finding(wanted, wanted.holds(found, baseline), found, baseline)

    def _baseline(self, wanted: Expectation) -> float | None:
        """The value to compare with; raises Absent where there is none, or not yet."""
        if wanted.baseline is None or wanted.compared is None:
            return None
        if wanted.compared.end_ns not in self._kept:
            raise Absent("the baseline has not been measured yet")
        path = metric_path(wanted.baseline.metric or wanted.metric or "")
        return float(path.read(self._interval(wanted.compared)))

    def _counted(self, wanted: Expectation) -> Finding:
        first_ns, last_ns = (self._model.epoch_ns + edge for edge in wanted.measured)
        found = [
            event.time_ns - self._model.epoch_ns
            for event in self._events
            if first_ns <= event.time_ns <= last_ns
            and wanted.kind in (None, event.kind)
            and (wanted.event or "") in event.text
        ]
        if self._lost:
            return Finding(wanted, False, reason=f"{self._lost:,} events came faster than they could be fetched")
        return Finding(wanted, wanted.holds(len(found), None), len(found), up_ns=found[0] if found else None)
