"""The last lines: on the overview a tab for all Neuron processes and one for each, and what the keys do everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, cut, width_of
from neurontools.views.top.state import Tab


class Hint(NamedTuple):
    """A key, what it does in full and in short, and the action that a click on it runs."""

    key: str
    does: str
    short: str = ""
    action: str = ""


QUIT = Hint("q", "quit", action="app.quit")
HELP = Hint("?", "help", action="app.help")
PAUSE = Hint("space", "pause", action="app.pause")
GO_ON = PAUSE._replace(does="go on")


def render(tabs: tuple[Tab, ...], why_no_tabs: str, hints: Sequence[Hint], width: int) -> Block:
    """Tabs and keys; the current tab is always in sight."""
    return Block(rows=(Line(cut(_tabs(tabs, why_no_tabs, width), width)), keys(hints, width)))


def keys(hints: Sequence[Hint], width: int) -> Line:
    """What the keys do, in full where there is room for that; what does not fit goes whole, the last first."""
    for short in (False, True):
        spans = [_hint(hint, short) for hint in hints]
        if sum(map(width_of, spans)) - 2 <= width:
            break
    while len(spans) > 1 and sum(map(width_of, spans)) - 2 > width:
        spans.pop()
    return Line(cut((span for hint in spans for span in hint), width))


def _hint(hint: Hint, short: bool) -> tuple[Span, ...]:
    does = hint.short or hint.does if short else hint.does
    return (Span(f"{hint.key}:", "key", hint.action), Span(f" {does}  ", "dim", hint.action))


def _tabs(tabs: tuple[Tab, ...], why: str, width: int) -> list[Span]:
    title = [Span("Neuron Apps  ", "strong")]
    labels = [_label(number, tab) for number, tab in enumerate(tabs, 1)]
    current = next((place for place, tab in enumerate(tabs) if tab.current), 0)
    first = current
    room = width - width_of(title) - width_of(labels[current]) - 4
    while first and room >= width_of(labels[first - 1]):
        first -= 1
        room -= width_of(labels[first])
    more = [Span("… ", "dim")] if first else []
    shown = [span for label in labels[first:] for span in label]
    reason = [Span(f"processes {NOT_KNOWN}: {why}", "dim")] if why else []
    return [*title, *more, *shown, *reason]


def _label(number: int, tab: Tab) -> list[Span]:
    text = f"[{number}]:{tab.name}"
    link = f"select_tab({number})"
    name = Span(f">{text}<", "tab", link) if tab.current else Span(f" {text} ", link=link)
    return [name, Span(f" {tab.tag} ".rstrip(" ") + "  ", "dim", link)]
