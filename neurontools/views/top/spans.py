"""Text with roles instead of colours: what every section is made of, on the screen and in plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size

NOT_KNOWN = "N/A"

ROLES = (
    *("text", "dim", "faint", "strong", "heading", "frame"),
    *("low", "middle", "high", "flops", "user", "system", "memory", "held"),
    *("mark", "alert", "key", "tab", "selected", "good", "warn", "bad", "jump"),
)
"""Every role that a span can have; a theme gives each a colour, and none says anything that the text does not."""

_VISIBLE = 0.005
"""Half a percent: from here on a bar shows something, however short it is."""
_FILLED, _HALF, _TRACK = "━", "╸", "┄"
_LEVELS = "▁▂▃▄▅▆▇"
"""Without the full block, which would grow together with the row above."""
DOTS = 4
"""Dots above each other in a character of braille."""
_BRAILLE = 0x2800
_LEFT_DOTS, _RIGHT_DOTS = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)


class Span(NamedTuple):
    """A piece of text in one role. `link` is the action that a click on it runs, if any."""

    text: str
    role: str = "text"
    link: str = ""


class Line(NamedTuple):
    """One row; with a `ground`, which is a role, the row has that role's background over its whole width."""

    spans: tuple[Span, ...] = ()
    ground: str = ""


def _as_line(row: Any) -> Line:
    line: Line = row
    return line


class Block(NamedTuple):
    """A section without its frame: heading, a note at the heading's right end, and rows that `draw` makes lines of.

    `why` says why something here is unknown; it takes the note's place and is cut rather than dropped.
    `focus` is the row that must be in sight when there is not enough room for all; the first `fixed`
    rows stay in sight always.
    """

    heading: tuple[Span, ...] = ()
    note: tuple[Span, ...] = ()
    rows: Sequence[Any] = ()
    draw: Callable[[Any], Line] = _as_line
    focus: int | None = None
    fixed: int = 0
    why: str = ""

    def remark(self, width: int | None = None) -> tuple[Span, ...]:
        """What stands at the heading's right end, in at most `width` columns; nothing where it does not fit."""
        if self.why:
            reason = f"{NOT_KNOWN}: {self.why}"
            cut_off = width is not None and cell_len(reason) > width
            return (Span(left(reason, width) if cut_off and width is not None else reason, "dim"),)
        return self.note if width is None or width_of(self.note) <= width else ()

    def lines(self) -> list[Line]:
        """All rows, drawn."""
        return [self.draw(row) for row in self.rows]


def clean(text: str) -> str:
    """Text of unknown origin, such as a command, without what would move a terminal's cursor."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def width_of(spans: Iterable[Span]) -> int:
    """Columns that spans take on a terminal."""
    return sum(cell_len(span.text) for span in spans)


def left(text: str, width: int) -> str:
    """Text in exactly `width` columns, flush left; what is cut off ends in an ellipsis."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


def right(text: str, width: int) -> str:
    """Text in exactly `width` columns, flush right, cut as by `left`."""
    return " " * (width - cell_len(text)) + text if cell_len(text) <= width else left(text, width)


def cut(spans: Iterable[Span], width: int) -> tuple[Span, ...]:
    """The spans in exactly `width` columns."""
    kept: list[Span] = []
    for span in spans:
        room = width
        width -= cell_len(span.text)
        if width < 0:
            kept.append(Span(left(span.text, room), span.role, span.link))
            return tuple(kept)
        kept.append(span)
    return (*kept, Span(" " * width)) if width else tuple(kept)


def between(start: Sequence[Span], end: Sequence[Span], width: int, fill: str = " ") -> tuple[Span, ...]:
    """`start` flush left and `end` flush right in `width` columns; without room for both, `end` goes."""
    room = width - width_of(start) - width_of(end)
    if room < 1:
        return cut(start, width)
    return (*start, Span(fill * room, "frame"), *end)


def bar(parts: Iterable[tuple[float, str]], width: int) -> tuple[Span, ...]:
    """A horizontal bar of parts of 1, each in its role, one after the other; it never leaves its `width` columns."""
    spans: list[Span] = []
    end = drawn = 0
    reached = 0.0
    for share, role in parts:
        reached += max(0.0, share)
        end = max(drawn, min(2 * width, max(round(2 * width * min(reached, 1.0)), reached >= _VISIBLE)))
        cells, half = divmod(end - drawn, 2)
        if cells or half:
            spans.append(Span(_FILLED * cells + _HALF * half, role))
        drawn += 2 * (cells + half)
    empty = width - min(width, drawn // 2)
    return (*spans, Span(_TRACK * empty, "faint")) if empty else tuple(spans)


def level(share: float, role: str) -> Span:
    """A bar of one column."""
    if share <= 0:
        return Span(_LEVELS[0], "faint")
    return Span(_LEVELS[min(len(_LEVELS), math.ceil(share * len(_LEVELS))) - 1], role)


def dots(share: float) -> int:
    """How many of the four dots of a braille column a part of 1 fills; whatever is more than nothing fills one."""
    return max(0, min(DOTS, math.ceil(share * DOTS)))


@cache
def braille(left_dots: int, right_dots: int) -> str:
    """The character whose two columns are filled from below by so many dots."""
    return chr(_BRAILLE + sum(_LEFT_DOTS[:left_dots]) + sum(_RIGHT_DOTS[:right_dots]))


@lru_cache(maxsize=4096)
def trend(digits: str, width: int) -> str:
    """The newest of some numbers of dots, two in each of `width` columns, flush right."""
    digits = digits[-2 * width :].rjust(2 * width).replace(" ", "0")
    return "".join(braille(int(a), int(b)) for a, b in zip(digits[::2], digits[1::2], strict=True))


def linked(spans: Iterable[Span], link: str) -> tuple[Span, ...]:
    """The spans, each with the same link."""
    return tuple(Span(text, role, link) for text, role, _ in spans)
