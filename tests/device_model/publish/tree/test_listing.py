"""The published tree against listings of real ones: every path, mode and format, for each chip and driver."""

import re
from functools import cache
from pathlib import Path

import pytest

from device_model.simulation import Simulation
from neurontools.hardware.driver import (
    ATTRIBUTES,
    KINDS,
    PCI_DRIVER_DIRECTORY,
    attributes,
    path_of,
    platform_of,
)
from neurontools.hardware.instances import INSTANCES, Instance, chip_of
from tests.device_model.hosts import forward, host, server
from tests.device_model.publish.tree.trees import Found, planned

LISTED = Path(__file__).parents[3] / "golden" / "sysfs" / "paths.tsv"
# An instance type of each family, of the platform that was listed, and the drivers whose files a listing unites.
HOSTS = {
    "Inf1": ("inf1.6xlarge", ("2.24.7",)),
    "Inf2": ("inf2.48xlarge", ("2.26.5", "2.30.2")),
    "Trn1": ("trn1.32xlarge", ("2.26.5", "2.30.2")),
    "Trn2": ("trn2.3xlarge", ("2.26.5", "2.30.2")),
    "Trn3": ("trn3p.48xlarge", ("2.26.5", "2.30.2")),
}
FAMILIES = pytest.mark.parametrize("family", HOSTS)
FILES = {
    "Inf1": "sysfs_paths_v1_inf1.txt",
    "Inf2": "sysfs_paths_v2_inf2.txt",
    "Trn1": "sysfs_paths_v2_trn1.txt",
    "Trn2": "sysfs_paths_v3_trn2.txt",
    "Trn3": "sysfs_paths_v4_trn3.txt",
}

BDF = r"0000:[0-9a-f:.]+"
NUMBER, PERCENT = r"\d+", r"\d{1,3}\.\d\d"
FORMATS = {
    "int": rf"-?{NUMBER}\n",
    "bare_int": NUMBER,
    "firmware_int": rf"({NUMBER}|busy)\n",
    "hex16": r"([0-9a-f]{16})?\n",
    "hex_id": r"0x[0-9a-f]{4}\n",
    "text": r"[^\n]*\n",
    "empty": "",
    "numbers": rf"({NUMBER}(, {NUMBER})*)?\n",
    "modes": rf"({NUMBER}(,{NUMBER})*)?\n",
    "uevent": rf"MAJOR={NUMBER}\nMINOR={NUMBER}\nDEVNAME=neuron\d+\n",
    "power": rf"POWER_STATUS_[A-Z_]+,{NUMBER},{PERCENT},{PERCENT},{PERCENT}\n",
    "power_raw": rf"die,util_bips,counter\n(\d,({NUMBER},{NUMBER}|unavailable)\n)+",
    "pe_cntrs": rf"xrow_grp,mm_active,wl_active,idle\n(\d,{NUMBER},{NUMBER},{NUMBER}\n){{4}}",
}


@cache
def busy(instance: str) -> Simulation:
    """A host of this type that serves a model and has been up for two minutes."""
    model = "opt-125m" if instance.startswith("inf1") else "opt-1.3b"
    return forward(host(server("a", model=model), instance=instance), 125)


def busy_tree(instance: str, version: str) -> dict[str, Found]:
    """The sysfs of such a host, by paths below it."""
    tree = planned(busy(instance), version)
    return {path.removeprefix("sys/"): found for path, found in tree.items() if path.startswith("sys/")}


def of_the_table(tree: dict[str, Found]) -> dict[str, Found]:
    """What of a tree the driver's table knows: not the links to bound functions."""
    return {path: found for path, found in tree.items() if not path.startswith(PCI_DRIVER_DIRECTORY)}


def rows(tree: dict[str, Found]) -> set[tuple[str, str]]:
    """(path, mode) of device 0 and of PCI functions; a link with what it says."""
    found = set()
    for path, (mode, text) in of_the_table(tree).items():
        about = re.search(r"neuron(\d+)(/|$)", path)
        if about is None or about[1] == "0":
            name = re.sub(BDF, "{bdf}", path)
            found.add((f"{name} -> {text}" if mode == "link" else name, mode))
    return found


@FAMILIES
def test_the_tree_has_the_listed_paths_and_modes(family: str) -> None:
    instance, versions = HOSTS[family]
    listed = [line.split("\t") for line in LISTED.read_text().splitlines()[1:]]
    expected = {(path, mode) for path, mode, _, families in listed if family in families.split()}
    found: dict[str, str] = {}
    for version in versions:
        found |= dict(rows(busy_tree(instance, version)))
    assert {(path, mode) for path, mode in found.items() if not re.search(r"neuron_core[1-9]", path)} == expected


