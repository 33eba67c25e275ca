"""What is left of a reading where the driver stands in the way: not loaded, not readable, or too old."""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from device_model.machine.driver import Driver
from neurontools.hardware.driver import (
    ATTRIBUTES,
    CORE_MEMORY,
    ECC_COUNTERS,
    HEALTH_FILES,
    HOST_MEMORY,
    OTHER_INFO,
    STATUS_NAMES,
    version_tuple,
)
from neurontools.schema.snapshot import Core, Device, Gap, Head, Snapshot

MISSING = Gap(reason="the Neuron driver is not loaded", supply="load it: modprobe neuron")
UNREADABLE = Gap(
    reason="the Neuron driver's files cannot be read: permission denied (EACCES)", supply="run this as root"
)

_DEVICE_PARTS = ("device", "core", "bank", "link")
"""Records that are made of the driver's files, as the catalogue of metrics calls their scopes."""

_OF_DOCUMENTS = {"ecc": "device", "utilization_percent": "core"}
"""Names under which neuron-monitor's documents look for the reason, by the part that is missing."""

_FIELDS = {
    "busy_ns": "stats/other_info/nc_time_in_use/total",
    "flops": "stats/other_info/flop_count/total",
    "pe_cntrs": "stats/tensor_engine/pe_cntrs",
    "power": "stats/power/utilization",
    "serial_number": "info/serial_number",
}
"""Fields of a core or device by the file that a tool on a real host has them from."""

_ALIASES = {"busy_ns": ("utilization_percent", "core_utilization_percent"), "flops": ("core_flops_per_s",)}
"""Under what else the reason is looked for."""

_SINCE_OF_FILE = {attribute.path: attribute.since for attribute in ATTRIBUTES}
_SINCE = {
    **{name: _SINCE_OF_FILE[path] for name, path in _FIELDS.items()},
    **{name: _SINCE_OF_FILE[f"stats/hardware/health_status/{name}"] for name in HEALTH_FILES},
    **(STATUS_NAMES | OTHER_INFO | CORE_MEMORY | HOST_MEMORY | ECC_COUNTERS),
}
"""Fields and entries of mappings -> the first driver that has them."""

V = TypeVar("V")


def seen_through(snapshot: Snapshot, driver: Driver) -> Snapshot:
    """What of a snapshot can be read through a driver that is not sound; `gaps` say what is missing, and why."""
    if driver.missing_by:
        return replace(snapshot, head=_with(snapshot.head, _everywhere(MISSING)), devices=())
    if driver.unreadable_by:
        devices = tuple([_closed(device) for device in snapshot.devices])
        return replace(snapshot, head=_with(snapshot.head, _everywhere(UNREADABLE)), devices=devices)
    old = _Old(driver.version or "0")
    devices = tuple([old.device(device) for device in snapshot.devices])
    return replace(snapshot, head=_with(snapshot.head, old.gaps()), devices=devices)


def _with(head: Head, gaps: Mapping[str, Gap]) -> Head:
    return replace(head, gaps={**head.gaps, **gaps})


def _everywhere(gap: Gap) -> dict[str, Gap]:
    return dict.fromkeys((*_DEVICE_PARTS, *_OF_DOCUMENTS), gap)


def _closed(device: Device) -> Device:
    """Directories can be listed; what the files in them say is unknown."""
    return Device(index=device.index, cores=tuple([Core(core=core.core, index=core.index) for core in device.cores]))


class _Old:
    """A driver of a version that lacks some files."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._lacks = {
            name: since for name, since in _SINCE.items() if version_tuple(since) > version_tuple(self._version)
        }
        self._missed: set[str] = set()

    def device(self, device: Device) -> Device:
        """What it shows of a device."""
        return replace(
            device,
            cores=tuple([self._core(core) for core in device.cores]),
            ecc=self._entries(device.ecc),
            health=self._entries(device.health),
            host_memory=self._entries(device.host_memory),
            **self._fields(device),
        )

    def gaps(self) -> dict[str, Gap]:
        """Why what was left out is unknown."""
        return {
            known_as: Gap(reason=f"needs driver {self._lacks[name]} or later, found {self._version}")
            for name in sorted(self._missed)
            for known_as in (name, *_ALIASES.get(name, ()))
        }

    def _core(self, core: Core) -> Core:
        return replace(
            core,
            status=self._entries(core.status),
            other_info=self._entries(core.other_info),
            memory=self._entries(core.memory),
            **self._fields(core),
        )

    def _fields(self, record: Core | Device) -> dict[str, Any]:
        gone = [name for name in _FIELDS if name in self._lacks and getattr(record, name, None) is not None]
        self._missed.update(gone)
        return dict.fromkeys(gone)

    def _entries(self, mapping: dict[str, V] | None) -> dict[str, V] | None:
        """What is left of a mapping; None where that is nothing."""
        if mapping is None:
            return None
        self._missed.update(self._lacks.keys() & mapping.keys())
        return {name: value for name, value in mapping.items() if name not in self._lacks} or None
