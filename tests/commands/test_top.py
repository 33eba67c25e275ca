"""neuron-top as people run it: a real process, on a pipe and on a terminal, and what it says when it cannot."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from neurontools.commands import errors, top
from neurontools.schema.document import encode
from neurontools.schema.inventory import to_document
from neurontools.views.top import text
from neurontools.views.top.reader import Reader
from tests.device_model.daemons import running, short_directory, socket_in
from tests.device_model.hosts import forward
from tests.sources.server import answering, serving, socket_path
from tests.views.top.hosts import Host

COMMAND = [sys.executable, "-c", "import sys; from neurontools.commands.top import entry; sys.exit(entry())"]
PATIENCE_S = 60.0
DEAR = ("pydantic", "psutil", "boto3")


@pytest.fixture(scope="module")
def host() -> Host:
    return Host("two-tenants")


@pytest.fixture(scope="module")
def model(host: Host) -> Iterator[str]:
    with served(host) as name:
        yield name


@contextmanager
def served(host: Host) -> Iterator[str]:
    """A source that answers with a host as it is now."""
    past = host.simulation.past(1_000_000_000)
    assert past is not None
    answers = {
        "inventory": to_document(host.inventory()),
        "snapshot": b'{"result":' + encode(host.snapshot()) + b"}\n",
        "past": b'{"result":' + encode(past) + b"}\n",
    }
    with serving(answering(answers)) as path:
        yield f"model:{path}"


def neuron_top(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


class Terminal:
    """neuron-top on a pseudo-terminal of 100x30, where need be with something piped in."""

    def __init__(self, *words: str, stdin: int | None = None) -> None:
        self.output = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            if stdin is not None:
                os.dup2(stdin, 0)
            size = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
            os.execvpe(COMMAND[0], [*COMMAND, *words], os.environ | size)

    def wait_for(self, what: bytes) -> None:
        end = time.monotonic() + PATIENCE_S
        while what not in self.output:
            assert time.monotonic() < end, self.output[-2000:]
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.output += os.read(self.descriptor, 1 << 16)

    def end(self) -> int:
        """Reads to the end; the exit code, or minus the signal."""
        try:
            while chunk := os.read(self.descriptor, 1 << 16):
                self.output += chunk
        except OSError:
            pass
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_once_prints_what_the_view_makes_of_the_source(host: Host, model: str) -> None:
    result = neuron_top("--once", "--source", model)
    reading = Reader(host).read()
    assert reading.interval is not None
    assert reading.inventory is not None
    version = neuron_top("--version").stdout.split()[1]
    assert result.stdout == text.render(reading.interval, reading.inventory, version)
    assert (result.stderr, result.returncode) == ("", 0)
    assert neuron_top("--once", "--ascii", "--source", model).stdout == text.to_ascii(result.stdout)


def test_once_tells_first_what_is_wrong() -> None:
    sick = Host("two-tenants")
    sick.simulation.inject("hbm-uncorrected", {"core": 2}, {})
    forward(sick.simulation, 2)
    with served(sick) as name:
        result = neuron_top("--once", "--source", name)
    lines = result.stdout.splitlines()
    assert lines[2].startswith("Findings (1)")
    assert "device 1: 1 uncorrected memory error" in lines[3]
    assert lines.index("") == 1
    section = lines[2:].index("") + 2
    reading = Reader(sick).read()
    assert reading.interval is not None and reading.inventory is not None
    sound = text.render(reading.interval, reading.inventory, lines[0].split()[1]).splitlines()
    assert [*lines[:2], *lines[section + 1 :]] == sound


@pytest.mark.slow
def test_once_on_a_model_that_stands_still_says_how_to_move_it() -> None:
    with short_directory() as directory, running(directory, "--scenario", "idle", "--stepped"):
        result = neuron_top("--once", "--source", f"model:{socket_in(directory)}")
    assert (result.stdout, result.returncode) == ("", 1)
    assert [line for line in result.stderr.splitlines() if "`neuron-model advance 1s`" in line]


def test_without_a_terminal_it_says_how_to_do_without() -> None:
    result = neuron_top("--source", "model:/nowhere")
    assert result.returncode == errors.EXIT_USAGE
    assert result.stdout == ""
    assert re.fullmatch(r"neuron-top: .*terminal.*--once\n", result.stderr)


def test_a_screen_that_would_be_drawn_into_a_file_is_refused() -> None:
    """Textual draws on stderr: redirected, the terminal would stay empty."""
    ours, theirs = pty.openpty()
    try:
        result = subprocess.run(
            [*COMMAND, "--source", "model:/nowhere"],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert result.returncode == errors.EXIT_USAGE
    assert re.fullmatch(r"neuron-top: .*terminal.*stderr.*--once\n", result.stderr)


@pytest.mark.parametrize("words", [["--refresh", "0.1"], ["--refresh=61"], ["--refresh", "x"], ["--refresh", "nan"]])
def test_a_bad_period_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert top.main(words) == errors.EXIT_USAGE
    assert re.fullmatch(r"neuron-top: --refresh takes 0\.5 to 60 seconds, not '\S+'\n", capsys.readouterr().err)


def test_unknown_words_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert top.main(["--badflag"]) == errors.EXIT_USAGE
    assert capsys.readouterr() == ("", "neuron-top: unknown flag `badflag'\n")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert [top.main([word]) for word in ("--help", "-h", "--version")] == [0, 0, 0]
    out = capsys.readouterr().out
    assert all(f"--{flag.long}" in out for flag in top._FLAGS)
    assert "Examples:" in out
    assert re.search(r"^neuron-top (\d+\.\d+\.\d+|unknown) \(neurontools\)$", out, re.MULTILINE)


def test_a_source_that_is_not_there_is_a_line_and_a_hint() -> None:
    with socket_path() as path:
        result = neuron_top("--once", "--source", f"model:{path}")
    assert result.returncode == errors.EXIT_FAILURE
    assert result.stdout == ""
    assert re.fullmatch(
        rf"neuron-top: cannot read the device model at {path}: [^\n]+\nneuron-top: start one [^\n]+\n", result.stderr
    )


def test_on_a_terminal_q_ends_it_and_leaves_the_terminal_sane(model: str) -> None:
    terminal = Terminal("--source", model)
    terminal.wait_for(b"arrows:")
    assert b"SIMULATED" in terminal.output
    os.write(terminal.descriptor, b"q")
    assert terminal.end() == 0
    assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h") >= 0
    assert terminal.output.rfind(b"\x1b[?25h") > terminal.output.rfind(b"\x1b[?25l")
    assert b"Traceback" not in terminal.output


def test_a_signal_leaves_the_terminal_sane_too(model: str) -> None:
    terminal = Terminal("--source", model)
    terminal.wait_for(b"arrows:")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == 0
    assert b"\x1b[?1049l" in terminal.output


def test_on_a_model_it_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys, neurontools.commands.top, neurontools.sources.model, neurontools.views.top.app; "
        f"print([name for name in {DEAR!r} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_plain_text_needs_no_textual() -> None:
    code = "import sys, neurontools.views.top.text, neurontools.views.top.reader; print('textual' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
