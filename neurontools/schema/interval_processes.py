"""Processes and their workloads between two readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from neurontools.schema.deltas import (
    Meters,
    Period,
    mean,
    own_duration_ns,
    part,
    per_s,
    percent,
    percentiles,
    same_counters,
    total_of,
)
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval_memo import Memo
from neurontools.schema.interval_records import (
    CoreInterval,
    LoadedModel,
    LoadedSubgraph,
    Percentiles,
    ProcessInterval,
    WorkloadInterval,
)
from neurontools.schema.snapshot import Model, Process, Subgraph, Workload

_REQUESTS = ("submitted", "completed", "rejected", "failed", "timed_out", "cancelled")
_EMPTY = Histogram()
_NEWBORN = Process(
    pid=0,
    started_ns=0,
    executions={},
    errors={},
    latency_total=_EMPTY,
    latency_device=_EMPTY,
    vcpu_user_ns=0,
    vcpu_system_ns=0,
    workload=Workload(kind="", time_to_first_token=_EMPTY, request_latency=_EMPTY),
)
"""The earlier reading of a process that started in the period."""


def earlier_reading(previous: Process | None, current: Process, previous_time_ns: int) -> Process | None:
    """What to count a process from: its earlier reading, zero if it started since then, else None."""
    if previous is not None and not same_counters(previous, current):
        return None
    if previous is None and current.started_ns > previous_time_ns:
        return _NEWBORN
    return previous


def process_interval(
    previous: Process | None,
    current: Process,
    cores: Mapping[int, CoreInterval],
    vcpu_count: int | None,
    period: Period,
) -> ProcessInterval:
    """One process; `cores` are the node's logical cores by number."""
    meters = Meters(f"process/{current.pid}", period.resets)
    duration_ns = own_duration_ns(previous, current, period)
    executions = _tally(meters, "executions", previous, current)
    vcpu_ns = None if vcpu_count is None else vcpu_count * duration_ns
    memory = _memory_of(current.pid, current.memory, period.core_size)
    numbers = _logical(current.cores, period.core_size)
    own = [cores.get(number) for number in numbers]
    return ProcessInterval(
        pid=current.pid,
        started_ns=current.started_ns,
        duration_ns=None if duration_ns == period.duration_ns else duration_ns,
        user=current.user,
        tag=current.tag,
        command=current.command,
        job=current.job,
        runtime_version=current.runtime_version,
        cores=numbers,
        groups=tuple([_logical(group, period.core_size) for group in current.groups]),
        utilization_percent=mean([part(core, "utilization_percent") for core in own]),
        flops_per_s=total_of([part(core, "flops_per_s") for core in own]),
        executions=executions,
        executions_total=current.executions,
        executions_per_s=per_s(_ran_to_end(executions), duration_ns),
        errors=_tally(meters, "errors", previous, current),
        errors_total=current.errors,
        **_latency("latency_total", previous, current, period, meters),
        **_latency("latency_device", previous, current, period, meters),
        memory=memory,
        memory_used_bytes=None if memory is None else sum([sum(used.values()) for used in memory.values()]),
        host_memory=current.host_memory,
        host_memory_bytes=None if current.host_memory is None else sum(current.host_memory.values()),
        resident_bytes=current.resident_bytes,
        models=_models_of(current.pid, current.models, period.core_size),
        workload=_workload(part(previous, "workload"), current.workload, period, meters),
        **_vcpu("user", previous, current, vcpu_ns, meters),
        **_vcpu("system", previous, current, vcpu_ns, meters),
        parent_pid=current.parent_pid,
    )


def _latency(name: str, previous: Process | None, current: Process, period: Period, meters: Meters) -> dict[str, Any]:
    """Percentiles and the histogram of one latency; of one that was made of percentiles no more than these is true."""
    shown = _distribution(meters, name, previous, current)
    histogram = getattr(current, name)
    if f"{name}_histogram" in period.gaps:
        shown, histogram = (None if shown is None else replace(shown, mean=None, count=None)), None
    return {name: shown, f"{name}_histogram": histogram}


def _vcpu(kind: str, previous: Process | None, current: Process, vcpu_ns: int | None, meters: Meters) -> dict[str, Any]:
    """CPU time of one kind; `vcpu_ns` is the time that all vCPUs had."""
    name = f"vcpu_{kind}"
    total = getattr(current, f"{name}_ns")
    spent_ns = meters.one(f"{name}_ns", part(previous, f"{name}_ns"), total)
    return {f"{name}_ns": spent_ns, f"{name}_ns_total": total, f"{name}_percent": percent(spent_ns, vcpu_ns)}


