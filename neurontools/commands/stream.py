"""How a tool that runs until it is stopped writes lines and waits: it ends at once when its reader or its user does."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from time import monotonic
from types import FrameType

from neurontools.commands import errors
from neurontools.interrupts import end_if_importing

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_LOOK_AGAIN_MS = 100
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Ended(BaseException):
    """The stream is over; `exit_code` is what a shell makes of the reason. No error: nothing below may swallow it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Ending:
    """What signals do: they raise Ended wherever the program is, unless it is at something that it has to end first."""

    def __init__(self) -> None:
        self._deferring = False
        self._number: int | None = None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, a signal waits until what is done there has been done."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._number is not None:
            raise Ended(128 + self._number)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal."""
        if not self._deferring:
            end_if_importing(number, frame)
            raise Ended(128 + number)
        self._number = number


@contextmanager
def ending() -> Iterator[Ending]:
    """Inside, SIGINT and SIGTERM raise Ended wherever the program is."""
    found = Ending()
    with _handled(found.stop):
        yield found


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOPPING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


class Stream:
    """Standard output as whole lines."""

    def __init__(self) -> None:
        if sys.stdout is None:
            raise errors.OutputError("cannot write the output: it is closed")
        self._fd = sys.stdout.fileno()
        self._writing = False
        self._signal: int | None = None
        self._hangup = select.poll()
        self._hangup.register(self._fd, 0)
        self._room = select.poll()
        self._room.register(self._fd, select.POLLOUT)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Inside, SIGINT and SIGTERM raise Ended, but never in the middle of a line that the reader still takes."""
        with _handled(self._stop):
            yield

    def write(self, line: bytes) -> None:
        """Writes a line and its newline. Raises Ended when the reader has gone, OutputError if it cannot be written."""
        left = memoryview(line + b"\n")
        self._writing = True
        try:
            while left and self._has_room():
                # Whoever shares the terminal may have made it non-blocking.
                with suppress(BlockingIOError):
                    left = left[os.write(self._fd, left[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            raise Ended(errors.EXIT_BROKEN_PIPE) from None
        except OSError as error:
            raise errors.OutputError(f"cannot write the output: {error.strerror}") from None
        finally:
            self._writing = False
        if self._signal is not None:
            raise Ended(128 + self._signal)

    def wait_until(self, deadline_s: float) -> None:
        """Sleeps until a time of the monotonic clock. Raises Ended as soon as the reader has gone."""
        while (left_s := deadline_s - monotonic()) > 0:
            if any(event & _GONE for _, event in self._hangup.poll(ceil(left_s * 1000))):
                raise Ended(errors.EXIT_BROKEN_PIPE)

    def _has_room(self) -> bool:
        """Waits until a piece can be written; False when the stream was stopped while its reader takes nothing."""
        while not self._room.poll(_LOOK_AGAIN_MS):
            if self._signal is not None:
                return False
        return True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._writing:
            end_if_importing(number, frame)
            raise Ended(128 + number)
        self._signal = number
