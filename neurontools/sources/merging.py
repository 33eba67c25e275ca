"""One reading made of two of the same host: what the hardware says, and what its Neuron runtimes say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from neurontools.schema.inventory import Holder, Inventory
from neurontools.schema.snapshot import Core, Device, Gap, Head, Process, Snapshot
from neurontools.schema.source import SourceError

CORE, PROCESS, ECC, HOST = "core", "process", "ecc", "host"
"""The parts that may come from the runtimes."""

_PROCESS_COUNTERS = (
    *("executions", "errors", "latency_total", "latency_device"),
    *("vcpu_user_ns", "vcpu_system_ns"),
)
"""Of a process that the runtimes know, these are theirs, or unknown: counters of two origins do not subtract."""

_PROCESS_LEVELS = ("models", "memory", "host_memory", "tag", "cores", "groups")
"""These are the runtimes', and the hardware's where they do not know."""

_COUNTERS = {
    "busy_ns": ("nc_time_in_use", "utilization_percent", "core_utilization_percent"),
    "flops": ("flop_count", "core_flops_per_s"),
}
"""What a core's execution is counted by: the driver's name for it, and others under which its absence is explained."""

_CORE_PARTS = frozenset((*_COUNTERS, *(name for names in _COUNTERS.values() for name in names)))

_STREAM = ("stream", "totals", "physical", "latency_total_histogram", "latency_device_histogram")
_GROUPS = ("execution_stats", "memory_used", "neuron_runtime_vcpu_usage", "neuroncore_counters")
_PROCESS_PARTS = frozenset(
    (PROCESS, "processes", "node_process_count", *_PROCESS_COUNTERS, *_PROCESS_LEVELS, *_STREAM, *_GROUPS)
)


def merged(hardware: Snapshot, runtimes: Snapshot, counters_fit: bool = True) -> Snapshot:
    """One reading of two, at the hardware's time.

    Without `counters_fit` the runtimes began to count anew since the last reading, which says nothing of the time
    between: then none of their counters are taken.
    """
    told = {core.core: core for device in runtimes.devices for core in device.cores} if counters_fit else {}
    time_ns = runtimes.head.time_ns
    ecc = {device.index: device.ecc for device in runtimes.devices}
    devices = tuple(
        replace(
            device,
            cores=tuple(_core(core, told.get(core.core), time_ns) for core in device.cores),
            ecc=_joined(ecc.get(device.index), device.ecc),
        )
        for device in hardware.devices
    )
    parts = {
        CORE: _filled_cores(hardware.devices, devices),
        PROCESS: runtimes.processes is not None,
        ECC: [device.ecc for device in devices] != [device.ecc for device in hardware.devices],
        HOST: hardware.host is None and runtimes.host is not None,
    }
    head = _head(hardware.head, runtimes.head, {part for part, taken in parts.items() if taken})
    counted = {name for device in devices for name in device.ecc or {}} if parts[ECC] else set()
    return replace(
        hardware,
        head=replace(head, gaps={part: gap for part, gap in head.gaps.items() if part not in counted}),
        devices=devices,
        processes=_processes(hardware.processes, runtimes.processes, time_ns, counters_fit),
        host=runtimes.host if hardware.host is None else hardware.host,
    )


def without_runtimes(hardware: Snapshot, error: SourceError) -> Snapshot:
    """The hardware's reading alone, with the reason."""
    gap = Gap(reason=f"only the hardware is read: {error.reason}", supply=error.hint or None)
    return replace(hardware, head=replace(hardware.head, gaps={**hardware.head.gaps, PROCESS: gap}))


def _head(hardware: Head, runtimes: Head, taken: set[str]) -> Head:
    """The hardware's, with the gaps of what is missing from both, or of what only the runtimes would have."""
    gaps = {part: gap for part, gap in hardware.gaps.items() if not _is_of(part, taken)}
    gaps |= {part: gap for part, gap in runtimes.gaps.items() if _is_of(part, taken)}
    told = hardware.lnc_assumed and not runtimes.lnc_assumed
    return replace(
        hardware,
        parts={**hardware.parts, **dict.fromkeys(sorted(taken), runtimes.origin)},
        gaps=gaps,
        logical_neuroncore_config=(runtimes if told else hardware).logical_neuroncore_config,
        lnc_assumed=hardware.lnc_assumed and not told,
    )


