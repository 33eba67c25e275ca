"""Thinning: fewer frames, each as it was, and nothing lost of what was told beside them."""

from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.simulation import NS
from neurontools.recording import Frame, Recording, Writer, create
from neurontools.recording.thinning import thin
from tests.device_model.hosts import costly
from tests.recording.recorded import MAP, bytes_file, read, troubled_frames, written

FRAMES = [frame._replace(allocations=(MAP,) if i % 9 == 0 else ()) for i, frame in enumerate(troubled_frames())]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("thinning") / "whole.nrec"
    written(path, FRAMES)
    return path


def thinned(source: Path, target: Path, step_ns: int) -> tuple[int, list[str]]:
    """Thins a file; returns after how many pauses it was done, and the damage that was met."""
    with Recording(str(source)) as recording, open(create(str(target), replace=True), "wb") as file:
        pauses = sum(1 for _ in thin(recording.passed(), Writer(file.fileno()), step_ns))
        return pauses, list(map(str, recording.damage))


def expected(step_ns: int) -> list[Frame]:
    kept = [next(frames) for _, frames in groupby(FRAMES, lambda frame: frame.time_ns // step_ns)]
    return kept if kept[-1] is FRAMES[-1] else [*kept, FRAMES[-1]]


@costly
@given(step_ns=st.integers(1, 25 * NS))
def test_the_first_of_each_step_and_the_last_of_all_stay(path: Path, step_ns: int) -> None:
    target = path.parent / "thin.nrec"
    assert thinned(path, target, step_ns) == (len(FRAMES), [])
    found, damage = read(target)
    assert damage == []
    assert [(frame.snapshot, frame.inventory) for frame in found] == [
        (frame.snapshot, frame.inventory) for frame in expected(step_ns)
    ]
    for part in ("events", "allocations"):
        told, kept = (
            [each for frame in frames for each in (frame.events.events if part == "events" else frame.allocations)]
            for frames in (FRAMES, found)
        )
        assert told == kept
    assert sum(frame.events.lost for frame in found) == sum(frame.events.lost for frame in FRAMES)


def test_command_lines_stay_as_they_were_recorded(path: Path, tmp_path: Path) -> None:
    """These were recorded with them; a copy neither drops them nor says otherwise."""
    thinned(path, tmp_path / "thin.nrec", 5 * NS)
    with Recording(str(tmp_path / "thin.nrec")) as recording:
        assert {about.command_lines for block in recording.blocks if (about := recording.about(block))} == {True}


def test_what_is_damaged_is_left_out_and_said(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    _, damage = thinned(bytes_file(tmp_path / "harmed.nrec", bytes(data)), tmp_path / "thin.nrec", 1)
    assert len(damage) == 1
    found = read(tmp_path / "thin.nrec")[0]
    assert 0 < len(FRAMES) - len(found) <= 7
    assert all(frame in FRAMES for frame in found)
