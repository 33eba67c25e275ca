"""The memory summary: what is used on the host and on the devices, and by which categories."""

from __future__ import annotations

from collections.abc import Callable

from neurontools.views.top.memory import (
    APP_MEMORY,
    DEVICE_CATEGORIES,
    HOST_CATEGORIES,
    MODEL_CODE,
    RUNTIME_MEMORY,
    SCRATCHPAD,
    Memory,
    Use,
)
from neurontools.views.top.quantities import Sizes, binary
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, cut, left, right

_BYTES = len("1023.99 GiB")
_LABEL = len("Device Used Memory")
_PERCENT, _CAPACITY = len(" 100.0%"), len(" 100.0% of 1023 GiB")
_CAPACITY_WIDTH = 68
_MOST_BAR = 40
_SHORT = {APP_MEMORY: "App", MODEL_CODE: "Code", RUNTIME_MEMORY: "Runtime", SCRATCHPAD: "Scratch"}
_USES: tuple[tuple[str, str], ...] = (("Host", "host"), ("Device", "device"))


def render(memory: Memory, width: int, height: int, sizes: Sizes = binary) -> Block:
    """The fullest of the layouts that fit in `width` and `height`."""
    build = next((build for rows, least, build in _LAYOUTS if height >= rows and width >= least), _brief)
    rows = tuple(Line(cut(line.spans, width)) for line in build(memory, width, sizes))
    return Block((Span("Memory Usage Summary", "heading"),), _note(memory, sizes), rows, why=memory.why_unknown)


def _note(memory: Memory, sizes: Sizes) -> tuple[Span, ...]:
    if memory.instance_used is None or memory.instance_total is None:
        return ()
    used, total = sizes(memory.instance_used), _capacity(memory.instance_total, sizes)
    return (Span(f"instance: {used} of {total}", "dim"),)


def _list(memory: Memory, width: int, sizes: Sizes) -> list[Line]:
    """A line for each category, with its part of the whole; 12 rows."""
    tail = _CAPACITY if width >= _CAPACITY_WIDTH else _PERCENT
    room = min(_MOST_BAR, width - _LABEL - _BYTES - 2 - tail)
    lines = []
    for name, use in _uses(memory):
        total, capacity = use.total, use.capacity
        spans = [
            Span(f"{name + ' Used Memory':<{_LABEL}}", "strong"),
            Span(right(_bytes(total, sizes), _BYTES), "strong"),
        ]
        if total is not None and capacity:
            spans += [Span("  "), *bar(((total / capacity, "memory"),), room)]
            of_all = f" of {_capacity(capacity, sizes)}" if tail == _CAPACITY else ""
            spans.append(Span(f" {100 * total / capacity:.1f}%{of_all}", "dim"))
        lines.append(Line(tuple(spans)))
        for category in _categories(name):
            count = None if use.parts is None else use.parts[category]
            share = count / total if count and total else 0.0
            drawn = bar(((share, "memory"),), room)
            lines.append(Line((Span(left(f"  {category}", _LABEL)), _size(count, sizes), Span("  "), *drawn)))
    return [*lines[: 1 + len(HOST_CATEGORIES)], Line(), *lines[1 + len(HOST_CATEGORIES) :]]


def _pair(memory: Memory, width: int, sizes: Sizes) -> list[Line]:
    """Host and devices beside each other; 6 rows."""
    half = (width - 2) // 2
    columns = []
    for name, use in _uses(memory):
        rows = [
            (
                Span(left(f"{name} Used", half - _BYTES), "strong"),
                Span(right(_bytes(use.total, sizes), _BYTES), "strong"),
            )
        ]
        for category in _categories(name):
            label = Span(left(f" {category}", half - _BYTES))
            rows.append((label, _size(None if use.parts is None else use.parts[category], sizes)))
        columns.append(rows)
    host, device = columns
    host += [(Span(" " * half), Span(""))] * (len(device) - len(host))
    return [Line((*left_side, Span("  "), *right_side)) for left_side, right_side in zip(host, device, strict=True)]


def _table(memory: Memory, width: int, sizes: Sizes) -> list[Line]:
    """A line of names above a line of sizes for each; 4 rows."""
    column = (width - 8) // 6
    lines = []
    for name, use in _uses(memory):
        names = [right(_SHORT.get(category, category), column) for category in _categories(name)]
        counts = [None] * len(names) if use.parts is None else list(use.parts.values())
        head = Span(f"{'':8}{right('Total', column)}{''.join(names)}", "dim")
        total = Span(right(_bytes(use.total, sizes), column), "strong")
        values = (Span(right(_bytes(size, sizes), column), _role(size)) for size in counts)
        lines += [Line((head,)), Line((Span(f"{name:<8}", "strong"), total, *values))]
    return lines


def _brief(memory: Memory, width: int, sizes: Sizes) -> list[Line]:
    """Totals, and as many of the categories in use as there is room for; 2 rows."""
    lines = []
    for name, use in _uses(memory):
        spans = [Span(f"{name:<7}", "strong"), Span(right(_bytes(use.total, sizes), _BYTES), "strong")]
        for category, count in (use.parts or {}).items():
            piece = (Span(f"  {_SHORT.get(category, category)} ", "dim"), Span(sizes(count)))
            if count and sum(len(span.text) for span in (*spans, *piece)) <= width:
                spans += piece
        lines.append(Line(tuple(spans)))
    return lines


Layout = Callable[[Memory, int, Sizes], list[Line]]
# Rows and columns that each layout needs, the fullest first.
_LAYOUTS: tuple[tuple[int, int, Layout], ...] = (
    (12, 44, _list),
    (6, 50, _pair),
    (4, 72, _table),
    (0, 0, _brief),
)


def _uses(memory: Memory) -> tuple[tuple[str, Use], ...]:
    return tuple((name, getattr(memory, field)) for name, field in _USES)


def _categories(name: str) -> tuple[str, ...]:
    return HOST_CATEGORIES if name == "Host" else DEVICE_CATEGORIES


def _size(count: int | None, sizes: Sizes) -> Span:
    return Span(right(_bytes(count, sizes), _BYTES), _role(count))


def _bytes(count: int | None, sizes: Sizes) -> str:
    return NOT_KNOWN if count is None else sizes(count)


def _capacity(count: int, sizes: Sizes) -> str:
    """A size of hardware, without decimals that say nothing."""
    return sizes(count).replace(".00 ", " ")


def _role(count: int | None) -> str:
    return "text" if count else "dim"
