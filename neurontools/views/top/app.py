"""neuron-top as an application: it asks for a reading, shows it, and asks again; keys never wait for that."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from neurontools.views.top import theme
from neurontools.views.top.collector import Collector
from neurontools.views.top.messages import Arrived
from neurontools.views.top.reader import Reader, Reading
from neurontools.views.top.screens.main import MainScreen

_LEAST_SILENCE_S = 3.0
_SILENT_PERIODS = 3
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class TopApp(App[None]):
    """The application. `first` is a reading to start with; the next ones come every `refresh_s` seconds."""

    TITLE = "neuron-top"
    ENABLE_COMMAND_PALETTE = False
    CSS = f"Screen {{ overflow: hidden; }} Panel {{ position: absolute; }}\n{theme.css()}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,Q,ctrl+c", "quit", priority=True),
    ]

    def __init__(self, reader: Reader, first: Reading, version: str, refresh_s: float = 1.0) -> None:
        super().__init__()
        self.refresh_s = refresh_s
        self.main = MainScreen(version, first)
        self._collector = Collector(reader, self._deliver)
        self._asked_s: float | None = None

    def get_default_screen(self) -> Screen[None]:
        """The main screen; there is no other under it."""
        return self.main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours of the roles, for themes that define none of their own."""
        return theme.variables()

    def on_mount(self) -> None:
        """Starts to read."""
        self.register_theme(theme.DARK)
        self.theme = theme.DARK.name
        self._end_on_signals()
        self._collector.start()
        self.set_timer(self.refresh_s, self._ask)
        self.set_interval(1.0, self._watch_silence)

    def on_unmount(self) -> None:
        """Lets the reading thread go."""
        self._collector.stop()

    def on_arrived(self, message: Arrived) -> None:
        """Shows what was read; the next request follows one period after the one before, at once if that is over."""
        self.main.receive(message.reading)
        asked_s = self._asked_s or time.monotonic()
        self._asked_s = None
        self.set_timer(max(0.01, asked_s + self.refresh_s - time.monotonic()), self._ask)

    def _ask(self) -> None:
        self._asked_s = time.monotonic()
        self._collector.request()

    def _deliver(self, reading: Reading) -> None:
        """Called on the collector's thread; the loop may have ended meanwhile."""
        with suppress(RuntimeError):
            self.post_message(Arrived(reading))

    def _watch_silence(self) -> None:
        silent_s = 0.0 if self._asked_s is None else time.monotonic() - self._asked_s
        if silent_s > max(_LEAST_SILENCE_S, _SILENT_PERIODS * self.refresh_s) and not self.main.stale:
            self.main.mark_silent(int(silent_s))

    def _end_on_signals(self) -> None:
        """The terminal is put in order before the program ends; outside the main thread signals are not ours."""
        loop = asyncio.get_running_loop()
        with suppress(ValueError, RuntimeError):
            for number in _ENDING_SIGNALS:
                loop.add_signal_handler(number, self.exit)