@FAMILIES
def test_the_tree_has_every_line_of_the_listing(family: str, facts: Path) -> None:
    instance, versions = HOSTS[family]
    found: dict[str, str] = {}
    files: set[str] = set()
    for version in versions:
        tree = busy_tree(instance, version)
        found |= dict(rows(tree))
        files |= tree.keys()
    listed = [line.split("\t") for line in (facts / FILES[family]).read_text().splitlines()]
    expected = {}
    for path, mode, sample, _ in listed:
        name = re.sub(BDF, "{bdf}", path)
        expected[f"{name} {sample}" if mode == "link" else name] = mode.rstrip("?")
    assert found == expected
    kinds = kinds_of(instance)
    for path, mode, sample, _ in listed:
        if mode != "link" and path in files:
            assert re.fullmatch(FORMATS[kinds[path]], sample.replace("\\n", "\n")), (
                "the format is not that of the sample"
            )


def kinds_of(instance: str) -> dict[str, str]:
    """The kind of every file that any driver has on an instance type, by path."""
    return {
        path_of(attribute, device, core, bdf): attribute.kind
        for attribute in ATTRIBUTES
        for device, core, bdf in places(attribute.scope, INSTANCES[instance])
    }


def places(scope: str, instance: Instance) -> list[tuple[int, int, str]]:
    """Device, core and PCI address of everything that files of a scope are about."""
    devices = range(instance.devices if scope in ("device", "core") else 1)
    cores = range(chip_of(instance).cores if scope == "core" else 1)
    bdfs = (instance.bdfs or ()) if scope == "pci" else ("",)
    return [(device, core, bdf) for device in devices for core in cores for bdf in bdfs]


@pytest.mark.parametrize("version", ["2.16.7", "2.21", "2.24", "2.26.5", "2.29", "2.30.2"])
@pytest.mark.parametrize("instance", ["inf1.xlarge", "inf2.8xlarge", "trn1.2xlarge", "trn2.3xlarge", "trn3.48xlarge"])
def test_every_file_of_every_driver_is_there_in_its_format(instance: str, version: str) -> None:
    family = chip_of(INSTANCES[instance]).family
    too_new, too_old = family == "Inf1" and version > "2.25", family == "Trn3" and version < "2.25"
    if too_new or too_old:
        version = "2.24.7" if too_new else "2.25.4"
    tree = busy_tree(instance, version)
    kinds = kinds_of(instance)
    full = {"2.21": "2.21.37", "2.24": "2.24.7"}.get(version, version)
    wanted = {
        path_of(attribute, *place)
        for attribute in attributes(family, full, platform_of(instance))
        for place in places(attribute.scope, INSTANCES[instance])
    }
    files = {path: found for path, found in of_the_table(tree).items() if found.mode != "link"}
    assert files.keys() == wanted
    for path, (_, text) in files.items():
        assert re.fullmatch(FORMATS[kinds[path]], text), path
    assert tree["module/neuron/version"].text == ".".join([*full.split("."), "0", "0"][:4]) + "\n"


def test_every_kind_has_a_format_to_be_checked_by() -> None:
    assert FORMATS.keys() == KINDS.keys()


def test_links_and_constants_are_those_of_the_host() -> None:
    tree = busy_tree("trn2.3xlarge", "2.30.2")
    assert tree["class/neuron_device/neuron0"].text == "../../devices/virtual/neuron_device/neuron0"
    assert tree[f"{PCI_DRIVER_DIRECTORY}/0000:33:00.0"].text == "../../devices/0000:33:00.0"
    device = "devices/virtual/neuron_device/neuron0"
    texts = {
        f"{device}/core_count": "8",
        f"{device}/connected_devices": "\n",
        f"{device}/dev": "241:0\n",
        f"{device}/uevent": "MAJOR=241\nMINOR=0\nDEVNAME=neuron0\n",
        f"{device}/info/architecture/arch_type": "NDv3\n",
        f"{device}/info/architecture/device_name": "Trainium2\n",
        f"{device}/neuron_core7/info/architecture/arch_type": "NCv3\n",
        "bus/pci/devices/0000:33:00.0/device": "0x7364\n",
        "bus/pci/devices/0000:33:00.0/local_cpulist": "0-11\n",
        "class/dmi/id/product_name": "trn2.3xlarge\n",
        "class/dmi/id/board_asset_tag": "i-00000000000000000\n",
    }
    assert {path: tree[path].text for path in texts} == texts
