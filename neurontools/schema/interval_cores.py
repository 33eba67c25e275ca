"""NeuronCores between two readings: each physical core, and the logical cores that they make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple, replace

from neurontools.hardware.driver import COUNTER_BITS, OTHER_INFO, STATUS_NAMES
from neurontools.schema.deltas import (
    Meters,
    Period,
    mean,
    own_duration_ns,
    part,
    per_s,
    percent,
    same_counters,
    total_of,
)
from neurontools.schema.interval_memo import Memo
from neurontools.schema.interval_records import CoreInterval, EnginePercents
from neurontools.schema.snapshot import Core, Counter, MemoryUse, PeRow

_MEANS = ("utilization_percent", "collectives_percent")
_MAPPINGS = ("memory", "status", "status_total", "other_info", "other_info_total")
_IDENTITY = ("core", "device", "parts", "engines")
_SUMS = tuple(name for name in CoreInterval.__struct_fields__ if name not in {*_MEANS, *_MAPPINGS, *_IDENTITY})
_ENGINES = EnginePercents.__struct_fields__
_UNREAD = Core(core=-1, index=-1)
_WRAP_BITS = dict.fromkeys((*STATUS_NAMES, *OTHER_INFO), COUNTER_BITS)


def physical_core(previous: Core | None, current: Core, device: int, period: Period) -> CoreInterval:
    """One physical core; without an earlier reading of it everything that needs one is None."""
    if previous == current and current.time_ns is None:
        return _at_rest((device, current.core), current, device)
    return _counted(previous, current, device, period)


def _counted(previous: Core | None, current: Core, device: int, period: Period) -> CoreInterval:
    duration_ns = own_duration_ns(previous, current, period)
    meters = Meters(f"core/{current.core}", period.resets)
    previous = previous or _UNREAD
    if not same_counters(previous, current):
        previous = replace(previous, busy_ns=None, flops=None)
    busy_ns = meters.one("busy_ns", previous.busy_ns, current.busy_ns)
    collectives_ns = meters.one("collectives_ns", previous.collectives_ns, current.collectives_ns)
    flops = meters.one("flops", previous.flops, current.flops, COUNTER_BITS)
    read_bytes = meters.one("hbm_read_bytes", previous.hbm_read_bytes, current.hbm_read_bytes)
    written_bytes = meters.one("hbm_written_bytes", previous.hbm_written_bytes, current.hbm_written_bytes)
    status, status_total = _tallied(meters, "status", previous.status, current.status)
    other, other_total = _tallied(meters, "other_info", previous.other_info, current.other_info)
    executions = _get(other, "inference_count")
    return CoreInterval(
        core=current.core,
        device=device,
        parts=(current.core,),
        utilization_percent=percent(busy_ns, duration_ns),
        collectives_percent=percent(collectives_ns, duration_ns),
        engines=_engines(previous, current, duration_ns, meters),
        busy_ns=busy_ns,
        busy_ns_total=current.busy_ns,
        flops=flops,
        flops_per_s=per_s(flops, duration_ns),
        flops_total=current.flops,
        hbm_read_bytes=read_bytes,
        hbm_read_bytes_per_s=per_s(read_bytes, duration_ns),
        hbm_read_bytes_total=current.hbm_read_bytes,
        hbm_written_bytes=written_bytes,
        hbm_written_bytes_per_s=per_s(written_bytes, duration_ns),
        hbm_written_bytes_total=current.hbm_written_bytes,
        executions=executions,
        executions_per_s=per_s(executions, duration_ns),
        executions_total=_get(other_total, "inference_count"),
        memory=bytes_in_use(current.memory),
        memory_used_bytes=_memory_used(current),
        memory_peak_bytes=part(current.device_memory, "peak"),
        host_memory_bytes=part(current.host_memory, "total"),
        status=status,
        status_total=status_total,
        other_info=other,
        other_info_total=other_total,
    )


def logical_cores(physical: Sequence[CoreInterval], size: int) -> tuple[CoreInterval, ...]:
    """The logical cores of `size` physical cores each, in the order of their numbers."""
    if size <= 1:
        return tuple(physical)
    members: dict[int, list[CoreInterval]] = {}
    for core in physical:
        members.setdefault(core.core // size, []).append(core)
    return tuple(_merged_of(number, number, members[number]) for number in sorted(members))


def _resting(core: Core, device: int) -> CoreInterval:
    """A core that counted nothing: then the length of the period does not matter, and one record serves them all."""
    return _counted(core, core, device, Period(duration_ns=1, core_size=1, resets=[]))


_at_rest = Memo(_resting)


def bytes_in_use(memory: Mapping[str, MemoryUse] | None) -> dict[str, int] | None:
    """Bytes by category; a category whose use is unknown is left out."""
    if memory is None:
        return None
    return {category: use.total for category, use in memory.items() if use.total is not None}


def _merged(number: int, parts: list[CoreInterval]) -> CoreInterval:
    # What is unknown of one part is unknown, which is the default.
    known: dict[str, Any] = {}
    columns = zip(*map(_merged_fields, parts), strict=True)
    for (name, merge), column in zip(_MERGES.items(), columns, strict=True):
        if None not in column:
            known[name] = merge(column)
    return CoreInterval(
        core=number,
        device=parts[0].device,
        parts=tuple([core.core for core in parts]),
        **known,
    )


_merged_of = Memo(_merged)


def _sum_by_key(mappings: Sequence[dict[str, int]]) -> dict[str, int]:
    """Sums by key; a key that one of the mappings does not have is unknown and left out."""
    summed, *others = mappings
    for other in others:
        summed = {key: value + other[key] for key, value in summed.items() if key in other}
    return summed


def _mean_engines(engines: Sequence[EnginePercents]) -> EnginePercents:
    return EnginePercents(*map(mean, zip(*map(astuple, engines), strict=True)))


def _engines(previous: Core, current: Core, duration_ns: int, meters: Meters) -> EnginePercents | None:
    """From engine times; else the tensor engine alone, from the driver's hardware counters."""
    if previous.engines is not None and current.engines is not None:
        return EnginePercents(
            *(
                percent(meters.one(f"engines/{name}", old, new), duration_ns)
                for name, old, new in zip(_ENGINES, astuple(previous.engines), astuple(current.engines), strict=True)
            )
        )
    if not previous.pe_cntrs or not current.pe_cntrs:
        return None
    tensor = _tensor_percent(previous.pe_cntrs, current.pe_cntrs, meters)
    return None if tensor is None else EnginePercents(tensor=tensor)


