"""A terminal of two panes, one above the other, that a program types into and looks at: tmux, on its own socket."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Lock, Thread

from docs.moving_svg import Frame, Line, Run, painted

LOOK_S = 0.2
PATIENCE_S = 90.0
KEY_S = 0.04


class Terminal:
    """Two shells; `frames` has what they showed, each new screen once."""

    def __init__(
        self,
        directory: Path,
        columns: int,
        upper: int,
        lower: int,
        environment: Mapping[str, str],
        key_s: float = KEY_S,
    ) -> None:
        self.columns, self.rows = columns, upper + lower + 1
        self.frames: list[Frame] = []
        self._socket = str(directory / "tmux")
        self._lower = lower
        self._key_s = key_s
        self._stopped = Event()
        self._keeping = Lock()
        self._began_s = time.monotonic()
        shell = ["env", *(f"{name}={value}" for name, value in environment.items()), "bash", "--norc", "--noprofile"]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(self.rows), *shell)
        self._tmux("set", "-g", "status", "off")
        self._tmux("set", "-g", "default-terminal", "tmux-256color")
        self._tmux("set", "-ga", "terminal-overrides", ",*:Tc")
        self._tmux("split-window", "-v", "-l", str(lower), *shell)
        self._watching = Thread(target=self._watch, daemon=True)

    def begin(self) -> None:
        """Time is counted, and screens are kept, from now on."""
        self._began_s = time.monotonic()
        self._watching.start()

    def keep(self) -> None:
        """Keeps what the terminal shows now, as is done several times a second anyway."""
        with self._keeping:
            upper = self.rows - self._lower - 1
            between = (Run("─" * self.columns, "#75715e", None, False),)
            lines = (*self._painted(0, upper), between, *self._painted(1, self._lower))
            if not self.frames or self.frames[-1].lines != lines:
                self.frames.append(Frame(time.monotonic() - self._began_s, lines))

    def end(self) -> float:
        """No more screens are kept; returns how many seconds it took."""
        self._stopped.set()
        if self._watching.is_alive():
            self._watching.join()
        return time.monotonic() - self._began_s

    def close(self) -> None:
        """Ends both shells and what runs in them."""
        self.end()
        self._tmux("kill-server")

    def type(self, pane: int, text: str) -> None:
        """Types a command as somebody would, and enters it."""
        for letter in text:
            # A semicolon would end tmux's own command.
            self.press(pane, "-l", "\\;" if letter == ";" else letter)
            time.sleep(self._key_s)
        self.press(pane, "Enter")

    def press(self, pane: int, *keys: str) -> None:
        """Sends keys by tmux's names."""
        self._tmux("send-keys", "-t", f":.{pane}", *keys)

    def wait_for(self, pane: int, words: str, patience_s: float = PATIENCE_S) -> None:
        """Waits until the pane shows the words. Raises TimeoutError with what it shows instead."""
        self.wait_until(
            lambda: words in self.shown(pane), f"{words!r}, but pane {pane}: {self.shown(pane)}", patience_s
        )

    @staticmethod
    def wait_until(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Waits until something holds. Raises TimeoutError."""
        end_s = time.monotonic() + patience_s
        while not holds():
            if time.monotonic() > end_s:
                raise TimeoutError(f"waited {patience_s:g} s for {what}")
            time.sleep(LOOK_S)

    def shown(self, pane: int) -> str:
        """What a pane shows, without colours."""
        return self._tmux("capture-pane", "-p", "-t", f":.{pane}")

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self.keep()

    def _painted(self, pane: int, rows: int) -> list[Line]:
        return painted(self._tmux("capture-pane", "-p", "-e", "-N", "-t", f":.{pane}"), rows)

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
