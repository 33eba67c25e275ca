"""What the lines have told of one process with a Neuron runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from neurontools.report_format import Group, Runtime
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval_records import CoreInterval, LoadedModel, Percentiles, ProcessInterval
from neurontools.sources.aws.clock import Span
from neurontools.sources.aws.latency import reconstruct

_LATENCIES = ("latency_total", "latency_device")
_TIMES = {"vcpu_user_ns": "vcpu_user_percent", "vcpu_system_ns": "vcpu_system_percent"}


class Watch:
    """How long groups have watched, on the clock of the lines: since the line in which they were printed before."""

    def __init__(self) -> None:
        self._ended_ns: dict[str, int] = {}

    def watched_ns(self, name: str, group: Group, span: Span) -> int:
        """The length of the period that a group of this line tells of; of its first one the group alone knows it."""
        ended_ns = self._ended_ns.get(name)
        self._ended_ns[name] = span.ended_ns
        if ended_ns is not None:
            return span.ended_ns - ended_ns
        length_ns = span.ended_ns - span.began_ns
        return min(group.period_ns, length_ns) if group.period_ns else length_ns


class RuntimeTotals:
    """One process. What is None or absent is unknown since the last line that should have told it.

    `counters` are those of a snapshot's Process, by name. `cores` are logical, as are `blind`, whose utilization is
    unknown, and `no_flops`. `errors_of` has the text of each group that carried one, under "" that of the runtime.
    """

    def __init__(self, pid: int, tag: str, started_ns: int) -> None:
        self.pid = pid
        self.tag = tag
        self.started_ns = started_ns
        self.watch = Watch()
        self.cores: tuple[int, ...] = ()
        self.counted = False
        self.blind: frozenset[int] = frozenset()
        self.no_flops: frozenset[int] = frozenset()
        self.counters: dict[str, Any] = {}
        self.memory: Mapping[int, Mapping[str, int]] | None = None
        self.host_memory: Mapping[str, int] | None = None
        self.models: tuple[LoadedModel, ...] | None = None
        self.errors_of: dict[str, str] = {}
        self._tallies: dict[str, Counter[str]] = {"executions": Counter(), "errors": Counter()}
        self._latencies = {name: (Counter[int](), 0) for name in _LATENCIES}
        self._times_ns: Counter[str] = Counter()
        self._seen_ns = 0
        self._period_ns = 0

    def listed(self, runtime: Runtime, ended_ns: int) -> None:
        """It is in a line, with these groups."""
        self._seen_ns = ended_ns
        self._period_ns = min((group.period_ns for group in runtime.groups.values()), default=self._period_ns)
        self.errors_of |= {name: group.error for name, group in runtime.groups.items()} | {"": runtime.error}
        if runtime.error and not runtime.groups:
            self.forget()

    def was_due(self, now_ns: int) -> bool:
        """Whether a line that does not list it means that it has ended: its groups may have longer periods."""
        return 10 * (now_ns - self._seen_ns) >= 9 * self._period_ns

    def forget(self) -> None:
        """What it did in the period of a line could not be read."""
        self.counters = {}
        self.memory = self.host_memory = self.models = None
        self.counted = False

    def count_executions(self, group: Group) -> None:
        """Adds a period of execution_stats."""
        process = _process(group)
        told = {"executions": process.executions, "errors": process.errors}
        for name, counts in told.items():
            self._tallies[name].update(counts or {})
            self.counters[name] = None if counts is None else dict(self._tallies[name])
        for name in _LATENCIES:
            percentiles: Percentiles | None = getattr(process, name)
            if percentiles is not None:
                self._record(name, reconstruct(percentiles, _with_latency(process.executions)))
            known = percentiles is not None or process.executions is not None
            recorded, sum_ns = self._latencies[name]
            self.counters[name] = Histogram(counts=dict(recorded), sum_ns=sum_ns) if known else None

    def look_at_memory(self, group: Group) -> None:
        """Takes over memory_used."""
        process = _process(group)
        self.memory, self.host_memory, self.models = process.memory, process.host_memory, process.models
        if self.memory and not self.cores:
            self.cores = tuple(sorted(self.memory))

    def count_vcpu(self, group: Group, watched_ns: int, vcpu_count: int | None) -> None:
        """Adds a period of neuron_runtime_vcpu_usage, whose percents are of all vCPUs together."""
        process = _process(group)
        for name, of in _TIMES.items():
            percent: float | None = getattr(process, of)
            if percent is None or vcpu_count is None:
                self.counters[name] = None
            else:
                self._times_ns[name] += round(percent * vcpu_count * watched_ns / 100)
                self.counters[name] = self._times_ns[name]

    def hold(self, cores: Sequence[CoreInterval], group: Group) -> None:
        """Takes over which cores neuroncore_counters shows; where that was damaged it still holds those of before."""
        self.counted = bool(cores) or not group.error
        if self.counted:
            self.cores = tuple(core.core for core in cores)
        self.blind = frozenset(core.core for core in cores if core.utilization_percent is None)
        self.no_flops = frozenset(core.core for core in cores if core.flops_per_s is None)

    def _record(self, name: str, histogram: Histogram) -> None:
        recorded, sum_ns = self._latencies[name]
        recorded.update(histogram.counts)
        self._latencies[name] = recorded, sum_ns + histogram.sum_ns


def _process(group: Group) -> ProcessInterval:
    """What a group says of its process; nothing where it has no interval."""
    processes = group.interval.processes if group.interval is not None else ()
    return processes[0] if processes else ProcessInterval(pid=0, started_ns=0)


def _with_latency(executions: Mapping[str, int] | None) -> int:
    """How many executions have a latency: those that ran to their end."""
    return sum(count for outcome, count in (executions or {}).items() if outcome.startswith("completed"))
