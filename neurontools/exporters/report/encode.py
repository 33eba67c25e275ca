"""A report as the line that AWS's neuron-monitor would print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct

from neurontools.hardware.memory import official_device, official_host
from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS, Group, Report, Runtime
from neurontools.report_format import format as form
from neurontools.schema.interval_memo import Memo
from neurontools.schema.interval_records import (
    CoreInterval,
    CpuPercents,
    Interval,
    LoadedModel,
    LoadedSubgraph,
    Percentiles,
    ProcessInterval,
)

_NS_PER_S = 1_000_000_000
_NESTED = "v3d"
"""The core version under which a logical core shows its physical ones."""
_NO_SUPPLY = "this source does not supply it"

# Fields of a process that a group is made of, also the names under which a source may say why it lacks them.
_NEEDS = {
    "execution_stats": ("executions", "errors"),
    "memory_used": ("memory", "host_memory"),
    "neuron_runtime_vcpu_usage": ("vcpu_user_percent", "vcpu_system_percent"),
    "neuroncore_counters": (),
}

_encoder = msgspec.json.Encoder()
S = TypeVar("S", bound=Struct)


def encode(report: Report) -> bytes:
    """One line of compact JSON, without the newline."""
    return _encoder.encode(to_document(report))


def to_document(report: Report) -> form.Document:
    """The report in the shape of the format."""
    nodes = _Nodes(report.hardware)
    system = {name: _system_group(name, report.system[name]) for name in SYSTEM_GROUPS if name in report.system}
    return form.Document(
        neuron_runtime_data=[_runtime(runtime, nodes) for runtime in report.runtimes],
        system_data=form.SystemData(**system),
        instance_info=report.instance,
        neuron_hardware_info=report.hardware,
        neurontools=UNSET if report.extended is None else dict(report.extended),
    )


class _Node:
    """One interval with what is looked up in it for every runtime."""

    def __init__(self, interval: Interval | None, hardware: form.HardwareInfo) -> None:
        self.hardware = hardware
        processes = () if interval is None else interval.processes
        self.processes = {(process.pid, process.tag or str(process.pid)): process for process in processes}
        self.cores = {} if interval is None else {core.core: core for core in interval.cores}
        self.physical: dict[int, CoreInterval] = {}
        if interval is not None and hardware.neuroncore_version == _NESTED:
            self.physical = {core.core: core for core in interval.physical}


class _Nodes:
    """The nodes of a report: its groups share few intervals."""

    def __init__(self, hardware: form.HardwareInfo) -> None:
        self._hardware = hardware
        self._known: dict[int, _Node] = {}

    def __getitem__(self, interval: Interval | None) -> _Node:
        node = self._known.get(id(interval))
        if node is None:
            node = self._known[id(interval)] = _Node(interval, self._hardware)
        return node


def _runtime(runtime: Runtime, nodes: _Nodes) -> form.RuntimeData:
    groups = {
        name: _runtime_group(name, runtime, runtime.groups[name], nodes)
        for name in RUNTIME_GROUPS
        if name in runtime.groups
    }
    return form.RuntimeData(
        pid=runtime.pid,
        neuron_runtime_tag=runtime.tag,
        error=runtime.error,
        report=form.RuntimeReport(**groups),
    )


def _runtime_group(name: str, runtime: Runtime, group: Group, nodes: _Nodes) -> Any:
    node = nodes[group.interval]
    pid = runtime.pid
    process = node.processes.get((pid, runtime.tag or str(pid))) or ProcessInterval(pid=pid, started_ns=0)
    filled = _RUNTIME[name](process, node)
    lacks = [field for field in _NEEDS[name] if getattr(process, field) is None]
    if name == "neuroncore_counters" and None in [_utilization(node, core) for core in process.cores]:
        lacks = ["utilization_percent"]
    if process.duration_ns is not None:
        group = group._replace(period_ns=process.duration_ns)
    return _stamped(filled, name, group, lacks)


def _system_group(name: str, group: Group) -> Any:
    filled, lacks = _SYSTEM[name](group.interval)
    return _stamped(filled, name, group, lacks)


def _stamped(filled: S, name: str, group: Group, lacks: Iterable[str]) -> S:
    """The group with its period, and with the reason why numbers of it are missing."""
    stamped: Any = filled
    stamped.period = _seconds(group.period_ns)
    stamped.error = group.error or _reason(name, group.interval, lacks)
    return filled


def _reason(name: str, interval: Interval | None, lacks: Iterable[str]) -> str:
    missing = [name, *lacks]
    if len(missing) == 1:
        return ""
    gaps = interval.head.gaps if interval is not None else {}
    return next((gaps[part].reason for part in [*missing, "processes"] if part in gaps), _NO_SUPPLY)


def _execution_stats(process: ProcessInterval, node: _Node) -> form.ExecutionStats:
    return form.ExecutionStats(
        error_summary=_tally(form.ErrorSummary, process.errors),
        execution_summary=_tally(form.ExecutionSummary, process.executions),
        latency_stats=form.LatencyStats(
            total_latency=_latency(process.latency_total), device_latency=_latency(process.latency_device)
        ),
    )


def _memory_used(process: ProcessInterval, node: _Node) -> form.MemoryUsed:
    return form.MemoryUsed(
        neuron_runtime_used_bytes=_used_bytes_of(process.pid, process.memory, process.host_memory),
        loaded_models=_models_of(process.pid, process.models, node.hardware.neuroncore_per_device_count),
    )


def _used_bytes(
    memory: Mapping[int, Mapping[str, int]] | None, host_memory: Mapping[str, int] | None
) -> form.RuntimeBytes:
    host = _host_bytes(host_memory)
    cores = {core: form.CoreBytes(**official_device(used)) for core, used in (memory or {}).items()}
    return form.RuntimeBytes(
        host=_total(host),
        neuron_device=sum(map(_total, cores.values())),
        usage_breakdown=form.UsageBreakdown(host=host, neuroncore_memory_usage=_by_key(cores)),
    )


def _vcpu(process: ProcessInterval, node: _Node) -> form.RuntimeVcpuUsage:
    share = form.VcpuShare(user=_two_places(process.vcpu_user_percent), system=_two_places(process.vcpu_system_percent))
    return form.RuntimeVcpuUsage(vcpu_usage=share)


def _counters(process: ProcessInterval, node: _Node) -> form.NeuroncoreCounters:
    cores = {number: _core(node, number) for number in process.cores}
    return form.NeuroncoreCounters(neuroncores_in_use=_by_key(cores))


def _core(node: _Node, number: int) -> form.CoreInUse:
    core = node.cores.get(number)
    if core is None:
        return form.CoreInUse()
    flops = UNSET if core.flops_per_s is None else round(core.flops_per_s)
    used = form.CoreInUse(
        neuroncore_utilization=_number(core.utilization_percent or 0), flops=flops, effective_flops=flops
    )
    parts = [node.physical[part] for part in core.parts if part in node.physical]
    if parts:
        used.v3d = {
            f"nc_v3.{i}": form.CorePart(neuroncore_utilization=_number(part.utilization_percent or 0))
            for i, part in enumerate(parts)
        }
    return used


def _utilization(node: _Node, number: int) -> float | None:
    core = node.cores.get(number)
    return None if core is None else core.utilization_percent


def _models(models: Iterable[LoadedModel] | None, cores_per_device: int) -> list[form.Model]:
    return [_model(model, cores_per_device) for model in models or ()]


def _model(model: LoadedModel, cores_per_device: int) -> form.Model:
    return form.Model(
        name=model.name,
        uuid=model.uuid,
        model_id=model.model_id,
        is_running=model.running,
        subgraphs=dict(
            zip(_names(model), (_subgraph(part, cores_per_device) for part in model.subgraphs), strict=True)
        ),
    )


def _names(model: LoadedModel) -> Iterable[str]:
    """Keys of the sub-graphs: their names, or numbers where a tensor-parallel model has one name on every core."""
    names = [part.name for part in model.subgraphs]
    return names if len(set(names)) == len(names) else [f"sg_{i:02d}" for i in range(len(names))]


def _subgraph(part: LoadedSubgraph, cores_per_device: int) -> form.Subgraph:
    host = _host_bytes(part.host_memory)
    device = _subgraph_bytes(part.device_memory)
    return form.Subgraph(
        memory_used_bytes=form.SubgraphBytes(
            host=_total(host),
            neuron_device=_total(device),
            usage_breakdown=form.SubgraphBreakdown(host=host, neuron_device=device),
        ),
        neuroncore_index=part.core - part.device * cores_per_device,
        neuron_device_index=part.device,
    )


def _memory_info(interval: Interval | None) -> tuple[form.MemoryInfo, list[str]]:
    names = ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes")
    host = interval.host if interval is not None else None
    known: dict[str, Any] = {name: getattr(host, name, None) for name in names}
    filled = form.MemoryInfo()
    for name, value in known.items():
        setattr(filled, name, value or 0)
    return filled, _unknown(known, "host")


def _hw_counters(interval: Interval | None) -> tuple[form.HwCounters, list[str]]:
    devices = interval.devices if interval is not None else ()
    counts = [
        form.EccCounts(neuron_device_index=device.device, **{name: (device.ecc or {}).get(name, 0) for name in _ECC})
        for device in devices
    ]
    return form.HwCounters(neuron_devices=counts), ["ecc"] * any(device.ecc is None for device in devices)


def _vcpu_usage(interval: Interval | None) -> tuple[form.VcpuUsage, list[str]]:
    host = interval.host if interval is not None else None
    cpus = host.cpus if host is not None else None
    switches = host.context_switches if host is not None else None
    # A third of a report's cost without this: vCPUs that spent their time alike have one record, shown once.
    shown = {key: _shares(cpu) for key, cpu in {id(cpu): cpu for cpu in cpus or ()}.items()}
    filled = form.VcpuUsage(
        average_usage=_shares(host.average if host is not None else None),
        usage_data=_by_key({number: shown[id(cpu)] for number, cpu in enumerate(cpus or ())}),
        context_switch_count=switches or 0,
    )
    return filled, _unknown({"cpus": cpus, "context_switches": switches}, "host")


def _unknown(known: Mapping[str, object], whole: str) -> list[str]:
    lacks = [name for name, value in known.items() if value is None]
    return [*lacks, whole] if lacks else []


def _tally(kind: type[S], counts: Mapping[str, int] | None) -> S:
    known = counts or {}
    return kind(**{name: known.get(name, 0) for name in kind.__struct_fields__})


def _latency(latency: Percentiles | None) -> form.Percentiles | None:
    if latency is None:
        return None
    return form.Percentiles(**{name: _number(getattr(latency, name)) for name in form.Percentiles.__struct_fields__})


def _shares(percents: CpuPercents | None) -> form.CpuShares:
    if percents is None:
        return form.CpuShares()
    # Spelled out: a large host can have hundreds of these.
    return form.CpuShares(
        user=_two_places(percents.user),
        nice=_two_places(percents.nice),
        system=_two_places(percents.system),
        idle=_two_places(percents.idle),
        io_wait=_two_places(percents.io_wait),
        irq=_two_places(percents.irq),
        soft_irq=_two_places(percents.soft_irq),
    )


def _subgraph_bytes(memory: Mapping[str, int]) -> form.SubgraphDeviceBytes:
    """A sub-graph has no scratchpad of its own in the format: the runtime's memory takes it in."""
    used = official_device(memory)
    used["runtime_memory"] += used.pop("model_shared_scratchpad")
    return form.SubgraphDeviceBytes(**used)


