"""Several recordings as one: the same frames, instants and events as the one file that they might have been."""

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.simulation import NS
from neurontools.recording import Frame, RecordingError, Series, SeveralError, files_of, recordings_in
from neurontools.schema.events import Event, Events
from tests.recording.recorded import MAP, bytes_file, troubled_frames, written

FRAMES = [frame._replace(allocations=(MAP,) if i in (5, 17) else ()) for i, frame in enumerate(troubled_frames())]
TIMES = [frame.time_ns for frame in FRAMES]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files whose names are not in the order of their times, and one that is no recording."""
    directory = tmp_path_factory.mktemp("series")
    for name, first, last in (("b", 0, 11), ("a", 11, 29), ("c", 29, 40)):
        written(directory / f"{name}.nrec", FRAMES[first:last], 7, ended=name != "c")
    bytes_file(directory / "d.nrec", b"")
    return directory


@pytest.fixture(scope="module")
def series(directory: Path) -> Series:
    return Series(recordings_in(str(directory)))


def test_all_frames_in_the_order_of_their_times(series: Series, directory: Path) -> None:
    assert list(series.frames()) == FRAMES
    assert series.span == (TIMES[0], TIMES[-1])
    assert series.damage == [f"{directory}/d.nrec: it is empty"]


@given(at=st.integers(-3, 45), first=st.integers(-2, 45), last=st.integers(-2, 45))
def test_any_instant_and_any_span(series: Series, at: int, first: int, last: int) -> None:
    at_ns, from_ns, to_ns = (TIMES[0] + each * NS // 2 for each in (at, first, last))
    until = [frame for frame in FRAMES if frame.time_ns <= at_ns]
    assert series.at(at_ns) == (until[-1] if until else None)
    assert series.before(at_ns) == max((each for each in TIMES if each < at_ns), default=None)
    assert series.after(at_ns) == min((each for each in TIMES if each > at_ns), default=None)
    assert list(series.frames(from_ns, to_ns)) == [each for each in FRAMES if from_ns <= each.time_ns <= to_ns]


@given(at=st.integers(0, 39), since=st.integers(0, 60))
def test_events_up_to_an_instant(series: Series, at: int, since: int) -> None:
    happened = [event for frame in FRAMES[: at + 1] for event in frame.events.events if event.seq > since]
    assert series.events(since, TIMES[at]) == Events(events=tuple(happened))


@given(at=st.integers(-3, 90))
def test_the_frame_with_events_after_any_instant(series: Series, at: int) -> None:
    at_ns = TIMES[0] + at * NS // 2
    later = [frame.time_ns for frame in FRAMES if frame.events.events and frame.time_ns > at_ns]
    assert series.eventful_after(at_ns) == min(later, default=None)


def test_bank_maps_are_those_of_the_last_time(series: Series) -> None:
    assert [series.allocations(1, TIMES[at]) for at in (4, 5, 16, 39)] == [None, MAP, MAP, MAP]
    assert series.allocations(0, TIMES[39]) is None


def test_events_of_another_boot_do_not_count(tmp_path: Path) -> None:
    """Numbers begin anew, and nothing is said to be lost that was of the boot before."""
    told = [(1, 2), (3,), (1, 2), (4,)]
    frames = []
    for frame, numbers in zip(FRAMES, told, strict=False):
        events = tuple(Event(seq=seq, time_ns=frame.time_ns, kind="kernel_log", text="x") for seq in numbers)
        frames.append(frame._replace(events=Events(events=events)))
    written(tmp_path / "a.nrec", frames, 2)
    with Series([str(tmp_path / "a.nrec")]) as series:
        found = [series.events(0, frame.time_ns) for frame in frames]
    assert [[event.seq for event in each.events] for each in found] == [[1, 2], [1, 2, 3], [1, 2], [1, 2, 4]]
    assert [each.lost for each in found] == [0, 0, 0, 0]


def test_events_that_were_before_the_recording_are_lost(tmp_path: Path) -> None:
    events = Events(events=(Event(seq=8, time_ns=0, kind="kernel_log", text="x"),))
    written(tmp_path / "a.nrec", [FRAMES[0]._replace(events=events)])
    with Series([str(tmp_path / "a.nrec")]) as series:
        assert [series.events(since, TIMES[0]).lost for since in (0, 5, 7, 8)] == [7, 2, 0, 0]


def test_damage_loses_the_rest_of_its_block_only(directory: Path, tmp_path: Path) -> None:
    data = bytearray((directory / "a.nrec").read_bytes())
    with Series([str(directory / "a.nrec")]) as whole:
        middle = list(whole.frames())[9].time_ns
    data[len(data) // 2] ^= 1
    with Series([str(bytes_file(tmp_path / "a.nrec", bytes(data)))]) as series:
        found = list(series.frames())
        assert 0 < 18 - len(found) <= 7
        assert len(series.damage) == 1
        shown = series.at(middle)
        assert shown is not None
        assert shown.time_ns == max(frame.time_ns for frame in found if frame.time_ns <= middle)


def test_a_file_that_its_recorder_deletes_meanwhile(tmp_path: Path) -> None:
    for name, first, last in (("a", 0, 20), ("b", 20, 40)):
        written(tmp_path / f"{name}.nrec", FRAMES[first:last])
    with Series(recordings_in(str(tmp_path))) as series:
        (tmp_path / "a.nrec").unlink()
        assert series.at(TIMES[30]) == FRAMES[30]
        assert series.at(TIMES[10]) is None
        assert list(series.frames()) == FRAMES[20:]
        assert series.damage == [f"{tmp_path}/a.nrec: No such file or directory"]


def test_threads_may_share_it(directory: Path) -> None:
    found: list[Frame | None] = []
    with Series(recordings_in(str(directory))) as series:

        def look(places: range) -> None:
            found.extend(series.at(TIMES[at]) for at in places)

        threads = [threading.Thread(target=look, args=(range(start, 40, 3),)) for start in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = sorted(frame.time_ns for frame in found if frame is not None)
    assert times == TIMES
    assert all(before < after for before, after in pairwise(times))


def test_where_there_is_no_reading(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no recording in it"):
        recordings_in(str(tmp_path))
    bytes_file(tmp_path / "a.nrec", b"hello")
    bytes_file(tmp_path / "b.nrec", b"")
    with pytest.raises(RecordingError, match="it is not a recording"):
        Series(recordings_in(str(tmp_path)))
    with pytest.raises(OSError, match="No such file"):
        Series([str(tmp_path / "c.nrec")])


def test_a_directory_stands_for_what_a_recorder_wrote_into_it_and_for_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a", "b", "below/20260105T000000Z"):
        written(tmp_path / f"{name}.nrec", FRAMES[:3])
    with pytest.raises(SeveralError, match="no recorder has written into it: name one of its 2 recordings"):
        files_of(str(tmp_path))
    own = [f"20260105T000000Z{more}.nrec" for more in ("", "-2", "-2-10s")]
    for name in (*own, "20260105T000000Z-copy.nrec", "20260105T000000Z.nrec.part"):
        written(tmp_path / name, FRAMES[:3])
    assert sorted(files_of(str(tmp_path))) == sorted(str(tmp_path / name) for name in own)
    assert files_of(str(tmp_path / "a.nrec")) == [str(tmp_path / "a.nrec")]
