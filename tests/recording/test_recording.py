"""Recordings of whole frames: what is written is read, at any instant, and it is nobody else's business."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.simulation import NS
from neurontools.recording import Frame, Recording, RecordingError, Writer, create
from neurontools.recording.frames import program, without_arguments
from tests.device_model.hosts import host, server
from tests.recording.recorded import (
    TEXTS,
    bytes_file,
    frame_series,
    frames_of,
    inventory,
    read,
    troubled_frames,
    written,
)


@pytest.fixture(scope="module")
def troubled() -> list[Frame]:
    """A run with faults."""
    return troubled_frames()


@given(frames=frame_series(), frames_per_block=st.integers(1, 4), ended=st.booleans())
def test_any_frames_come_back(
    frames: list[Frame], frames_per_block: int, ended: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.nrec"
    written(path, frames, frames_per_block, ended)
    assert read(path) == (frames, [])


def test_a_run_with_faults_comes_back(troubled: list[Frame], tmp_path: Path) -> None:
    assert len({frame.inventory for frame in troubled}) > 2
    assert sum(len(frame.events.events) for frame in troubled) > 10
    written(tmp_path / "a.nrec", troubled)
    assert read(tmp_path / "a.nrec") == (troubled, [])


def test_a_recording_keeps_its_mark(troubled: list[Frame], tmp_path: Path) -> None:
    written(tmp_path / "a.nrec", troubled)
    for frame in read(tmp_path / "a.nrec")[0]:
        assert frame.inventory.simulated
        assert (frame.snapshot.head.origin.simulated, frame.snapshot.head.origin.scenario) == (True, "test")


def test_every_instant_is_found(troubled: list[Frame], tmp_path: Path) -> None:
    written(tmp_path / "a.nrec", troubled)
    times = [frame.time_ns for frame in troubled]
    with Recording(str(tmp_path / "a.nrec")) as recording:
        assert recording.at(times[0] - 1) is None
        for time_ns in [*times, *(time_ns + 1 for time_ns in times), times[-1] + 3600 * NS]:
            expected = [frame for frame in troubled if frame.time_ns <= time_ns][-1]
            found = recording.at(time_ns)
            assert found is not None
            assert found == expected


@given(first=st.integers(-2, 45), last=st.integers(-2, 45))
def test_a_span_is_the_frames_in_it(
    troubled: list[Frame], tmp_path_factory: pytest.TempPathFactory, first: int, last: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "span.nrec"
    if not path.exists():
        written(path, troubled)
    from_ns, to_ns = (troubled[0].time_ns + each * NS // 2 for each in (first, last))
    with Recording(str(path)) as recording:
        found = list(recording.frames(from_ns, to_ns))
    assert found == [frame for frame in troubled if from_ns <= frame.time_ns <= to_ns]


def test_blocks_tell_what_is_in_them(troubled: list[Frame], tmp_path: Path) -> None:
    written(tmp_path / "a.nrec", troubled)
    with Recording(str(tmp_path / "a.nrec")) as recording:
        blocks = recording.blocks
        assert sum(block.frames for block in blocks) == len(troubled)
        assert sum(block.events or 0 for block in blocks) == sum(len(frame.events.events) for frame in troubled)
        assert blocks[0].first_ns == troubled[0].time_ns
        assert blocks[-1].last_ns == troubled[-1].time_ns
        assert [block.offset for block in blocks[1:]] == [block.stop for block in blocks[:-1]]
        about = [recording.about(block) for block in blocks]
        assert all(each is not None and each.command_lines for each in about)


def test_recordings_can_be_joined(troubled: list[Frame], tmp_path: Path) -> None:
    """A recording is a row of blocks and nothing else: one file after the other is a recording."""
    for name, frames in (("a", troubled[:9]), ("b", troubled[9:])):
        written(tmp_path / name, frames)
    joined = bytes_file(tmp_path / "ab", (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    assert read(joined) == (troubled, [])


def test_a_recording_can_be_continued(troubled: list[Frame], tmp_path: Path) -> None:
    path = tmp_path / "a.nrec"
    written(path, troubled[:9])
    fd = os.open(path, os.O_RDWR)
    writer = Writer(fd, command_lines=True)
    for frame in troubled[9:]:
        writer.write(frame)
    writer.end_block()
    os.close(fd)
    assert read(path) == (troubled, [])


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.nrec"
    path.write_text("another's")
    path.chmod(0o666)
    with pytest.raises(FileExistsError):
        create(str(path))
    assert path.read_text() == "another's"
    os.close(create(str(path), replace=True))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""
    with pytest.raises(OSError, match="not a file"):
        create(str(tmp_path), replace=True)


def test_command_lines_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    model = host(server("a", command="python serve.py --token hunter2", restart="1s"))
    model.advance(model.now_ns + NS)
    model.signal(model.snapshot().processes[0].pid, 9)  # type: ignore[index]
    frames = frames_of(model, 4)
    path = tmp_path / "a.nrec"
    fd = create(str(path))
    writer = Writer(fd)
    for frame in frames:
        writer.write(frame)
    os.close(fd)
    found, _ = read(path)
    assert found == [without_arguments(frame) for frame in frames]
    shown = repr(found)
    assert "hunter2" in repr(frames)
    assert "hunter2" not in shown
    assert "python: killed by SIGKILL" in shown
    assert {process.command for frame in found for process in frame.snapshot.processes or ()} == {"python"}
    assert {holder.command for frame in found for device in frame.inventory.devices for holder in device.holders} == {
        "python"
    }


def test_a_frame_that_did_not_fit_leaves_no_trace(
    troubled: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in the middle of a frame, and has room again for the next."""
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return write(fd, data[: len(data) // 2])

    path = tmp_path / "a.nrec"
    fd = create(str(path))
    writer = Writer(fd, command_lines=True, frames_per_block=5)
    for number, frame in enumerate(troubled):
        with monkeypatch.context() as patched:
            if number % 4 == 3:
                patched.setattr(os, "write", full)
                with pytest.raises(OSError, match="No space"):
                    writer.write(frame)
            else:
                writer.write(frame)
    writer.end_block()
    os.close(fd)
    assert read(path) == ([frame for number, frame in enumerate(troubled) if number % 4 != 3], [])


@given(TEXTS)
def test_a_program_is_the_first_word(command: str) -> None:
    assert program(command) == (command.split() or [""])[0]
    assert without_arguments(Frame(troubled_frames(1)[0].snapshot, inventory(1, command))).inventory == inventory(
        1, program(command)
    )


@pytest.mark.parametrize(("content", "reason"), [(b"", "it is empty"), (b"hello\n" * 99, "it is not a recording")])
def test_another_file_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=reason):
        Recording(str(bytes_file(tmp_path / "x", content)))


def test_a_pipe_is_refused_at_once_and_is_not_said_to_be_empty(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.mkfifo(tmp_path / "fifo")
    try:
        os.write(writer, b"NREC")
        for path in (f"/dev/fd/{reader}", str(tmp_path / "fifo"), "/dev/zero"):
            with pytest.raises(OSError, match="it is no file, and a recording is read out of order"):
                Recording(path)
    finally:
        os.close(reader)
        os.close(writer)