def _host_bytes(memory: Mapping[str, int] | None) -> form.HostBytes:
    return form.HostBytes(**official_host(memory or {}))


def _total(record: Struct) -> int:
    return sum(msgspec.structs.astuple(record))


def _by_key(records: Mapping[int, S]) -> dict[str, S]:
    """In the order of the keys as text, as Go writes a map."""
    return {str(number): records[number] for number in sorted(records, key=str)}


def _number(value: float) -> form.Number:
    """As Go's encoding/json writes a float64: without a fraction where there is none."""
    return int(value) if value == int(value) else value


def _two_places(value: float | None) -> form.Number:
    return _number(round(value, 2)) if value else 0


def _seconds(duration_ns: int) -> form.Number:
    """As Go's Duration.Seconds computes it, to the last bit."""
    whole, rest = divmod(duration_ns, _NS_PER_S)
    return _number(whole + rest / _NS_PER_S)


# What a process has loaded stays as it is for hours.
_used_bytes_of = Memo(_used_bytes)
_models_of = Memo(_models)

_ECC = tuple(name for name in form.EccCounts.__struct_fields__ if name != "neuron_device_index")
_RUNTIME: dict[str, Callable[[ProcessInterval, _Node], Struct]] = {
    "execution_stats": _execution_stats,
    "memory_used": _memory_used,
    "neuron_runtime_vcpu_usage": _vcpu,
    "neuroncore_counters": _counters,
}
_SYSTEM: dict[str, Callable[[Interval | None], tuple[Struct, list[str]]]] = {
    "memory_info": _memory_info,
    "neuron_hw_counters": _hw_counters,
    "vcpu_usage": _vcpu_usage,
}
