"""Follows one block of a recording, record by record."""

from __future__ import annotations

from typing import IO, NamedTuple, TypeVar, cast

import msgspec
from zstandard import ZstdDecompressor, ZstdError

from neurontools.recording.blocks import FRAMES, Block, Bytes, why_not
from neurontools.recording.deltas import Decoder, DeltaError
from neurontools.recording.frames import BankMaps, Frame
from neurontools.recording.records import BEGIN, END, EVENTS, KEYFRAME, MAPS, VERSION, Head
from neurontools.schema.allocations import Allocations
from neurontools.schema.document import Document, SchemaError, decode
from neurontools.schema.events import Event, Events
from neurontools.schema.inventory import Inventory, InventoryError, from_document
from neurontools.schema.snapshot import Snapshot

D = TypeVar("D", bound=Document)

_MAX_WINDOW_BYTES = 8 << 20
"""What a stream may ask for to be decompressed in; ours take 2 MiB."""


class UnreadableError(Exception):
    """A block cannot be read on from a place in the file."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset


class About(NamedTuple):
    """What holds for all of a block: what was installed, and whether command lines were recorded."""

    inventory: Inventory
    command_lines: bool


class Told(NamedTuple):
    """What stands in a block beside its readings."""

    events: tuple[Event, ...]
    allocations: tuple[Allocations, ...]


class _About(Document, frozen=True, kw_only=True):
    inventory: msgspec.Raw
    command_lines: bool = False


class _Packed:
    """What a stream is decompressed from: each record when it is needed, none of them further than asked for."""

    def __init__(self) -> None:
        self._left: list[bytes] = []

    def put(self, packed: bytes) -> None:
        self._left.append(packed)

    def read(self, _: int) -> bytes:
        return self._left.pop() if self._left else b""


class BlockReading:
    """A place in a block. `frames` counts those passed, `time_ns` is the last one's instant.

    `events` and `allocations` are what stands before that frame.
    """

    def __init__(self, data: Bytes, block: Block) -> None:
        self.block = block
        self.frames = 0
        self.time_ns = 0
        self._data = data
        self._record_at = self._next_at = block.offset
        self._packed = _Packed()
        unpacker = ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._stream = unpacker.stream_reader(cast(IO[bytes], self._packed))
        self._about: About | None = None
        self._keyframe: bytes | None = None
        self._decoder: Decoder | None = None
        self.events = Events()
        self.allocations: tuple[Allocations, ...] = ()

    def begin(self) -> About:
        """Reads the block's first record, once. Raises UnreadableError."""
        if self._about is None:
            head, packed = self._record()
            if head.kind != BEGIN:
                raise self._unreadable("the beginning of the block is lost")
            about = self._decoded(_About, self._unpacked(head, packed))
            try:
                inventory = from_document(msgspec.json.decode(about.inventory))
            except (InventoryError, msgspec.DecodeError) as error:
                raise self._unreadable(str(error)) from None
            self._about = About(inventory, about.command_lines)
        return self._about

    def advance(self, last_ns: int) -> bool:
        """Passes the next frame, unless it is later than `last_ns` or there is none. Raises UnreadableError."""
        self.begin()
        events, maps = Events(), BankMaps()
        while self._next_at < self.block.stop:
            at = self._next_at
            head, packed = self._record()
            if head.kind == END:
                break
            if head.time_ns > last_ns:
                self._next_at = at
                break
            document = self._unpacked(head, packed)
            if head.kind in FRAMES:
                self._take(head, document)
                self.events, self.allocations = events, maps.devices
                return True
            if head.kind == EVENTS:
                events = self._decoded(Events, document)
            elif head.kind == MAPS:
                maps = self._decoded(BankMaps, document)
        return False

    def frame(self) -> Frame:
        """The frame that was passed last. Raises UnreadableError."""
        text = self.text()
        try:
            return Frame(self._decoded(Snapshot, text), self.begin().inventory, self.events, self.allocations)
        except UnreadableError:
            self.frames -= 1
            raise

    def text(self) -> bytes:
        """The text of the reading that was passed last. Raises UnreadableError."""
        assert self._keyframe is not None
        try:
            return self._keyframe if self._decoder is None else self._decoder.text()
        except DeltaError as error:
            raise self._unreadable(str(error)) from None

    def _take(self, head: Head, document: bytes) -> None:
        try:
            if head.kind == KEYFRAME:
                if not (document.startswith(b"{") and document.endswith(b"}")):
                    raise DeltaError("its text is no object of JSON")
                # It is taken apart only for a delta: that takes longer than to read it.
                self._keyframe, self._decoder = document, None
            elif self._keyframe is not None:
                if self._decoder is None:
                    self._decoder = Decoder(self._keyframe)
                self._decoder.apply(document)
            else:
                raise DeltaError("a delta without a keyframe")
        except DeltaError as error:
            raise self._unreadable(str(error)) from None
        self.frames += 1
        self.time_ns = head.time_ns

    def _record(self) -> tuple[Head, bytes]:
        self._record_at = self._next_at
        found = self._data.record(self._next_at, self.block.stop)
        if found is None or found[0].version > VERSION:
            raise self._unreadable(why_not(self._data, self._next_at, self.block.stop))
        self._next_at += found[0].record_bytes
        return found

    def _unpacked(self, head: Head, packed: bytes) -> bytes:
        self._packed.put(packed)
        try:
            document = self._stream.read(head.document_bytes)
        except ZstdError as error:
            raise self._unreadable(f"it cannot be decompressed: {error}") from None
        if len(document) != head.document_bytes:
            raise self._unreadable("it holds less than it says")
        return document

    def _decoded(self, kind: type[D], document: bytes) -> D:
        try:
            return decode(kind, document)
        except SchemaError as error:
            raise self._unreadable(str(error)) from None

    def _unreadable(self, reason: str) -> UnreadableError:
        return UnreadableError(self._record_at, reason)
