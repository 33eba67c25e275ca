"""The last readings in memory: a recording whose older blocks are thinned, and the oldest forgotten, to fit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import takewhile

from neurontools.recording.blocks import Block, Bytes
from neurontools.recording.frames import Frame
from neurontools.recording.reading import BlockReading
from neurontools.recording.thinning import thin
from neurontools.recording.writer import Text, Writer
from neurontools.schema.inventory import Inventory

MOST_BYTES = 16 * 1024 * 1024
"""Of 128 busy cores in groups, with all that neuron-top looks at, some 5 kB a reading: an hour at one a second. Where
each core has a process of its own it is 50 kB: then the last minutes, and half an hour thinned."""

THINNED_NS = 10 * 10**9
"""The least time between two frames of what is thinned; counters are cumulative, so that only resolution is lost."""

_FRAMES_PER_BLOCK = 30


class _Memory(Bytes):
    """The bytes of one block, written and read in memory, and the times of its frames."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0
        self.times: list[int] = []
        self.thinned = False

    def put(self, data: bytes) -> None:
        """Appends them."""
        self.data += data
        self.size = len(self.data)

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on."""
        return bytes(self.data[offset : offset + count])

    def passed(self, last: int) -> Iterator[BlockReading]:
        """A reading of it, after each of its frames up to a place."""
        block = Block(0, self.size, len(self.times), None, self.times[0], self.times[-1])
        reading = BlockReading(self, block)
        for place in range(last + 1):
            reading.advance(self.times[place])
            yield reading

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Its frames by their places, both ends included."""
        for place, reading in enumerate(self.passed(last)):
            if place >= first:
                yield reading.frame()

    def thin(self) -> _Memory:
        """The same with fewer frames."""
        block = _Memory()
        block.thinned = True
        for _ in thin(self.passed(len(self.times) - 1), _BlockWriter(block), THINNED_NS):
            pass
        return block


class _BlockWriter(Writer):
    """Writes one block, and notes the times of its frames."""

    def __init__(self, block: _Memory) -> None:
        # Nobody but this process sees it: command lines stay.
        super().__init__(block, True, _FRAMES_PER_BLOCK, quick=True)
        self._times = block.times

    def write_text(self, frame: Text) -> None:
        """Appends a frame."""
        super().write_text(frame)
        self._times.append(frame.time_ns)


class Ring:
    """Frames by their times, the oldest forgotten first, a block at a time. Not to be used by two threads at a time."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._inventory: Inventory | None = None
        self._blocks: list[_Memory] = []
        self._writer: Writer | None = None

    @property
    def size(self) -> int:
        """Bytes that the frames take."""
        return sum(block.size for block in self._blocks)

    @property
    def first_ns(self) -> int | None:
        """The time of the oldest frame."""
        return self._blocks[0].times[0] if self._blocks else None

    @property
    def times(self) -> list[int]:
        """When the frames were taken."""
        return [time_ns for block in self._blocks for time_ns in block.times]

    def clear(self) -> None:
        """Forgets all."""
        self._blocks.clear()
        self._writer = None

    def add(self, frame: Frame) -> None:
        """Keeps a frame, unless it is not newer than all before."""
        if self._blocks and frame.time_ns <= self._blocks[-1].times[-1]:
            return
        self._writer_for(frame.inventory).write(frame)
        while len(self._blocks) > 1 and self.size > self._most_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Thins the oldest block that is not yet; what is thinned has half of the room, and its oldest block goes."""
        thinned = list(takewhile(lambda block: block.thinned, self._blocks[:-1]))
        if len(thinned) < len(self._blocks) - 1 and 2 * sum(block.size for block in thinned) < self._most_bytes:
            self._blocks[len(thinned)] = self._blocks[len(thinned)].thin()
        else:
            del self._blocks[0]

    def forget_before(self, time_ns: int) -> None:
        """Forgets the blocks that ended before an instant."""
        while len(self._blocks) > 1 and self._blocks[0].times[-1] < time_ns:
            del self._blocks[0]

    def pair(self, time_ns: int) -> tuple[Frame, Frame] | None:
        """The last frame that is not after an instant, and the one before it; None where there are no two."""
        number = bisect_right(self._blocks, time_ns, key=lambda block: block.times[0]) - 1
        if number < 0:
            return None
        block = self._blocks[number]
        last = bisect_right(block.times, time_ns) - 1
        found = list(block.frames(max(0, last - 1), last))
        if len(found) < 2 and number:
            before = self._blocks[number - 1]
            found = [*before.frames(len(before.times) - 1, len(before.times) - 1), *found]
        return (found[0], found[1]) if len(found) == 2 else None

    def _writer_for(self, inventory: Inventory) -> Writer:
        full = bool(self._blocks) and len(self._blocks[-1].times) == _FRAMES_PER_BLOCK
        if self._writer is None or full or inventory != self._inventory:
            if self._writer is not None:
                self._writer.end_block()
            block = _Memory()
            self._blocks.append(block)
            self._writer = _BlockWriter(block)
            self._inventory = inventory
        return self._writer
