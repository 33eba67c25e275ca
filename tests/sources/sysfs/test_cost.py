"""What a reading costs: only what is looked at is read, and registers of the devices seldom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurontools.exporters.report import needed_kind
from neurontools.metrics import CATALOGUE
from neurontools.metrics.metric import REGISTER
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.sysfs import files
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.views.top.reader import lean_kind
from tests.sources.sysfs.hosts import at
from tests.sources.trees import Tree


class Opened:
    """The files that were opened or read by kept descriptors, below a root."""

    def __init__(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = f"{tree.root}/"
        self.paths: list[str] = []

        def read_short(path: str, most: int) -> bytes:
            self.paths.append(path.removeprefix(self._root))
            return Path(path).read_bytes()[:most]

        def pread(descriptor: int, most: int, offset: int) -> bytes:
            self.paths.append(os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(self._root))
            return os.pread(descriptor, most, offset)

        monkeypatch.setattr(files, "read_short", read_short)
        monkeypatch.setattr(files, "pread", pread)

    def take(self) -> set[str]:
        found, self.paths = set(self.paths), []
        return found


def test_only_what_is_looked_at_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge")
    opened = Opened(tree, monkeypatch)
    at(tree, 0)
    counts = {}
    for kind in (Snapshot, lean_kind(), needed_kind()):
        source = SysfsSource(str(tree.root))
        source.narrow(kind)
        source.snapshot()
        counts[kind] = opened.take()
        source.close()
    whole, lean, needed = counts.values()
    assert any("pe_cntrs" in path for path in whole)
    assert any("/status/" in path for path in whole)
    for paths in (lean, needed):
        assert not [path for path in paths if "pe_cntrs" in path or "/status/" in path]
        assert any("nc_time_in_use/total" in path for path in paths)
    assert any("device_mem/tensors/total" in path for path in lean)
    assert not [path for path in lean if path.endswith("tensors/peak")]
    assert not [path for path in needed if "memory_usage" in path]
    assert len(needed) < len(lean) < len(whole)


def test_the_other_files_of_a_counter_are_read_after_it_moved_and_of_memory_every_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge")
    opened = Opened(tree, monkeypatch)
    source = SysfsSource(str(tree.root))
    status, memory = "stats/status/success", "stats/memory_usage/device_mem/tensors"
    read: dict[str, list[int]] = {f"{status}/present": [], f"{memory}/peak": [], f"{status}/total": []}
    for second in range(31):
        at(tree, second)
        if second in (4, 15):
            tree.write(tree.core(f"{status}/total"), f"{second}\n")
        if second == 7:
            tree.write(tree.core(f"{memory}/total"), "7\n")
        tree.write(tree.core(f"{memory}/peak"), f"{second}\n")
        core = source.snapshot().devices[0].cores[0]
        paths = opened.take()
        for path, seconds in read.items():
            seconds += [second] * (tree.core(path) in paths)
        assert (core.memory or {})["tensors"].peak == read[f"{memory}/peak"][-1]
    source.close()
    assert read == {
        f"{status}/present": [0, 4, 15],
        f"{memory}/peak": [0, 7, 10, 20, 30],
        f"{status}/total": list(range(31)),
    }


def test_these_are_the_registers() -> None:
    """ECC is looked at every 30 s, the tensor engine's cycles only by whoever shows them: see the next tests."""
    registers = {metric.name for metric in CATALOGUE if metric.cost == REGISTER}
    assert registers == {"device_ecc_total", "core_engine_percent"}


def test_registers_are_read_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge")
    opened = Opened(tree, monkeypatch)
    source = SysfsSource(str(tree.root))
    ecc, serial, read = tree.device("stats/hardware/mem_ecc_uncorrected"), tree.device("info/serial_number"), []
    for second in (0, 1, 29, 30, 31, 59, 61):
        at(tree, second)
        source.snapshot()
        paths = opened.take()
        read.append((second, ecc in paths, serial in paths))
    assert [second for second, of_ecc, _ in read if of_ecc] == [0, 30, 61]
    assert [second for second, _, of_serial in read if of_serial] == [0]
    tree.write(tree.device("stats/hardware/health_status/hw_error_event"), "1\n")
    tree.write(ecc, "3\n")
    at(tree, 62)
    snapshot = source.snapshot()
    source.close()
    assert (snapshot.devices[0].ecc or {})["mem_ecc_uncorrected"] == 3


def test_a_register_that_fails_is_tried_ever_more_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge")
    path = tree.core("stats/tensor_engine/pe_cntrs")
    tree.write(path, "garbage\n")
    opened = Opened(tree, monkeypatch)
    source = SysfsSource(str(tree.root))
    tried = []
    for second in range(120):
        at(tree, second)
        snapshot = source.snapshot()
        tried += [second] * (path in opened.take())
        assert snapshot.devices[0].cores[0].pe_cntrs is None
        assert snapshot.devices[0].cores[1].pe_cntrs is not None
        assert "holds 'garbage'" in snapshot.head.gaps["pe_cntrs"].reason
    assert tried == [0, 10, 30, 70]
    tree.write(path, tree.path(tree.core("stats/tensor_engine/pe_cntrs", core=1)).read_text())
    at(tree, 200)
    assert source.snapshot().devices[0].cores[0].pe_cntrs is not None
    source.close()
