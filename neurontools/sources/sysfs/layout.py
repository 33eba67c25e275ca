"""Which devices and cores a host has, which of them this container was granted, and how the driver is identified."""

import os
import stat
from typing import NamedTuple

from neurontools.hardware.chips import CHIPS, Chip
from neurontools.hardware.compatibility import unsupported
from neurontools.hardware.driver import CORE_DIRECTORY_PREFIX, DIRECTORIES, PCI_DRIVER_DIRECTORY, version_tuple
from neurontools.hardware.instances import INSTANCES, Instance
from neurontools.sources.sysfs.files import Root, numbered, why
from neurontools.sources.sysfs.reasons import AS_ROOT, UNREADABLE, Reasons

_NAME = "neuron"
_DEVICES = f"sys/{DIRECTORIES['device'].rpartition('/')[0]}"
_CLASS = f"sys/{DIRECTORIES['class']}"
_MODULE = f"sys/{DIRECTORIES['module']}"
_DMI = f"sys/{DIRECTORIES['dmi']}"
_BOUND = f"sys/{PCI_DRIVER_DIRECTORY}"

_DEVICE_NAME = "info/architecture/device_name"
_FAMILY_NAME = "info/architecture/instance_type"

_OF_THE_DRIVER = ("device", "core", "bank", "link", "ecc", "utilization_percent")
"""Under what it is looked for why nothing of the driver's is known."""

NOT_LOADED = "the Neuron driver is not loaded"
LOAD_IT = "load it: modprobe neuron"
NOT_GRANTED = "no Neuron device was granted to this container, the node has {count}: --all-devices shows them"


class DeviceLayout(NamedTuple):
    """One device directory: `path` below the root, and the numbers of its core directories."""

    device: int
    path: str
    cores: tuple[int, ...]


class Layout(NamedTuple):
    """A host at one instant, as far as directories tell it. `devices` are those that are visible."""

    version: str | None
    devices: tuple[DeviceLayout, ...]
    chip: Chip | None
    instance_type: str
    nodes: dict[int, int] | None
    """Device by the number in the name of its node in /dev: they differ in a container that was given new names."""
    readable: bool = True
    """False where directories can be listed, but none of the files in them may be read."""

    @property
    def instance(self) -> Instance | None:
        """The instance type, where it is a known one."""
        return INSTANCES.get(self.instance_type)

    @property
    def cores_per_device(self) -> int:
        """Physical cores of each device, by which cores are numbered over the node."""
        most = max((core + 1 for device in self.devices for core in device.cores), default=0)
        return max(most, self.chip.cores if self.chip else 0)


def look(root: Root, all_devices: bool, reasons: Reasons) -> Layout:
    """What there is. What is missing, and why, is noted in `reasons`, of no device at all under "device"."""
    version = driver_version(root)
    where, numbers = _numbers(root, reasons)
    nodes = device_nodes(root)
    if numbers and nodes is not None and not all_devices:
        granted = set(nodes.values())
        count = len(numbers)
        numbers = [number for number in numbers if number in granted]
        if not numbers:
            reasons.one("device", (NOT_GRANTED.format(count=count), "--all-devices"))
    devices = tuple(_device(root, f"{where}/{_NAME}{number}", number, reasons) for number in numbers)
    instance_type = _instance_type(root)
    readable = not devices or any(_may_read(root, device) for device in devices)
    if not readable:
        reasons.add(_OF_THE_DRIVER, UNREADABLE)
    return Layout(version, devices, _chip(root, devices, instance_type), instance_type, nodes, readable)


def driver_version(root: Root) -> str | None:
    """The loaded driver's version, such as "2.26.5.0"; None where it is not known."""
    version = root.text(f"{_MODULE}/version")
    try:
        version_tuple(version)
    except ValueError:
        return None
    return version


def device_nodes(root: Root) -> dict[int, int] | None:
    """Device by the number in the name of its node in /dev; None where there is no /dev to look into.

    What is no device file stands for the device of its own number: a simulated host may have no other.
    """
    try:
        names = root.numbered("dev", _NAME)
    except OSError:
        return None
    return {number: _minor(root.of(f"dev/{_NAME}{number}"), number) for number in names}


