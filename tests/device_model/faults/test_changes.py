"""The heart of faults: a host with a fault differs from its twin in what the fault declares, and in nothing else."""

import pytest

from device_model.faults.fault import Change, Fault
from device_model.faults.table import FAULTS
from neurontools.hardware.instances import chip_of, lookup
from tests.device_model.faults.twins import INF2, TARGETS, TRN2, Differences, Scene, Whose, twins

EVERYWHERE = [
    pytest.param(scene, name, id=f"{name}-{scene.instance}")
    for scene in (INF2, TRN2)
    for name, fault in FAULTS.items()
    if fault.families is None or chip_of(lookup(scene.instance)).family in fault.families
]


@pytest.mark.parametrize(("scene", "name"), EVERYWHERE)
def test_a_fault_changes_what_it_declares_and_nothing_else(scene: Scene, name: str) -> None:
    fault = FAULTS[name]
    found = twins(scene, fault)
    declared = expected(scene, fault)
    assert {path: sorted(declared[path]) for path in declared.keys() - found.keys()} == {}, "declared, and never seen"
    assert {path: sorted(found[path]) for path in found.keys() - declared.keys()} == {}, "seen, and not declared"
    assert {path: sorted(whose) for path, whose in found.items()} == {
        path: sorted(whose) for path, whose in declared.items()
    }


def expected(scene: Scene, fault: Fault) -> Differences:
    """What a fault declares, for the parts of this scene."""
    declared: Differences = {}
    for change in fault.changes:
        if change.families is None or chip_of(lookup(scene.instance)).family in change.families:
            declared.setdefault(change.path, set()).update(whose(scene, fault, change))
    return declared


def whose(scene: Scene, fault: Fault, change: Change) -> set[Whose]:
    """The parts of the scene that a change concerns."""
    kind, cores = kind_of(change.path), concerned_cores(scene, fault, change.where)
    if kind == "process":
        return {("process", "a"), ("process", "b")} if fault.target == "node" else {("process", "a")}
    if kind == "core":
        return {("core", core) for core in cores}
    if kind == "device":
        return {("device", device) for device in concerned_devices(scene, fault, change, cores)}
    return {("node", "")}


def kind_of(path: str) -> str:
    """What the numbers under a path belong to."""
    if path.startswith(("devices/*/cores/", "host/cpus/", "events/kernel_log", "events/runtime_log")):
        return "core"
    if path.startswith(("devices/", "inventory/devices/", "allocations/")):
        return "device"
    return "process" if path.startswith(("processes/", "events/process_")) else "node"


def concerned_cores(scene: Scene, fault: Fault, where: str) -> list[int]:
    """Physical cores, in order."""
    per_device, size = chip_of(lookup(scene.instance)).cores, scene.core_size
    of_processes = list(range(scene.degree * size))
    if fault.target == "node":
        # "b" lies on the device behind the last of "a".
        first = -(-len(of_processes) // per_device) * per_device
        of_processes += range(first, first + scene.neighbour * size)
    if where == "node":
        return list(range(lookup(scene.instance).devices * per_device))
    if where == "processes":
        return of_processes
    own = {
        "core": [core for core in of_processes if core // size == TARGETS["core"]["core"]],
        "device": [core for core in of_processes if core // per_device == TARGETS["device"]["device"]],
        "process": of_processes,
    }.get(fault.target, [])
    if where == "peers":
        return [core for core in of_processes if core not in own]
    return own[:1] if where == "first core" else own


def concerned_devices(scene: Scene, fault: Fault, change: Change, cores: list[int]) -> set[int]:
    """The devices of those cores; of a link the two at its ends."""
    if fault.target == "link" and change.where == "target":
        return set(TARGETS["link"]["link"])
    per_device = chip_of(lookup(scene.instance)).cores
    return {core // per_device for core in cores}
