"""A command that is run as if nothing were in between: it gets our signals, and we tell which processes are its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128
"""Exit codes as a shell has them; the last one with the signal's number added."""

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT)
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_PR_SET_CHILD_SUBREAPER = 36


class CannotRunError(Exception):
    """A command cannot be started; `exit_code` is what a shell would end with."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(f"cannot run {command}: {error.strerror}")
        self.exit_code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def run(command: Sequence[str], meanwhile: Callable[[], None], every_s: float) -> int:
    """Runs a command to its end and calls `meanwhile` in each period; returns its exit code. Raises CannotRunError."""
    _adopt_orphans()
    with _forwarding() as to:
        try:
            process = subprocess.Popen(command)
        except OSError as error:
            raise CannotRunError(command[0], error) from None
        to(process)
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(every_s)
                return code if code >= 0 else SIGNALLED - code
            meanwhile()


def is_own(pid: int) -> bool:
    """Whether this process started another one, itself or by those that it started."""
    seen = {os.getpid()}
    parent = _parent(pid)
    while parent > 1 and parent not in seen:
        parent = _parent(parent)
    return parent == os.getpid()


def _parent(pid: int) -> int:
    """0 where there is no such process, or none that can be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before it may hold anything, parentheses too.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _adopt_orphans() -> None:
    """What the command leaves running is then still known for its own."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def _forwarding() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Inside, signals go to the process that is named, those that came before it was named too."""
    to: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        if number in _OF_THE_TERMINAL and _in_foreground():
            # The terminal has sent it to the command as well.
            return
        if to:
            to[0].send_signal(number)
        else:
            early.append(number)

    def name(process: subprocess.Popen[bytes]) -> None:
        to.append(process)
        for number in early:
            process.send_signal(number)

    # What our caller wants ignored (nohup) stays so.
    before = {number: signal.getsignal(number) for number in _FORWARDED}
    handled = [number for number in _FORWARDED if before[number] is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, forward)
    try:
        yield name
    finally:
        for number in handled:
            signal.signal(number, before[number])


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
