"""`make demo` in a real terminal, from its command to a sane shell: what a newcomer sees first."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.tree import ROOT

SHELL_IS_BACK = "the-shell-is-back"
SHOWS_WITHIN_S = 60.0


class Terminal:
    """A tmux session of its own, on a socket of its own."""

    def __init__(self, socket: Path, columns: int, lines: int) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._call("new-session", "-d", "-x", str(columns), "-y", str(lines), "sh")

    def type(self, *keys: str) -> None:
        """Presses keys; a longer word is typed letter by letter."""
        self._call("send-keys", *keys)

    def screen(self) -> str:
        """What the terminal shows now."""
        return self._call("capture-pane", "-p")

    def await_text(self, text: str) -> str:
        """The screen once it shows `text`."""
        deadline = time.monotonic() + SHOWS_WITHIN_S
        while text not in (shown := self.screen()):
            assert time.monotonic() < deadline, f"no {text!r} on the screen:\n{shown}"
            time.sleep(0.1)
        return shown

    def close(self) -> None:
        """Ends the session and all that runs in it."""
        self._call("kill-server")

    def _call(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def runtime_directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        yield Path(directory)


@pytest.fixture
def terminal(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 120×40 whose programs keep their sockets in `runtime_directory`."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    opened = Terminal(runtime_directory / "tmux", 120, 40)
    yield opened
    opened.close()


def models_of(directory: Path) -> list[str]:
    """The command lines of the daemons whose sockets lie in `directory`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if "device_model" in line and str(directory) in line]


@pytest.mark.slow
@pytest.mark.tmux
def test_the_demo_shows_neuron_top_and_leaves_nothing_behind(terminal: Terminal, runtime_directory: Path) -> None:
    venv = os.environ.get("VENV", ".venv")
    terminal.type(
        f"cd {ROOT} && make --no-print-directory demo VENV={venv}; echo {SHELL_IS_BACK[:9]}''{SHELL_IS_BACK[9:]}",
        "Enter",
    )
    terminal.await_text("tokens/s   memory")
    assert models_of(runtime_directory)
    shown = terminal.await_text("Neuron Apps")
    assert "SIMULATED" in shown
    assert "NeuronCore v2 Utilization" in shown
    terminal.type("q")
    back = terminal.await_text(SHELL_IS_BACK)
    assert "Traceback" not in back
    assert "Neuron Apps" not in back
    assert not models_of(runtime_directory)
    assert [path.name for path in runtime_directory.iterdir()] == ["tmux"]
