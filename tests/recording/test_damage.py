"""Files that are cut off, damaged or hostile: what is intact is read, the rest is told, and nothing else happens."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import COMPRESSOBJ_FLUSH_BLOCK, ZstdCompressionParameters, ZstdCompressor

from device_model.simulation import NS
from neurontools.recording import Frame, Recording, RecordingError
from neurontools.recording.records import (
    BEGIN,
    DELTA,
    END_BYTES,
    EVENTS,
    HEAD_BYTES,
    KEYFRAME,
    MARK,
    MAX_BYTES,
    VERSION,
    Summary,
    end_record,
    head_of,
    record,
)
from tests.device_model.hosts import host, server
from tests.recording.recorded import bytes_file, frames_of, read, written

FRAMES = frames_of(host(server("a", restart="1s", stop="3s"), instance="inf2.xlarge"), 10, NS)
PER_BLOCK = 4


class Whole:
    """A recording of FRAMES: its bytes, its size after each frame, and where its blocks begin and end."""

    def __init__(self, path: Path) -> None:
        self.sizes = written(path, FRAMES, PER_BLOCK)
        self.data = path.read_bytes()
        with Recording(str(path)) as recording:
            self.blocks = recording.blocks
        self.boundaries = {0}
        while (head := head_of(self.data[max(self.boundaries) :])) is not None:
            self.boundaries.add(max(self.boundaries) + head.record_bytes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The recording that every test here harms a copy of."""
    return Whole(tmp_path_factory.mktemp("whole") / "whole.nrec")


def harmed(directory: Path, data: bytes) -> tuple[list[Frame], list[str]]:
    """What is read of these bytes; nothing where they are no recording any more."""
    try:
        return read(bytes_file(directory / "harmed.nrec", data))
    except RecordingError as why:
        return [], [str(why)]


def test_a_file_cut_off_anywhere_loses_the_last_frame_at_most(whole: Whole, tmp_path: Path) -> None:
    path = bytes_file(tmp_path / "cut.nrec", whole.data)
    for size in range(len(whole.data) - 1, whole.blocks[-2].offset, -1):
        os.truncate(path, size)
        with Recording(str(path)) as recording:
            assert sum(block.frames for block in recording.blocks) == sum(end <= size for end in whole.sizes)
            told = [str(damage) for damage in recording.damage]
        assert all("the file ends inside a record" in line for line in told)
        assert bool(told) is (size not in whole.boundaries), size


