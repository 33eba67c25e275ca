"""A line of neuron-monitor, AWS's or ours, as intervals: the inverse of the encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from neurontools.hardware.chips import CHIPS, Chip
from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.report_format import format as form
from neurontools.report_format.contents import (
    NAME_MARK,
    RUNTIME_GROUPS,
    SIMULATED,
    SYSTEM_GROUPS,
    Group,
    Report,
    Runtime,
)
from neurontools.schema.deltas import mean, total_of
from neurontools.schema.interval_records import (
    CoreInterval,
    CpuPercents,
    DeviceInterval,
    HostInterval,
    Interval,
    LoadedModel,
    LoadedSubgraph,
    Percentiles,
    ProcessInterval,
)
from neurontools.schema.inventory import RECORDING, REPLAY, REPLAY_MARK, Inventory, InventoryDevice
from neurontools.schema.snapshot import Gap, Head, Origin

_NS_PER_S = 1_000_000_000
_FROM = "neuron-monitor"

_decoder = msgspec.json.Decoder(form.Document)
_EMPTY = form.Document()
_KEYS = dict.fromkeys(form.Document.__struct_fields__)


class ReportError(ValueError):
    """A line is not one of neuron-monitor's documents."""


def decode(line: bytes | str, time_ns: int = 0) -> Report:
    """Reads one line; `time_ns` is when it was read, for the document does not say.

    Every group gets the interval of its own runtime, or of the node; `whole` joins them. In a group that carries an
    error a 0 stands for an unknown number. Raises ReportError for anything but a document of the official format.
    """
    try:
        document = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"not a document of neuron-monitor: {error}") from None
    check_keys(line, document)
    return report_of(document, time_ns)


def check_keys(line: bytes | str, document: form.Document) -> None:
    """Raises ReportError for an object that was read as an empty document, because it has none of the format's keys."""
    # Any other has something in it, and need not be read twice.
    if document == _EMPTY and not msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys() & _KEYS:
        raise ReportError(f"not a document of neuron-monitor: it has none of the keys {', '.join(_KEYS)}")


def report_of(document: form.Document, time_ns: int = 0) -> Report:
    """A line that was read already, see `decode`."""
    instance, hardware = document.instance_info, document.neuron_hardware_info
    head = _head(instance, hardware, time_ns)
    return Report(
        instance=instance,
        hardware=hardware,
        runtimes=tuple(_runtime(data, hardware, head) for data in document.neuron_runtime_data or ()),
        system=_system(document.system_data, head),
        extended=None if document.neurontools is UNSET else document.neurontools,
    )


def whole(report: Report) -> Interval:
    """All groups of a report as one interval, as long as the longest of them.

    `gaps` names the groups that carry an error. Utilization and FLOP/s of a core that several runtimes show are added.
    Raises ReportError for a report that covers no time, as one of a lost source.
    """
    groups = [*report.system.items(), *(item for runtime in report.runtimes for item in runtime.groups.items())]
    intervals = [group.interval for _, group in groups if group.interval is not None]
    duration_ns = max((interval.duration_ns for interval in intervals), default=0)
    if not duration_ns:
        raise ReportError("the report has no group with numbers")
    system = [interval for interval in intervals if not interval.processes]
    own = [interval for interval, _ in groupby(intervals) if interval.processes]
    gaps = {name: Gap(reason=group.error) for name, group in groups if group.error}
    return Interval(
        head=replace(intervals[0].head, gaps=gaps),
        duration_ns=duration_ns,
        physical=_joined(core for interval in own for core in interval.physical),
        cores=_joined(core for interval in own for core in interval.cores),
        devices=system[0].devices if system else (),
        processes=tuple(process for interval in own for process in interval.processes),
        host=system[0].host if system else None,
    )


def inventory_of(report: Report) -> Inventory:
    """What a report says of the hardware; what it leaves out is taken from the instance type, if that is known."""
    info, hardware = report.instance, report.hardware
    chip, instance = chip_in(info, hardware), INSTANCES.get(info.instance_type)
    lnc = _given(hardware.logical_neuroncore_config, 1)
    memory = _given(hardware.neuron_device_memory_size, chip.memory_bytes if chip else 0)
    device = InventoryDevice(device=0, cores=hardware.neuroncore_per_device_count * lnc, memory_bytes=memory)
    simulated = _is_simulated(info)
    return Inventory(
        instance_type=info.instance_type,
        instance_id=info.instance_id,
        chip=chip.name if chip else "",
        neuroncore_version=_given(hardware.neuroncore_version, chip.core.version if chip else "").removesuffix("d"),
        topology=instance.topology if instance else "none",
        logical_neuroncore_config=lnc,
        devices=tuple(device._replace(device=i) for i in range(hardware.neuron_device_count)),
        origin=_origin(info),
        lnc_assumed=hardware.logical_neuroncore_config is UNSET,
        simulated=simulated,
        scenario=_scenario(info),
        instance_name=info.instance_name,
        region=info.instance_region,
        availability_zone=info.instance_availability_zone,
        availability_zone_id="" if simulated else info.instance_availability_zone_id,
        ami_id=info.ami_id,
        subnet_id=info.subnet_id,
        ultraserver_id=_given(info.ultraserver_id, ""),
    )


