"""The terminal as Textual drives it, but for one thing: the thread that waits for keys sleeps while there are none."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from contextlib import suppress

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

_LOOK_S = 0.1
_READ_BYTES = 4096
_LOOKS = 10
"""So often it looks after the last input: an escape may be a key, or the beginning of one."""


class SleepingDriver(LinuxDriver):
    """Textual wakes ten times a second to see whether a key was pressed; here one that is pressed wakes it.

    On a screen that is repainted once a second that is a tenth of all that the program does.
    """

    _wake: int | None = None
    """Where the thread is woken by."""

    def run_input_thread(self) -> None:
        """Waits for input and passes on what it means, until the program leaves the terminal; it may come back."""
        woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._wait_for_input(woken)
        finally:
            wake, self._wake = self._wake, None
            os.close(wake)
            os.close(woken)

    def disable_input(self) -> None:
        """Wakes the thread, so that it sees that it is to end."""
        if self._wake is not None:
            with suppress(OSError):
                os.write(self._wake, b"\0")
        super().disable_input()

    def _sigcont_application(self, *_: object) -> None:
        """Comes back only from where it had gone: a closed terminal sends SIGCONT, too, right after SIGHUP.

        A second thread that waits for keys would never end.
        """
        if self._must_signal_resume:
            super()._sigcont_application()

    def _wait_for_input(self, woken: int) -> None:
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            looks = _LOOKS
            while not self.exit_event.is_set():
                ready = {key.fd for key, _ in selector.select(_LOOK_S if looks else None)}
                looks = _LOOKS if ready else looks - 1
                if woken in ready:
                    os.read(woken, _READ_BYTES)
                if self.fileno in ready:
                    data = os.read(self.fileno, _READ_BYTES)
                    if not data:
                        selector.unregister(self.fileno)
                    text = decode(data)
                    # To the parser, no text is the end of all.
                    for event in parser.feed(text) if text else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
