"""Interval = between(previous, current): the only place where rates, percentages and percentiles come from."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from neurontools.schema.deltas import Period
from neurontools.schema.interval_cores import logical_cores, physical_core
from neurontools.schema.interval_devices import device_interval, host_interval
from neurontools.schema.interval_memo import Memo
from neurontools.schema.interval_processes import earlier_reading, process_interval
from neurontools.schema.interval_records import (
    BankInterval,
    CoreInterval,
    CpuPercents,
    DeviceInterval,
    EnginePercents,
    HostInterval,
    Interval,
    LinkInterval,
    LoadedModel,
    LoadedSubgraph,
    NoInterval,
    Percentiles,
    ProcessInterval,
    WorkloadInterval,
)
from neurontools.schema.snapshot import Device, Head, Snapshot
from neurontools.schema.totals import Totals, totals

__all__ = [
    "BankInterval",
    "CoreInterval",
    "CpuPercents",
    "DeviceInterval",
    "EnginePercents",
    "HostInterval",
    "Interval",
    "LinkInterval",
    "LoadedModel",
    "LoadedSubgraph",
    "NoInterval",
    "Percentiles",
    "ProcessInterval",
    "Totals",
    "WorkloadInterval",
    "between",
    "totals",
]


def between(previous: Snapshot, current: Snapshot) -> Interval:
    """What the node did between two snapshots of the same boot.

    Records are matched by core number, device index, link peer and (pid, started_ns). Of a core,
    device or link that the earlier snapshot lacks the deltas are unknown; a process that started
    after it counts from zero. Raises NoInterval when the times are equal or run backwards, or when
    the node was booted in between.
    """
    period = Period(
        duration_ns=_duration_ns(previous.head, current.head),
        core_size=max(1, current.head.logical_neuroncore_config),
        resets=[],
        gaps=current.head.gaps,
    )
    earlier = {device.index: device for device in previous.devices}
    parts = [_device(earlier.get(device.index), device, period) for device in current.devices]
    devices = tuple([device for device, _ in parts])
    physical = tuple([core for _, cores in parts for core in cores])
    logical = logical_cores(physical, period.core_size)
    host = host_interval(previous.host, current.host, period)
    processes = _processes(previous, current, logical, host, period)
    return Interval(
        head=current.head,
        duration_ns=period.duration_ns,
        physical=physical,
        cores=logical,
        devices=devices,
        processes=processes,
        processes_known=current.processes is not None,
        host=host,
        resets=tuple(period.resets),
        snapshot=current,
    )


def _device(
    previous: Device | None, current: Device, period: Period
) -> tuple[DeviceInterval, tuple[CoreInterval, ...]]:
    """A device and its physical cores."""
    if previous is not None and previous.cores is current.cores and _counters(previous) == _counters(current):
        device, cores = _device_at_rest(current.index, *_counters(current), period.core_size)
        return replace(device, health=current.health), cores
    earlier = {core.core: core for core in previous.cores} if previous is not None else {}
    cores = tuple([physical_core(earlier.get(core.core), core, current.index, period) for core in current.cores])
    return device_interval(previous, current, cores, period), cores


_COUNTED = tuple(name for name in Device.__struct_fields__ if name not in ("index", "health"))
_counters = attrgetter("index", *_COUNTED)


def _resting(index: int, *rest: Any) -> tuple[DeviceInterval, tuple[CoreInterval, ...]]:
    """A device that counted nothing: then the length of the period does not matter, and one record serves them all."""
    *values, core_size = rest
    device = Device(index=index, **dict(zip(_COUNTED, values, strict=True)))
    period = Period(duration_ns=1, core_size=core_size, resets=[])
    cores = tuple([physical_core(core, core, index, period) for core in device.cores])
    return device_interval(device, device, cores, period), cores


_device_at_rest = Memo(_resting)


def _duration_ns(previous: Head, current: Head) -> int:
    if previous.boot_id != current.boot_id:
        raise NoInterval("the node was booted between the two readings")
    if current.time_ns == previous.time_ns:
        still = ": this simulated host stands still" if current.origin.simulated else ""
        raise NoInterval(f"both readings are of the same instant{still}")
    if current.time_ns < previous.time_ns:
        raise NoInterval("the second reading is older than the first")
    return current.time_ns - previous.time_ns


def _processes(
    previous: Snapshot,
    current: Snapshot,
    cores: tuple[CoreInterval, ...],
    host: HostInterval | None,
    period: Period,
) -> tuple[ProcessInterval, ...]:
    earlier = {(process.pid, process.started_ns): process for process in previous.processes or ()}
    by_number = {core.core: core for core in cores}
    vcpu_count = host.vcpu_count if host is not None else None
    since_ns = previous.head.time_ns
    return tuple(
        process_interval(
            earlier_reading(earlier.get((process.pid, process.started_ns)), process, since_ns),
            process,
            by_number,
            vcpu_count,
            period,
        )
        for process in current.processes or ()
    )
