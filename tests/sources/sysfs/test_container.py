"""What a container sees: the devices that it was granted, by their own numbers, whatever their nodes are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurontools.sources.sysfs.options import options_of
from neurontools.sources.sysfs.source import SysfsSource
from tests.sources.trees import Tree

# Device files that every machine has, by their minor numbers.
BY_MINOR = {3: "/dev/null", 5: "/dev/zero", 7: "/dev/full"}


def granted(tree: Tree, nodes: dict[int, int | None]) -> None:
    """Leaves only these device nodes: by the number in the name the minor number, None for an ordinary file."""
    for node in tree.path("dev").glob("neuron*"):
        node.unlink()
    for number, minor in nodes.items():
        if minor is None:
            tree.write(f"dev/neuron{number}", "")
        else:
            tree.link(f"dev/neuron{number}", BY_MINOR[minor])


def seen(tree: Tree, **environ: str) -> tuple[list[int], list[int], str]:
    """The devices of an inventory and of a snapshot, and why there are none."""
    source = SysfsSource(str(tree.root), options_of(environ))
    inventory, snapshot = source.inventory(), source.snapshot()
    source.close()
    shown = [device.index for device in snapshot.devices]
    return [device.device for device in inventory.devices], shown, inventory.why_no_devices


@pytest.fixture
def node(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "inf2.48xlarge", "2.26.5.0", counters=False)


def test_the_minor_numbers_of_the_granted_nodes_are_the_devices(node: Tree) -> None:
    granted(node, {0: 5, 1: 7})
    assert seen(node) == ([5, 7], [5, 7], "")


def test_nodes_that_are_no_device_files_stand_for_their_names(node: Tree) -> None:
    granted(node, {2: None, 3: None})
    assert seen(node) == ([2, 3], [2, 3], "")


def test_the_whole_node_on_request(node: Tree) -> None:
    granted(node, {0: 5})
    everything = list(range(12))
    assert seen(node, NEURONTOOLS_ALL_DEVICES="1") == (everything, everything, "")


def test_a_container_without_a_device_is_told_so(node: Tree) -> None:
    granted(node, {})
    reason = "no Neuron device was granted to this container, the node has 12: --all-devices shows them"
    assert seen(node) == ([], [], reason)


def test_without_a_dev_all_devices_are_seen(node: Tree) -> None:
    for each in node.path("dev").iterdir():
        each.unlink()
    node.path("dev").rmdir()
    assert seen(node)[0] == list(range(12))


def test_cores_keep_their_numbers_over_the_node(node: Tree) -> None:
    granted(node, {0: 5})
    source = SysfsSource(str(node.root))
    (device,) = source.snapshot().devices
    source.close()
    assert [(core.core, core.index) for core in device.cores] == [(10, 0), (11, 1)]


def test_a_process_claims_cores_by_the_names_that_it_knows(node: Tree) -> None:
    granted(node, {0: 5, 1: 7})
    node.process(4200, {0: os.O_RDWR, 1: os.O_RDWR}, {"NEURON_RT_VISIBLE_CORES": "1-2"})
    source = SysfsSource(str(node.root))
    snapshot, inventory = source.snapshot(), source.inventory()
    source.close()
    assert [process.cores for process in snapshot.processes or ()] == [(11, 14)]
    assert [[holder.pid for holder in device.holders] for device in inventory.devices] == [[4200], [4200]]


def test_a_device_that_is_granted_later_is_seen(node: Tree) -> None:
    granted(node, {2: None})
    source = SysfsSource(str(node.root))
    assert [device.index for device in source.snapshot().devices] == [2]
    node.write("dev/neuron4", "")
    assert [device.index for device in source.snapshot().devices] == [2, 4]
    source.close()
