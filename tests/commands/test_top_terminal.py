"""neuron-top in real terminals through tmux: every page, rewound, few colours, no UTF-8, back to a sane shell."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device_model.daemons import short_directory
from tests.test_demo import Terminal, models_of

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