def _head(info: form.InstanceInfo, hardware: form.HardwareInfo, time_ns: int) -> Head:
    return Head(
        time_ns=time_ns,
        boot_id="",
        origin=Origin(kind=_origin(info), detail=_FROM, simulated=_is_simulated(info), scenario=_scenario(info)),
        logical_neuroncore_config=_given(hardware.logical_neuroncore_config, 1),
        lnc_assumed=hardware.logical_neuroncore_config is UNSET,
    )


def _is_simulated(info: form.InstanceInfo) -> bool:
    return _scenario(info) is not None or info.instance_region == SIMULATED


def _scenario(info: form.InstanceInfo) -> str | None:
    name = info.instance_name.removeprefix(REPLAY_MARK)
    return name.removeprefix(NAME_MARK) if name.startswith(NAME_MARK) else None


def _origin(info: form.InstanceInfo) -> str:
    return RECORDING if info.instance_name.startswith(REPLAY_MARK) or info.instance_region == REPLAY else "aws"


def chip_in(info: form.InstanceInfo, hardware: form.HardwareInfo) -> Chip | None:
    """The chip that a line speaks of; None for one that is not known."""
    if info.instance_type in INSTANCES:
        return chip_of(INSTANCES[info.instance_type])
    named = (chip for chip in CHIPS.values() if chip.monitor_device_type == hardware.neuron_device_type)
    return next(named, None)


def _runtime(data: form.RuntimeData, hardware: form.HardwareInfo, head: Head) -> Runtime:
    found: dict[str, Any] = {name: getattr(data.report, name) for name in RUNTIME_GROUPS}
    due = {name: group for name, group in found.items() if group is not UNSET}
    known: dict[str, Any] = {}
    for name, group in due.items():
        known |= _known(_PROCESS[name](group, hardware), group.error)
    counters = due.get("neuroncore_counters", form.NeuroncoreCounters())
    in_use = _in_order(counters.neuroncores_in_use or {})
    cores = tuple(_core(int(key), core, hardware, counters.error) for key, core in in_use)
    process = ProcessInterval(
        pid=data.pid, started_ns=0, tag=data.neuron_runtime_tag, cores=tuple(core.core for core in cores), **known
    )
    interval = Interval(
        head=head,
        duration_ns=_longest(due),
        physical=tuple(part for key, core in in_use for part in _physical(int(key), core, hardware)),
        cores=cores,
        processes=(process,),
    )
    return Runtime(data.pid, data.neuron_runtime_tag, _groups(due, interval), data.error)


def _system(data: form.SystemData, head: Head) -> dict[str, Group]:
    found: dict[str, Any] = {name: getattr(data, name) for name in SYSTEM_GROUPS}
    due = {name: group for name, group in found.items() if group is not UNSET}
    host: dict[str, Any] = {}
    for name, read in _HOST.items():
        if name in due:
            host |= _known(read(due[name]), due[name].error)
    counters = due.get("neuron_hw_counters", form.HwCounters())
    interval = Interval(
        head=head,
        duration_ns=_longest(due),
        devices=tuple(_device(counts, counters.error) for counts in counters.neuron_devices or ()),
        processes_known=False,
        host=HostInterval(**host) if host else None,
    )
    return _groups(due, interval)


def _groups(due: Mapping[str, Any], interval: Interval) -> dict[str, Group]:
    return {name: Group(interval, _ns(group.period), group.error) for name, group in due.items()}


def _longest(due: Mapping[str, Any]) -> int:
    return max((_ns(group.period) for group in due.values()), default=0)


def _executed(group: form.ExecutionStats, hardware: form.HardwareInfo) -> dict[str, Any]:
    return {
        "executions": asdict(group.execution_summary),
        "errors": asdict(group.error_summary),
        "latency_total": _latency(group.latency_stats.total_latency),
        "latency_device": _latency(group.latency_stats.device_latency),
    }


def _memory(group: form.MemoryUsed, hardware: form.HardwareInfo) -> dict[str, Any]:
    used = group.neuron_runtime_used_bytes
    by_core = used.usage_breakdown.neuroncore_memory_usage
    return {
        "memory": {int(key): asdict(core) for key, core in _in_order(by_core)},
        "memory_used_bytes": used.neuron_device,
        "host_memory": asdict(used.usage_breakdown.host),
        "host_memory_bytes": used.host,
        "models": tuple(_model(model, hardware) for model in group.loaded_models or ()),
    }


