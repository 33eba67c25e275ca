"""Where each section goes on a terminal of any size: the cores first, then whatever else there is room for."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from neurontools.views.top.panels.cores import BAR_CELL, LEVEL_CELL, grid

TITLE, PAGES, BANNER, VITALS, FOOTER = "title", "pages", "banner", "vitals", "footer"
CORES, VCPU, MEMORY, DETAILS = "cores", "vcpu", "memory", "details"
SECTIONS = (TITLE, PAGES, BANNER, VITALS, CORES, VCPU, MEMORY, DETAILS, FOOTER)

_PAGES_HEIGHT, _VITALS_HEIGHT, _FOOTER_HEIGHT = 10, 30, 5

_FRAMED_WIDTH, _FRAMED_HEIGHT = 60, 32
_SIDE_WIDTH = 108
_RIGHT_WIDTHS = (52, 84)
"""The column beside the tree: least and most."""

_GAP = 2
"""Columns between them where no frame is."""

# Rows, heading included, of (vCPU, memory) above each other beside the tree, the richest first.
_SIDE_STEPS = ((3, 13), (3, 7))
# Rows, heading included, of (vCPU, memory, tree) below each other, the richest first.
_STACK_STEPS = ((3, 13, 8), (3, 5, 7), (2, 5, 6), (2, 5, 5), (2, 3, 5), (2, 3, 4))
# The same for terminals that cannot hold all sections.
_FEWER_STEPS = ((2, 0, 4), (0, 0, 4))
_CELLS = (BAR_CELL, LEVEL_CELL)
_LEAST_CORES = 4


class Place(NamedTuple):
    """A section's rectangle in cells, heading and frame included."""

    x: int
    y: int
    width: int
    height: int
    framed: bool = False
    headed: bool = True

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height for the section's rows."""
        frame = 2 * self.framed
        return max(0, self.width - 2 * frame), max(0, self.height - self.headed - self.framed)


class Shape(NamedTuple):
    """What the core grid has to hold."""

    devices: int
    cores: int


def around(width: int, height: int, banner: bool, footer: int = 1) -> tuple[dict[str, Place], int, int]:
    """The places above and below what a screen shows, its first row, and how many rows it has."""
    if not width or not height:
        return {}, 0, 0
    places = {TITLE: Place(0, 0, width, 1, headed=False)}
    if height >= _PAGES_HEIGHT:
        places[PAGES] = Place(0, 1, width, 1, headed=False)
    if banner and height > 1:
        places[BANNER] = Place(0, len(places), width, 1, headed=False)
    top = len(places)
    bottom = min(footer, max(0, height - _FOOTER_HEIGHT + 1))
    if bottom:
        places[FOOTER] = Place(0, height - bottom, width, bottom, headed=False)
    return places, top, height - top - bottom


def plan(width: int, height: int, shape: Shape, banner: bool = False, vitals: bool = False) -> dict[str, Place]:
    """The places of the overview's sections inside a terminal of width x height cells, none over another."""
    places, top, body = around(width, height, banner, footer=2 if height >= 8 else 1)
    if vitals and height >= _VITALS_HEIGHT:
        places[VITALS] = Place(0, top, width, 1, headed=False)
        top, body = top + 1, body - 1
    if body > 0:
        framed = width >= _FRAMED_WIDTH and height >= _FRAMED_HEIGHT
        places |= _side(width, body, top, shape, framed) or _stack(width, body, top, shape, framed)
    return places


def whole(width: int, height: int, top: int, body: int, name: str) -> dict[str, Place]:
    """One section in all the room that there is."""
    framed = width >= _FRAMED_WIDTH and height >= _FRAMED_HEIGHT
    return {name: Place(0, top, width, body, framed)} if body > 0 else {}


def _side(width: int, body: int, top: int, shape: Shape, framed: bool) -> dict[str, Place]:
    """Cores above; below them the tree, with vCPU and memory to its right. Nothing where that does not fit."""
    if width < _SIDE_WIDTH:
        return {}
    for least_cell, (vcpu, memory) in product(_CELLS, _SIDE_STEPS):
        cores = _cores_height(width, body - vcpu - memory - 2 * framed, shape, framed, least_cell)
        if cores is None:
            continue
        least, most = _RIGHT_WIDTHS
        right = max(least, min(most, width * 2 // 5))
        y = top + cores
        split = y + vcpu + framed
        return {
            CORES: Place(0, top, width, cores, framed),
            DETAILS: Place(0, y, width - right - (0 if framed else _GAP), body - cores, framed),
            VCPU: Place(width - right, y, right, vcpu + framed, framed),
            MEMORY: Place(width - right, split, right, top + body - split, framed),
        }
    return {}


def _stack(width: int, body: int, top: int, shape: Shape, framed: bool) -> dict[str, Place]:
    """All sections below each other; what is left over goes to the tree, or to the cores where there is none."""
    cores, sizes = _stack_sizes(width, body, shape, framed)
    places = {}
    y = top
    for name, rows in zip((CORES, VCPU, MEMORY, DETAILS), (cores, *sizes), strict=True):
        if rows:
            places[name] = Place(0, y, width, rows, framed)
            y += rows
    last = DETAILS if DETAILS in places else CORES
    places[last] = places[last]._replace(height=places[last].height + top + body - y)
    return places


def _stack_sizes(width: int, body: int, shape: Shape, framed: bool) -> tuple[int, tuple[int, ...]]:
    """Rows of the cores and of (vCPU, memory, tree), frames included.

    First all sections with all cores in sight; then all sections, the cores scrolled; then fewer sections.
    """
    whole = [tuple(rows + framed for rows in step) for step in _STACK_STEPS]
    for least_cell, sizes in product(_CELLS, whole):
        cores = _cores_height(width, body - sum(sizes), shape, framed, least_cell)
        if cores is not None:
            return cores, sizes
    fewer = [tuple(rows and rows + framed for rows in step) for step in _FEWER_STEPS]
    for sizes in (whole[-1], *fewer):
        room = body - sum(sizes)
        if room >= _LEAST_CORES + framed:
            return _cores_height(width, room, shape, framed, LEVEL_CELL) or room, sizes
    return body, (0, 0, 0)


def _cores_height(width: int, room: int, shape: Shape, framed: bool, least_cell: int) -> int | None:
    """Rows that the core grid takes with heading, line of numbers and frame; None where it needs more than `room`."""
    around = 2 + framed
    needed = grid(shape.devices, shape.cores, width - 4 * framed, room - around, least_cell).rows + around
    return needed if needed <= room else None
