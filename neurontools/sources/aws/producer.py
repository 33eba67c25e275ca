"""Who prints the lines: AWS's neuron-monitor, started and ended here, another command, or whoever writes our stdin."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS
from neurontools.schema.source import SourceError
from neurontools.units import format_duration_ns

AWS_COMMAND = "/opt/aws/neuron/bin/neuron-monitor"

_OURS = re.compile(rb"neurontools(\.commands|\s+monitor)")
_HEAD = 4096
_PR_SET_PDEATHSIG = 1
_TERM_S, _LAST_WORDS_S = 2.0, 1.0
_OUR_SETTINGS = ("NEURONTOOLS_SOURCE",)


class Lines(NamedTuple):
    """A producer at work: descriptors of its lines and of its talk, and its process if it is ours."""

    lines_fd: int
    talk_fd: int | None = None
    process: subprocess.Popen[bytes] | None = None
    config: str = ""

    def forget_config(self) -> None:
        """Removes the configuration file, which whoever prints a line has read."""
        _remove(self.config)

    def how_it_ended(self) -> tuple[bool, str]:
        """After the end of its lines: whether all is well, and in words what happened."""
        if self.process is None:
            return True, "have ended"
        try:
            code = self.process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return False, "has closed its output"
        if code < 0:
            return False, f"was killed by signal {-code} ({signal.strsignal(-code)})"
        return code == 0, f"has ended with exit code {code}"

    def close(self) -> None:
        """Ends the process, with force where it must be, and closes the descriptors."""
        self.forget_config()
        process = self.process
        if process is not None and process.poll() is None:
            _signal(process, signal.SIGTERM)
            try:
                process.wait(_TERM_S)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        for fd in (self.lines_fd, self.talk_fd):
            if fd is not None:
                os.close(fd)


class Producer(Protocol):
    """Where lines come from. `name` begins a sentence; `detail` is what a reading's origin says."""

    name: str
    detail: str
    live: bool
    """Whether lines arrive as they are made, on this host's clock."""
    restartable: bool

    def start(self, period_ns: int) -> Lines:
        """Begins; a producer that can be told gives a line in each period. Raises SourceError."""
        ...


class Command:
    """A command that prints AWS's lines; without words AWS's own tool, with every group."""

    live = True
    restartable = True

    def __init__(self, words: Sequence[str] = (), aws_command: str = AWS_COMMAND) -> None:
        self._words = words
        self._aws_command = aws_command
        self.name = f"AWS's neuron-monitor ({words[0]})" if words else "AWS's neuron-monitor"
        self.detail = words[0] if words else aws_command

    def start(self, period_ns: int) -> Lines:
        """Starts it. Raises SourceError when it cannot be, and when it is not AWS's but ours."""
        executable = self._executable()
        config = ""
        try:
            if not self._words:
                config = _write_config(period_ns)
            process = subprocess.Popen(
                self._words or (self._aws_command, "-c", config),
                executable=executable,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if name not in _OUR_SETTINGS},
                process_group=0,
                preexec_fn=_dying_with(os.getpid()),
            )
        except (OSError, subprocess.SubprocessError) as error:
            _remove(config)
            why = error.strerror if isinstance(error, OSError) else error
            raise SourceError(f"cannot start {executable}: {why}", _NAME_IT) from None
        assert process.stdout is not None and process.stderr is not None
        lines_fd, talk_fd = (os.dup(pipe.fileno()) for pipe in (process.stdout, process.stderr))
        process.stdout.close()
        process.stderr.close()
        return Lines(lines_fd, talk_fd, process, config)

    def _executable(self) -> str:
        name = self._words[0] if self._words else self._aws_command
        found = shutil.which(name)
        if found is None:
            raise SourceError(f"cannot start AWS's neuron-monitor: there is no program {name}", _INSTALL_IT)
        if is_ours(found):
            raise SourceError(f"{found} is this project's own neuron-monitor, not AWS's", _NAME_IT)
        return found


class Stdin:
    """AWS's lines on our stdin, which the keyboard takes the place of where there is a terminal."""

    name = "the lines on stdin"
    detail = "stdin"
    live = False
    restartable = False

    def start(self, period_ns: int) -> Lines:
        """Takes stdin over. Raises SourceError when nothing is piped in."""
        try:
            mode = os.fstat(0).st_mode
        except OSError:
            raise SourceError("cannot read AWS's lines: stdin is closed", _PIPE_IT) from None
        if stat.S_ISCHR(mode):
            raise SourceError("cannot read AWS's lines: nothing is piped into stdin", _PIPE_IT)
        lines_fd = os.dup(0)
        try:
            keyboard = os.open("/dev/tty", os.O_RDWR)
        except OSError:
            keyboard = os.open(os.devnull, os.O_RDONLY)
        os.dup2(keyboard, 0)
        os.close(keyboard)
        return Lines(lines_fd)


def is_ours(path: str) -> bool:
    """Whether a file, or what a link leads to, is one of this project's commands."""
    try:
        with open(os.path.realpath(path), "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head.startswith(b"#!") and _OURS.search(head) is not None


def _write_config(period_ns: int) -> str:
    """A configuration with every group in one period, as clients of AWS's tool write it."""
    document = {
        "period": format_duration_ns(period_ns),
        "neuron_runtimes": [{"tag_filter": ".*", "metrics": [{"type": name} for name in RUNTIME_GROUPS]}],
        "system_metrics": [{"type": name} for name in SYSTEM_GROUPS],
    }
    with tempfile.NamedTemporaryFile("w", prefix="neuron-monitor-", suffix=".json", delete=False) as file:
        json.dump(document, file)
    return file.name


def _remove(config: str) -> None:
    with suppress(OSError):
        os.unlink(config)


def _dying_with(parent: int) -> Callable[[], None]:
    """What the command does before it begins: it asks for SIGTERM for when this process is killed."""
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """To the command and to what it has started; it is not reaped yet, so the number is still its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


_NAME_IT = f"name AWS's: --source 'aws:{AWS_COMMAND}'"
_INSTALL_IT = (
    "install AWS's tools (aws-neuronx-tools), or name the command that prints its lines: --source 'aws:COMMAND'"
)
_PIPE_IT = f"pipe them in: {AWS_COMMAND} | neuron-monitor --once --source aws:-"
