"""Inventories of a host's files: as AWS's tools would print them, and the reason where something is missing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.hardware.topology import adjacency
from neurontools.schema.inventory import Holder, Inventory
from neurontools.sources.sysfs.options import options_of
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.views.ls import documents, values
from tests.sources.trees import INSTANCE_ID, Tree

TWO_ORDERS = ("trn1.32xlarge", "trn1n.32xlarge")
NEWEST = {"Inf1": "2.24.7"}


def inventory_of(tree: Tree, **environ: str) -> Inventory:
    return SysfsSource(str(tree.root), options_of(environ)).inventory()


def gaps(inventory: Inventory) -> dict[str, str]:
    return dict(inventory.gaps)


def host(path: Path, name: str) -> Tree:
    return Tree(path, name, NEWEST.get(chip_of(INSTANCES[name]).family, "2.30.2.0"), counters=False)


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_is_what_its_type_says(name: str, tmp_path: Path) -> None:
    tree = host(tmp_path, name)
    instance, chip, inventory = tree.instance, tree.chip, inventory_of(tree)
    assert (inventory.instance_type, inventory.instance_id) == (name, INSTANCE_ID)
    assert (inventory.chip, inventory.neuroncore_version) == (chip.name, chip.core.version)
    assert (inventory.topology, inventory.driver_version) == (instance.topology, tree.version)
    assert (inventory.logical_neuroncore_config, inventory.lnc_assumed) == (chip.default_lnc, True)
    assert (inventory.origin, inventory.simulated) == ("driver", False)
    assert [device.device for device in inventory.devices] == list(range(instance.devices))
    assert {(device.cores, device.memory_bytes) for device in inventory.devices} == {(chip.cores, chip.memory_bytes)}
    assert tuple(device.connected_to for device in inventory.devices) == adjacency(instance)
    found = tuple(device.bdf for device in inventory.devices)
    if name in TWO_ORDERS:
        assert set(found) == {None}
        assert gaps(inventory)["bdf"] == f"2 orders of these PCI functions are published for {name}"
    elif instance.bdfs or instance.devices == 1:
        assert found == tree.bdfs
    else:
        assert set(found) == {None}
        assert "no published order" in gaps(inventory)["bdf"]
    if instance.numa_nodes and name not in TWO_ORDERS:
        assert tuple(device.numa_node for device in inventory.devices) == instance.numa_nodes
        assert tuple(device.cpu_affinity for device in inventory.devices) == instance.cpu_affinity


def test_a_captured_host_is_printed_as_aws_s_tool_printed_it(captures: Path, tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    (captured,) = json.loads((captures / "neuron-ls.trn1.2xlarge.json").read_text())
    (printed,) = json.loads(documents.render(values.listed(inventory_of(tree), None)))
    extra = {"instance_type", "instance_id", "neuron_processes"}
    assert {key: printed[key] for key in captured if key not in extra} == {
        key: value for key, value in captured.items() if key not in extra
    }


def test_addresses_come_only_from_a_table_of_just_these_functions(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.48xlarge", "2.26.5.0", counters=False)
    one = tree.path(f"sys/bus/pci/drivers/neuron-driver/{tree.bdfs[3]}")
    one.unlink()
    inventory = inventory_of(tree)
    assert {(device.bdf, device.numa_node) for device in inventory.devices} == {(None, None)}
    assert gaps(inventory)["bdf"] == "no published order has just these PCI functions"


@pytest.mark.parametrize(
    "text", ["9" * 5000, "\u00b2", "--1", "-", ""], ids=["huge", "superscript", "minus", "sign", "empty"]
)
def test_a_numa_node_that_is_no_number_is_unknown(text: str, tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    tree.write(f"sys/bus/pci/devices/{tree.bdfs[0]}/numa_node", text)
    (device,) = inventory_of(tree).devices
    assert (device.bdf, device.numa_node) == (tree.bdfs[0], None)


def test_without_a_bound_function_there_is_no_address(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    for link in tree.path("sys/bus/pci/drivers/neuron-driver").iterdir():
        link.unlink()
    assert gaps(inventory_of(tree))["bdf"] == "no PCI function is bound to the driver"


def test_neighbours_that_only_root_may_see_come_from_the_driver_s_table(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.24xlarge", "2.26.5.0", counters=False)
    for device in range(6):
        tree.path(tree.device("connected_devices", device)).unlink()
    inventory = inventory_of(tree)
    assert tuple(device.connected_to for device in inventory.devices) == adjacency(tree.instance)
    assert "connected_devices" in gaps(inventory)


def test_an_unknown_instance_type_is_known_by_its_devices(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.48xlarge", "2.26.5.0", counters=False)
    tree.write("sys/class/dmi/id/product_name", "inf2e.48xlarge\n")
    inventory = inventory_of(tree)
    assert (inventory.instance_type, inventory.chip, inventory.topology) == ("inf2e.48xlarge", "Inferentia2", "ring")
    assert len(inventory.devices) == 12


def test_an_unknown_chip_leaves_the_rest_right(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    tree.write(tree.device("info/architecture/device_name"), "Trainium9\n")
    tree.write(tree.device("info/architecture/instance_type"), "Trn9\n")
    for core in range(2):
        tree.write(tree.core("info/architecture/arch_type", core=core), "NCv4\n")
    inventory = inventory_of(tree)
    assert (inventory.chip, inventory.neuroncore_version, inventory.devices[0].cores) == ("", "v4", 2)
    assert gaps(inventory)["memory_bytes"] == "the chip is not a known one"


def test_no_driver(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge", counters=False)
    tree.path("sys/module").rename(tmp_path / "away")
    tree.path("sys/class/neuron_device").rename(tmp_path / "class")
    tree.path("sys/devices").rename(tmp_path / "devices")
    inventory = inventory_of(tree)
    assert inventory.devices == ()
    reason = "this is a Neuron host (DMI product name trn2.3xlarge), but the Neuron driver is not loaded"
    assert inventory.why_no_devices == reason


def test_a_driver_without_devices(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge", counters=False)
    tree.path("sys/class/neuron_device").rename(tmp_path / "class")
    tree.path("sys/devices").rename(tmp_path / "devices")
    assert inventory_of(tree).why_no_devices == "the Neuron driver is loaded and has found no device"


def test_a_driver_that_is_for_other_chips(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf1.6xlarge", "2.24.7.0", counters=False)
    tree.path("sys/class/neuron_device").rename(tmp_path / "class")
    tree.path("sys/devices").rename(tmp_path / "devices")
    tree.write("sys/module/neuron/version", "2.26.5.0\n")
    reason = "driver 2.26.5.0 is loaded, which has no support for Inferentia: that needs 2.24"
    assert inventory_of(tree).why_no_devices == reason


def test_an_ordinary_machine(tmp_path: Path) -> None:
    inventory = SysfsSource(str(tmp_path)).inventory()
    assert inventory.why_no_devices.startswith(f"no sign of Neuron devices below {tmp_path}")


def test_files_that_nobody_may_read_are_no_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", counters=False)
    monkeypatch.setattr(
        "neurontools.sources.sysfs.files.os.open",
        refusing(os.open, f"{tree.root}/sys/devices"),
    )
    source = SysfsSource(str(tree.root))
    inventory, snapshot = source.inventory(), source.snapshot()
    reason = "the Neuron driver's files cannot be read: permission denied (EACCES)"
    assert (inventory.devices, inventory.why_no_devices) == ((), reason)
    assert [[core.core for core in device.cores] for device in snapshot.devices] == [[0, 1]]
    assert {snapshot.head.gaps[part].reason for part in ("device", "core", "ecc", "utilization_percent")} == {reason}
    assert snapshot.head.gaps["device"].supply == "run this as root"


def test_a_path_that_nobody_may_list_is_named_with_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", counters=False)
    listed = os.listdir

    def refuse(path: str) -> list[str]:
        if path == f"{tree.root}/sys/devices/virtual/neuron_device":
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr("neurontools.sources.sysfs.files.os.listdir", refuse)
    inventory = SysfsSource(str(tree.root)).inventory()
    why = f"{tree.root}/sys/devices/virtual/neuron_device: permission denied (EACCES)"
    assert inventory.why_no_devices == why


def refusing(opens: object, below: str) -> object:
    """An os.open that lets nobody open what is below a directory: root, as whom tests may run, may open anything."""

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).startswith(below):
            raise PermissionError(13, "Permission denied", path)
        return opens(path, flags, mode, dir_fd=dir_fd)  # type: ignore[operator, no-any-return]

    return refuse


def test_holders_are_on_the_devices_that_they_have_open(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.24xlarge", "2.26.5.0", counters=False)
    tree.process(4200, {0: os.O_RDWR, 1: os.O_RDWR}, command="python serve.py --tp 4")
    tree.process(4100, {1: os.O_WRONLY}, command="neuron-top")
    tree.process(4300, {}, command="bash")
    tree.write("proc/4200/maps", "7f00-7f01 r-xp 00000000 00:1f 123 /opt/aws/neuron/lib/libnrt.so.2.31.24.0\n")
    devices = inventory_of(tree).devices
    server = Holder(4200, "python serve.py --tp 4", "2.31.24.0")
    assert devices[0].holders == (server,)
    assert devices[1].holders == (Holder(4100, "neuron-top", None), server)
    assert {device.holders for device in devices[2:]} == {()}


def test_a_runtime_that_hides_its_version_is_listed_all_the_same(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    tree.process(4200, {0: os.O_RDWR})
    (device,) = values.listed(inventory_of(tree), None).devices
    assert [holder.neuron_runtime_version for holder in device.holders] == ["unknown"]


@pytest.mark.parametrize(
    ("environ", "holder", "marked", "expected"),
    [
        ({}, {}, None, (2, True)),
        ({"NEURONTOOLS_LNC": "1"}, {"NEURON_LOGICAL_NC_CONFIG": "4"}, 2, (1, False)),
        ({"NEURON_LOGICAL_NC_CONFIG": "1"}, {"NEURON_LOGICAL_NC_CONFIG": "4"}, None, (1, False)),
        ({"NEURON_RT_VIRTUAL_CORE_SIZE": "1"}, {}, None, (1, False)),
        ({}, {"NEURON_RT_VIRTUAL_CORE_SIZE": "1"}, None, (1, False)),
        ({}, {"NEURON_RT_VIRTUAL_CORE_SIZE": "many"}, None, (2, True)),
        ({"NEURON_LOGICAL_NC_CONFIG": "3"}, {}, None, (2, True)),
        ({}, {"NEURON_LOGICAL_NC_CONFIG": "1"}, 4, (4, False)),
    ],
)
def test_the_size_of_logical_cores(
    environ: dict[str, str], holder: dict[str, str], marked: int | None, expected: tuple[int, bool], tmp_path: Path
) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge", counters=False)
    tree.process(4200, {0: os.O_RDWR}, holder)
    if marked is not None:
        tree.mark(scenario="made", logical_neuroncore_config=marked)
    source = SysfsSource(str(tree.root), options_of(environ))
    inventory, head = source.inventory(), source.snapshot().head
    source.close()
    assert (inventory.logical_neuroncore_config, inventory.lnc_assumed) == expected
    assert (head.logical_neuroncore_config, head.lnc_assumed) == expected