def _is_of(part: str, taken: set[str]) -> bool:
    """Whether a gap is about what is taken from the runtimes."""
    if part in _PROCESS_PARTS or part.startswith(f"{PROCESS}_"):
        return PROCESS in taken
    return part in _CORE_PARTS and CORE in taken


def _core(core: Core, told: Core | None, time_ns: int) -> Core:
    """A core of the hardware; where that does not count its execution, the runtimes do."""
    if told is None or told.busy_ns is None or _counts(core, "busy_ns"):
        return core
    return replace(
        core, time_ns=time_ns, busy_ns=told.busy_ns, flops=core.flops if _counts(core, "flops") else told.flops
    )


def _counts(core: Core, name: str) -> bool:
    """Whether a counter is in a reading, under our name or under the driver's."""
    return getattr(core, name) is not None or _COUNTERS[name][0] in (core.other_info or {})


def _filled_cores(before: Sequence[Device], after: Sequence[Device]) -> bool:
    return any(
        core is not filled
        for device, done in zip(before, after, strict=True)
        for core, filled in zip(device.cores, done.cores, strict=True)
    )


def _processes(
    hardware: Sequence[Process] | None, runtimes: Sequence[Process] | None, time_ns: int, counters_fit: bool
) -> tuple[Process, ...] | None:
    """The processes of both, joined by their pids; those that only one of them knows as it knows them."""
    if runtimes is None:
        return None if hardware is None else tuple(hardware)
    seen = {process.pid: process for process in hardware or ()}
    # A pid that the runtimes list twice is joined once: two records must not pass for one process.
    joined = [_process(seen.pop(process.pid, None), process, time_ns, counters_fit) for process in runtimes]
    told = {process.pid for process in runtimes}
    return (*joined, *(process for process in hardware or () if process.pid not in told))


def _process(seen: Process | None, told: Process, time_ns: int, counters_fit: bool) -> Process:
    fields: dict[str, Any] = {name: getattr(told, name) if counters_fit else None for name in _PROCESS_COUNTERS}
    if seen is None:
        return replace(told, time_ns=time_ns, **fields)
    fields |= {name: getattr(told, name) or getattr(seen, name) for name in _PROCESS_LEVELS}
    return replace(seen, time_ns=time_ns, **fields)


def _joined(first: Mapping[str, int] | None, second: Mapping[str, int] | None) -> dict[str, int] | None:
    """Counters of both by name; of one that both have, the second's."""
    return None if first is None and second is None else {**(first or {}), **(second or {})}


def with_runtimes(inventory: Inventory, runtimes: Snapshot) -> Inventory:
    """The inventory with the processes, and the size of a logical core, that only the runtimes know."""
    if inventory.lnc_assumed and not runtimes.head.lnc_assumed:
        size = runtimes.head.logical_neuroncore_config
        inventory = inventory._replace(logical_neuroncore_config=size, lnc_assumed=False)
    return _with_holders(inventory, runtimes.processes or ())


def _with_holders(inventory: Inventory, processes: Sequence[Process]) -> Inventory:
    """The inventory with those processes that it does not list, on the devices whose cores they hold."""
    listed = {holder.pid for device in inventory.devices for holder in device.holders}
    devices = []
    for device in inventory.devices:
        own = range(device.device * device.cores, (device.device + 1) * device.cores)
        more = [
            Holder(process.pid, process.command or process.tag or "", process.runtime_version or "N/A")
            for process in processes
            if process.pid not in listed and any(core in own for core in process.cores)
        ]
        devices.append(device._replace(holders=(*device.holders, *more)))
    return inventory._replace(devices=tuple(devices))
