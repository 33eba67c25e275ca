"""The question before a signal is sent: which one, to which process, and then a yes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from neurontools.views.top.control import SIGNALS
from neurontools.views.top.panels.panel import Panel
from neurontools.views.top.plan import Place
from neurontools.views.top.spans import Block, Line, Span, left, width_of

_WIDTH = 66
_NAME = 10
_AROUND = 4
_SENDING = "sending…"


class SignalScreen(ModalScreen[None]):
    """Asks; `send` is called with the signal's number once it was confirmed, and says how that went."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)"),
        Binding("down", "move(1)"),
        Binding("enter", "ask"),
        Binding("y,Y", "confirm"),
        Binding("escape,n,N,q,Q", "close", priority=True),
    ]

    def __init__(self, whom: str, command: str, send: Callable[[int], str]) -> None:
        super().__init__()
        self._whom = whom
        self._command = command
        self._send = send
        self._chosen = 0
        self._asked = False
        self._outcome = ""
        self._panel = Panel("signal")

    def compose(self) -> ComposeResult:
        """One panel in the middle."""
        yield self._panel

    def on_resize(self) -> None:
        """Puts the panel in the middle of the terminal."""
        self._update()

    def action_move(self, rows: int) -> None:
        """Another signal; a question that was asked of the one before is withdrawn."""
        if not self._outcome:
            self._chosen = max(0, min(len(SIGNALS) - 1, self._chosen + rows))
            self._asked = False
            self._update()

    def action_choose(self, place: int) -> None:
        """A click on a signal."""
        self._chosen = place
        self.action_move(0)

    def action_ask(self) -> None:
        """Asks, or closes when it is over; who holds the key down has not said yes."""
        if self._outcome:
            self.action_close()
        else:
            self._asked = True
            self._update()

    def action_confirm(self) -> None:
        """Sends what was asked about."""
        if self._outcome or not self._asked:
            self.action_ask()
            return
        self._outcome = _SENDING
        self.run_worker(self._deliver(SIGNALS[self._chosen][0]))
        self._update()

    def action_close(self) -> None:
        """Nothing is sent. A second key may be on its way while the first one closes."""
        if self.is_current:
            self.dismiss()

    async def _deliver(self, number: int) -> None:
        """Beside the screen: whoever passes the signal on may be slow."""
        self._outcome = await asyncio.to_thread(self._send, number)
        self._update()

    def _update(self) -> None:
        width = min(_WIDTH, self.size.width)
        rows = self._rows(width - _AROUND)
        height = min(len(rows) + 2, self.size.height)
        x, y = (self.size.width - width) // 2, (self.size.height - height) // 2
        place = Place(x, y, width, height, framed=width >= 8 and height >= 3, headed=height > 1)
        self._panel.put(place)
        heading = (Span(f"Send a signal to {self._whom}", "heading"),)
        self._panel.show(Block(heading, (), rows, focus=len(rows) - 1), place)

    def _rows(self, width: int) -> list[Line]:
        """The dialog's lines; a signal whose effect has no room is there by its name, and the question wraps."""
        rows = [Line((Span(left(self._command, width).rstrip(), "dim"),)), Line()]
        for place, (_, name, does) in enumerate(SIGNALS):
            link = f"choose({place})"
            spans = (
                Span(left(f" {name}", _NAME), "strong", link),
                Span(does * (_NAME + len(does) <= width), "text", link),
            )
            rows.append(Line(spans, "selected" * (place == self._chosen)))
        question, keys = self._question()
        lines = [Line((question._replace(text=text),)) for text in _wrapped(question.text, width)]
        if lines and width_of((*lines[-1].spans, *keys)) + 1 <= width:
            lines[-1] = Line((*lines[-1].spans, Span(" "), *keys))
        elif keys:
            lines.append(Line(keys))
        return [*rows, Line(), *lines]

    def _question(self) -> tuple[Span, tuple[Span, ...]]:
        """What is asked or has become of it, and the keys that answer."""
        if self._outcome:
            return Span(self._outcome, "strong"), (Span("esc closes", "dim"),)
        if self._asked:
            asked = Span(f"Send {SIGNALS[self._chosen][1]} to {self._whom}?", "warn")
            yes, no = Span("y", "key", "confirm"), Span("n", "key", "close")
            return asked, (yes, Span(" yes, ", "dim"), no, Span(" no", "dim"))
        return Span("arrows choose, enter asks once more, esc closes", "dim"), ()


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, max(_NAME, width), break_on_hyphens=False)
