"""A chart in braille: areas and lines over time, a column of dots for each stretch of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from neurontools.views.top.history.rows import Row
from neurontools.views.top.spans import DOTS, Span, braille

_EMPTY = braille(0, 0)
_BASE = 0x2800
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


class Window(NamedTuple):
    """The span of time that a chart shows, in `dots` stretches of equal length that stand still as time goes by."""

    last_ns: int
    stretch_ns: int
    dots: int

    @property
    def first(self) -> int:
        """The number of the first stretch."""
        return self.last_ns // self.stretch_ns - self.dots + 1

    def dot(self, time_ns: int) -> int:
        """The stretch that an instant falls into, counted from the left; it may be outside."""
        return time_ns // self.stretch_ns - self.first


class Buckets:
    """The mean and the largest of a column's values in each stretch; what is over is computed once."""

    def __init__(self, column: int) -> None:
        self.column = column
        self._of = (0, -1)
        self._known: dict[int, tuple[float, float]] = {}
        self._from = self._to = 0
        """The stretches that were looked at; the last of them may still get more rows."""

    def take(self, window: Window, rows: Sequence[Row], changes: int) -> tuple[list[float], list[float]]:
        """Means and maxima by dot, NaN where nothing is known; `rows` are those of the window."""
        first, end = window.first, window.first + window.dots
        if (window.stretch_ns, changes) != self._of or first < self._from or first > self._to:
            self._of = window.stretch_ns, changes
            self._known, self._from, self._to = {}, first, first
        fresh: dict[int, list[float]] = {}
        for row in reversed(rows):
            place = row.time_ns // window.stretch_ns
            if place < self._to:
                break
            value = row.values[self.column]
            if not math.isnan(value):
                fresh.setdefault(place, []).append(value)
        for place, values in fresh.items():
            self._known[place] = sum(values) / len(values), max(values)
        self._to = max(self._to, end - 1)
        if len(self._known) > 2 * window.dots:
            self._known = {place: value for place, value in self._known.items() if place >= first}
            self._from = first
        nothing = (math.nan, math.nan)
        found = [self._known.get(place, nothing) for place in range(first, end)]
        return [mean for mean, _ in found], [most for _, most in found]


def bridged(values: Sequence[float], reach: int) -> list[float]:
    """The values with gaps of up to `reach` dots filled from the left: readings can be rarer than dots."""
    filled: list[float] = []
    last, age = math.nan, 0
    for value in values:
        if math.isnan(value):
            age += 1
            filled.append(last if age <= reach else math.nan)
        else:
            last, age = value, 0
            filled.append(value)
    return filled


def nice_top(most: float, least: float = 1.0) -> float:
    """The top of an axis: a round number that is not below the largest value, `least` where all is 0."""
    if not most > 0:
        return least
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * step for step in _NICE if power * step >= most * 0.999)


def heights(values: Sequence[float], top: float, rows: int) -> list[int]:
    """Dots above the axis, at least one for what is more than nothing; -1 for what is unknown."""
    most = rows * DOTS
    return [-1 if math.isnan(value) else min(most, math.ceil(value / top * most - 1e-6)) for value in values]


def draw(area: Sequence[int], line: Sequence[int] | None, rows: int, roles: tuple[str, str]) -> list[tuple[Span, ...]]:
    """The rows of a chart from the top: an area under the first heights, and above it a line of dots."""
    columns = [_area(left, right, rows) for left, right in zip(area[::2], area[1::2], strict=True)]
    texts = ["".join(row) for row in zip(*columns, strict=True)] if columns else [""] * rows
    if line is None or not columns:
        return [(Span(_plain(text), roles[0]),) for text in texts]
    above = [_line(left, right, rows) for left, right in zip(line[::2], line[1::2], strict=True)]
    marks = ["".join(row) for row in zip(*above, strict=True)]
    return [_overlaid(text, mark, roles) for text, mark in zip(texts, marks, strict=True)]


def _plain(text: str) -> str:
    """With blanks where there are no dots: they are a third as long on their way to the terminal."""
    return text.replace(_EMPTY, " ")


@lru_cache(maxsize=8192)
def _area(left: int, right: int, rows: int) -> tuple[str, ...]:
    """A column of characters, its two columns of dots filled from below."""
    return tuple(
        braille(max(0, min(DOTS, left - below)), max(0, min(DOTS, right - below)))
        for below in range((rows - 1) * DOTS, -1, -DOTS)
    )


@lru_cache(maxsize=8192)
def _line(left: int, right: int, rows: int) -> tuple[str, ...]:
    """A column of characters with no more than the topmost dot of each of its two columns."""
    full, lower = _area(left, right, rows), _area(max(0, left - 1), max(0, right - 1), rows)
    return tuple(chr(_BASE + (ord(one) ^ ord(other))) for one, other in zip(full, lower, strict=True))


def _overlaid(area: str, line: str, roles: tuple[str, str]) -> tuple[Span, ...]:
    """A row of both; a character that holds a part of the line has the line's role."""
    if not line.strip(_EMPTY):
        return (Span(_plain(area), roles[0]),)
    spans: list[Span] = []
    start = 0
    on_line = line[0] != _EMPTY
    for end in range(1, len(line) + 1):
        if end < len(line) and (line[end] != _EMPTY) == on_line:
            continue
        if on_line:
            pairs = zip(area[start:end], line[start:end], strict=True)
            text = "".join([chr(ord(one) | ord(other)) for one, other in pairs])
        else:
            text = area[start:end]
        spans.append(Span(_plain(text), roles[on_line]))
        start = end
        on_line = not on_line
    return tuple(spans)
