"""The table of processes: as many of its columns as there is room for, and why the others are not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neurontools.views.top.spans import Block, Line, Span, cut, left, linked, right
from neurontools.views.top.table import INDENT, Column, Key, Order, Row, Table

_HEAD = Row(None, {})
_GAP = 1
_LEAST_COMMAND = 12
_MISSING = "-"
_SORTED = {False: "▼", True: "▲"}
_FOLLOWS = frozenset({"COMMAND"})


def render(table: Table, order: Order, selected: Key | None, width: int, why: Callable[[str], str]) -> Block:
    """The rows in `width` columns; `why` is asked why columns are hidden."""
    shown = fitting(table.known, width)

    def draw(row: Row) -> Line:
        if row is _HEAD:
            return Line(cut(_names(shown, order, width), width))
        spans = linked(_cells(row, shown, width), f"select_process{row.key}") if row.key else _cells(row, shown, width)
        return Line(cut(spans, width), "selected" * (row.key is not None and row.key == selected and not row.model))

    focus = next((n for n, row in enumerate(table.rows, 1) if row.key == selected and row.key is not None), None)
    rows = (_HEAD, *table.rows)
    return Block(_heading(table, order), (), rows, draw, focus, fixed=1, why=_missing(table, why))


def fitting(known: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit, the most important ones first, in their order."""
    room = width
    kept: list[Column] = []
    for column in sorted(known, key=lambda column: column.rank):
        needed = (_LEAST_COMMAND if column.name in _FOLLOWS else column.width) + _GAP
        if needed > room and kept:
            continue
        kept.append(column)
        room -= needed
    return [column for column in known if column in kept]


def _widths(shown: Sequence[Column], width: int) -> list[int]:
    """The last column that follows gets what is left."""
    taken = sum(column.width + _GAP for column in shown if column.name not in _FOLLOWS)
    return [max(_LEAST_COMMAND, width - taken) if column.name in _FOLLOWS else column.width for column in shown]


def _names(shown: Sequence[Column], order: Order, width: int) -> list[Span]:
    spans = []
    for column, room in zip(shown, _widths(shown, width), strict=True):
        by = column.name == order.column
        name = f"{column.name}{_SORTED[order.reverse]}" if by else column.name
        text = right(name, room) if column.number and column.name != "PID" else left(name, room)
        spans += [Span(text, "strong" if by else "dim", f"sort('{column.name}')"), Span(" " * _GAP)]
    return spans


def _cells(row: Row, shown: Sequence[Column], width: int) -> list[Span]:
    role = "text" if row.busy else "dim"
    spans = []
    for column, room in zip(shown, _widths(shown, width), strict=True):
        text = row.texts.get(column.name, "" if row.key is None or row.model else _MISSING)
        if column.name == "PID":
            cell = Span(left(" " * (INDENT * row.depth) + text, room), "dim" if row.model else "strong")
        elif column.name == "ERRORS" and row.failing:
            cell = Span(right(f"! {text}", room), "bad")
        else:
            cell = Span(right(text, room) if column.number else left(text, room), role)
        spans += [cell, Span(" " * _GAP)]
    return spans


def _heading(table: Table, order: Order) -> tuple[Span, ...]:
    found = sum(row.key is not None and not row.model for row in table.rows)
    of = f"{found} of {table.of}" if order.words else str(table.of)
    words = (Span("  filter ", "dim"), Span(order.words, "held")) if order.words else ()
    return (Span("Processes", "heading"), Span(f" ({of})", "strong"), *words)


def _missing(table: Table, why: Callable[[str], str]) -> str:
    """The columns that no process has a value in, with their reasons, the reason of the most of them first."""
    if not table.of:
        return ""
    by_reason: dict[str, list[str]] = {}
    for column in table.hidden:
        if column.metric:
            by_reason.setdefault(why(column.metric), []).append(column.name.lower())
    reasons = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons)
