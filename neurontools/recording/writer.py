"""Writes a recording: frames in blocks that stand alone, each frame on its way to the disk before the next is taken."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Any, NamedTuple, Protocol

import msgspec
from zstandard import COMPRESSOBJ_FLUSH_BLOCK, ZstdCompressor

from neurontools.recording.deltas import Encoder
from neurontools.recording.frames import BankMaps, Frame, without_arguments
from neurontools.recording.records import BEGIN, DELTA, EVENTS, KEYFRAME, MAPS, Summary, end_record, record
from neurontools.schema.allocations import Allocations
from neurontools.schema.document import encode
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory, to_document

FRAMES_PER_BLOCK = 30
"""A block costs 10 kB for 128 cores, and to look at its last frame all of them are read."""

_QUICK_LEVEL = 2
_LEVEL = 6
"""For deltas zstd's best trade: a quarter smaller than at level 3, and 0.1 ms slower for 128 cores."""


def create(path: str, replace: bool = False) -> int:
    """Makes a file that only its owner may read, and returns its descriptor for writing.

    Raises FileExistsError for a file that is there, unless it is to be replaced, and OSError for what is no file.
    """
    if replace:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OSError(errno.EINVAL, "it is not a file", path)
            os.unlink(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


class Sink(Protocol):
    """Where the bytes of a recording go. `size` counts those that are there."""

    size: int

    def put(self, data: bytes) -> None:
        """Appends all of it, or nothing. May raise OSError."""
        ...


class FileSink:
    """An open file, from its end on. It is not closed here."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.lseek(fd, 0, os.SEEK_END)

    def put(self, data: bytes) -> None:
        """Appends all of it, in one call of the system where that takes it whole, or nothing. May raise OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except BaseException:
            # What follows half a record could not be told from damage.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(data)


class Text(NamedTuple):
    """A frame with its reading as text, as a recording has it, and whether its block has command lines."""

    text: bytes
    time_ns: int
    inventory: Inventory
    command_lines: bool
    events: Events = Events()
    allocations: tuple[Allocations, ...] = ()


class _Block:
    """The block that is being written; its documents are one stream of zstd, flushed at every record."""

    def __init__(self, begins_at: int, compressor: ZstdCompressor, first: Text) -> None:
        self.begins_at = begins_at
        self.about = first.inventory, first.command_lines
        self.frames = 0
        self.events = 0
        self.first_ns = 0
        self.last_ns = 0
        self._stream = compressor.compressobj()

    def record(self, kind: bytes, document: bytes, time_ns: int) -> bytes:
        """A document as the block's next record."""
        packed = self._stream.compress(document) + self._stream.flush(COMPRESSOBJ_FLUSH_BLOCK)
        return record(kind, packed, len(document), time_ns)

    def takes(self, frame: Text, most: int) -> bool:
        """Whether a frame can be in this block."""
        fits = self.frames < most and frame.time_ns >= self.last_ns
        return fits and (frame.inventory, frame.command_lines) == self.about

    def count(self, frame: Text) -> None:
        """Notes what was written."""
        self.first_ns = self.first_ns if self.frames else frame.time_ns
        self.last_ns = frame.time_ns
        self.frames += 1
        self.events += len(frame.events.events)

    def end(self, ends_at: int) -> bytes:
        """The record that ends it."""
        return end_record(Summary(ends_at - self.begins_at, self.frames, self.events, self.first_ns, self.last_ns))


class Writer:
    """Appends frames to an open file. Every call may raise OSError; what was written before stays readable."""

    def __init__(
        self,
        to: int | Sink,
        command_lines: bool = False,
        frames_per_block: int = FRAMES_PER_BLOCK,
        quick: bool = False,
    ) -> None:
        """Writes to a sink, or from the end of an open file on. Command lines are left out unless asked for.

        `quick` makes three times the bytes in an eighth of the time, and they are quicker to read: keyframes only.
        """
        self._sink = FileSink(to) if isinstance(to, int) else to
        self._command_lines = command_lines
        self._frames_per_block = frames_per_block
        self._compressor = ZstdCompressor(level=_QUICK_LEVEL if quick else _LEVEL)
        self._encoder = None if quick else Encoder()
        self._block: _Block | None = None

    def write(self, frame: Frame) -> None:
        """Appends a frame."""
        shown = frame if self._command_lines else without_arguments(frame)
        text = encode(shown.snapshot)
        self.write_text(
            Text(text, frame.time_ns, shown.inventory, self._command_lines, shown.events, shown.allocations)
        )

    def write_text(self, frame: Text) -> None:
        """Appends a frame as it is, its command lines included."""
        if self._block is not None and not self._block.takes(frame, self._frames_per_block):
            self.end_block()
        began = b""
        if self._block is None:
            began = self._begin(frame)
        assert self._block is not None
        self._put(began + self._frame(self._block, frame))
        self._block.count(frame)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._sink.size

    def end_block(self) -> None:
        """Ends the block under way: what follows can be read without it. Without one it does nothing."""
        block, self._block = self._block, None
        if block is not None and block.frames:
            self._put(block.end(self._sink.size))

    def _begin(self, frame: Text) -> bytes:
        if self._encoder is not None:
            self._encoder.reset()
        self._block = _Block(self._sink.size, self._compressor, frame)
        about: dict[str, Any] = {"inventory": to_document(frame.inventory), "command_lines": frame.command_lines}
        return self._block.record(BEGIN, msgspec.json.encode(about), frame.time_ns)

    def _frame(self, block: _Block, frame: Text) -> bytes:
        beside = b""
        if frame.events.events or frame.events.lost:
            beside = block.record(EVENTS, encode(frame.events), frame.time_ns)
        if frame.allocations:
            beside += block.record(MAPS, encode(BankMaps(devices=frame.allocations)), frame.time_ns)
        delta = None if self._encoder is None else self._encoder.delta(frame.text)
        if delta is None:
            return beside + block.record(KEYFRAME, frame.text, frame.time_ns)
        return beside + block.record(DELTA, delta, frame.time_ns)

    def _put(self, data: bytes) -> None:
        try:
            self._sink.put(data)
        except BaseException:
            self._block = None
            raise
