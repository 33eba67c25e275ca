"""vCPU use: of the whole instance and of the Neuron processes, user and system time in one bar each."""

from __future__ import annotations

from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, cut, right
from neurontools.views.top.state import Vcpu

_NUMBERS = len("[100.00%, 100.00%]")
_LONG, _SHORT = "{} vCPU Usage", "{}"
_LONG_WIDTH = 52
_GAP = 2


def render(vcpu: Vcpu, width: int, height: int) -> Block:
    """Two lines, or one with both halves where `height` is 1."""
    parts = (("System", vcpu.system), ("Runtime", vcpu.runtime))
    if height == 1:
        half = (width - _GAP) // 2
        spans = [span for name, value in parts for span in (*cut(_row(name, value, half), half), Span(" " * _GAP))]
        rows = [Line(tuple(spans[:-1]))]
    else:
        rows = [Line(cut(_row(name, value, width), width)) for name, value in parts]
    note = (Span("[user, system]", "dim"),)
    return Block((Span("vCPU Usage", "heading"),), note, rows, why=vcpu.why_unknown)


def _row(name: str, value: tuple[float, float] | None, width: int) -> tuple[Span, ...]:
    label = (_LONG if width >= _LONG_WIDTH else _SHORT).format(name)
    title = Span(f"{label:<{len(_LONG.format('Runtime')) if width >= _LONG_WIDTH else len('Runtime')}} ")
    room = max(0, width - len(title.text) - 1 - _NUMBERS)
    if value is None:
        return (title, *bar((), room), Span(" "), Span(right(NOT_KNOWN, _NUMBERS), "dim"))
    user, system = value
    numbers = Span(right(f"[{user:5.2f}%, {system:5.2f}%]", _NUMBERS))
    return (title, *bar(((user / 100, "user"), (system / 100, "system")), room), Span(" "), numbers)
