"""Snapshots of a host's files: each number in its field, and for each that is missing the reason."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.driver import (
    CORE_MEMORY,
    ECC_COUNTERS,
    HEALTH_FILES,
    HOST_MEMORY,
    OLDER_STATUS_NAMES,
    OTHER_INFO,
    STATUS_NAMES,
    attributes,
    version_tuple,
)
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Counter, MemoryUse, PeRow, Power, Snapshot
from neurontools.schema.source import SourceError
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.units import NS_PER_S
from tests.sources.sysfs.hosts import at, field_of, snapshot_of
from tests.sources.trees import BOOT_ID, DRIVERS, SERIAL, Tree, value_of

HOSTS = ("inf1.xlarge", "inf2.xlarge", "trn1.2xlarge", "trn2.3xlarge", "trn3.48xlarge")
TREES = [
    (instance, version)
    for instance in HOSTS
    for version in DRIVERS
    if (instance[:4] != "inf1" or version < "2.25") and (instance[:4] != "trn3" or version >= "2.25")
]


class Seen(NamedTuple):
    """A host and what a first reading of it gave."""

    tree: Tree
    version: tuple[int, ...]
    snapshot: Snapshot


@pytest.fixture(scope="module", params=TREES, ids="-".join)
def seen(request: pytest.FixtureRequest, module_path: Path) -> Seen:
    instance, version = request.param
    tree = Tree(module_path / f"{instance}-{version}", instance, version, devices=1)
    return Seen(tree, version_tuple(version), snapshot_of(tree))


def test_every_counter_of_the_table_is_in_its_field(seen: Seen) -> None:
    tree, version, snapshot = seen
    live = version >= (2, 30, 2)
    count = 0
    for attribute in attributes(tree.chip.family, tree.version):
        if not attribute.clears or (attribute.kept_by == "runtime" and not live):
            continue
        for device in snapshot.devices:
            for core in device.cores if attribute.scope == "core" else [None]:
                found = field_of(attribute.path, core, device)
                assert found == value_of(attribute.path, device.index, core.index if core else 0), attribute.path
                count += 1
    assert count >= tree.instance.devices * tree.chip.cores * 20
    assert [core.core for device in snapshot.devices for core in device.cores] == list(
        range(tree.instance.devices * tree.chip.cores)
    )


def test_what_is_no_counter(seen: Seen) -> None:
    tree, number, snapshot = seen
    (device, *_) = snapshot.devices
    inf1, new_chip = tree.chip.family == "Inf1", tree.chip.family in ("Trn2", "Trn3")
    assert device.serial_number == (None if inf1 else SERIAL.format(0))
    assert device.reset_state == "ready"
    ecc = {name for name, since in ECC_COUNTERS.items() if number >= version_tuple(since)}
    assert set(device.ecc or ()) == (set() if inf1 else ecc)
    assert (device.health is not None) == (new_chip and number >= (2, 28))
    power = Power(
        status="POWER_STATUS_VALID", epoch_s=1750000000, min_percent=11.42, max_percent=63.8, avg_percent=42.17
    )
    assert device.power == (power if number >= (2, 21, 37) else None)
    rows = tuple(PeRow(750 + row, 120 + row, 9129 + row) for row in range(4))
    assert device.cores[0].pe_cntrs == (rows if number >= (2, 23, 9) and not inf1 else None)
    assert sum(bank.total_bytes for bank in device.banks) == tree.chip.memory_bytes
    assert {bank.used_bytes for bank in device.banks} == {None}
    assert device.links is None


def test_what_is_missing_says_why(seen: Seen) -> None:
    tree, number, snapshot = seen
    gaps = {part: gap.reason for part, gap in snapshot.head.gaps.items()}
    parts = CORE_MEMORY | HOST_MEMORY | ({} if tree.chip.family == "Inf1" else ECC_COUNTERS)
    for part, since in parts.items():
        if number < version_tuple(since):
            assert gaps[part] == f"needs driver {since} or later, found {tree.version}"
        else:
            assert part not in gaps
    for part in HEALTH_FILES if tree.chip.family not in ("Trn2", "Trn3") else ():
        assert gaps[part] == f"{tree.chip.name} has no such files"
    assert ("pe_cntrs" in gaps) == (snapshot.devices[0].cores[0].pe_cntrs is None)
    assert ("power" in gaps) == (snapshot.devices[0].power is None)
    assert gaps["bank"].startswith("no addresses are published")
    assert gaps["link"].startswith("no link counters exist")


def test_counters_that_are_not_live_are_unknown_and_never_0(seen: Seen) -> None:
    tree, version, snapshot = seen
    core = snapshot.devices[0].cores[0]
    gaps = snapshot.head.gaps
    if version >= (2, 30, 2):
        assert set(core.status or ()) == set(STATUS_NAMES)
        assert set(core.other_info or ()) == set(OTHER_INFO)
        assert core.busy_ns == value_of("stats/other_info/nc_time_in_use/total", 0, 0) * 1000
        assert core.flops == value_of("stats/other_info/flop_count/total", 0, 0)
        assert "utilization_percent" not in gaps
        return
    assert (core.status, core.busy_ns, core.flops) == (None, None, None)
    assert set(core.other_info or ()) == {"reset_req_count", "reset_fail_count"}
    reason = f"not live on driver {tree.version}: it moves when the process closes the device"
    for part in ("status", "inference_count", "flop_count", "nc_time_in_use", "model_load_count"):
        assert gaps[part].reason == reason
    for part in ("utilization_percent", "core_utilization_percent", "core_flops_per_s", "busy_ns", "flops"):
        assert gaps[part].reason == reason
        assert "2.30.2" in (gaps[part].supply or "")


def test_many_devices(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.48xlarge", "2.26.5.0", devices=3)
    snapshot = snapshot_of(tree)
    path = "stats/memory_usage/device_mem/tensors/total"
    numbers = [
        (core.core, (core.memory or {})["tensors"].total) for device in snapshot.devices for core in device.cores
    ]
    assert numbers == [(2 * device + core, value_of(path, device, core)) for device in range(3) for core in range(2)]
    assert [device.serial_number for device in snapshot.devices] == [SERIAL.format(device) for device in range(3)]


def test_names_of_older_drivers_are_understood(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    for newer, older in OLDER_STATUS_NAMES.items():
        tree.path(tree.core(f"stats/status/{newer}")).rename(tree.path(tree.core(f"stats/status/{older}")))
    first, second = snapshot_of(tree).devices[0].cores
    assert first.status is not None and second.status is not None
    assert list(first.status) == list(second.status) == list(STATUS_NAMES)
    assert first.status["execute_failed_to_queue"] == Counter(
        value_of("stats/status/execute_failed_to_queue/total", 0, 0),
        value_of("stats/status/execute_failed_to_queue/present", 0, 0),
    )


def test_the_live_figure_of_memory_is_its_total(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.xlarge")
    for file, count in (("total", 5 << 30), ("present", 4096), ("peak", 6 << 30)):
        tree.write(tree.core(f"stats/memory_usage/device_mem/{file}"), f"{count}\n")
    at(tree, 0)
    source = SysfsSource(str(tree.root))
    before = source.snapshot()
    at(tree, 1)
    core = between(before, source.snapshot()).physical[0]
    source.close()
    assert (core.memory_used_bytes, core.memory_peak_bytes) == (5 << 30, 6 << 30)


def test_a_version_that_cannot_be_read_is_taken_for_an_old_one(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.30.2")
    tree.path("sys/module/neuron/version").unlink()
    snapshot = snapshot_of(tree)
    assert snapshot.devices[0].cores[0].busy_ns is None
    assert snapshot.head.gaps["busy_ns"].reason.startswith("not live on a driver of unknown version")
    assert snapshot.head.origin.detail is None


def test_the_head_says_which_boot_and_which_driver(tmp_path: Path) -> None:
    head = snapshot_of(Tree(tmp_path, version="2.26.5.0")).head
    assert (head.boot_id, head.origin.kind, head.origin.detail) == (BOOT_ID, "driver", "2.26.5.0")
    assert (head.origin.simulated, head.origin.scenario) == (False, None)
    assert (head.logical_neuroncore_config, head.lnc_assumed) == (2, True)


def test_readings_follow_the_files(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    source = SysfsSource(str(tree.root))
    for second in range(4):
        at(tree, second)
        for core in range(tree.chip.cores):
            tree.count("other_info/nc_time_in_use", 10**9 + second * 250_000, core=core, present=1000)
            tree.count("status/success", 100 * second, core=core, present=second)
            tree.write(tree.core("stats/memory_usage/device_mem/tensors/total", core=core), f"{second << 20}\n")
        cores = source.snapshot().devices[0].cores
        assert [core.busy_ns for core in cores] == [(10**9 + second * 250_000) * 1000] * 2
        assert [(core.status or {})["success"] for core in cores] == [Counter(100 * second, second)] * 2
        assert [(core.memory or {})["tensors"].total for core in cores] == [second << 20] * 2
    source.close()


def test_what_was_read_stays_as_it_was(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    source = SysfsSource(str(tree.root))
    tree.count("status/success", 5)
    before = source.snapshot()
    tree.count("status/success", 6)
    after = source.snapshot()
    source.close()
    totals = [(shot.devices[0].cores[0].status or {})["success"].total for shot in (before, after)]
    assert totals == [5, 6]


def test_a_core_that_did_nothing_is_the_same_record(tmp_path: Path) -> None:
    source = SysfsSource(str(Tree(tmp_path, "trn1.2xlarge").root))
    before, after = (source.snapshot().devices[0].cores[1] for _ in range(2))
    source.close()
    assert before is after


def test_steps_that_are_credited_at_their_end_make_no_500_percent(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    source = SysfsSource(str(tree.root))
    shots = []
    for second in range(21):
        at(tree, second)
        tree.count("other_info/nc_time_in_use", second // 5 * 5_000_000, present=5_000_000)
        tree.count("other_info/inference_count", second // 5)
        shots.append(source.snapshot())
    source.close()
    percents = [between(*shots[i : i + 2]).physical[0].utilization_percent for i in range(20)]
    assert percents == [None] * 5 + [100] * 15
    assert between(shots[5], shots[20]).physical[0].executions == 3
    assert "watch for longer" in shots[2].head.gaps["utilization_percent"].reason


def test_tensor_activity_comes_from_cycles(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    source = SysfsSource(str(tree.root))
    shots = []
    for second, active in enumerate((1000, 1300)):
        at(tree, second)
        rows = "".join(f"{row},{active},{77 * active},{5000 + second * 700}\n" for row in range(4))
        tree.write(tree.core("stats/tensor_engine/pe_cntrs"), f"xrow_grp,mm_active,wl_active,idle\n{rows}")
        shots.append(source.snapshot())
    source.close()
    engines = between(*shots).physical[0].engines
    assert engines is not None
    assert (engines.tensor, engines.vector, engines.scalar, engines.gpsimd) == (30, None, None, None)


def test_a_driver_that_was_loaded_anew_is_seen(tmp_path: Path) -> None:
    first = Tree(tmp_path / "one", "trn1.2xlarge", "2.26.5.0")
    second = Tree(tmp_path / "two", "trn1.2xlarge", "2.30.2.0")
    source = SysfsSource(str(first.root))
    for _ in range(2):
        assert source.snapshot().devices[0].cores[0].busy_ns is None
    first.path("sys").rename(tmp_path / "old")
    assert source.snapshot().devices == ()
    second.path("sys").rename(first.path("sys"))
    snapshot = source.snapshot()
    source.close()
    assert snapshot.head.origin.detail == "2.30.2.0"
    assert snapshot.devices[0].cores[0].busy_ns is not None


def test_there_is_no_past_and_no_bank_map(tmp_path: Path) -> None:
    source = SysfsSource(str(Tree(tmp_path).root))
    assert source.past() is source.past(NS_PER_S) is None
    with pytest.raises(SourceError, match="no addresses are published") as caught:
        source.allocations(0)
    assert caught.value.hint
    source.close()
    source.close()


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    source = SysfsSource(str(tmp_path / "none"))
    for read in (source.inventory, source.snapshot, source.events):
        with pytest.raises(SourceError, match=r"cannot read .*/none: there is no such directory"):
            read()


def test_every_chip_has_a_host_here() -> None:
    assert {Tree.chip_name(instance) for instance in HOSTS} == set(CHIPS)


def test_memory_of_whole_snapshots_has_all_its_files(tmp_path: Path) -> None:
    (device,) = snapshot_of(Tree(tmp_path, "inf2.xlarge")).devices
    assert all(
        isinstance(use, MemoryUse) and None not in (use.present, use.peak)
        for use in (device.host_memory or {}).values()
    )
