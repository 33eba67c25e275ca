"""The replay source: what was recorded, at the pace of a clock, and never taken for what is now."""

import os
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from device_model.simulation import NS
from neurontools.recording import RECORDING, Frame, Series, replayed
from neurontools.schema.source import Replaying, SourceError, playback
from neurontools.sources.choose import SpecError, choose
from neurontools.sources.replay import DAMAGE, ReplaySource
from neurontools.sources.sampling import Sampler
from tests.device_model.hosts import costly
from tests.recording.recorded import MAP, bytes_file, troubled_frames, written
from tests.recording.test_player import Clock

TROUBLED = troubled_frames()
FRAMES = [
    *TROUBLED[:20],
    TROUBLED[20]._replace(allocations=(MAP,)),
    *(
        frame._replace(snapshot=replace(frame.snapshot, head=replace(frame.snapshot.head, boot_id="later")))
        for frame in TROUBLED[21:]
    ),
]
TIMES = [frame.time_ns for frame in FRAMES]
BOOTED_AT = 21


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a host that is booted half-way."""
    path = tmp_path_factory.mktemp("replay") / "a@b.nrec"
    written(path, FRAMES)
    return path


def replay(path: Path, at_ns: int | None = None) -> tuple[ReplaySource, Clock]:
    clock = Clock()
    return ReplaySource(Series([str(path)]), at_ns, "a.nrec", clock), clock


@costly
@given(at=st.integers(0, 39), age_ns=st.sampled_from([0, 1, NS, 3 * NS]))
def test_an_instant_is_what_was_recorded_of_it(path: Path, at: int, age_ns: int) -> None:
    source, _ = replay(path, TIMES[at] + NS // 3 if at < 39 else TIMES[at])
    frame = replayed(FRAMES[at])
    assert source.snapshot() == frame.snapshot
    assert source.inventory() == frame.inventory
    assert source.snapshot().head.origin.kind == source.inventory().origin == RECORDING
    boot = range(0, BOOTED_AT) if at < BOOTED_AT else range(BOOTED_AT, 40)
    older = [each for each in boot if TIMES[at] - TIMES[each] >= max(age_ns, 1)]
    past = source.past(age_ns)
    assert past == (replayed(FRAMES[older[-1]]).snapshot if older else None)
    assert all(event.time_ns <= TIMES[at] for event in source.events().events)
    source.close()


def test_it_plays_from_its_first_reading_on_at_the_pace_of_the_clock(path: Path) -> None:
    source, clock = replay(path, TIMES[3])
    clock.now_ns += 100 * NS
    for each in FRAMES[3:]:
        assert source.snapshot() == replayed(each).snapshot
        clock.now_ns += NS // 2
    clock.now_ns += NS
    assert source.snapshot() == replayed(FRAMES[-1]).snapshot, "the last reading stands for a while"
    clock.now_ns += NS
    with pytest.raises(SourceError, match=r"the recording ends at 2026-01-05T00:00:19\.5Z"):
        source.snapshot()
    source.playback.seek(TIMES[5])
    assert source.snapshot() == replayed(FRAMES[5]).snapshot


def test_without_an_instant_the_first_figures_come_at_once(path: Path) -> None:
    source, _ = replay(path)
    sampler = Sampler(source)
    assert sampler.take().head.time_ns == TIMES[1]
    assert sampler.interval().duration_ns == TIMES[1] - TIMES[0]


def test_a_sampler_begins_anew_where_the_replay_was_set_back(path: Path) -> None:
    source, _ = replay(path, TIMES[9])
    sampler = Sampler(source)
    sampler.take()
    source.playback.seek(TIMES[6])
    assert sampler.take().head.time_ns == TIMES[6]
    assert sampler.interval().duration_ns == NS


def test_a_source_that_is_no_replay_is_not_moved(path: Path) -> None:
    source, _ = replay(path, TIMES[9])
    assert isinstance(source, Replaying)
    assert playback(source) is source.playback
    assert playback(choose("model:/nowhere", {})) is None
    source.close()


def test_bank_maps_are_there_where_one_was_recorded(path: Path) -> None:
    source, _ = replay(path, TIMES[20])
    assert source.allocations(1) == MAP
    with pytest.raises(SourceError, match="no bank map of device 0 was recorded in the hour before"):
        source.allocations(0)


@pytest.mark.parametrize(("step_ns", "gap_ns"), [(NS, 3 * 3600 * NS), (10 * NS, 120 * NS), (600 * NS, 7200 * NS)])
def test_times_without_readings_are_passed_over(tmp_path: Path, step_ns: int, gap_ns: int) -> None:
    """But not those from one reading to the next, however long they are."""
    frame = TROUBLED[0]
    times = [step_ns * i for i in range(4)] + [step_ns * 3 + gap_ns + step_ns * i for i in range(3)]
    frames = [
        frame._replace(snapshot=replace(frame.snapshot, head=replace(frame.snapshot.head, time_ns=at_ns)))
        for at_ns in times
    ]
    written(tmp_path / "a.nrec", frames)
    source, clock = replay(tmp_path / "a.nrec", 0)
    seen = []
    for _ in range(40):
        seen.append(source.snapshot().head.time_ns)
        clock.now_ns += step_ns // 4
        if source.playback.position_ns == times[-1]:
            break
    assert sorted(set(seen)) == times[:-1]
    assert source.playback.jumps == 1


def test_damage_is_a_gap_in_every_reading(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    source, _ = replay(bytes_file(tmp_path / "a.nrec", bytes(data)), TIMES[39])
    assert DAMAGE not in source.snapshot().head.gaps
    source.playback.seek(TIMES[19])
    source.snapshot()
    source.playback.seek(TIMES[39])
    assert "the checksum is wrong" in source.snapshot().head.gaps[DAMAGE].reason


def test_a_file_that_cannot_be_read_is_a_source_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = replay(path, TIMES[3])

    def failing(fd: int, count: int, offset: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", failing)
    for call in (source.snapshot, source.inventory, source.past, source.events, lambda: source.allocations(0)):
        with pytest.raises(SourceError, match=r"cannot read a\.nrec: Input/output error"):
            call()


@pytest.mark.parametrize(
    ("instant", "expected"),
    [("", TIMES[1]), ("@-0s", TIMES[39]), ("@-2s", TIMES[35]), ("@2s", TIMES[4]), ("@2026-01-05T00:00:05Z", TIMES[10])],
)
def test_the_instant_stands_behind_the_path(path: Path, instant: str, expected: int) -> None:
    (recorded := path.parent / "recorded").mkdir(exist_ok=True)
    copyfile(path, recorded / "20260105T000000Z.nrec")
    for named in (path, recorded):
        source = choose(f"replay:{named}{instant}", {})
        assert isinstance(source, ReplaySource)
        assert source.playback.position_ns == expected
        assert source.about.startswith(f"REPLAY of {named} from 2026-01-05T00:00:")
        source.close()


@pytest.mark.parametrize(
    ("named", "kind", "reason"),
    [
        ("{path}@noon", SpecError, "after @ stands -10m (before the end), 10m (after the start)"),
        ("{path}@-1h", SourceError, "there is nothing at 2026-01-04T23:00:19.5Z in"),
        ("/x/y.nrec@-1s", SourceError, "cannot read /x/y.nrec: No such file or directory"),
        ("/dev/null", SourceError, "cannot read /dev/null: it is no file"),
        ("{path.parent}", SourceError, "no recorder has written into it: name its recording"),
    ],
)
def test_what_cannot_be_replayed(path: Path, named: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as caught:
        choose(f"replay:{named.format(path=path)}", {})
    assert reason.format(path=path) in str(caught.value)


@pytest.mark.parametrize(("named", "hinted"), [("none.nrec", True), ("file/x.nrec", False)])
def test_who_has_a_recording_is_not_told_to_make_one(tmp_path: Path, named: str, hinted: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError) as caught:
        choose(f"replay:{tmp_path / named}", {})
    assert caught.value.hint.startswith("make one with: ") == hinted


def test_a_real_host_keeps_no_name_by_which_it_could_be_taken_for_one() -> None:
    frame = frame_of_a_real_host()
    found = replayed(frame).inventory
    assert found.instance_id == "i-00000000000000000"
    assert found.instance_name == "replay:i-0123456789abcdef0"
    assert {found.region, found.availability_zone, found.availability_zone_id} == {"replay"}


def frame_of_a_real_host() -> Frame:
    frame = TROUBLED[0]
    head = frame.snapshot.head
    origin = replace(head.origin, kind="driver", simulated=False, scenario=None)
    return frame._replace(
        snapshot=replace(frame.snapshot, head=replace(head, origin=origin)),
        inventory=frame.inventory._replace(
            instance_id="i-0123456789abcdef0",
            instance_name="",
            region="us-east-1",
            availability_zone="us-east-1a",
            origin="driver",
            simulated=False,
            scenario=None,
        ),
    )
