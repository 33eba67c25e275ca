"""Finds the blocks of a recording: by the record that ends each, and by reading on where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from neurontools.recording.records import (
    BEGIN,
    DELTA,
    END,
    END_BYTES,
    HEAD_BYTES,
    KEYFRAME,
    MARK,
    VERSION,
    Head,
    head_of,
    intact,
    summary_of,
)

FRAMES = (KEYFRAME, DELTA)

_CHUNK_BYTES = 1 << 20


class Block(NamedTuple):
    """A block: where it lies in the file, and what it holds; `events` is None where nothing says how many."""

    offset: int
    stop: int
    frames: int
    events: int | None
    first_ns: int
    last_ns: int


class Damage(NamedTuple):
    """A part of a file that cannot be read: where, how long, why, and how many frames are lost, if that is known."""

    offset: int
    bytes: int
    reason: str
    frames: int | None = None

    def __str__(self) -> str:
        lost = {None: "", 0: "; no frame is lost", 1: "; 1 frame is lost"}
        return f"{self.bytes:,} bytes from byte {self.offset:,} on: {self.reason}" + lost.get(
            self.frames, f"; {self.frames} frames are lost"
        )


class Bytes:
    """A file read at places; one that shrinks meanwhile only has less to read."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on."""
        data = os.pread(self._fd, count, offset)
        # The system may give less than there is.
        return data if len(data) in (0, count) else data + self.at(offset + len(data), count - len(data))

    def record(self, offset: int, stop: int) -> tuple[Head, bytes] | None:
        """The record at `offset` with its packed document; None where none lies intact before `stop`."""
        data = self.at(offset, min(HEAD_BYTES, stop - offset))
        head = head_of(data)
        if head is None or offset + head.record_bytes > stop:
            return None
        packed = self.at(offset + HEAD_BYTES, head.packed_bytes)
        return (head, packed) if intact(data, packed) else None

    def marks(self, start: int, stop: int) -> Iterator[int]:
        """Where a record may begin, forwards."""
        while start < stop:
            data = self.at(start, min(_CHUNK_BYTES, stop - start))
            at = -1
            while (at := data.find(MARK, at + 1)) >= 0:
                yield start + at
            if not data:
                return
            # A mark may lie across the edge.
            start += max(1, len(data) - len(MARK) + 1)

    def marks_before(self, stop: int) -> Iterator[int]:
        """Where a record may begin, backwards from `stop`."""
        while stop > 0:
            start = max(0, stop - _CHUNK_BYTES)
            data = self.at(start, stop - start)
            at = len(data)
            while (at := data.rfind(MARK, 0, at)) >= 0:
                yield start + at
            stop = start + len(MARK) - 1 if start else 0


def find_blocks(data: Bytes) -> tuple[list[Block], list[Damage]]:
    """The blocks of a file in their order, and what between them is none."""
    found: list[Block] = []
    damage: list[Damage] = []
    stop = data.size
    while stop > 0:
        ended = _ended_before(data, stop)
        rest = ended.stop if ended is not None else 0
        if rest < stop:
            blocks, lost = _read_on(data, rest, stop)
            found += reversed(blocks)
            damage += reversed(lost)
        if ended is None:
            break
        found.append(ended)
        stop = ended.offset
    return found[::-1], damage[::-1]


def why_not(data: Bytes, offset: int, stop: int) -> str:
    """Why there is no block at `offset`, or why it cannot be read on from there."""
    head = head_of(data.at(offset, HEAD_BYTES))
    if head is None:
        return "the file ends inside a record" if data.size - offset < HEAD_BYTES else "this is no record"
    if offset + head.record_bytes > data.size:
        return "the file ends inside a record"
    if data.record(offset, stop) is None:
        return "the checksum is wrong"
    if head.version > VERSION:
        return f"version {head.version} of the format, this release reads up to {VERSION}"
    return "the beginning of the block is lost"


def _ended_before(data: Bytes, stop: int) -> Block | None:
    """The last block before `stop` that has the record which ends it."""
    block = _ended_at(data, stop - END_BYTES, stop)
    if block is not None:
        return block
    return next((block for at in data.marks_before(stop) if (block := _ended_at(data, at, stop)) is not None), None)


def _ended_at(data: Bytes, offset: int, stop: int) -> Block | None:
    if offset < 0 or offset + END_BYTES > stop:
        return None
    summary = summary_of(data.at(offset, END_BYTES))
    if summary is None or not 0 < summary.block_bytes <= offset:
        return None
    begin = offset - summary.block_bytes
    head = head_of(data.at(begin, HEAD_BYTES))
    # Bytes may have been lost in between: then it tells where no block begins.
    if head is None or head.kind != BEGIN:
        return None
    return Block(begin, offset + END_BYTES, summary.frames, summary.events, summary.first_ns, summary.last_ns)


def _read_on(data: Bytes, start: int, stop: int) -> tuple[list[Block], list[Damage]]:
    """Blocks without the record that ends them, and what of the file cannot be read."""
    blocks: list[Block] = []
    damage: list[Damage] = []
    at = start
    while at < stop:
        found = data.record(at, stop)
        if found is not None and _begins(found[0]):
            blocks.append(_followed(data, at, stop))
            at = blocks[-1].stop
        else:
            damage.append(_lost(data, at, stop))
            at += damage[-1].bytes
    return blocks, damage


def _begins(head: Head) -> bool:
    return head.kind == BEGIN and head.version <= VERSION


def _lost(data: Bytes, offset: int, stop: int) -> Damage:
    """What cannot be read from `offset` on: all before the next block, though there may be frames in it."""
    frames, following = 0, stop
    for at in data.marks(offset, stop):
        found = data.record(at, stop)
        if found is not None and _begins(found[0]):
            following = at
            break
        frames += found is not None and found[0].kind in FRAMES
    return Damage(offset, following - offset, why_not(data, offset, stop), frames or None)


def _followed(data: Bytes, offset: int, stop: int) -> Block:
    """The block that begins at `offset`, as far as its records are intact."""
    at, times = offset, []
    while (found := data.record(at, stop)) is not None and (found[0].kind != BEGIN or at == offset):
        head = found[0]
        at += head.record_bytes
        if head.kind in FRAMES:
            times.append(head.time_ns)
        if head.kind == END:
            break
    return Block(offset, at, len(times), None, min(times, default=0), max(times, default=0))
