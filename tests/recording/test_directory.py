"""A recorder's directory: what is in it after days, after kills and full disks, and that it has one recorder."""

import errno
import os
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from device_model.simulation import NS
from neurontools.recording import Frame, Series, files_of
from neurontools.recording.directory import FULL_RATE_NS, SEGMENT_NS, THINNED_STEP_NS, Directory, Limits, LockedError
from tests.device_model.hosts import host
from tests.recording.recorded import bytes_file, frame_of, written

FRAME = frame_of(host(instance="inf2.xlarge"))
EPOCH_NS = FRAME.time_ns
HOUR_NS, DAY_NS = 3600 * NS, 86_400 * NS
WEEK = Limits(7 * DAY_NS, 10**9)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of times is too often on a machine with other work."""
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    monkeypatch.setattr(os, "fsync", lambda fd: None)


def frame_at(at_ns: int) -> Frame:
    """An idle host so long after its start."""
    snapshot = FRAME.snapshot
    return FRAME._replace(snapshot=replace(snapshot, head=replace(snapshot.head, time_ns=EPOCH_NS + at_ns)))


def fill(directory: Directory, first_ns: int, last_ns: int, step_ns: int) -> list[int]:
    """Frames at even steps, the last one included; returns their times."""
    times = list(range(first_ns, last_ns + 1, step_ns))
    for at_ns in times:
        directory.write(frame_at(at_ns))
    return times


def recorded(path: Path) -> list[int]:
    """The times of the readings in a directory, from its host's start on."""
    with Series(files_of(str(path))) as series:
        assert series.damage == []
        return [frame.time_ns - EPOCH_NS for frame in series.frames()]


def always() -> bool:
    return True


def test_a_segment_is_an_hour(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "new" / "dir"), WEEK)
    times = fill(directory, 0, 3 * SEGMENT_NS, 60 * NS)
    directory.close()
    directory.close()
    names = sorted(os.listdir(tmp_path / "new" / "dir"))
    assert names == [".lock", *(f"20260105T0{hour}0000Z.nrec" for hour in range(4))]
    assert recorded(tmp_path / "new" / "dir") == times
    modes = {stat.S_IMODE((tmp_path / "new" / "dir" / name).stat().st_mode) for name in names}
    assert (modes, stat.S_IMODE((tmp_path / "new" / "dir").stat().st_mode)) == ({0o600}, 0o700)


def test_what_is_older_than_a_day_is_thinned(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), WEEK)
    dense = fill(directory, 0, 600 * NS, 2 * NS)
    sparse = fill(directory, HOUR_NS, DAY_NS, HOUR_NS)
    directory.tidy(always)
    assert recorded(tmp_path) == [*dense, *sparse], "nothing is older than a day"
    last = DAY_NS + 601 * NS
    directory.write(frame_at(last))
    before = directory.bytes
    calls = iter(range(100))
    directory.tidy(lambda: next(calls) < 50)
    assert recorded(tmp_path) == [*dense, *sparse, last], "so far a part of the copy is made"
    directory.tidy(always)
    thin = [at_ns for at_ns in dense if at_ns % THINNED_STEP_NS == 0]
    assert recorded(tmp_path) == [*thin, *sparse, last]
    assert directory.bytes < before
    directory.tidy(always)
    directory.close()
    assert sorted(os.listdir(tmp_path))[1] == "20260105T000000Z-10s.nrec"
    assert FULL_RATE_NS == DAY_NS


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), Limits(5 * HOUR_NS, 10**9))
    times = fill(directory, 0, 20 * HOUR_NS, 600 * NS)
    directory.close()
    kept = recorded(tmp_path)
    assert kept == times[-len(kept) :]
    # A segment goes when all of it is too old.
    assert 5 * HOUR_NS <= kept[-1] - kept[0] <= 7 * HOUR_NS


def test_what_is_too_much_goes(tmp_path: Path) -> None:
    (tmp_path / "mine.nrec").write_bytes(b"x" * 1000)
    directory = Directory(str(tmp_path), Limits(DAY_NS, 32_000))
    times = fill(directory, 0, HOUR_NS, 3 * NS)
    assert 28_000 < directory.bytes <= 32_000
    directory.close()
    assert len(list(tmp_path.glob("2026*.nrec"))) >= 15
    assert (tmp_path / "mine.nrec").stat().st_size == 1000, "others' files are not its own"
    (tmp_path / "mine.nrec").unlink()
    kept = recorded(tmp_path)
    assert kept == times[-len(kept) :]
    assert len(kept) > 100


def test_a_next_recorder_goes_on(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), WEEK)
    first = fill(directory, 0, 600 * NS, 2 * NS)
    directory.close()
    (tmp_path / "20260105T000000Z-10s.nrec.part").write_bytes(b"half")
    again = Directory(str(tmp_path), Limits(2 * DAY_NS, 10**9))
    assert not list(tmp_path.glob("*.part"))
    second = fill(again, DAY_NS + HOUR_NS, DAY_NS + HOUR_NS, NS)
    again.tidy(always)
    thin = [at_ns for at_ns in first if at_ns % THINNED_STEP_NS == 0]
    assert recorded(tmp_path) == [*thin, *second]
    fill(again, 3 * DAY_NS, 3 * DAY_NS, NS)
    assert recorded(tmp_path) == [*second, 3 * DAY_NS]
    again.close()


