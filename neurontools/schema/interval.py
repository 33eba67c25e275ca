"""Interval = between(previous, current): the only place where rates, percentages and percentiles come from."""

from __future__ import annotations

from neurontools.schema.deltas import Period
from neurontools.schema.interval_cores import logical_cores, physical_core
from neurontools.schema.interval_devices import device_interval, host_interval
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
from neurontools.schema.snapshot import Head, Snapshot
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
    earlier_cores = {core.core: core for device in previous.devices for core in device.cores}
    earlier_devices = {device.index: device for device in previous.devices}
    by_device = [
        [physical_core(earlier_cores.get(core.core), core, device.index, period) for core in device.cores]
        for device in current.devices
    ]
    physical = tuple(core for cores in by_device for core in cores)
    logical = logical_cores(physical, period.core_size)
    devices = tuple(
        device_interval(earlier_devices.get(device.index), device, cores, period)
        for device, cores in zip(current.devices, by_device, strict=True)
    )
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
