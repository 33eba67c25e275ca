"""neuron-top in real terminals through tmux: every page, rewound, few colours, no UTF-8, back to a sane shell."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device_model.daemons import short_directory
from tests.test_demo import SHOWS_WITHIN_S, Terminal, models_of

pytestmark = [pytest.mark.slow, pytest.mark.tmux]

BIN = Path(sys.executable).parent
TOP = f"{BIN}/neuron-model run --scenario two-tenants --instance trn2.48xlarge -- {BIN}/neuron-top"
BACK = "the-shell-is-back"
SAID = f"{TOP}; echo {BACK[:9]}''{BACK[9:]}"
PAGES = (("h", "kept in"), ("p", "EXEC/S"), ("m", "Bank map"), ("t", "32 links"), ("e", "Findings"))


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets are; its path is short enough for them."""
    with short_directory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
        monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        yield made


def opened(directory: Path, columns: int, lines: int) -> Terminal:
    return Terminal(directory / "tmux", columns, lines)


def top_of(directory: Path) -> int:
    """The pid of the neuron-top that was started in a terminal of this directory."""
    (found,) = [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if (process / "cmdline").read_bytes().split(b"\0")[1:2] == [f"{BIN}/neuron-top".encode()]
        and f"XDG_RUNTIME_DIR={directory}".encode() in (process / "environ").read_bytes().split(b"\0")
    ]
    return found


def await_stopped(pid: int) -> None:
    deadline = time.monotonic() + SHOWS_WITHIN_S
    while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, "it does not stop"
        time.sleep(0.05)


def check_sane(terminal: Terminal, directory: Path) -> None:
    """The shell is back, reads what is typed and shows it, and nothing runs any more."""
    shown = terminal.await_text(BACK)
    assert "Traceback" not in shown
    terminal.type("echo a''b-c", "Enter")
    assert re.search(r"^ab-c$", terminal.await_text("\nab-c"), re.MULTILINE)
    assert not models_of(directory)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50)])
def test_all_pages_and_back(directory: Path, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    terminal = opened(directory, columns, lines)
    try:
        terminal.type(SAID, "Enter")
        assert "SIMULATED" in terminal.await_text("Neuron Apps")
        for key, words in PAGES:
            terminal.type(key)
            assert "SIMULATED" in terminal.await_text(words)
        terminal.type("Space", "Left", "Left")
        terminal.await_text("⏸")
        terminal.type("Space", "o")
        terminal.await_text("Neuron Apps")
        terminal.type("?")
        terminal.await_text("esc closes")
        terminal.type("x")
        terminal.await_text("Neuron Apps")
        terminal.type("q")
        check_sane(terminal, directory)
    finally:
        terminal.close()


@pytest.mark.parametrize(("term", "locale"), [("xterm", "C"), ("linux", "C.UTF-8"), ("vt100", "POSIX")])
def test_few_colours_and_no_utf8(directory: Path, monkeypatch: pytest.MonkeyPatch, term: str, locale: str) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    terminal = opened(directory, 100, 30)
    try:
        terminal.type(f"export TERM={term} LC_ALL={locale}", "Enter")
        terminal.type(SAID, "Enter")
        shown = terminal.await_text("Neuron Apps")
        assert "SIMULATED" in shown
        assert shown.isascii() == (locale != "C.UTF-8")
        for key, words in PAGES:
            terminal.type(key)
            shown = terminal.await_text(words)
        terminal.type("q")
        check_sane(terminal, directory)
    finally:
        terminal.close()


def test_stopped_and_continued(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    terminal = opened(directory, 100, 30)
    try:
        terminal.type(SAID, "Enter")
        terminal.await_text("Neuron Apps")
        pid = top_of(directory)
        for key, words in PAGES[:2]:
            os.kill(pid, signal.SIGTSTP)
            await_stopped(pid)
            os.kill(pid, signal.SIGCONT)
            terminal.type(key)
            assert "SIMULATED" in terminal.await_text(words)
        terminal.type("q")
        check_sane(terminal, directory)
    finally:
        terminal.close()


def test_a_terminal_that_is_closed_leaves_nothing_behind(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = opened(directory, 100, 30)
    try:
        terminal.type(SAID, "Enter")
        terminal.await_text("Neuron Apps")
        pid = top_of(directory)
        # As the kernel does.
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGCONT)
        check_sane(terminal, directory)
    finally:
        terminal.close()