def bound_functions(root: Root) -> list[str]:
    """The PCI addresses that the driver has bound, in order."""
    return sorted(name for name in root.names(_BOUND) if name.count(":") == 2 and "." in name)


def instance_id(root: Root) -> str:
    """The instance's id from DMI; nothing where that holds none."""
    tag = root.text(f"{_DMI}/board_asset_tag")
    return tag if tag.startswith("i-") else ""


def identity(root: Root) -> tuple[object, ...]:
    """What is another value after devices came or went, the driver was loaded anew, or a tree was made anew."""
    return (
        *(_inode(root.of(path)) for path in (_MODULE, _DEVICES, _CLASS)),
        tuple(root.names(_DEVICES)),
        tuple(numbered(root.names("dev"), _NAME)),
        root.text(f"{_MODULE}/version"),
        _mode(root.of(f"{_DEVICES}/{_NAME}0/{_DEVICE_NAME}")),
    )


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


def _instance_type(root: Root) -> str:
    return root.text(f"{_DMI}/product_name")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        held = os.stat(path)
    except OSError:
        return None
    return held.st_dev, held.st_ino


def _numbers(root: Root, reasons: Reasons) -> tuple[str, list[int]]:
    """Where the device directories are and their numbers."""
    for path in (_DEVICES, _CLASS):
        try:
            numbers = root.numbered(path, _NAME)
            if there := [number for number in numbers if os.path.isdir(root.of(f"{path}/{_NAME}{number}"))]:
                return path, there
        except FileNotFoundError:
            continue
        except OSError as error:
            reasons.one("device", (f"{root.of(path)}: {why(error)}", AS_ROOT))
            return path, []
    reasons.one("device", _why_none(root))
    return _DEVICES, []


def _why_none(root: Root) -> tuple[str, str | None]:
    from neurontools.sources.sysfs.evidence import neuron_host

    evidence = neuron_host(root.path)
    if not os.path.exists(root.of(f"{_MODULE}/version")):
        place = "" if root.is_this_machine else f" below {root.path}"
        if evidence is None:
            return f"no sign of Neuron devices{place}: neither the driver nor their PCI functions", None
        return f"this is a Neuron host ({evidence}), but {NOT_LOADED}", LOAD_IT
    version = driver_version(root)
    found = unsupported(_instance_type(root), version)
    if found is not None:
        chip, needed = found
        reason = f"driver {version} is loaded, which has no support for {chip.name}: that needs {needed}"
        return reason, f"install aws-neuronx-dkms {needed}"
    return "the Neuron driver is loaded and has found no device", "look at what it says in the kernel's log: dmesg"


def _device(root: Root, path: str, number: int, reasons: Reasons) -> DeviceLayout:
    try:
        cores = tuple(root.numbered(path, CORE_DIRECTORY_PREFIX))
    except OSError as error:
        reasons.one("core", (f"{root.of(path)}: {why(error)}", AS_ROOT))
        cores = ()
    return DeviceLayout(number, path, cores)


def _may_read(root: Root, device: DeviceLayout) -> bool:
    try:
        root.read(f"{device.path}/{_DEVICE_NAME}")
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _minor(path: str, number: int) -> int:
    try:
        held = os.stat(path)
    except OSError:
        return number
    return os.minor(held.st_rdev) if stat.S_ISCHR(held.st_mode) else number


def _chip(root: Root, devices: tuple[DeviceLayout, ...], instance_type: str) -> Chip | None:
    """The chip by the driver's words; where these cannot be read, by the instance type."""
    for device in devices:
        chip = CHIPS.get(root.text(f"{device.path}/{_DEVICE_NAME}"))
        if chip is not None:
            return chip
        family = root.text(f"{device.path}/{_FAMILY_NAME}")
        if family:
            return next((chip for chip in CHIPS.values() if chip.family == family), None)
    instance = INSTANCES.get(instance_type)
    return CHIPS[instance.chip] if instance else None