@given(data=st.data())
def test_what_stands_before_a_cut_is_read(
    whole: Whole, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size = data.draw(st.integers(0, len(whole.data)))
    frames, told = harmed(tmp_path_factory.getbasetemp(), whole.data[:size])
    assert frames == FRAMES[: sum(end <= size for end in whole.sizes)]
    assert told or size in whole.boundaries


def untouched(whole: Whole, first: int, last: int) -> list[Frame]:
    """The frames of the blocks that have no byte from `first` up to `last`."""
    kept, left = [], list(FRAMES)
    for block in whole.blocks:
        frames, left = left[: block.frames], left[block.frames :]
        kept += frames if last <= block.offset or first >= block.stop else []
    return kept


def check_harm(whole: Whole, directory: Path, data: bytes, first: int, last: int) -> None:
    """Whatever was done to the bytes from `first` up to `last` of the original, only their blocks may suffer."""
    frames, told = harmed(directory, data)
    expected = untouched(whole, first, last)
    assert all(frame in frames for frame in expected)
    assert frames == [frame for frame in FRAMES if frame in frames]
    # Whole blocks can be taken out, as they can be joined, and whole records at a block's end: nothing tells.
    assert told or frames == FRAMES or whole.boundaries >= {first, last}


@given(data=st.data())
def test_flipped_bits_harm_their_block_only(
    whole: Whole, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = data.draw(st.integers(0, len(whole.data) - 1))
    bits = data.draw(st.integers(1, 255))
    flipped = whole.data[:at] + bytes([whole.data[at] ^ bits]) + whole.data[at + 1 :]
    check_harm(whole, tmp_path_factory.getbasetemp(), flipped, at, at + 1)


@given(data=st.data(), instead=st.sampled_from([b"", b"\0" * 700, MARK * 50, b"x"]))
def test_what_is_lost_or_overwritten_harms_its_blocks_only(
    whole: Whole, data: st.DataObject, instead: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = data.draw(st.integers(0, len(whole.data) - 1))
    last = data.draw(st.integers(first, min(len(whole.data), first + 3000)))
    check_harm(whole, tmp_path_factory.getbasetemp(), whole.data[:first] + instead + whole.data[last:], first, last)


@given(data=st.binary(max_size=300))
def test_no_bytes_cause_more_than_a_refusal(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    frames, told = harmed(tmp_path_factory.getbasetemp(), data)
    assert (frames, len(told)) == ([], 1)


def test_what_is_lost_is_told(whole: Whole, tmp_path: Path) -> None:
    _, second, third, *_ = whole.blocks
    passed = whole.blocks[0].frames + 1
    first_lost = whole.sizes[passed - 1]
    broken = bytearray(whole.data)
    broken[first_lost + HEAD_BYTES + 5] ^= 1
    frames, told = harmed(tmp_path, bytes(broken))
    assert frames == FRAMES[:passed] + FRAMES[passed - 1 + second.frames :]
    assert told == [
        f"{third.offset - first_lost:,} bytes from byte {first_lost:,} on: the checksum is wrong; "
        f"{second.frames - 1} frames are lost"
    ]


def test_an_instant_in_a_damaged_block_is_the_last_readable_one(whole: Whole, tmp_path: Path) -> None:
    passed = whole.blocks[0].frames + 1
    broken = bytearray(whole.data)
    broken[whole.sizes[passed - 1] + HEAD_BYTES] ^= 255
    with Recording(str(bytes_file(tmp_path / "x", bytes(broken)))) as recording:
        assert recording.at(FRAMES[passed].time_ns) == FRAMES[passed - 1]
        assert [damage.frames for damage in recording.damage] == [whole.blocks[1].frames - 1]
        assert recording.at(FRAMES[-1].time_ns) == FRAMES[-1]


def test_a_beginning_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with Recording(str(bytes_file(tmp_path / "x", Forged().add(BEGIN, b"[]").ended()))) as recording:
        assert recording.about(recording.blocks[0]) is None
        assert [damage.reason.startswith("not a readable") for damage in recording.damage] == [True]


def test_a_block_whose_beginning_is_lost_is_told(whole: Whole, tmp_path: Path) -> None:
    first, second = whole.blocks[:2]
    broken = whole.data[: second.offset] + b"\0" * 4 + whole.data[second.offset + 4 :]
    with Recording(str(bytes_file(tmp_path / "x", broken))) as recording:
        assert list(recording.frames()) == FRAMES[: first.frames] + FRAMES[first.frames + second.frames :]
        assert [damage.frames for damage in recording.damage] == [second.frames]


class Forged:
    """A block of one stream whose records need not be what a writer would write."""

    def __init__(self, window_log: int = 20) -> None:
        parameters = ZstdCompressionParameters(window_log=window_log)
        self._stream = ZstdCompressor(compression_params=parameters).compressobj()
        self.data = b""

    def add(self, kind: bytes, document: bytes, document_bytes: int | None = None) -> "Forged":
        packed = self._stream.compress(document) + self._stream.flush(COMPRESSOBJ_FLUSH_BLOCK)
        self.data += record(kind, packed, len(document) if document_bytes is None else document_bytes, 5)
        return self

    def ended(self, before: bytes = b"") -> bytes:
        data = before + self.data
        return data + end_record(Summary(len(data), 1, 0, 5, 5))


ABOUT = b'{"inventory":{"version":1,"instance_type":"a","instance_id":"b","chip":"c","neuroncore_version":"d",\
"topology":"none","logical_neuroncore_config":1,"devices":[],"origin":"model"}}'
HEAD = b'"head":{"time_ns":5,"boot_id":"b","origin":{"kind":"model"}}'
GOOD = b'{"version":1,%b}' % HEAD

Forge = Callable[[], bytes]
FORGERIES: dict[str, tuple[Forge, str]] = {
    "a bomb": (lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, bytes(MAX_BYTES), 1000).ended(), "no object of JSON"),
    "a larger bomb": (lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, GOOD, MAX_BYTES).ended(), "less than it says"),
    "a wide window": (lambda: Forged(27).add(BEGIN, ABOUT).add(KEYFRAME, GOOD).ended(), "cannot be decompressed"),
    "no stream": (
        lambda: Forged().add(KEYFRAME, GOOD).ended(record(BEGIN, b"hello", 5, 5)),
        "cannot be decompressed",
    ),
    "no beginning": (lambda: Forged().add(KEYFRAME, GOOD).ended(), "the beginning of the block is lost"),
    "no inventory": (lambda: Forged().add(BEGIN, b"{}").add(KEYFRAME, GOOD).ended(), "required field `inventory`"),
    "wrong inventory": (
        lambda: Forged().add(BEGIN, b'{"inventory":[1]}').add(KEYFRAME, GOOD).ended(),
        "not a readable inventory",
    ),
    "later inventory": (
        lambda: Forged().add(BEGIN, ABOUT.replace(b'"version":1', b'"version":2')).add(KEYFRAME, GOOD).ended(),
        "inventory has schema version 2",
    ),
    "no keyframe": (lambda: Forged().add(BEGIN, ABOUT).add(DELTA, bytes(8)).ended(), "a delta without a keyframe"),
    "a cut delta": (
        lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, GOOD).add(DELTA, b"\1" * 8).ended(),
        "not as long as it says",
    ),
    "a wild delta": (
        lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, GOOD).add(DELTA, struct.pack("<IIIq", 1, 0, 99, 1)).ended(),
        "numbers that there are not",
    ),
    "a snapshot of another kind": (
        lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, b'{"version":1}').ended(),
        "required field `head`",
    ),
    "a later snapshot": (
        lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, b'{"version":9,%b}' % HEAD).ended(),
        "snapshot has schema version 9",
    ),
    "deep nesting": (
        lambda: Forged().add(BEGIN, ABOUT).add(KEYFRAME, b'{"a":' + b"[" * 100_000 + b"}").ended(),
        "recursion",
    ),
    "wrong events": (
        lambda: Forged().add(BEGIN, ABOUT).add(EVENTS, b"[]").add(KEYFRAME, GOOD).ended(),
        "not a readable events",
    ),
}


