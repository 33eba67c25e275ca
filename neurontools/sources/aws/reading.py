"""What the lines have told so far, as a snapshot and as an inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import astuple, replace

from neurontools.hardware.chips import cores_of_bank
from neurontools.hardware.instances import INSTANCES
from neurontools.hardware.memory import OFFICIAL_DEVICE
from neurontools.hardware.topology import adjacency
from neurontools.report_format import Report, inventory_of
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval_records import LoadedModel
from neurontools.schema.inventory import Holder, Inventory, InventoryDevice
from neurontools.schema.snapshot import (
    Bank,
    Core,
    CpuTimes,
    Device,
    Gap,
    Head,
    Host,
    MemoryUse,
    Model,
    Origin,
    Process,
    Snapshot,
    Subgraph,
)
from neurontools.sources.aws.gaps import gaps_of
from neurontools.sources.aws.runtime import RuntimeTotals
from neurontools.sources.aws.totals import HostTotals, Totals, shares

NOT_KNOWN = "N/A"
"""The version of a runtime that is there: it must not pass for a process without one."""


def snapshot_of(totals: Totals, time_ns: int, boot_id: str, detail: str, notes: Mapping[str, Gap]) -> Snapshot:
    """The totals at one instant; `notes` are gaps that have to do with the stream, not with a line."""
    inventory = inventory_of(Report(totals.instance, totals.hardware))
    origin = Origin(kind=inventory.origin, detail=detail, simulated=inventory.simulated, scenario=inventory.scenario)
    cores = _Cores(totals)
    return Snapshot(
        head=Head(
            time_ns=time_ns,
            boot_id=boot_id,
            origin=origin,
            logical_neuroncore_config=inventory.logical_neuroncore_config,
            lnc_assumed=inventory.lnc_assumed,
            gaps={**gaps_of(totals), **notes},
        ),
        devices=tuple(_device(totals, device, cores) for device in inventory.devices),
        processes=tuple(_process(runtime, totals.core_size) for runtime in totals.runtimes.values()),
        host=_host(totals.host),
    )


def before(snapshot: Snapshot, time_ns: int) -> Snapshot:
    """The reading before the first line: the same host when nothing had been counted."""
    return replace(
        snapshot,
        head=replace(snapshot.head, time_ns=time_ns),
        devices=tuple(_device_before(device) for device in snapshot.devices),
        processes=tuple(_process_before(process) for process in snapshot.processes or ()),
        host=None if snapshot.host is None else _host_before(snapshot.host),
    )


def inventory_with_holders(totals: Totals) -> Inventory:
    """The hardware, its design, and the runtimes on it."""
    inventory = inventory_of(Report(totals.instance, totals.hardware))
    instance = INSTANCES.get(inventory.instance_type)
    links = adjacency(instance) if instance is not None and instance.devices == len(inventory.devices) else ()
    error = totals.errors.get("neuron_hardware_info")
    return inventory._replace(
        devices=tuple(
            device._replace(
                connected_to=links[device.device] if links else (),
                holders=tuple(_holders(totals, device.device, inventory.logical_cores_per_device)),
            )
            for device in inventory.devices
        ),
        gaps=(("device", error),) if error else (),
    )


def _holders(totals: Totals, device: int, cores_per_device: int) -> Iterable[Holder]:
    own = range(device * cores_per_device, (device + 1) * cores_per_device)
    for runtime in totals.runtimes.values():
        if any(core in own for core in runtime.cores):
            yield Holder(runtime.pid, "" if runtime.tag == str(runtime.pid) else runtime.tag, NOT_KNOWN)


class _Cores:
    """What the runtimes say of the physical cores, and on which of them they leave something in the dark."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._no_memory: set[int] = set()
        self._blind: set[int] = set()
        self._no_flops: set[int] = set()
        self._held: set[int] = set()
        self._dark = False
        self._memory: dict[int, dict[str, int]] = {}
        for runtime in totals.runtimes.values():
            self._look_at(runtime)
        flops_printed = bool(totals.flops) or not self._no_flops
        self._all_flops_unknown = not flops_printed

    def record(self, core: int, index: int) -> Core:
        """One physical core."""
        totals = self._totals
        known = core not in self._blind and (core in self._held or not self._dark)
        flops_known = known and core not in self._no_flops and not self._all_flops_unknown
        return Core(
            core=core,
            index=index,
            busy_ns=totals.busy_ns[core] if known else None,
            flops=totals.flops[core] if flops_known else None,
            memory=self._memory_of(core),
        )

    def _look_at(self, runtime: RuntimeTotals) -> None:
        size = self._totals.core_size
        own = _parts(runtime.cores, size)
        if runtime.counted:
            self._held.update(own)
            self._blind.update(_parts(runtime.blind, size))
            self._no_flops.update(_parts(runtime.no_flops, size))
        else:
            self._blind.update(own)
            self._dark = self._dark or not own
        if runtime.memory is None:
            self._no_memory.update(own)
            return
        for part, used in _by_part(runtime.memory, size).items():
            sums = self._memory.setdefault(part, {})
            for category, size_bytes in used.items():
                sums[category] = sums.get(category, 0) + size_bytes

    def _memory_of(self, core: int) -> dict[str, MemoryUse] | None:
        if core in self._no_memory or (self._dark and core not in self._memory):
            return None
        used = self._memory.get(core) or dict.fromkeys(OFFICIAL_DEVICE, 0)
        return {category: MemoryUse(total) for category, total in used.items()}


