"""What a document holds: all groups of an interval, and the facts of an inventory, under the names of AWS's tool."""

from __future__ import annotations

from msgspec import UNSET

from neurontools.hardware.chips import CHIPS, official_core_version
from neurontools.report_format import RUNTIME_GROUPS, SIMULATED, SYSTEM_GROUPS, Group, Report, Runtime
from neurontools.report_format.format import HardwareInfo, InstanceInfo
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory


def full_report(interval: Interval, inventory: Inventory) -> Report:
    """Every group of every process and of the node, all over one interval."""
    group = Group.of(interval)
    return Report(
        instance=instance_info(inventory),
        hardware=hardware_info(inventory, "" if inventory.devices else inventory.why_no_devices),
        runtimes=tuple(
            Runtime(process.pid, process.tag or str(process.pid), dict.fromkeys(RUNTIME_GROUPS, group))
            for process in interval.processes
        ),
        system=dict.fromkeys(SYSTEM_GROUPS, group),
    )


def instance_info(inventory: Inventory) -> InstanceInfo:
    """The instance; of a simulated one every field that can says so."""
    return InstanceInfo(
        instance_name=inventory.instance_name,
        instance_id=inventory.instance_id,
        instance_type=inventory.instance_type,
        instance_availability_zone=inventory.availability_zone,
        instance_availability_zone_id=SIMULATED if inventory.simulated else inventory.availability_zone_id,
        instance_region=inventory.region,
        ami_id=inventory.ami_id,
        subnet_id=inventory.subnet_id,
        ultraserver_id=inventory.ultraserver_id or UNSET,
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
