"""A section's rows with heading and frame, scrolled so that what matters is in sight: exactly what a panel paints."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from neurontools.views.top.plan import Place
from neurontools.views.top.spans import Block, Line, Span, between, cut, width_of

_SIDE = "│"
_THUMB = "┃"


class Framed(NamedTuple):
    """The lines of a place from top to bottom, and the first scrolled row that they show."""

    lines: list[Line]
    first: int


def reveal(block: Block, place: Place, first: int) -> int:
    """The first row to show so that the block's focus is in sight, as near to `first` as possible."""
    if block.focus is None or block.focus < block.fixed:
        return first
    row, room = block.focus - block.fixed, place.inner[1] - block.fixed
    return min(row, max(first, row - room + 1))


def compose(block: Block, place: Place, first: int = 0) -> Framed:
    """The block in its place, its rows scrolled to `first` or as far as there are any."""
    width, height = place.inner
    fixed = min(block.fixed, height)
    room = height - fixed
    count = max(0, len(block.rows) - block.fixed)
    first = max(0, min(first, count - room))
    rows = [*block.rows[:fixed], *block.rows[block.fixed + first : block.fixed + first + room]]
    drawn = [block.draw(row) for row in rows]
    drawn += [Line()] * (height - len(drawn))
    lines = [_heading(block, place, first, room, count)] if place.headed else []
    if not place.framed:
        return Framed([*lines, *(_filled(line, width) for line in drawn)][: place.height], first)
    thumb = _thumb(first, room, count)
    lines += [_boxed(line, width, _THUMB if y - fixed in thumb else _SIDE) for y, line in enumerate(drawn)]
    lines.append(Line((Span(f"╰{'─' * (place.width - 2)}╯", "frame"),)))
    return Framed(lines[: place.height], first)


def _heading(block: Block, place: Place, first: int, room: int, count: int) -> Line:
    start, stop = ("╭─ ", "─╮") if place.framed else ("── ", "──")
    inner = place.width - len(start) - len(stop)
    if inner < 1:
        return Line(cut(block.heading, place.width))
    if not width_of(block.heading) and not block.remark():
        return Line((Span(f"{start[:-1]}{'─' * (inner + 1)}{stop}", "frame"),))
    left = (*block.heading, Span(" "))
    position = f"  {first + 1}-{first + room} of {count}" if not place.framed and count > room > 0 else ""
    room_for_note = max(0, inner - width_of(left) - 3)
    note = block.remark(room_for_note - len(position)) if room_for_note > len(position) else ()
    if position and len(position) <= room_for_note:
        note = (*note, Span(position if note else position.strip(), "dim"))
    right = (Span(" "), *note, Span(" ")) if note else ()
    return Line((Span(start, "frame"), *between(left, right, inner, "─"), Span(stop, "frame")))


def _thumb(first: int, room: int, count: int) -> range:
    """Where the scroll thumb is among the scrolled rows; nowhere when all rows are in sight."""
    if room < 1 or count <= room:
        return range(0)
    size = max(1, room * room // count)
    top = (room - size) * first // (count - room)
    return range(top, top + size)


@lru_cache(maxsize=1024)
def _boxed(line: Line, width: int, edge: str) -> Line:
    inner = cut(line.spans, width)
    right = Span(edge, "dim" if edge == _THUMB else "frame")
    return Line((Span(_SIDE, "frame"), Span(" "), *inner, Span(" "), right), line.ground)


@lru_cache(maxsize=1024)
def _filled(line: Line, width: int) -> Line:
    return Line(cut(line.spans, width), line.ground)