def _device(totals: Totals, device: InventoryDevice, cores: _Cores) -> Device:
    first = device.device * device.cores
    return Device(
        index=device.device,
        cores=tuple(cores.record(first + index, index) for index in range(device.cores)),
        banks=_banks(totals, device),
        ecc=totals.ecc.get(device.device),
    )


def _banks(totals: Totals, device: InventoryDevice) -> tuple[Bank, ...]:
    """The chip's banks, where they make up the memory that the lines name; what is in them is not known."""
    chip = totals.chip
    if chip is None or chip.memory_bytes != device.memory_bytes or chip.cores != device.cores:
        whole = Bank(index=0, total_bytes=device.memory_bytes, cores=tuple(range(device.cores)))
        return (whole,) if device.memory_bytes else ()
    return tuple(
        Bank(index=index, total_bytes=chip.bank_bytes, cores=cores_of_bank(chip, index)) for index in range(chip.banks)
    )


def _process(runtime: RuntimeTotals, size: int) -> Process:
    return Process(
        pid=runtime.pid,
        started_ns=runtime.started_ns,
        tag=runtime.tag or None,
        cores=_parts(runtime.cores, size),
        memory=None if runtime.memory is None else _by_part(runtime.memory, size),
        host_memory=None if runtime.host_memory is None else dict(runtime.host_memory),
        models=None if runtime.models is None else tuple(_model(model, size) for model in runtime.models),
        **runtime.counters,
    )


def _model(model: LoadedModel, size: int) -> Model:
    return Model(
        model_id=model.model_id,
        name=model.name,
        uuid=model.uuid,
        running=model.running,
        subgraphs=tuple(
            Subgraph(
                name=part.name,
                core=part.core * size,
                device=part.device,
                host_memory=part.host_memory,
                device_memory=part.device_memory,
            )
            for part in model.subgraphs
        ),
    )


def _host(host: HostTotals) -> Host | None:
    if not host.levels and host.cpus is None:
        return None
    return Host(
        cpus=None if host.cpus is None else tuple(CpuTimes(*times) for times in host.cpus),
        context_switches=host.context_switches,
        **host.levels,
    )


def _parts(cores: Iterable[int], size: int) -> tuple[int, ...]:
    """The physical cores of logical ones."""
    return tuple(core * size + part for core in cores for part in range(size))


def _by_part(memory: Mapping[int, Mapping[str, int]], size: int) -> dict[int, dict[str, int]]:
    """Bytes by logical core as bytes by physical core, in equal parts."""
    if size == 1:
        return {core: dict(used) for core, used in memory.items()}
    by_part: dict[int, dict[str, int]] = {}
    for core, used in memory.items():
        for category, total in used.items():
            for part, share in zip(_parts([core], size), shares(total, size), strict=True):
                by_part.setdefault(part, {})[category] = share
    return by_part


def _device_before(device: Device) -> Device:
    cores = tuple(replace(core, busy_ns=_zero(core.busy_ns), flops=_zero(core.flops)) for core in device.cores)
    return replace(device, cores=cores, ecc=_zeros(device.ecc))


def _process_before(process: Process) -> Process:
    empty = Histogram()
    return replace(
        process,
        executions=_zeros(process.executions),
        errors=_zeros(process.errors),
        latency_total=None if process.latency_total is None else empty,
        latency_device=None if process.latency_device is None else empty,
        vcpu_user_ns=_zero(process.vcpu_user_ns),
        vcpu_system_ns=_zero(process.vcpu_system_ns),
    )


def _host_before(host: Host) -> Host:
    cpus = None if host.cpus is None else tuple(CpuTimes(*[0] * len(astuple(times))) for times in host.cpus)
    return replace(host, cpus=cpus, context_switches=_zero(host.context_switches))


def _zero(count: int | None) -> int | None:
    return None if count is None else 0


def _zeros(counts: Mapping[str, int] | None) -> dict[str, int] | None:
    return None if counts is None else dict.fromkeys(counts, 0)
