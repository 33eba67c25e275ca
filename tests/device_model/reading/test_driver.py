"""Readings through a driver that is missing, unreadable or old: what is left of them, and why the rest is unknown."""

from itertools import pairwise

import pytest

from device_model.simulation import Simulation
from neurontools.hardware.driver import ATTRIBUTES, STATUS_NAMES, version_tuple
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Core, Snapshot
from tests.device_model.hosts import forward, host, server

VERSIONS = ("2.8.4", "2.15.9", "2.20.28", "2.21.37", "2.26.5", "2.29", "2.30.2")


def serving(instance: str = "trn2.3xlarge") -> Simulation:
    return forward(host(server("a"), instance=instance), 5)


def old(version: str, instance: str = "trn2.3xlarge") -> Snapshot:
    model = serving(instance)
    model.inject("driver-old", {}, {"version": version})
    return model.snapshot()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_driver_has_what_its_version_has(version: str) -> None:
    whole, seen = serving().snapshot(), old(version)
    newer = {name for name, since in STATUS_NAMES.items() if version_tuple(since) > version_tuple(version)}
    for device, shown in zip(whole.devices, seen.devices, strict=True):
        for core, left in zip(device.cores, shown.cores, strict=True):
            assert left.status is not None
            assert left.status.keys() == (core.status or {}).keys() - newer
            assert all(left.status[name] == (core.status or {})[name] for name in left.status)
            assert (left.busy_ns is None) == ("nc_time_in_use" not in (left.other_info or {}))
            assert (left.pe_cntrs is None) == (version_tuple(version) < (2, 23, 9))
            assert left.device_memory == core.device_memory
        assert (shown.power is None) == (version_tuple(version) < (2, 21, 37))
    assert newer <= seen.head.gaps.keys()
    assert seen.processes == whole.processes


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("instance", ["inf2.xlarge", "trn2.3xlarge"])
def test_what_is_missing_is_given_the_version_that_has_it(version: str, instance: str) -> None:
    gaps = old(version, instance).head.gaps
    assert all(gap.reason.endswith(f" or later, found {version}") for gap in gaps.values())
    assert not gaps if version == VERSIONS[-1] else gaps
    assert ("hbm_ecc_err_count" in gaps) == (instance == "trn2.3xlarge" and version_tuple(version) < (2, 28))
    since = {attribute.path.split("/")[-1]: attribute.since for attribute in ATTRIBUTES}
    for name in ("pe_cntrs", "mem_ecc_corrected"):
        if name in gaps:
            assert gaps[name].reason.startswith(f"needs driver {since[name]} ")


def test_of_devices_whose_files_are_unreadable_only_the_directories_are_known() -> None:
    model = serving()
    whole = model.snapshot()
    model.inject("sysfs-unreadable", {}, {})
    seen = model.snapshot()
    for device, shown in zip(whole.devices, seen.devices, strict=True):
        assert shown.cores == tuple(Core(core=core.core, index=core.index) for core in device.cores)
        assert (shown.ecc, shown.links, shown.banks, shown.reset_state) == (None, None, (), None)
    assert {gap.reason for gap in seen.head.gaps.values()} == {
        "the Neuron driver's files cannot be read: permission denied (EACCES)"
    }
    assert (seen.processes, seen.host) == (whole.processes, whole.host)
    assert model.inventory().devices == ()
    assert "EACCES" in model.inventory().why_no_devices


def test_without_the_driver_there_are_no_devices_and_nobody_uses_them() -> None:
    model = serving()
    model.inject("driver-missing", {}, {})
    seen = model.snapshot()
    assert (seen.devices, seen.processes) == ((), ())
    assert seen.head.gaps["device"].reason == model.inventory().why_no_devices == "the Neuron driver is not loaded"


@pytest.mark.parametrize("fault", ["driver-missing", "sysfs-unreadable", "driver-old"])
def test_intervals_over_such_readings_are_unknown_and_whole_again_afterwards(fault: str) -> None:
    model = serving()
    readings = [model.snapshot()]
    model.inject(fault, {}, {})
    readings.append(forward(model, 5).snapshot())
    model.heal("all")
    readings += [forward(model, 5).snapshot(), forward(model, 5).snapshot()]
    known = []
    for early, late in pairwise(readings):
        cores = between(early, late).cores
        known.append(bool(cores) and all(core.utilization_percent is not None for core in cores))
    assert known == [False, False, True]
    assert model.explain(0).core == 0


@pytest.mark.parametrize("fault", ["driver-missing", "sysfs-unreadable", "driver-old"])
def test_the_model_explains_its_cores_all_the_same(fault: str) -> None:
    model = serving()
    counted = model.explain(0).counted
    model.inject(fault, {}, {})
    forward(model, 10)
    assert model.explain(0).counted.executions >= counted.executions > 0