def _vcpu_share(group: form.RuntimeVcpuUsage, hardware: form.HardwareInfo) -> dict[str, Any]:
    return {"vcpu_user_percent": group.vcpu_usage.user, "vcpu_system_percent": group.vcpu_usage.system}


def _on_cores(group: form.NeuroncoreCounters, hardware: form.HardwareInfo) -> dict[str, Any]:
    cores = (group.neuroncores_in_use or {}).values()
    return {
        "utilization_percent": mean([core.neuroncore_utilization for core in cores]),
        "flops_per_s": total_of([_flops(core) for core in cores]),
    }


def _core(number: int, core: form.CoreInUse, hardware: form.HardwareInfo, error: str = "") -> CoreInterval:
    lnc = _given(hardware.logical_neuroncore_config, 1)
    return CoreInterval(
        core=number,
        device=number // max(1, hardware.neuroncore_per_device_count),
        parts=tuple(range(number * lnc, (number + 1) * lnc)),
        flops_per_s=_flops(core),
        **_known({"utilization_percent": core.neuroncore_utilization}, error),
    )


def _physical(number: int, core: form.CoreInUse, hardware: form.HardwareInfo) -> tuple[CoreInterval, ...]:
    logical = _core(number, core, hardware)
    if len(logical.parts) == 1:
        return (logical,)
    parts = {} if core.v3d is UNSET else core.v3d
    return tuple(
        CoreInterval(core=part, device=logical.device, parts=(part,), utilization_percent=shown.neuroncore_utilization)
        for part, (_, shown) in zip(logical.parts, sorted(parts.items()), strict=False)
    )


def _joined(cores: Iterable[CoreInterval]) -> tuple[CoreInterval, ...]:
    known: dict[int, CoreInterval] = {}
    for core in cores:
        before = known.get(core.core)
        if before is not None:
            utilization = total_of((before.utilization_percent, core.utilization_percent))
            flops = total_of((before.flops_per_s, core.flops_per_s))
            core = replace(before, utilization_percent=utilization, flops_per_s=flops)
        known[core.core] = core
    return tuple(known[number] for number in sorted(known))


def _flops(core: form.CoreInUse) -> float | None:
    flops = core.flops if core.effective_flops is UNSET else core.effective_flops
    return None if flops is UNSET else flops


def _model(model: form.Model, hardware: form.HardwareInfo) -> LoadedModel:
    return LoadedModel(
        model_id=model.model_id,
        name=model.name,
        uuid=model.uuid,
        running=model.is_running,
        subgraphs=tuple(_subgraph(name, part, hardware) for name, part in (model.subgraphs or {}).items()),
    )


def _subgraph(name: str, part: form.Subgraph, hardware: form.HardwareInfo) -> LoadedSubgraph:
    breakdown = part.memory_used_bytes.usage_breakdown
    return LoadedSubgraph(
        name=name,
        core=part.neuron_device_index * hardware.neuroncore_per_device_count + part.neuroncore_index,
        device=part.neuron_device_index,
        host_memory=asdict(breakdown.host),
        device_memory=asdict(breakdown.neuron_device),
    )


def _device(counts: form.EccCounts, error: str) -> DeviceInterval:
    ecc = asdict(counts)
    return DeviceInterval(device=ecc.pop("neuron_device_index"), **_known({"ecc": ecc}, error))


def _host_memory(group: form.MemoryInfo) -> dict[str, Any]:
    return {name: value for name, value in asdict(group).items() if name not in ("period", "error")}


def _vcpus(group: form.VcpuUsage) -> dict[str, Any]:
    cpus = {int(key): CpuPercents(**asdict(shares)) for key, shares in (group.usage_data or {}).items()}
    return {
        "vcpu_count": len(cpus),
        "cpus": tuple(cpus.get(number) for number in range(max(cpus, default=-1) + 1)),
        "average": CpuPercents(**asdict(group.average_usage)),
        "context_switches": group.context_switch_count,
    }


def _latency(latency: form.Percentiles | None) -> Percentiles | None:
    return None if latency is None else Percentiles(**asdict(latency))


def _in_order(by_key: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(by_key.items(), key=lambda item: int(item[0]))


def _known(values: dict[str, Any], error: str) -> dict[str, Any]:
    """The values of a group; where it carries an error, those that are not all zeros."""
    return {name: value for name, value in values.items() if _says_something(value)} if error else values


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)


def _given(value: Any, default: Any) -> Any:
    return default if value is UNSET else value


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)


_PROCESS: dict[str, Callable[[Any, form.HardwareInfo], dict[str, Any]]] = {
    "execution_stats": _executed,
    "memory_used": _memory,
    "neuron_runtime_vcpu_usage": _vcpu_share,
    "neuroncore_counters": _on_cores,
}
_HOST: dict[str, Callable[[Any], dict[str, Any]]] = {"memory_info": _host_memory, "vcpu_usage": _vcpus}
