"""Simulated hosts say so, show one instant, and are never taken for live when nobody renews them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.snapshot import Snapshot
from neurontools.sources.sysfs import marker, snapshots
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.host import read_host
from neurontools.sources.sysfs.marker import Marker, read_marker
from neurontools.sources.sysfs.source import SysfsSource
from tests.sources.trees import Tree

SAID = {
    "scenario": "opt-30b",
    "boot_id": "c0ffee",
    "time_ns": 1_800_000_123_456_789_012,
    "sequence": 4,
    "pid": os.getpid(),
    "logical_neuroncore_config": 1,
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path, "trn2.3xlarge")
    tree.mark(**SAID)
    return tree


def read(tree: Tree) -> Snapshot:
    source = SysfsSource(str(tree.root))
    try:
        return source.snapshot()
    finally:
        source.close()


def test_the_snapshot_is_of_the_tree_s_instant_and_marked(tree: Tree) -> None:
    head = read(tree).head
    assert (head.time_ns, head.boot_id) == (SAID["time_ns"], "c0ffee")
    assert (head.origin.kind, head.origin.simulated, head.origin.scenario) == ("driver", True, "opt-30b")
    assert head.origin.detail == "2.30.2.0"
    assert (head.logical_neuroncore_config, head.lnc_assumed) == (1, False)
    assert "snapshot" not in head.gaps


def test_a_tree_whose_writer_has_ended_is_not_live(tree: Tree) -> None:
    tree.mark(**SAID | {"pid": 2**22 + 1})
    assert "whoever wrote it has ended" in read(tree).head.gaps["snapshot"].reason


@given(st.binary(max_size=200))
def test_a_marker_of_nonsense_marks_all_the_same(held: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Root, "read", lambda self, path: held)
        assert isinstance(read_marker(Root("/nowhere")), Marker)


@pytest.mark.parametrize("text", ["time_ns x\n", "time_ns -5\n", f"time_ns {10**30}\n", "", "\n \n"])
def test_a_time_that_is_none(tree: Tree, text: str) -> None:
    tree.write(marker.PATH, text)
    head = read(tree).head
    assert head.origin.simulated
    assert head.time_ns < 1 << 63


def test_a_reading_waits_until_the_tree_is_whole(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers belong together: a counter, and the same number in the marker's time."""

    def renew(_: float) -> None:
        tree.count("status/success", 77)
        tree.mark(**SAID | {"sequence": 6, "time_ns": 77})

    monkeypatch.setattr("neurontools.sources.sysfs.snapshots.time.sleep", renew)
    tree.mark(**SAID | {"sequence": 5})
    snapshot = read(tree)
    assert snapshot.head.time_ns == 77
    assert (snapshot.devices[0].cores[0].status or {})["success"].total == 77


def test_a_tree_that_was_renewed_meanwhile_is_read_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def renewing(*arguments: object) -> object:
        reads.append(len(reads))
        if len(reads) < 3:
            tree.mark(**SAID | {"sequence": 4 + 2 * len(reads), "time_ns": len(reads)})
        return read_host(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshots, "read_host", renewing)
    assert (read(tree).head.time_ns, reads) == (2, [0, 1, 2])


def test_a_tree_that_is_always_being_written_is_read_and_said_to_be_torn(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_PAUSE_S", 0.0)
    tree.mark(**SAID | {"sequence": 5})
    snapshot = read(tree)
    assert snapshot.devices
    assert "being renewed whenever it was read" in snapshot.head.gaps["snapshot"].reason


@pytest.mark.slow
def test_readers_beside_a_writer_never_see_two_instants_in_one(tree: Tree) -> None:
    stop = threading.Event()

    def write() -> None:
        sequence = 4
        while not stop.is_set():
            sequence += 1
            tree.mark(**SAID | {"sequence": sequence, "time_ns": sequence // 2})
            for core in range(8):
                tree.count("status/success", (sequence + 1) // 2, core=core)
            sequence += 1
            tree.mark(**SAID | {"sequence": sequence, "time_ns": sequence // 2})
            stop.wait(0.01)

    for core in range(8):
        tree.count("status/success", 2, core=core)
    tree.mark(**SAID | {"time_ns": 2})
    thread = threading.Thread(target=write)
    thread.start()
    source = SysfsSource(str(tree.root))
    try:
        whole = 0
        for _ in range(200):
            snapshot = source.snapshot()
            if "snapshot" in snapshot.head.gaps:
                continue
            counts = {(core.status or {})["success"].total for core in snapshot.devices[0].cores}
            assert counts == {snapshot.head.time_ns}
            whole += 1
        assert whole > 20
    finally:
        stop.set()
        thread.join()
        source.close()
