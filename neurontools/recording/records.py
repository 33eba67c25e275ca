"""The bytes of one record of a recording: its head, its checksum and its limits."""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

VERSION = 1
"""The version that is written. Every version up to it is read."""

BEGIN, KEYFRAME, DELTA, EVENTS, MAPS, END = b"B", b"K", b"D", b"V", b"M", b"E"
KINDS = (BEGIN, KEYFRAME, DELTA, EVENTS, MAPS, END)
"""What this release writes; a reader passes over records of other kinds."""

MARK = b"\xc5N"
"""What every record begins with. It is no text in any encoding that is in use."""

MAX_BYTES = 64 << 20
"""The longest document, packed and unpacked: a hundred times the largest host's. More is refused."""

_HEAD = struct.Struct("<2sBcIIq")
_CHECK = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CHECK.size

_SUMMARY = struct.Struct("<QIIqq")
END_BYTES = HEAD_BYTES + _SUMMARY.size


class Head(NamedTuple):
    """What stands before a record's packed document: its version, kind, sizes in bytes and instant."""

    version: int
    kind: bytes
    packed_bytes: int
    document_bytes: int
    time_ns: int
    checksum: int

    @property
    def record_bytes(self) -> int:
        """Length of the whole record."""
        return HEAD_BYTES + self.packed_bytes


class Summary(NamedTuple):
    """What a block's last record tells: its bytes before that record, what they hold, the first and last instant."""

    block_bytes: int
    frames: int
    events: int
    first_ns: int
    last_ns: int


def record(kind: bytes, packed: bytes, document_bytes: int, time_ns: int) -> bytes:
    """One record. `packed` is the document as it is stored; an END's is not compressed."""
    head = _HEAD.pack(MARK, VERSION, kind, len(packed), document_bytes, time_ns)
    return b"".join((head, _CHECK.pack(crc32(packed, crc32(head))), packed))


def end_record(summary: Summary) -> bytes:
    """The record that ends a block."""
    return record(END, _SUMMARY.pack(*summary), _SUMMARY.size, summary.last_ns)


def head_of(data: bytes) -> Head | None:
    """The head that `data` begins with; None where that is none, or claims sizes that no record has."""
    if len(data) < HEAD_BYTES:
        return None
    mark, version, kind, packed, document, time_ns = _HEAD.unpack_from(data)
    if mark != MARK or max(packed, document) > MAX_BYTES:
        return None
    return Head(version, kind, packed, document, time_ns, _CHECK.unpack_from(data, _HEAD.size)[0])


def intact(head: bytes, packed: bytes) -> bool:
    """Whether a record is as it was written. `head` are its first HEAD_BYTES."""
    (checksum,) = _CHECK.unpack_from(head, _HEAD.size)
    return bool(crc32(packed, crc32(head[: _HEAD.size])) == checksum)


def summary_of(data: bytes) -> Summary | None:
    """What a block's last record says; None where `data` is not one, or is damaged."""
    head = head_of(data)
    if head is None or head.kind != END or len(data) != END_BYTES or head.packed_bytes != _SUMMARY.size:
        return None
    return Summary(*_SUMMARY.unpack_from(data, HEAD_BYTES)) if intact(data, data[HEAD_BYTES:]) else None
