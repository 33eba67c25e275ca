"""Which value each of the driver's files shows: a field of a reading, or a constant of the simulated host."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from neurontools.hardware.driver import (
    PCI_VENDOR_ID,
    POWER_NO_DATA,
    RESET_STATES,
    ULTRASERVER,
    ULTRASERVER_MODES,
    Attribute,
    platform_of,
)
from neurontools.hardware.instances import Instance, chip_of
from neurontools.hardware.topology import adjacency
from neurontools.schema.inventory import NO_INSTANCE_ID
from neurontools.schema.snapshot import Power

MAJOR = 241
"""The major number of /dev/neuronN: a dynamic one, so any (this one is that of a captured host)."""

_FIRMWARE_API, _FIRMWARE_BUILD = 5, 123456
"""Assumed: no value was captured."""

_NOBODY = -1
_ALONE = tuple(mode for mode, name in ULTRASERVER_MODES.items() if name == "X1")

_SAMPLES_PER_S = 20
"""The driver asks the firmware every 50 ms; every answer is a new sample (assumed)."""


class Shown(NamedTuple):
    """Where the value of a file is from: a field of a device's or a core's reading, the entry of it where that is a
    mapping, and what of that is shown."""

    field: str
    value: Callable[[Any], Any]
    entry: str | None = None


def shown_by(attribute: Attribute, instance: Instance) -> Shown | None:
    """The part of a reading that a device's or core's file shows; None where the file never changes."""
    match attribute.path.split("/"):
        case ["stats", ("status" | "other_info") as group, name, file]:
            return Shown(group, attrgetter(file), name)
        case ["stats", "memory_usage", "host_mem" | "device_mem" as pool, file]:
            return Shown("host_memory" if pool == "host_mem" else "device_memory", attrgetter(file))
        case ["stats", "memory_usage", "host_mem" | "device_mem" as pool, category, file]:
            field = "host_memory" if pool == "host_mem" else "memory"
            return Shown(field, attrgetter(file), category)
        case ["stats", "hardware", "health_status", name]:
            return Shown("health", _same, name)
        case ["stats", "hardware", name]:
            return Shown("ecc", _same, name)
    return _SINGLE[attribute.path](instance) if attribute.path in _SINGLE else None


def _same(value: Any) -> Any:
    return value


def _raw_power(instance: Instance) -> Shown:
    """The dice share a device's load (assumed), and show its mean of the last minute."""
    dice = chip_of(instance).dice or 1

    def value(power: Power | None) -> list[tuple[int, int] | None]:
        if power is None or power.status == POWER_NO_DATA:
            return [None] * dice
        return [(round(power.avg_percent * 100), power.epoch_s * _SAMPLES_PER_S)] * dice

    return Shown("power", value)


def _firmware(number: int) -> Callable[[Instance], Shown]:
    return lambda _: Shown("reset_state", lambda state: "busy" if state == "reset" else number)


_SINGLE: dict[str, Callable[[Instance], Shown]] = {
    "reset": lambda _: Shown("reset_state", lambda state: RESET_STATES.index(state.upper())),
    "fw_api_version": _firmware(_FIRMWARE_API),
    "fw_build": _firmware(_FIRMWARE_BUILD),
    "info/serial_number": lambda _: Shown("serial_number", _same),
    "stats/power/utilization": lambda _: Shown("power", lambda power: power or Power(status=POWER_NO_DATA)),
    "stats/power/utilization_raw": _raw_power,
    "stats/tensor_engine/pe_cntrs": lambda _: Shown("pe_cntrs", _same),
}


def fixed_value(attribute: Attribute, instance: Instance, device: int) -> Any:
    """The value of a file that never changes, in what its kind is written from; KeyError for another file."""
    return _FIXED[attribute.scope][attribute.path](instance, device)


def _neighbours(instance: Instance, device: int) -> tuple[int, ...]:
    return adjacency(instance)[device]


def _modes(instance: Instance, device: int) -> tuple[int, ...]:
    """The simulated host stands alone, also where it could be one of an ultraserver."""
    return _ALONE if platform_of(instance.name) == ULTRASERVER else ()


def _cpus(instance: Instance, device: int) -> str:
    return instance.cpu_affinity[device] if instance.cpu_affinity else f"0-{instance.vcpus - 1}"


def _of(value: Any) -> Callable[[Instance, int], Any]:
    return lambda instance, device: value


_FIXED: dict[str, dict[str, Callable[[Instance, int], Any]]] = {
    "class": {
        "hbm_7200_capable": _of(0),
        "current_perf_profile": _of(0),
        "node_cnt": _of(1),
        "reservation_id": _of(""),
        "ultraserver_mode": _modes,
        **dict.fromkeys(("node_id", "node_id_2", "node_id_4"), _of(_NOBODY)),
        **dict.fromkeys(("server_id", "server_id_2", "server_id_4"), _of(0)),
    },
    "device": {
        "dev": lambda _, device: f"{MAJOR}:{device}",
        "uevent": lambda _, device: (MAJOR, device, f"neuron{device}"),
        "power/control": _of("auto"),
        "power/runtime_status": _of("unsupported"),
        "power/runtime_active_time": _of(0),
        "power/runtime_suspended_time": _of(0),
        "power/autosuspend_delay_ms": _of(""),
        "core_count": lambda instance, _: chip_of(instance).cores,
        "connected_devices": _neighbours,
        "info/notify_delay": _of(-1),
        "info/architecture/arch_type": lambda instance, _: chip_of(instance).arch_type,
        "info/architecture/instance_type": lambda instance, _: chip_of(instance).family,
        "info/architecture/device_name": lambda instance, _: chip_of(instance).name,
    },
    "core": {"info/architecture/arch_type": lambda instance, _: chip_of(instance).core.arch_type},
    "pci": {
        "vendor": _of(PCI_VENDOR_ID),
        "device": lambda instance, _: chip_of(instance).pci_device_ids[0],
        "numa_node": lambda instance, device: instance.numa_nodes[device] if instance.numa_nodes else -1,
        "local_cpulist": _cpus,
    },
    "dmi": {
        "product_name": lambda instance, _: instance.name,
        "board_asset_tag": _of(NO_INSTANCE_ID),
    },
}