def test_what_is_forged_well_is_read(tmp_path: Path) -> None:
    frames, told = harmed(tmp_path, Forged().add(BEGIN, ABOUT).add(KEYFRAME, GOOD).ended())
    assert ([frame.time_ns for frame in frames], told) == ([5], [])


def test_records_of_unknown_kinds_are_passed_over(tmp_path: Path) -> None:
    forged = Forged().add(BEGIN, ABOUT).add(b"Y", b"a" * 999).add(KEYFRAME, GOOD).add(b"Z", b"[]").add(DELTA, bytes(8))
    frames, told = harmed(tmp_path, forged.ended())
    assert ([frame.time_ns for frame in frames], told) == ([5, 5], [])
    with Recording(str(bytes_file(tmp_path / "unended", forged.data))) as recording:
        assert ([block.frames for block in recording.blocks], recording.damage) == ([2], [])


def test_a_file_that_shrinks_while_it_is_read(whole: Whole, tmp_path: Path) -> None:
    path = bytes_file(tmp_path / "x", whole.data)
    with Recording(str(path)) as recording:
        os.truncate(path, whole.blocks[1].offset + 9)
        assert list(recording.frames()) == FRAMES[: whole.blocks[0].frames]
        assert [damage.frames for damage in recording.damage] == [block.frames for block in whole.blocks[1:]]


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_block_is_told_and_not_believed(name: str, whole: Whole, tmp_path: Path) -> None:
    forge, reason = FORGERIES[name]
    frames, told = harmed(tmp_path, whole.data + forge() + whole.data)
    assert [frame for frame in frames if frame.time_ns != 5] == FRAMES * 2
    assert [reason in line for line in told] == [True], told


def test_a_document_too_large_to_be_meant_is_no_record() -> None:
    assert head_of(record(KEYFRAME, b"", MAX_BYTES, 0)) is not None
    assert head_of(record(KEYFRAME, b"", MAX_BYTES + 1, 0)) is None


def test_a_later_version_is_refused_by_name(whole: Whole, tmp_path: Path) -> None:
    later = bytearray(Forged().add(BEGIN, ABOUT).data)
    later[len(MARK)] = VERSION + 1
    head, packed = bytes(later[: HEAD_BYTES - 4]), bytes(later[HEAD_BYTES:])
    data = head + struct.pack("<I", crc32(packed, crc32(head))) + packed
    with pytest.raises(RecordingError, match="version 2 of the format, this release reads up to 1"):
        Recording(str(bytes_file(tmp_path / "x", data)))
    frames, told = harmed(tmp_path, whole.data + data)
    assert frames == FRAMES
    assert ["version 2 of the format" in line for line in told] == [True]


def test_a_false_summary_is_not_believed(whole: Whole, tmp_path: Path) -> None:
    for summary in (Summary(0, 1, 0, 5, 5), Summary(1 << 40, 1, 0, 5, 5), Summary(3, 9, 0, 5, 5)):
        frames, told = harmed(tmp_path, whole.data + end_record(summary))
        assert frames == FRAMES
        assert told
    assert len(end_record(Summary(1, 1, 1, 1, 1))) == END_BYTES
