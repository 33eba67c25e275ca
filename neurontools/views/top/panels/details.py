"""The memory details: the tree of devices, cores, models and categories, with its sizes in columns."""

from __future__ import annotations

from neurontools.views.top.quantities import Sizes, binary
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, cut, left, right
from neurontools.views.top.tree import Node, Rows

_SIZE = 13
_MODEL_ID = 10
_LEAST_LABEL, _MOST_LABEL = 24, 44
_LEAST_BAR, _MOST_BAR = 8, 30
_INDENT = 2
_OPENED = {True: "[-] ", False: "[+] ", None: "    "}
_OF_CAPACITY = "  of its capacity"
_HEAD = Node((), "", None, None)


def render(rows: Rows, width: int, sizes: Sizes = binary) -> Block:
    """The rows in `width` columns; in a narrow panel the model id goes first, then the host's memory."""
    columns = [_SIZE, _SIZE]
    model_id = _MODEL_ID
    if width < _LEAST_LABEL + _MODEL_ID + 2 * _SIZE:
        model_id = 0
    if width < _LEAST_LABEL + 2 * _SIZE - 8:
        columns = [_SIZE]
    label = max(1, min(_MOST_LABEL, width - model_id - sum(columns)))
    room = min(_MOST_BAR, width - label - model_id - sum(columns) - 10)
    room = room if room >= _LEAST_BAR else 0

    def draw(node: Node) -> Line:
        if node is _HEAD:
            return Line(cut((*_names(label, model_id, columns), Span(_OF_CAPACITY if room else "", "dim")), width))
        spans = _columns(node, label, model_id, len(columns), sizes)
        if room and node.share is not None:
            percent = Span(right(f"{100 * node.share:.1f}%", 7), "dim")
            spans += [Span("  "), *bar(((node.share, "memory"),), room), percent]
        return Line(cut(spans, width), "selected" * (node is selected))

    selected = rows.nodes[rows.selected] if rows.selected is not None else None
    focus = None if rows.selected is None else rows.selected + 1
    note = (Span(rows.why_no_host, "dim"),) if rows.why_no_host else ()
    return Block((Span("Memory Usage Details", "heading"),), note, (_HEAD, *rows.nodes), draw, focus, fixed=1)


def _names(label: int, model_id: int, columns: list[int]) -> list[Span]:
    titles = ("Device Memory", "Host Memory")[: len(columns)]
    text = " " * label + left("Model ID", model_id) + "".join(right(title, _SIZE) for title in titles)
    return [Span(text, "dim")]


def _columns(node: Node, label: int, model_id: int, columns: int, sizes: Sizes) -> list[Span]:
    depth = len(node.path) - 1 - (len(node.path) > 3 and isinstance(node.path[2], int))
    role = "text" if node.running else "dim"
    mark = Span(" " * (_INDENT * depth) + _OPENED[node.opened], "dim")
    name = Span(node.label, "strong" if depth == 0 else role)
    spans = [
        *cut((mark, name, Span(f"  {node.note}", "dim")), label - 1),
        Span(" "),
        Span(left(node.model_id, model_id), role),
    ]
    inner = node.opened is not None and not node.model_id
    for size in (node.device_bytes, node.host_bytes)[:columns]:
        text = (NOT_KNOWN if inner else "") if size is None else sizes(size)
        spans.append(Span(right(text, _SIZE), role if size else "dim"))
    return spans
