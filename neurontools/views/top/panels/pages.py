"""The tab bar: a tab for each page with the key that leads to it, and at its right end what is wrong with the host."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from neurontools.views.top.spans import Block, Line, Span, between, cut, width_of


class PageTab(NamedTuple):
    """A page: what switches to it, the key for that, and its title."""

    name: str
    key: str
    title: str
    current: bool = False


def render(tabs: Sequence[PageTab], ends: Sequence[Sequence[Span]], width: int) -> Block:
    """One line: titles where there is room for them, beside the longest of the `ends` that fits; else the keys only."""
    for short, end in product((False, True), ends or ((),)):
        spans = [span for tab in tabs for span in _tab(tab, short)]
        if width_of(spans) + width_of(end) + 1 <= width:
            break
    line = between(spans, end, width) if end else cut(spans, width)
    return Block(rows=(Line(line),))


def _tab(tab: PageTab, short: bool) -> tuple[Span, ...]:
    link = f"app.page('{tab.name}')"
    if tab.current:
        return (Span(f" {tab.title} ", "tab", link), Span(" "))
    title = "" if short else f" {tab.title}"
    return (Span(f" {tab.key}", "key", link), Span(f"{title} ", "dim", link), Span(" "))
