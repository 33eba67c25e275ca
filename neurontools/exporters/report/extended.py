"""The one key of our own, `neurontools`: what the official format has no place for."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from neurontools.schema.interval_records import CoreInterval, DeviceInterval, Interval, ProcessInterval

VERSION = 1
"""Raised when a reader of the previous version would misunderstand the key."""

_CORE = (
    "collectives_percent",
    "hbm_read_bytes_per_s",
    "hbm_written_bytes_per_s",
    "memory",
    "memory_used_bytes",
    "memory_peak_bytes",
)
_ENGINES = ("tensor", "vector", "scalar", "gpsimd")
_BANK = ("bank", "cores", "total_bytes", "used_bytes", "largest_free_bytes", "fragmentation_percent")
_LINK = ("peer", "up", "capacity_bytes_per_s", "transmitted_bytes_per_s", "received_bytes_per_s")
_POWER = ("power_status", "power_epoch_s", "power_min_percent", "power_max_percent", "power_avg_percent")
_WORKLOAD = (
    "kind",
    "requests",
    "requests_per_s",
    "queued",
    "running",
    "prompt_tokens_per_s",
    "generated_tokens_per_s",
    "cache_used_percent",
    "time_to_first_token",
    "request_latency",
)


def extended(interval: Interval) -> dict[str, Any]:
    """Engines, device memory by all categories and by bank, links, power, workloads, origin and gaps.

    Names and units are those of the interval's records; null is unknown. Cores are logical and count over the node.
    """
    head = interval.head
    return {
        "version": VERSION,
        "time_ns": head.time_ns,
        "boot_id": head.boot_id,
        "duration_ns": interval.duration_ns,
        "origin": to_builtins(head.origin),
        **({"parts": to_builtins(head.parts)} if head.parts else {}),
        "gaps": to_builtins(head.gaps),
        "resets": list(interval.resets),
        "cores": [_core(core) for core in interval.cores],
        "devices": [_device(device) for device in interval.devices],
        "workloads": [_workload(process) for process in interval.processes if process.workload is not None],
    }


def _core(core: CoreInterval) -> dict[str, Any]:
    engines = {name: getattr(core.engines, name, None) for name in _ENGINES}
    return {"core": core.core, "device": core.device, "engines_percent": engines} | _fields(core, _CORE)


def _device(device: DeviceInterval) -> dict[str, Any]:
    return {
        "device": device.device,
        "banks": [_fields(bank, _BANK) for bank in device.banks],
        "links": None if device.links is None else [_fields(link, _LINK) for link in device.links],
    } | _fields(device, _POWER)


def _workload(process: ProcessInterval) -> dict[str, Any]:
    return {"pid": process.pid, "tag": process.tag} | _fields(process.workload, _WORKLOAD)


def _fields(record: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: to_builtins(getattr(record, name)) for name in names}