def test_one_that_was_killed_between_copy_and_removal(tmp_path: Path) -> None:
    for name, step_ns in (("20260105T000000Z", NS), ("20260105T000000Z-10s", 10 * NS)):
        written(tmp_path / f"{name}.nrec", [frame_at(at_ns) for at_ns in range(0, 60 * NS, step_ns)])
    Directory(str(tmp_path), WEEK).close()
    assert recorded(tmp_path) == list(range(0, 60 * NS, 10 * NS))


def test_one_recorder_at_a_time(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), WEEK)
    with pytest.raises(LockedError, match=f"another recorder writes there, pid {os.getpid()}"):
        Directory(str(tmp_path), WEEK)
    directory.close()
    Directory(str(tmp_path), WEEK).close()


def test_a_clock_that_is_set_back_begins_another_segment(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), WEEK)
    for at_ns in (0, 10 * NS, 0, 5 * NS, 0):
        directory.write(frame_at(at_ns))
    directory.close()
    assert [path.name for path in sorted(tmp_path.glob("*.nrec"))] == [
        "20260105T000000Z-2.nrec",
        "20260105T000000Z-3.nrec",
        "20260105T000000Z.nrec",
    ]


def test_a_file_that_somebody_removes(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), WEEK)
    fill(directory, 0, 5 * NS, NS)
    next(tmp_path.glob("*.nrec")).unlink()
    later = fill(directory, 6 * NS, 9 * NS, NS)
    directory.close()
    assert recorded(tmp_path) == later


def failing(call: Callable[..., int], allowed: int, code: int) -> Callable[..., int]:
    """A call of the system that fails for want of room when it has written so many bytes."""
    left = allowed

    def limited(fd: int, data: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(code, os.strerror(code))
        done = call(fd, data[:left])
        left -= done
        return done

    return limited


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("room", [0, 100, 700])
def test_a_disk_that_is_full_loses_only_what_had_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, room: int
) -> None:
    directory = Directory(str(tmp_path), WEEK)
    kept = fill(directory, 0, 3 * NS, NS)
    with monkeypatch.context() as full:
        full.setattr(os, "write", failing(os.write, room, code))
        for at_ns in range(4 * NS, 40 * NS, NS):
            try:
                directory.write(frame_at(at_ns))
            except OSError as error:
                assert error.errno == code
            else:
                kept.append(at_ns)
        assert kept[-1] < 39 * NS
        assert recorded(tmp_path) == kept
    kept += fill(directory, 50 * NS, 60 * NS, NS)
    directory.close()
    assert recorded(tmp_path) == kept


def test_without_room_nothing_is_thinned_and_nothing_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    directory = Directory(str(tmp_path), WEEK, say=said.append)
    times = fill(directory, 0, 120 * NS, 2 * NS) + fill(directory, 2 * DAY_NS, 2 * DAY_NS, NS)
    monkeypatch.setattr(os, "write", failing(os.write, 300, errno.ENOSPC))
    directory.tidy(always)
    assert recorded(tmp_path) == times
    assert said == [f"cannot thin {tmp_path}/20260105T000000Z.nrec: No space left on device"]
    assert not list(tmp_path.glob("*.part"))


def test_every_frame_is_on_the_disk_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    directory = Directory(str(tmp_path), WEEK)
    sizes = []
    for at_ns in range(0, 40 * NS, NS):
        directory.write(frame_at(at_ns))
        sizes.append(directory.bytes)
    assert synced == sizes
    directory.close()


def test_a_segment_that_is_no_recording_goes_with_its_age(tmp_path: Path) -> None:
    bytes_file(tmp_path / "20250101T000000Z.nrec", b"damaged")
    os.utime(tmp_path / "20250101T000000Z.nrec", ns=(EPOCH_NS - DAY_NS, EPOCH_NS - DAY_NS))
    directory = Directory(str(tmp_path), Limits(2 * DAY_NS, 10**9))
    fill(directory, 0, 0, NS)
    assert (tmp_path / "20250101T000000Z.nrec").exists()
    fill(directory, 2 * DAY_NS, 2 * DAY_NS, NS)
    assert not (tmp_path / "20250101T000000Z.nrec").exists()
    directory.close()


@pytest.mark.nightly
def test_eight_days_at_a_reading_a_second(tmp_path: Path) -> None:
    """A day is there in full, before it every tenth reading, and nothing older than a week and an hour."""
    directory = Directory(str(tmp_path), WEEK)
    for hour in range(8 * 24):
        fill(directory, hour * HOUR_NS, (hour + 1) * HOUR_NS - NS, NS)
        directory.tidy(always)
        if hour % 24 == 23:
            now_ns = (hour + 1) * HOUR_NS - NS
            found = recorded(tmp_path)
            full = [at_ns for at_ns in found if at_ns >= now_ns - FULL_RATE_NS]
            older = found[: len(found) - len(full)]
            assert full == list(range(full[0], now_ns + 1, NS))
            assert {b - a for a, b in pairwise(older)} <= {NS, THINNED_STEP_NS, THINNED_STEP_NS - NS}
            assert len(older) <= 1.01 * (7 * DAY_NS + HOUR_NS - FULL_RATE_NS) // THINNED_STEP_NS + 3600
            assert found[0] >= now_ns - 7 * DAY_NS - HOUR_NS
    directory.close()
