"""The core grid: a row per device, in each core's cell a bar and its number; devices wrap into columns."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from neurontools.units import format_percent
from neurontools.views.top.cells import BUSY, ENGINES, FLOPS, MEMORY, SEEN, Cell, Cores, DeviceRow
from neurontools.views.top.quantities import counted
from neurontools.views.top.spans import (
    NOT_KNOWN,
    Block,
    Line,
    Span,
    bar,
    cut,
    left,
    level,
    linked,
    right,
    trend,
    width_of,
)

_LABEL = 5
_SEPARATOR = 3
_WIDE_CELL = 14
BAR_CELL, LEVEL_CELL = 12, 8
"""Cells from which on there is a bar beside the number, or at least a level of one column."""
_LEAST_CELL = 5
# Columns of the number by the width of its cell: 99.55%, 99.6%, 100%.
_NUMBERS = ((_WIDE_CELL, 7, 2), (LEVEL_CELL, 6, 1), (0, 4, 0))
_LEAST_BAR = 3
_LEVELS = ((90.0, "high"), (25.0, "middle"), (0.0, "low"))
_NO_CORE = "·"
_TREND = 8
"""Columns of the recent past in a cell that has room for a bar beside it, two readings in each."""
_IDLE = "◇ held, idle"
_ENGINES = (("T", "flops"), ("V", "user"), ("S", "memory"), ("G", "system"))
_LEAST_ENGINE = 6
_ROLES = {FLOPS: "flops", MEMORY: "memory"}
_PERCENTS = frozenset({BUSY, ENGINES})
_MODES = {
    BUSY: ("Utilization", "Avg: {:.2f}%"),
    FLOPS: ("TFLOPS", "Total: {:,.2f}"),
    ENGINES: ("Engines", "Tensor avg: {:.2f}%"),
    MEMORY: ("Memory, GiB", "Total: {:,.2f}"),
}
"""What the heading calls each measure, and how it says the whole."""
_MEANINGS = {
    BUSY: "busy, waiting included",
    ENGINES: "tensor, vector, scalar, GPSIMD: part of the time active",
    FLOPS: "bar: part of the dense BF16 peak",
    MEMORY: "bar: part of the core's share",
}


class Grid(NamedTuple):
    """How the devices are laid out: so many side by side, so many rows, and the width of a core's cell with its gap."""

    columns: int
    rows: int
    cell: int