def _workload(
    previous: Workload | None, current: Workload | None, period: Period, meters: Meters
) -> WorkloadInterval | None:
    if current is None:
        return None
    totals = _requests(current)
    requests = meters.tally("requests", None if previous is None else _requests(previous), totals)
    prompt = meters.one("prompt_tokens", part(previous, "prompt_tokens"), current.prompt_tokens)
    generated = meters.one("generated_tokens", part(previous, "generated_tokens"), current.generated_tokens)
    return WorkloadInterval(
        kind=current.kind,
        requests=requests,
        requests_total=totals,
        requests_per_s=None if requests is None else per_s(requests["completed"], period.duration_ns),
        queued=current.queued,
        running=current.running,
        preempted=meters.one("preempted", part(previous, "preempted"), current.preempted),
        preempted_total=current.preempted,
        prompt_tokens=prompt,
        prompt_tokens_per_s=per_s(prompt, period.duration_ns),
        prompt_tokens_total=current.prompt_tokens,
        generated_tokens=generated,
        generated_tokens_per_s=per_s(generated, period.duration_ns),
        generated_tokens_total=current.generated_tokens,
        cached_tokens=current.cached_tokens,
        cache_capacity_tokens=current.cache_capacity_tokens,
        cache_used_percent=percent(current.cached_tokens, current.cache_capacity_tokens),
        time_to_first_token=_distribution(meters, "time_to_first_token", previous, current),
        time_to_first_token_histogram=current.time_to_first_token,
        request_latency=_distribution(meters, "request_latency", previous, current),
        request_latency_histogram=current.request_latency,
    )


def _distribution(meters: Meters, name: str, previous: object | None, current: object) -> Percentiles | None:
    """The percentiles of what the named histogram of a record recorded in the period."""
    return percentiles(meters.histogram(name, part(previous, name), getattr(current, name)))


def _tally(meters: Meters, name: str, previous: Process | None, current: Process) -> dict[str, int] | None:
    """As Meters.tally; but a runtime's tally is whole, so that a key it did not have stood at 0."""
    before, now = part(previous, name), getattr(current, name)
    if before is None or now is None:
        return None
    return meters.tally(name, before if before.keys() >= now.keys() else dict.fromkeys(now, 0) | before, now)


def _ran_to_end(executions: Mapping[str, int] | None) -> int | None:
    if executions is None:
        return None
    return sum([count for outcome, count in executions.items() if outcome.startswith("completed")])


def _requests(workload: Workload) -> dict[str, int]:
    return {outcome: getattr(workload, outcome) for outcome in _REQUESTS}


def _logical(cores: Iterable[int], core_size: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys([core // core_size for core in cores]))


def _memory_by_logical_core(
    memory: Mapping[int, dict[str, int]] | None, core_size: int
) -> dict[int, dict[str, int]] | None:
    if memory is None:
        return None
    parts: dict[int, list[dict[str, int]]] = {}
    for core, used in memory.items():
        parts.setdefault(core // core_size, []).append(used)
    return {core: _sum_by_category(uses) for core, uses in parts.items()}


def _models(models: Sequence[Model] | None, core_size: int) -> tuple[LoadedModel, ...] | None:
    return None if models is None else tuple([_model(model, core_size) for model in models])


def _model(model: Model, core_size: int) -> LoadedModel:
    """The model with its sub-graphs by logical core: those of one name on the parts of one core are one."""
    pieces: dict[tuple[str, int], list[Subgraph]] = {}
    for piece in model.subgraphs:
        pieces.setdefault((piece.name, piece.core // core_size), []).append(piece)
    return LoadedModel(
        model_id=model.model_id,
        name=model.name,
        uuid=model.uuid,
        running=model.running,
        subgraphs=tuple([_subgraph(name, core, parts) for (name, core), parts in pieces.items()]),
    )


def _subgraph(name: str, core: int, parts: Sequence[Subgraph]) -> LoadedSubgraph:
    return LoadedSubgraph(
        name=name,
        core=core,
        device=parts[0].device,
        host_memory=_sum_by_category([part.host_memory for part in parts]),
        device_memory=_sum_by_category([part.device_memory for part in parts]),
    )


def _sum_by_category(uses: Sequence[dict[str, int]]) -> dict[str, int]:
    """Sums by category; a category that one of the mappings does not have is 0 there."""
    summed, *others = uses
    for more in others:
        summed = {category: summed.get(category, 0) + more.get(category, 0) for category in {**summed, **more}}
    return summed


# What a process has loaded stays as it is for hours.
_memory_of = Memo(_memory_by_logical_core)
_models_of = Memo(_models)
