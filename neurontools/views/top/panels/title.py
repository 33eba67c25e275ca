"""The first line: which tool on which host, what the host produces, and that it is simulated if it is."""

from __future__ import annotations

from neurontools.views.top.spans import Block, Line, Span, between, cut, left, width_of
from neurontools.views.top.state import Title

NAME = "neuron-top"


def render(title: Title, version: str, width: int) -> Block:
    """One line of `width` columns: as much as there is room for, the marks to the very last."""
    marks = tuple(Span(f" {mark} ", "mark") for mark in title.marks)
    scenario = (Span(f" {title.scenario}", "dim"),) if marks and title.scenario else ()
    rate = tokens(title.tokens_per_s)
    rates = (Span(rate, "strong"), Span(" tokens/s  ", "dim")) if rate else ()
    full, *shorter = _starts(title, version)
    ends = ((*rates, *marks, *scenario), (*rates, *marks))
    choices = [*((full, end) for end in ends), *((start, ends[1]) for start in shorter)]
    fitting = ((start, end) for start, end in choices if width_of(start) + width_of(end) + 2 <= width)
    start, end = next(fitting, ((), marks or full))
    return Block(rows=(Line(cut(between(start, end, width) if start else end, width)),))


def tokens(rate: float | None) -> str:
    """Tokens per second for people; empty where no process reports any."""
    if rate is None:
        return ""
    return f"{rate:,.1f}" if rate < 1000 else f"{rate:,.0f}"


def waiting(version: str, width: int) -> Block:
    """The line while nothing has been read yet."""
    return Block(rows=(Line((Span(left(f"{NAME} {version}", width), "strong"),)),))


def _starts(title: Title, version: str) -> list[tuple[Span, ...]]:
    """Which tool on which host, from the official words to the bare name."""
    name = Span(NAME, "strong")
    host = Span(f" {title.instance_id or 'an unnamed instance'}")
    kind = Span(f" ({title.instance_type})", "heading")
    number = Span(f" {version}", "dim")
    return [
        (name, number, Span(" running on", "dim"), host, kind),
        (name, number, host, kind),
        (name, host, kind),
        (name, kind),
        (name,),
    ]