def _tensor_percent(previous: Sequence[PeRow], current: Sequence[PeRow], meters: Meters) -> float | None:
    """Active cycles in percent of active and idle ones; wl_active is on another scale and does not enter.

    The driver may cut off the last row, so only the rows of both readings count.
    """
    rows = list(enumerate(zip(previous, current, strict=False)))
    active = total_of(meters.one(f"pe_cntrs/{i}/mm_active", old.mm_active, new.mm_active) for i, (old, new) in rows)
    idle = total_of(meters.one(f"pe_cntrs/{i}/idle", old.idle, new.idle) for i, (old, new) in rows)
    return percent(active, total_of((active, idle)))


def _memory_used(core: Core) -> int | None:
    if core.device_memory is not None and core.device_memory.total is not None:
        return core.device_memory.total
    used: int | None = total_of(use.total for use in core.memory.values()) if core.memory else None
    return used


def _tallied(
    meters: Meters, name: str, previous: Mapping[str, Counter] | None, current: Mapping[str, Counter] | None
) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    """What the driver's counters of one directory counted, and their totals."""
    if current is None:
        return None, None
    totals = _totals(current)
    return (None if previous is None else meters.tally(name, _totals(previous), totals, _WRAP_BITS)), totals


def _totals(counters: Mapping[str, Counter]) -> dict[str, int]:
    return {name: counter.total for name, counter in counters.items()}


def _get(mapping: Mapping[str, int] | None, key: str) -> int | None:
    return mapping.get(key) if mapping is not None else None


_MERGES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    **dict.fromkeys(_MEANS, mean),
    **dict.fromkeys(_SUMS, sum),
    **dict.fromkeys(_MAPPINGS, _sum_by_key),
    "engines": _mean_engines,
}
"""What makes the fields of the parts that of the logical core."""

_merged_fields = attrgetter(*_MERGES)
