"""Lines out of a pipe, read on a thread of their own: whoever prints them never waits for whoever reads them."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from threading import Thread

LONGEST_LINE = 16 << 20
"""Bytes; one of the largest hosts, all its cores in use, takes half a megabyte."""

_PIECE = 1 << 18
_MOST_AT_ONCE = 32
"""Pieces that are read before the lines in them are handed over."""

_TALK_KEPT = 4096

Line = bytes | None
"""None stands for a line that was too long."""


class Splitter:
    """Cuts pieces into lines; what is longer than `longest` is dropped as it comes."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._begun: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that end in this piece, without their newlines."""
        *whole, rest = piece.split(b"\n")
        lines = []
        for end in whole:
            self._append(end)
            lines.append(self._take())
        self._append(rest)
        return lines

    def rest(self) -> list[Line]:
        """What is left when no more comes: a last line without its newline, if any."""
        return [self._take()] if self._size else []

    def _append(self, text: bytes) -> None:
        self._size += len(text)
        if self._size > self._longest:
            self._begun.clear()
        elif text:
            self._begun.append(text)

    def _take(self) -> Line:
        line = None if self._size > self._longest else b"".join(self._begun)
        self._begun.clear()
        self._size = 0
        return line


class Pump:
    """Reads lines from `lines_fd` and talk from `talk_fd` until the lines end, and hands them over on its thread.

    `take` gets lines that came together, `end` is called once, after the last of them. Closes neither descriptor.
    """

    def __init__(
        self,
        lines_fd: int,
        talk_fd: int | None,
        take: Callable[[Sequence[Line]], None],
        end: Callable[[], None],
    ) -> None:
        self._lines_fd = lines_fd
        self._talk_fd = talk_fd
        self._take = take
        self._end = end
        self._talk = b""
        self._wake_fd, self._stop_fd = os.pipe()
        self._thread = Thread(target=self._run, name="neuron-monitor lines", daemon=True)
        self._thread.start()

    @property
    def talk(self) -> str:
        """The last line of the talk; empty where there was none."""
        lines = [line.strip() for line in self._talk.decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def close(self) -> None:
        """Ends the thread, without a call of `end`; safe to call twice."""
        if self._stop_fd >= 0:
            os.close(self._stop_fd)
            self._stop_fd = -1
            self._thread.join()
            os.close(self._wake_fd)

    def _run(self) -> None:
        waiting = select.poll()
        for fd in (self._wake_fd, self._lines_fd, self._talk_fd):
            if fd is not None:
                waiting.register(fd, select.POLLIN)
        splitter = Splitter()
        while True:
            ready = {fd for fd, _ in waiting.poll()}
            if self._wake_fd in ready:
                return
            if self._talk_fd in ready and not self._listen(self._talk_fd):
                waiting.unregister(self._talk_fd)
            if self._lines_fd in ready and not self._read(splitter):
                break
        self._hear_out()
        self._end()

    def _read(self, splitter: Splitter) -> bool:
        """Hands over what has come; False at the end."""
        more = select.poll()
        more.register(self._lines_fd, select.POLLIN)
        lines: list[Line] = []
        piece = b"?"
        for _ in range(_MOST_AT_ONCE):
            piece = _read(self._lines_fd)
            lines += splitter.feed(piece) if piece else splitter.rest()
            if not piece or not more.poll(0):
                break
        if lines:
            self._take(lines)
        return bool(piece)

    def _listen(self, fd: int) -> bool:
        """Keeps the end of the talk; False when it is over."""
        piece = _read(fd)
        self._talk = (self._talk + piece)[-_TALK_KEPT:]
        return bool(piece)

    def _hear_out(self) -> None:
        """The last words, where they have been said already: whoever holds the pipe may live on."""
        if self._talk_fd is not None:
            last = select.poll()
            last.register(self._talk_fd, select.POLLIN)
            while last.poll(0) and self._listen(self._talk_fd):
                pass


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _PIECE)
    except OSError:
        return b""
