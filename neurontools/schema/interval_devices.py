"""Devices, their banks and links, and the host around them, between two readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import sub

from msgspec.structs import astuple

from neurontools.hardware.driver import POWER_VALID
from neurontools.schema.deltas import Meters, Period, mean, part, per_s, percent, total_of
from neurontools.schema.interval_cores import bytes_in_use
from neurontools.schema.interval_records import (
    BankInterval,
    CoreInterval,
    CpuPercents,
    DeviceInterval,
    HostInterval,
    LinkInterval,
)
from neurontools.schema.snapshot import Bank, CpuTimes, Device, Host, Link

_ECC_WRAP_BITS: Mapping[str, int] = {"sram_ecc_uncorrected": 16, "sram_ecc_corrected": 16}
"""The firmware packs both SRAM counts into one register of 32 bits."""

_CPU_STATES = CpuTimes.__struct_fields__


def device_interval(
    previous: Device | None,
    current: Device,
    cores: Sequence[CoreInterval],
    period: Period,
) -> DeviceInterval:
    """One device; `cores` are its physical cores in this period."""
    meters = Meters(f"device/{current.index}", period.resets)
    first_core = current.cores[0].core - current.cores[0].index if current.cores else 0
    banks = tuple(_bank(bank, first_core, period.core_size) for bank in current.banks)
    used = _used(banks, cores)
    total = total_of(bank.total_bytes for bank in banks)
    host_memory = bytes_in_use(current.host_memory)
    power = current.power if current.power is not None and current.power.status == POWER_VALID else None
    return DeviceInterval(
        device=current.index,
        utilization_percent=mean([core.utilization_percent for core in cores]),
        memory_used_bytes=used,
        memory_total_bytes=total,
        memory_used_percent=percent(used, total),
        banks=banks,
        links=_links(previous, current, period),
        power_status=part(current.power, "status"),
        power_epoch_s=part(power, "epoch_s"),
        power_min_percent=part(power, "min_percent"),
        power_max_percent=part(power, "max_percent"),
        power_avg_percent=part(power, "avg_percent"),
        ecc=meters.tally("ecc", part(previous, "ecc"), current.ecc, _ECC_WRAP_BITS),
        ecc_total=current.ecc,
        health=current.health,
        host_memory=host_memory,
        host_memory_bytes=total_of(use.total for use in (current.host_memory or {}).values()),
        reset_state=current.reset_state,
    )


def host_interval(previous: Host | None, current: Host | None, period: Period) -> HostInterval | None:
    """The host; levels are those of the later reading."""
    if current is None:
        return None
    ticks = _ticks(part(previous, "cpus"), current.cpus)
    shares = {} if ticks is None else {times: _cpu_percents(times) for times in set(ticks)}
    before = part(previous, "context_switches")
    return HostInterval(
        vcpu_count=None if current.cpus is None else len(current.cpus),
        # Times are multiples of a kernel tick, so that many of a large host's vCPUs have spent theirs alike.
        cpus=None if ticks is None else tuple([shares[times] for times in ticks]),
        average=None if ticks is None else _cpu_percents(tuple(map(sum, zip(*ticks, strict=True)))),
        memory_total_bytes=current.memory_total_bytes,
        memory_used_bytes=current.memory_used_bytes,
        memory_used_percent=percent(current.memory_used_bytes, current.memory_total_bytes),
        swap_total_bytes=current.swap_total_bytes,
        swap_used_bytes=current.swap_used_bytes,
        context_switches=Meters("host", period.resets).one("context_switches", before, current.context_switches),
        context_switches_total=current.context_switches,
    )


def _bank(bank: Bank, first_core: int, core_size: int) -> BankInterval:
    free = None if bank.used_bytes is None else bank.total_bytes - bank.used_bytes
    scattered = None if free is None or bank.largest_free_bytes is None else free - bank.largest_free_bytes
    return BankInterval(
        bank=bank.index,
        cores=tuple(dict.fromkeys((first_core + core) // core_size for core in bank.cores)),
        total_bytes=bank.total_bytes,
        used_bytes=bank.used_bytes,
        used_percent=percent(bank.used_bytes, bank.total_bytes),
        free_bytes=free,
        largest_free_bytes=bank.largest_free_bytes,
        fragmentation_percent=percent(scattered, free),
    )


def _used(banks: Sequence[BankInterval], cores: Sequence[CoreInterval]) -> int | None:
    """What the banks hold; where their use is unknown, what the cores hold."""
    used: int | None = total_of(bank.used_bytes for bank in banks)
    if used is None:
        used = total_of(core.memory_used_bytes for core in cores)
    return used


def _links(previous: Device | None, current: Device, period: Period) -> tuple[LinkInterval, ...] | None:
    if current.links is None:
        return None
    earlier = {link.peer: link for link in (previous.links or ())} if previous is not None else {}
    return tuple(_link(earlier.get(link.peer), link, current.index, period) for link in current.links)


def _link(previous: Link | None, current: Link, device: int, period: Period) -> LinkInterval:
    meters = Meters(f"link/{device}-{current.peer}", period.resets)
    transmitted = meters.one("transmitted_bytes", part(previous, "transmitted_bytes"), current.transmitted_bytes)
    received = meters.one("received_bytes", part(previous, "received_bytes"), current.received_bytes)
    transmitted_per_s = per_s(transmitted, period.duration_ns)
    received_per_s = per_s(received, period.duration_ns)
    return LinkInterval(
        peer=current.peer,
        up=current.up,
        capacity_bytes_per_s=current.capacity_bytes_per_s,
        transmitted_bytes=transmitted,
        transmitted_bytes_per_s=transmitted_per_s,
        transmitted_percent=percent(transmitted_per_s, current.capacity_bytes_per_s),
        transmitted_bytes_total=current.transmitted_bytes,
        received_bytes=received,
        received_bytes_per_s=received_per_s,
        received_percent=percent(received_per_s, current.capacity_bytes_per_s),
        received_bytes_total=current.received_bytes,
    )


def _ticks(previous: Sequence[CpuTimes] | None, current: Sequence[CpuTimes] | None) -> list[tuple[int, ...]] | None:
    """Nanoseconds by vCPU and state; a vCPU without an earlier reading did not tick.

    A time that falls counts as 0 and is no reset: the kernel corrects idle and io_wait backwards,
    and a vCPU that was taken offline starts again.
    """
    if previous is None or current is None:
        return None
    # In one pass over all numbers of the host: by vCPU it would cost three times as much.
    before, now = (chain.from_iterable(map(astuple, cpus)) for cpus in (previous, current))
    passed = iter([step if step > 0 else 0 for step in map(sub, now, before)])
    ticks = list(zip(*[passed] * len(_CPU_STATES), strict=True))
    return ticks + [(0,) * len(_CPU_STATES)] * (len(current) - len(ticks))


def _cpu_percents(times: Sequence[int]) -> CpuPercents | None:
    elapsed = sum(times)
    return CpuPercents(*[100.0 * time / elapsed for time in times]) if elapsed else None
