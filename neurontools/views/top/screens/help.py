"""The help: what the keys do on this page and everywhere, and how to read what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from neurontools.views.top.panels.panel import Panel
from neurontools.views.top.plan import Place
from neurontools.views.top.spans import Block, Line, Span, left

_MOST_WIDTH = 78
_KEY_WIDTH = 18
_AROUND = 5
"""Columns of the frame, its margins and the place of the scroll bar."""
_LEAST_WIDTH = 16
_SCROLLING = frozenset({"up", "down", "pageup", "pagedown"})
_NAMES = {
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "equals_sign": "=",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}

Section = tuple[str, Sequence[tuple[str, str]]]

READING = (
    ("━━━━┄┄", "part of the whole; the number beside it says the same"),
    ("⣀⣠⣴⣿", "the last readings, the newest at the right"),
    ("◇ held, idle", "a process holds the core, and nothing has run on it"),
    ("N/A", "not known here; the heading of the section says why, a 0 is a real 0"),
    ("SIMULATED", "no real host: a device model; REPLAY: a recording"),
)


def keys_of(bindings: Iterable[BindingType]) -> list[tuple[str, str]]:
    """What the keys of some bindings do, each as people name it."""
    found = (binding for binding in bindings if isinstance(binding, Binding) and binding.description)
    return [(binding.key_display or _shown(binding.key), binding.description) for binding in found]


def _shown(keys: str) -> str:
    names = [_NAMES.get(key, key) for key in keys.split(",")]
    # A capital letter does the same as the small one.
    return ", ".join(name for name in names if not (name.isupper() and name.lower() in names))


def rows_of(sections: Sequence[Section], width: int) -> list[Line]:
    """The sections in lines of that width; what a key does goes on below itself, or, without room, below the key."""
    rows: list[Line] = []
    beside = width - _KEY_WIDTH >= _LEAST_WIDTH
    indent = _KEY_WIDTH if beside else 4
    for title, entries in sections:
        rows += [Line()] * bool(rows) + [Line((Span(title, "strong"),))]
        for key, does in entries:
            lines = wrap(does, max(_LEAST_WIDTH, width - indent), break_on_hyphens=False)
            if not beside:
                rows.append(Line((Span(f"  {key}", "key"),)))
            elif lines:
                rows.append(Line((Span(left(f"  {key}", _KEY_WIDTH), "key"), Span(lines.pop(0)))))
            rows += [Line((Span(" " * indent), Span(line))) for line in lines]
    return rows


class HelpScreen(ModalScreen[None]):
    """A page of text over the screen; any key that does not scroll closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_rows(-1)"),
        Binding("down", "scroll_rows(1)"),
        Binding("pageup", "scroll_rows(-10)"),
        Binding("pagedown", "scroll_rows(10)"),
    ]

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._sections = sections
        self._panel = Panel("help")

    def compose(self) -> ComposeResult:
        """One panel in the middle."""
        yield self._panel

    def on_resize(self) -> None:
        """Puts the panel in the middle of the terminal."""
        width = min(_MOST_WIDTH, self.size.width)
        rows = rows_of(self._sections, width - _AROUND)
        height = min(len(rows) + 2, self.size.height)
        x, y = (self.size.width - width) // 2, (self.size.height - height) // 2
        place = Place(x, y, width, height, framed=width >= 8 and height >= 3, headed=height > 1)
        note = (Span("esc closes", "dim"),)
        self._panel.put(place)
        self._panel.show(Block((Span("Help", "heading"),), note, rows), place)

    def on_key(self, event: events.Key) -> None:
        """Closes the help; a key that was on its way while another one closed it is for the page below."""
        if not self.is_current:
            event.stop()
            self.app.simulate_key(event.key)
        elif not self.active_bindings.get(event.key) or event.key in ("question_mark", "escape"):
            event.stop()
            self.dismiss()

    def action_scroll_rows(self, rows: int) -> None:
        """Scrolls the text."""
        self._panel.scroll_rows(rows)
