"""The ring: what was kept comes back exactly, in bounded memory, and its bytes are a recording."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.simulation import NS
from neurontools.recording import Frame
from neurontools.recording.ring import MOST_BYTES, Ring
from neurontools.schema.snapshot import Head, Origin, Snapshot
from neurontools.views.top.reader import lean
from tests.recording.recorded import bytes_file, inventory, read, troubled_frames
from tests.views.top.hosts import Host

FRAMES = troubled_frames(70)
"""Inventories change on the way."""
TIMES = [frame.time_ns for frame in FRAMES]
IDLE = inventory(1, "python")


def empty(second: int) -> Frame:
    return Frame(Snapshot(head=Head(time_ns=second * NS, boot_id="boot", origin=Origin(kind="model"))), IDLE)


@pytest.fixture(scope="module")
def ring() -> Ring:
    ring = Ring()
    for frame in FRAMES:
        ring.add(frame)
    return ring


@given(place=st.integers(-1, 69), later_ns=st.sampled_from([0, 1, NS // 2 - 1]))
def test_what_was_kept_can_be_gone_back_to_exactly(ring: Ring, place: int, later_ns: int) -> None:
    at_ns = (TIMES[place] if place >= 0 else TIMES[0] - NS) + later_ns
    assert ring.pair(at_ns) == ((FRAMES[place - 1], FRAMES[place]) if place > 0 else None)
    assert ring.first_ns == TIMES[0]


def test_its_bytes_are_a_recording(ring: Ring, tmp_path: Path) -> None:
    data = b"".join(bytes(block.data) for block in ring._blocks)
    assert len(data) == ring.size
    assert read(bytes_file(tmp_path / "ring.nrec", data)) == (FRAMES, [])


def test_an_hour_of_128_cores_fits() -> None:
    host = Host("opt-30b", "trn2.48xlarge", step_s=1)
    ring = Ring()
    for _ in range(70):
        ring.add(Frame(lean(host.snapshot()), IDLE))
    assert ring.size / 70 * 3600 < MOST_BYTES


@given(most_bytes=st.integers(20_000, 60_000), step_s=st.sampled_from([1, 2, 7, 30]))
def test_the_oldest_is_thinned_and_goes_when_there_is_no_more_room(most_bytes: int, step_s: int) -> None:
    ring = Ring(most_bytes=most_bytes)
    for number in range(1000):
        ring.add(empty(number * step_s))
        assert ring.size <= most_bytes or len(ring._blocks) == 1
    times = ring.times
    steps = [(after - before) // NS for before, after in pairwise(times)]
    # The younger ones are all there, the older ones at least every ten seconds or so; from each one can go one back.
    assert steps[-20:] == [step_s] * 20
    assert max(steps) <= max(10, step_s) + step_s
    for before, after in pairwise(times):
        assert ring.pair(after) == (empty(before // NS), empty(after // NS))
    assert ring.pair(times[0]) is None


def test_a_thinned_ring_reaches_further_back() -> None:
    host = Host("two-tenants", "trn2.48xlarge", step_s=1)
    frames = [Frame(lean(host.snapshot()), IDLE) for _ in range(240)]
    whole = Ring()
    for frame in frames:
        whole.add(frame)
    small = Ring(whole.size // 2)
    for frame in frames:
        small.add(frame)
    assert small.size <= whole.size // 2
    assert small.first_ns == frames[0].time_ns
    kept = {frame.time_ns: frame for frame in frames}
    assert all(small.pair(after) == (kept[before], kept[after]) for before, after in pairwise(small.times))
    assert small.times[-40:] == whole.times[-40:]


def test_what_is_too_old_is_forgotten() -> None:
    ring = Ring(most_bytes=20_000)
    for second in range(2000):
        ring.add(empty(second))
    assert ring.first_ns is not None
    assert ring.first_ns > 0
    ring.forget_before(1990 * NS)
    assert ring.first_ns is not None
    assert 1940 * NS < ring.first_ns <= 1990 * NS
    ring.clear()
    assert ring.size == 0
    assert ring.first_ns is None
    assert ring.pair(1999 * NS) is None


def test_time_does_not_go_back() -> None:
    ring = Ring()
    for second in (1, 3, 2, 3, 4):
        ring.add(empty(second))
    assert ring.pair(9 * NS) == (empty(3), empty(4))
    assert ring.pair(3 * NS) == (empty(1), empty(3))


def test_another_inventory_begins_another_block() -> None:
    ring = Ring()
    frames = [empty(second)._replace(inventory=inventory(second % 3, "x")) for second in range(5)]
    for frame in frames:
        ring.add(frame)
    assert [ring.pair(second * NS) for second in range(1, 5)] == list(pairwise(frames))
