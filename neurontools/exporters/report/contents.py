"""What one document tells: the groups that are due, each with its interval, and the facts that are always written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from neurontools.exporters.report.format import HardwareInfo, InstanceInfo, RuntimeReport, SystemData
from neurontools.hardware.chips import CHIPS, official_core_version
from neurontools.schema.interval_records import Interval
from neurontools.schema.inventory import Inventory

RUNTIME_GROUPS = RuntimeReport.__struct_fields__
SYSTEM_GROUPS = SystemData.__struct_fields__
GROUPS = RUNTIME_GROUPS + SYSTEM_GROUPS
"""The metric groups by their official names, in the order of the document."""

SIMULATED = "simulated"
NAME_MARK = f"{SIMULATED}:"
"""How an instance name begins whose readings are not of a real host."""


class Group(NamedTuple):
    """A group that is due: the interval that it is taken from, and why numbers of it, or all of it, are missing."""

    interval: Interval | None
    period_ns: int = 0
    error: str = ""

    @classmethod
    def of(cls, interval: Interval) -> Group:
        """A group over the whole of an interval."""
        return cls(interval, interval.duration_ns)


class Runtime(NamedTuple):
    """A process with its due groups by name; `error` says why there are none."""

    pid: int
    tag: str
    groups: Mapping[str, Group]
    error: str = ""


class Report(NamedTuple):
    """One document before it is text, or after it was."""

    instance: InstanceInfo
    hardware: HardwareInfo
    runtimes: tuple[Runtime, ...] = ()
    system: Mapping[str, Group] = {}
    extended: Mapping[str, Any] | None = None


def instance_info(inventory: Inventory) -> InstanceInfo:
    """The instance; of a simulated one every field that can says so."""
    return InstanceInfo(
        instance_name=inventory.instance_name,
        instance_id=inventory.instance_id,
        instance_type=inventory.instance_type,
        instance_availability_zone=inventory.availability_zone,
        instance_availability_zone_id=SIMULATED if inventory.simulated else "",
        instance_region=inventory.region,
    )


def hardware_info(inventory: Inventory, error: str = "") -> HardwareInfo:
    """The devices, under the names of AWS's tool; a name that is not published for the chip is ours or empty."""
    chip = CHIPS.get(inventory.chip)
    lnc = inventory.logical_neuroncore_config
    return HardwareInfo(
        neuron_device_type=(chip.monitor_device_type if chip else None) or "",
        neuron_device_version=(chip.monitor_device_version if chip else None) or "",
        neuroncore_version=official_core_version(inventory.chip, lnc) or inventory.neuroncore_version,
        neuron_device_count=len(inventory.devices),
        neuron_device_memory_size=inventory.devices[0].memory_bytes if inventory.devices else 0,
        neuroncore_per_device_count=inventory.logical_cores_per_device,
        logical_neuroncore_config=lnc,
        error=error,
    )
