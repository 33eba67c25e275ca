"""The time that can be looked at, from beginning to end: where one is, what happened, and a click goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from neurontools.units import format_duration_ns, format_time_ns
from neurontools.views.top.history.history import FINDING, Marker
from neurontools.views.top.spans import Block, Line, Span, clean, cut, left

_CLOCK = 8
_LEAST = 10
_LEAST_SIZE = 100_000


class Timeline(NamedTuple):
    """`size` is what the readings take in bytes, None for a recording; `speed` None for a live host."""

    first_ns: int
    last_ns: int
    position_ns: int
    paused: bool
    markers: tuple[Marker, ...] = ()
    size: int | None = None
    speed: float | None = None


def render(timeline: Timeline, width: int) -> Block:
    """A line for the time, and one for what happened last before the instant that is looked at."""
    room = width - 2 * _CLOCK - 2
    if timeline.last_ns <= timeline.first_ns or room < _LEAST:
        return Block(rows=(Line(cut((Span("nothing to go back to yet", "dim"),), width)), Line()))
    first, last = (Span(_clock(ns), "dim") for ns in (timeline.first_ns, timeline.last_ns))
    line = Line((first, Span(" "), *_track(timeline, room), Span(" "), last))
    return Block(rows=(line, Line(cut(_words(timeline, width), width))))


def _clock(time_ns: int) -> str:
    return format_time_ns(time_ns)[11 : 11 + _CLOCK]


def _track(timeline: Timeline, room: int) -> list[Span]:
    """One character for each stretch of the time, with a link to it."""
    span_ns = timeline.last_ns - timeline.first_ns
    signs = {_place(timeline, marker.time_ns, room): marker for marker in _by_weight(timeline.markers)}
    here = _place(timeline, timeline.position_ns, room)
    spans = []
    for place in range(room):
        marker = signs.get(place)
        at_ns = marker.time_ns if marker is not None else timeline.first_ns + span_ns * place // max(1, room - 1)
        if place == here:
            sign, role = "◆", "held"
        elif marker is not None:
            sign, role = ("▲", "bad") if marker.kind == FINDING else ("•", "warn")
        else:
            sign, role = ("━", "low") if place < here else ("┄", "faint")
        spans.append(Span(sign, role, f"app.seek({at_ns})"))
    return spans


def _by_weight(markers: Sequence[Marker]) -> list[Marker]:
    """Findings last: where they fall on events, they are shown."""
    return sorted(markers, key=lambda marker: marker.kind == FINDING)


def _place(timeline: Timeline, time_ns: int, room: int) -> int:
    span_ns = timeline.last_ns - timeline.first_ns
    return max(0, min(room - 1, (time_ns - timeline.first_ns) * (room - 1) // span_ns))


def _words(timeline: Timeline, width: int) -> list[Span]:
    reached = format_duration_ns((timeline.last_ns - timeline.first_ns) // 10**9 * 10**9)
    if timeline.speed is not None:
        state = f"recording of {reached}, {timeline.speed:g}×; < and > change that"
    else:
        size = timeline.size or 0
        state = f"{reached} kept in {f'{size / 1e6:.1f}' if size >= _LEAST_SIZE else '<0.1'} MB of 16"
    spans = [Span(left("paused" if timeline.paused else "live" if timeline.speed is None else "playing", 9), "held")]
    spans.append(Span(state, "dim"))
    before = [marker for marker in timeline.markers if marker.time_ns <= timeline.position_ns]
    if before:
        marker = before[-1]
        role = "bad" if marker.kind == FINDING else "warn"
        spans += [Span(f"   {_clock(marker.time_ns)} ", "dim"), Span(clean(marker.text), role)]
    return spans
