"""The charts of the history: what each draws, its axis and legend, and where the instant that is looked at lies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from neurontools.units import format_duration_ns
from neurontools.views.top import quantities
from neurontools.views.top.chart import Buckets, Window, bridged, draw, heights, nice_top
from neurontools.views.top.history.history import FINDING, Marker
from neurontools.views.top.history.rows import Row, column
from neurontools.views.top.spans import Block, Line, Span, cut, left, right

AXIS = 9
"""Columns for the numbers of the axis."""

_LEAST_ROWS = 2
_LEAST_AXIS = 20
_NOW = "now"
_PERCENT = 100.0


def _percent(value: float) -> str:
    return f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.1f}%"


def _bytes(value: float) -> str:
    """Traffic, like bandwidths, is counted in powers of 1000."""
    return f"{' '.join(quantities.prefixed(value))}B/s"


def _flops(value: float) -> str:
    return f"{quantities.figures(value / 1e12)} T"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else quantities.figures(value)


class Chart(NamedTuple):
    """One chart: an area of means, and a line for what is above it. `top` is where the axis always ends, if it does,
    else `least` where all is 0."""

    title: str
    area: str
    area_name: str
    role: str
    text: Callable[[float], str]
    metric: str
    line: str = ""
    line_name: str = ""
    top: float | None = None
    least: float = 1.0


NODE_CHARTS = (
    Chart(
        *("Utilization", "util", "mean", "middle", _percent, "core_utilization_percent"),
        *("util_max", "busiest core", _PERCENT),
    ),
    Chart(
        *("Slowest latency", "p50", "p50", "user", quantities.latency, "process_latency_s"),
        *("p99", "p99"),
    ),
    Chart("Tokens per second", "tokens", "generated", "flops", _rate, "process_generated_tokens_per_s"),
    Chart("Device memory", "memory", "used", "memory", _percent, "device_memory_used_percent", top=_PERCENT),
    Chart(
        *("Power", "power", "mean", "system", _percent, "device_power_avg_percent"),
        *("power_max", "highest device", _PERCENT),
    ),
    Chart("Links", "links", "transmitted, all together", "flops", _bytes, "link_transmitted_bytes_per_s"),
    Chart("Executions per second", "executions", "all processes", "low", _rate, "process_executions_per_s"),
    Chart("HBM traffic", "hbm", "read and written", "memory", _bytes, "core_hbm_read_bytes_per_s"),
    Chart("Time to first token", "first_token", "p99", "user", quantities.latency, "process_time_to_first_token_s"),
    Chart("TFLOPS", "flops", "all cores", "flops", _flops, "core_flops_per_s", least=1e12),
    Chart("vCPU", "vcpu", "all of the instance", "user", _percent, "host_vcpu_percent", top=_PERCENT),
    Chart("Requests waiting", "queued", "all processes", "held", _rate, "process_requests_queued"),
)
"""The charts of the whole node, the most telling first."""

DEVICE_CHARTS = (
    Chart("Utilization", "util", "mean", "middle", _percent, "core_utilization_percent", top=_PERCENT),
    Chart("Device memory", "memory", "used", "memory", _percent, "device_memory_used_percent", top=_PERCENT),
    Chart("Power", "power", "mean", "system", _percent, "device_power_avg_percent", top=_PERCENT),
    Chart("Links", "links", "transmitted", "flops", _bytes, "link_transmitted_bytes_per_s"),
)
"""The charts of one device."""


class Past(NamedTuple):
    """What charts are drawn from: the rows of the window, the instant that is looked at, and what happened.

    `reach_ns` is how long a reading stands for where the next one is late.
    """

    rows: Sequence[Row]
    changes: int
    first_ns: int
    last_ns: int
    cursor_ns: int | None
    reach_ns: int
    markers: tuple[Marker, ...] = ()


class Drawer:
    """Draws one chart of the node or, with its place among them, of a device; what was computed is kept."""

    def __init__(self, chart: Chart, device: int | None = None) -> None:
        self.chart = chart
        self._area = Buckets(column(chart.area, device))
        self._line = Buckets(column(chart.line, device)) if chart.line else None

    def known(self, rows: Sequence[Row]) -> bool:
        """Whether there is anything to draw."""
        place = self._area.column
        return any(place < len(row.values) and not math.isnan(row.values[place]) for row in reversed(rows))

    def render(self, past: Past, width: int, height: int) -> Block:
        """The chart in a place of that size; without room for a plot the heading has the last values."""
        columns, rows = width - AXIS, height - 1
        heading = (Span(self.chart.title, "heading"),)
        if columns < 2 or rows < _LEAST_ROWS:
            return Block(heading, self._legend(past, [], None), ())
        stretch_ns = max(1, (past.last_ns - past.first_ns) // (2 * columns))
        window = Window(past.last_ns, stretch_ns, 2 * columns)
        reach = max(1, past.reach_ns // stretch_ns)
        means, _ = self._area.take(window, past.rows, past.changes)
        means = bridged(means, reach)
        most = None
        if self._line is not None:
            most = bridged(self._line.take(window, past.rows, past.changes)[1], reach)
        known = [value for value in (*means, *(most or ())) if not math.isnan(value)]
        top = self.chart.top or nice_top(max(known, default=0.0), self.chart.least)
        if known and max(known) > top:
            top = nice_top(max(known))
        line = None if most is None else heights(most, top, rows)
        plot = draw(heights(means, top, rows), line, rows, (self.chart.role, "strong"))
        cursor = None if past.cursor_ns is None else window.dot(past.cursor_ns) // 2
        lines = [
            Line((Span(right(label, AXIS - 1), "dim"), Span(" "), *_with_cursor(spans, cursor)))
            for label, spans in zip(_labels(self.chart.text, top, rows), plot, strict=True)
        ]
        axis = Line((Span(" " * AXIS), *_axis(past, window, columns, cursor)))
        return Block(heading, self._legend(past, means, most), (*lines, axis))

    def _legend(self, past: Past, means: Sequence[float], most: Sequence[float] | None) -> tuple[Span, ...]:
        """The values at the instant that is looked at."""
        row = _row_at(past)
        if row is None:
            return ()
        value = row.values[self._area.column]
        spans = [
            Span("━ ", self.chart.role),
            Span(f"{self.chart.area_name} ", "dim"),
            Span(self._text(value), "strong"),
        ]
        if self._line is not None:
            above = self._text(row.values[self._line.column])
            spans += [Span("  ⠒ ", "strong"), Span(f"{self.chart.line_name} ", "dim"), Span(above, "strong")]
        return tuple(spans)

    def _text(self, value: float) -> str:
        return "N/A" if math.isnan(value) else self.chart.text(value)


def _row_at(past: Past) -> Row | None:
    at_ns = past.cursor_ns if past.cursor_ns is not None else past.last_ns
    return next((row for row in reversed(past.rows) if row.time_ns <= at_ns), None)


def _labels(text: Callable[[float], str], top: float, rows: int) -> list[str]:
    """The numbers beside the rows: the top, the middle where there is room, and nothing."""
    labels = [""] * rows
    labels[0] = text(top)
    if rows >= 5 and rows % 2:
        labels[rows // 2] = text(top / 2)
    labels[-1] = "0"
    return labels


def _axis(past: Past, window: Window, columns: int, cursor: int | None) -> tuple[Span, ...]:
    """Times under the plot, and in their place what happened then."""
    span_ns = past.last_ns - past.first_ns
    start, middle = (f"−{format_duration_ns(ns)}" for ns in (span_ns, span_ns // 2))
    signs: dict[int, Span] = {}
    for marker in past.markers:
        place = window.dot(marker.time_ns) // 2
        found = marker.kind == FINDING
        if 0 <= place < columns and (found or place not in signs):
            signs[place] = Span("▲" if found else "•", "bad" if found else "warn", f"app.seek({marker.time_ns})")
    if cursor is not None and 0 <= cursor < columns:
        signs[cursor] = Span("┃", "held")
    words = {0: start, columns // 2: middle, max(0, columns - len(_NOW)): _NOW * (columns > _LEAST_AXIS)}
    text = ""
    for place, word in words.items():
        # A time of which a sign hides a digit would be another time.
        hidden = any(place <= sign < place + len(word) for sign in signs)
        text = left(text, place) + ("" if hidden else word)
    text = left(text, columns)
    spans: list[Span] = []
    done = 0
    for place, sign in sorted(signs.items()):
        spans += [Span(text[done:place], "dim"), sign]
        done = place + 1
    return tuple(span for span in (*spans, Span(text[done:], "dim")) if span.text)


def _with_cursor(spans: Sequence[Span], cursor: int | None) -> tuple[Span, ...]:
    """A row of the plot with a bar where the instant is that is looked at."""
    if cursor is None:
        return tuple(spans)
    width = sum(len(span.text) for span in spans)
    if not 0 <= cursor < width:
        return tuple(spans)
    before = cut(spans, cursor) if cursor else ()
    after: list[Span] = []
    reached = 0
    for span in spans:
        skip = max(0, cursor + 1 - reached)
        reached += len(span.text)
        if len(span.text) > skip:
            after.append(Span(span.text[skip:], span.role))
    return (*_whole(spans, cursor, before), Span("┃", "held"), *after)


def _whole(spans: Sequence[Span], width: int, cut_off: Sequence[Span]) -> list[Span]:
    """The spans up to a column, without the ellipsis that text would get."""
    kept: list[Span] = []
    for span in spans:
        room = width - sum(len(each.text) for each in kept)
        if room <= 0:
            break
        kept.append(Span(span.text[:room], span.role))
    return kept if cut_off else []
