"""The core grid: a row per device, in each core's cell a bar and its number; devices wrap into columns."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from neurontools.units import format_percent
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, left, level, right, width_of
from neurontools.views.top.state import Cell, Cores, DeviceRow

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
        rows = [_device(row, cores.flops, shape.cell, shape.columns > 1) for row in devices]
        spans = [span for n, row in enumerate(rows) for span in (*(gap,) * (n > 0), *row)]
        return Line(tuple(spans), "selected" * (shape.columns == 1 and devices[0].selected))

    focus = next((1 + place % shape.rows for place, row in enumerate(cores.rows) if row.selected), None)
    return Block(_heading(cores), _note(cores), range(-1, shape.rows), draw, focus, fixed=1, why=cores.why_unknown)


def _cell_width(width: int, columns: int, cores: int) -> int:
    each = (width - _SEPARATOR * (columns - 1)) // columns
    return max(_LEAST_CELL, (each - _LABEL) // max(1, cores))


@lru_cache(maxsize=512)
def _device(row: DeviceRow, flops: bool, cell_width: int, wrapped: bool) -> tuple[Span, ...]:
    """One device's part of a line; remembered, because most of a big host often stands still."""
    spans = [Span(left(f"ND{row.device}", _LABEL), "selected" if row.selected and wrapped else "strong")]
    for cell in row.cells:
        spans += _cell(cell, flops, cell_width)
    return tuple(spans)


def _cell(cell: Cell, flops: bool, width: int) -> tuple[Span, ...]:
    gap = 2 if width >= _WIDE_CELL else 1
    number, digits = next((columns, digits) for least, columns, digits in _NUMBERS if width >= least)
    if not cell.shown:
        return (Span(right(_NO_CORE, width - gap), "faint"), Span(" " * gap))
    role = _role(cell, flops)
    room = width - gap - number - 1
    if room >= _LEAST_BAR:
        drawn: tuple[Span, ...] = (*bar(((cell.share, role),), room), Span(" "))
    else:
        drawn = (level(cell.share, role),) if room >= 0 else ()
    text = Span(right(_value(cell, flops, digits), width - gap - width_of(drawn)), _number_role(cell))
    return (*drawn, text, Span(" " * gap))


def _value(cell: Cell, flops: bool, digits: int) -> str:
    if cell.value is None:
        return NOT_KNOWN
    return f"{cell.value:.{digits}f}" if flops else format_percent(cell.value, digits)


def _number_role(cell: Cell) -> str:
    return "text" if cell.value else "dim"


def _role(cell: Cell, flops: bool) -> str:
    if flops:
        return "flops"
    return next((role for least, role in _LEVELS if (cell.value or 0.0) >= least), "low")


def _heading(cores: Cores) -> tuple[Span, ...]:
    what = f"NeuronCore {cores.version} {'TFLOPS' if cores.flops else 'Utilization'}"
    if cores.summary is None:
        summary = NOT_KNOWN
    elif cores.flops:
        summary = f"Total: {cores.summary:,.2f}"
    else:
        summary = f"Avg: {format_percent(cores.summary)}"
    return Span(what, "heading"), Span(f" ({summary})", "strong")


def _note(cores: Cores) -> tuple[Span, ...]:
    shown = [cell for row in cores.rows for cell in row.cells if cell.shown]
    devices = sum(any(cell.shown for cell in row.cells) for row in cores.rows)
    return (Span(f"{_count(len(shown), 'core')} on {_count(devices, 'device')}", "dim"),)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
