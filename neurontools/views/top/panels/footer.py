"""The last two lines: a tab for all Neuron processes and one for each, and what the keys do."""

from __future__ import annotations

from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, cut, width_of
from neurontools.views.top.state import Tab

_OFFICIAL_KEYS = (
    ("q", "quit"),
    ("arrows", "move tree selection"),
    ("enter", "expand/collapse tree item"),
    ("x", "expand/collapse entire tree"),
    ("a/d", "previous/next tab"),
    ("f", "FLOPS on/off"),
    ("1-9", "select tab"),
)
_SHORT_KEYS = (
    ("q", "quit"),
    ("f", "FLOPS"),
    ("a/d", "tab"),
    ("x", "all"),
    ("enter", "open"),
    ("arrows", "select"),
    ("1-9", "tab"),
)


def render(tabs: tuple[Tab, ...], why_no_tabs: str, width: int) -> Block:
    """Tabs and keys; the current tab is always in sight."""
    return Block(rows=(Line(cut(_tabs(tabs, why_no_tabs, width), width)), keys(width)))


def keys(width: int) -> Line:
    """What the keys do, in the official words where there is room for them."""
    for texts in (_OFFICIAL_KEYS, _SHORT_KEYS):
        spans = [span for key, does in texts for span in (Span(f"{key}:", "key"), Span(f" {does}  ", "dim"))]
        if width_of(spans) - 2 <= width:
            break
    return Line(cut(spans, width))


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
    name = Span(f">{text}<", "tab") if tab.current else Span(f" {text} ")
    return [name, Span(f" {tab.tag} ".rstrip(" ") + "  ", "dim")]