def grid(devices: int, cores: int, width: int, height: int, least_cell: int = LEVEL_CELL) -> Grid:
    """The fewest columns of devices that fit in `height` rows, or as many as cells of `least_cell` allow.

    One column at least, however narrow.
    """
    best = Grid(1, devices, _cell_width(width, 1, cores))
    for columns in range(2, devices + 1):
        cell = _cell_width(width, columns, cores)
        if best.rows <= height or cell < least_cell:
            break
        best = Grid(columns, -(-devices // columns), cell)
    return best


def render(cores: Cores, width: int, height: int) -> Block:
    """The grid in `width` columns, laid out for `height` rows with the line of core numbers; it may have more rows."""
    count = max((len(row.cells) for row in cores.rows), default=0)
    shape = grid(len(cores.rows), count, width, height - 1)
    gap = Span(" " * _SEPARATOR)
    numbers = (Span(" " * _LABEL), *(Span(left(f"NC{place}", shape.cell), "dim") for place in range(count)))
    used = min(shape.columns, len(cores.rows))
    header = Line(tuple(span for column in range(used) for span in (*(gap,) * (column > 0), *numbers)))

    def draw(place: int) -> Line:
        if place < 0:
            return header
        devices = cores.rows[place :: shape.rows]
        rows = [_device(row, cores.mode, shape.cell, shape.columns > 1) for row in devices]
        spans = [span for n, row in enumerate(rows) for span in (*(gap,) * (n > 0), *row)]
        return Line(tuple(spans), "selected" * (shape.columns == 1 and devices[0].selected))

    focus = next((1 + place % shape.rows for place, row in enumerate(cores.rows) if row.selected), None)
    return Block(_heading(cores), _note(cores), range(-1, shape.rows), draw, focus, fixed=1, why=cores.why_unknown)


def _cell_width(width: int, columns: int, cores: int) -> int:
    each = (width - _SEPARATOR * (columns - 1)) // columns
    return max(_LEAST_CELL, (each - _LABEL) // max(1, cores))


@lru_cache(maxsize=512)
def _device(row: DeviceRow, mode: str, cell_width: int, wrapped: bool) -> tuple[Span, ...]:
    """One device's part of a line; remembered, because most of a big host often stands still."""
    label = Span(left(f"ND{row.device}", _LABEL), "selected" if row.selected and wrapped else "strong")
    spans = [label]
    for cell in row.cells:
        spans += _cell(cell, mode, cell_width)
    return linked(spans, f"select_device({row.device})")


def _cell(cell: Cell, mode: str, width: int) -> tuple[Span, ...]:
    gap = 2 if width >= _WIDE_CELL else 1
    if not cell.shown:
        return (Span(right(_NO_CORE, width - gap), "faint"), Span(" " * gap))
    if mode == ENGINES:
        return (*_engines(cell, width - gap), Span(" " * gap))
    number, digits = next((columns, digits) for least, columns, digits in _NUMBERS if width >= least)
    drawn = _drawn(cell, _role(cell, mode), width - gap - number - 1)
    text = Span(right(_value(cell, mode, digits), width - gap - width_of(drawn)), _number_role(cell))
    return (*drawn, text, Span(" " * gap))


def _drawn(cell: Cell, role: str, room: int) -> tuple[Span, ...]:
    """What stands before a cell's number: its recent past and a bar, or the one that there is room for."""
    if cell.idle:
        words = left(_IDLE if room >= len(_IDLE) else "◇", max(0, room))
        return (Span(words, "held"), Span(" ")) if room >= _LEAST_BAR else (Span("◇", "held"),) * (room >= 0)
    if room < _LEAST_BAR:
        return (level(cell.share, role),) if room >= 0 else ()
    if not cell.trend:
        return (*bar(((cell.share, role),), room), Span(" "))
    rest = room - _TREND - 1
    if rest < _LEAST_BAR:
        return (Span(trend(cell.trend, min(room, SEEN // 2)).rjust(room), role), Span(" "))
    return (Span(trend(cell.trend, _TREND), "low"), Span(" "), *bar(((cell.share, role),), rest), Span(" "))


def _engines(cell: Cell, width: int) -> tuple[Span, ...]:
    """The four engines: letter, level and number of each where there is room, else their levels and the tensor's."""
    if not cell.engines:
        return (Span(right(NOT_KNOWN, width), "dim"),)
    each = width // len(_ENGINES)
    spans: list[Span] = []
    for (letter, role), percent in zip(_ENGINES, cell.engines, strict=True):
        drawn = Span(" ") if percent is None else level(percent / 100.0, role)
        if each < _LEAST_ENGINE:
            spans.append(drawn)
            continue
        number = NOT_KNOWN if percent is None else f"{percent:.0f}"
        spans += [Span(letter, "dim"), drawn, Span(right(number, _LEAST_ENGINE - 3), "text" if percent else "dim")]
        spans.append(Span(" " * (each - _LEAST_ENGINE + 1)))
    if each < _LEAST_ENGINE:
        spans.append(Span(right(_value(cell, ENGINES, 0), width - len(spans))))
    return cut(spans, width)


def _value(cell: Cell, mode: str, digits: int) -> str:
    if cell.value is None:
        return NOT_KNOWN
    return format_percent(cell.value, digits) if mode in _PERCENTS else f"{cell.value:.{digits}f}"


def _number_role(cell: Cell) -> str:
    return "held" if cell.idle else "text" if cell.value else "dim"


def _role(cell: Cell, mode: str) -> str:
    if mode != BUSY:
        return _ROLES[mode]
    return next((role for least, role in _LEVELS if (cell.value or 0.0) >= least), "low")


def _heading(cores: Cores) -> tuple[Span, ...]:
    name, form = _MODES[cores.mode]
    summary = NOT_KNOWN if cores.summary is None else form.format(cores.summary)
    return Span(f"NeuronCore {cores.version} {name}", "heading", "next_mode"), Span(f" ({summary})", "strong")


def _note(cores: Cores) -> tuple[Span, ...]:
    shown = [cell for row in cores.rows for cell in row.cells if cell.shown]
    devices = sum(any(cell.shown for cell in row.cells) for row in cores.rows)
    kind = "physical core" if cores.physical else "core"
    meaning = f"{_MEANINGS[cores.mode]}  " if cores.mode in _MEANINGS else ""
    return (Span(f"{meaning}{counted(len(shown), kind)} on {counted(devices, 'device')}", "dim"),)
