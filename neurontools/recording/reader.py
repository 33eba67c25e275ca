"""Reads a recording: frames in order or at an instant, from files that may be cut off or damaged."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from neurontools.recording.blocks import FRAMES, Block, Bytes, Damage, find_blocks, why_not
from neurontools.recording.frames import Frame
from neurontools.recording.reading import About, BlockReading, Told, UnreadableError
from neurontools.recording.records import HEAD_BYTES, head_of
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Event

_EVER = (-(1 << 63), (1 << 63) - 1)
_NO_FILE = "it is no file, and a recording is read out of order: copy it to a file first"


class RecordingError(ValueError):
    """A file is no recording, or none that this release reads; one line says why."""


class Recording:
    """A file of frames. What cannot be read is left out, and noted in `damage` when it is met."""

    def __init__(self, path: str) -> None:
        """Opens a file. Raises OSError where it cannot be read, RecordingError where it holds no block."""
        # Without O_NONBLOCK a named pipe would be waited for.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            kind = os.fstat(self._fd).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise OSError(errno.ESPIPE, _NO_FILE)
            self._data = Bytes(self._fd)
            self.blocks, damage = find_blocks(self._data)
            if not self.blocks:
                raise RecordingError(_why_no_block(self._data.size, damage))
            self._damage = {each.offset: each for each in damage}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened."""
        return self._data.size

    @property
    def damage(self) -> list[Damage]:
        """What of the file could not be read, as far as it was looked at."""
        return [self._damage[offset] for offset in sorted(self._damage)]

    def frames(self, from_ns: int | None = None, to_ns: int | None = None) -> Iterator[Frame]:
        """The frames of a span, both ends included, in the order in which they were recorded."""
        first = _EVER[0] if from_ns is None else from_ns
        last = _EVER[1] if to_ns is None else to_ns
        for block in self.blocks:
            if block.first_ns <= last and block.last_ns >= first:
                yield from self._frames_of(block, first, last)

    def at(self, time_ns: int) -> Frame | None:
        """The last frame that is not after an instant; None where there is none."""
        for block in self.blocks_before(time_ns):
            frame = self._last_of(block, time_ns)
            if frame is not None:
                return frame
        return None

    def blocks_before(self, time_ns: int) -> list[Block]:
        """The blocks with a frame that is not after an instant, the last one first."""
        return [block for block in reversed(self.blocks) if block.frames and block.first_ns <= time_ns]

    def before(self, time_ns: int) -> int | None:
        """The instant of the last frame before one, whether or not that can be read."""
        blocks = self.blocks_before(time_ns - 1)
        return max((at_ns for block in blocks[:1] for at_ns in self._instants(block) if at_ns < time_ns), default=None)

    def after(self, time_ns: int) -> int | None:
        """The instant of the first frame after one, whether or not that can be read."""
        block = next((block for block in self.blocks if block.frames and block.last_ns > time_ns), None)
        instants = () if block is None else self._instants(block)
        return min((at_ns for at_ns in instants if at_ns > time_ns), default=None)

    def eventful_after(self, time_ns: int) -> int | None:
        """The instant of the first frame after one that has events, as far as the blocks with events can be read."""
        for block in self.blocks:
            if block.events == 0 or not block.frames or block.last_ns <= time_ns:
                continue
            reading = BlockReading(self._data, block)
            try:
                while reading.advance(_EVER[1]):
                    if reading.time_ns > time_ns and reading.events.events:
                        return reading.time_ns
            except UnreadableError as why:
                self._note(reading, why)
        return None

    def told(self, block: Block, to_ns: int) -> Told:
        """What a block holds beside its readings up to an instant, as far as it can be read."""
        reading = BlockReading(self._data, block)
        events: list[Event] = []
        allocations: list[Allocations] = []
        try:
            while reading.advance(to_ns):
                events += reading.events.events
                allocations += reading.allocations
        except UnreadableError as why:
            self._note(reading, why)
        return Told(tuple(events), tuple(allocations))

    def passed(self) -> Iterator[BlockReading]:
        """Every frame as the place in its block where it has just been passed, to take what is needed of it."""
        for block in self.blocks:
            reading = BlockReading(self._data, block)
            try:
                while reading.advance(_EVER[1]):
                    yield reading
            except UnreadableError as why:
                self._note(reading, why)

    def verify(self) -> None:
        """Reads all there is and notes what is damaged, without taking any of it apart."""
        for block in self.blocks:
            at, passed = block.offset, 0
            while at < block.stop:
                found = self._data.record(at, block.stop)
                if found is None:
                    why = why_not(self._data, at, block.stop)
                    self._damage[at] = Damage(at, block.stop - at, why, max(0, block.frames - passed))
                    break
                at += found[0].record_bytes
                passed += found[0].kind in FRAMES

    def about(self, block: Block) -> About | None:
        """What holds for all of a block; None where that is damaged."""
        reading = BlockReading(self._data, block)
        try:
            return reading.begin()
        except UnreadableError as why:
            self._note(reading, why)
            return None

    def _instants(self, block: Block) -> Iterator[int]:
        at = block.offset
        while (head := head_of(self._data.at(at, HEAD_BYTES))) is not None and at < block.stop:
            if head.kind in FRAMES:
                yield head.time_ns
            at += head.record_bytes

    def _frames_of(self, block: Block, first: int, last: int) -> Iterator[Frame]:
        reading = BlockReading(self._data, block)
        try:
            while reading.advance(last):
                if reading.time_ns >= first:
                    yield reading.frame()
        except UnreadableError as why:
            self._note(reading, why)

    def _last_of(self, block: Block, time_ns: int) -> Frame | None:
        reading = BlockReading(self._data, block)
        try:
            while reading.advance(time_ns):
                pass
        except UnreadableError as why:
            self._note(reading, why)
        try:
            return reading.frame() if reading.frames else None
        except UnreadableError as why:
            self._note(reading, why)
            return None

    def _note(self, reading: BlockReading, why: UnreadableError) -> None:
        block = reading.block
        lost = max(0, block.frames - reading.frames)
        self._damage[why.offset] = Damage(why.offset, block.stop - why.offset, str(why), lost)


def _why_no_block(size: int, damage: list[Damage]) -> str:
    if not size:
        return "it is empty"
    newer = [each.reason for each in damage if each.reason.startswith("version")]
    return f"it has {newer[0]}" if newer else "it is not a recording"
