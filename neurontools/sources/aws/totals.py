"""What the lines of AWS's neuron-monitor have told so far: tallies and percentages of periods, added up to totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from neurontools.hardware.chips import Chip
from neurontools.hardware.instances import INSTANCES
from neurontools.report_format import Group, Report, Runtime, Salvage, chip_in, report_of
from neurontools.report_format.format import HardwareInfo, InstanceInfo
from neurontools.schema.interval_records import CpuPercents, HostInterval
from neurontools.schema.snapshot import CpuTimes
from neurontools.sources.aws.clock import Span
from neurontools.sources.aws.runtime import RuntimeTotals, Watch
from neurontools.units import NS_PER_S

CPU_STATES = CpuTimes.__struct_fields__
_LEVELS = ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes")


class HostTotals:
    """The instance around the devices; None is unknown."""

    def __init__(self) -> None:
        self.cpus: list[list[int]] | None = None
        self.context_switches: int | None = None
        self.levels: dict[str, int | None] = {}
        self._cpus: list[list[int]] = []
        self._switches = 0

    def count(self, group: Group, watched_ns: int) -> None:
        """Adds a period of vcpu_usage."""
        host = _host(group)
        self.cpus = self._add(host.cpus, watched_ns) if host is not None and host.cpus else None
        switches = None if host is None else host.context_switches
        self._switches += switches or 0
        self.context_switches = None if switches is None else self._switches

    def look(self, group: Group) -> None:
        """Takes over memory_info."""
        host = _host(group)
        self.levels = {} if host is None else {name: getattr(host, name) for name in _LEVELS}

    def _add(self, cpus: Sequence[CpuPercents | None], watched_ns: int) -> list[list[int]]:
        self._cpus += [[0] * len(CPU_STATES) for _ in range(len(cpus) - len(self._cpus))]
        for times, shares in zip(self._cpus, cpus, strict=False):
            for place, state in enumerate(CPU_STATES):
                times[place] += 0 if shares is None else round(getattr(shares, state) * watched_ns / 100)
        return self._cpus


class Totals:
    """The state after some lines.

    `errors` are the texts that groups of the node carried when they were last due; `started` and `ended` the runtimes
    that came and went with the last line, whose parts that could not be read are in `lost`.
    """

    def __init__(self) -> None:
        self.hardware = HardwareInfo()
        self.instance = InstanceInfo()
        self.chip: Chip | None = None
        self.host = HostTotals()
        self.runtimes: dict[tuple[int, str], RuntimeTotals] = {}
        self.ecc: dict[int, dict[str, int]] = {}
        self.busy_ns: Counter[int] = Counter()
        self.flops: Counter[int] = Counter()
        self.lost: Mapping[str, str] = {}
        self.errors: dict[str, str] = {}
        self.ended: list[RuntimeTotals] = []
        self.started: list[RuntimeTotals] = []
        self._ecc: dict[int, Counter[str]] = {}
        self._watch = Watch()
        self._first = True

    @property
    def core_size(self) -> int:
        """Physical cores of a logical one."""
        size = self.hardware.logical_neuroncore_config
        return 1 if size is UNSET else size

    def vcpu_count(self) -> int | None:
        """vCPUs of the instance: as many as a line showed, else those of its type."""
        if self.host.cpus:
            return len(self.host.cpus)
        instance = INSTANCES.get(self.instance.instance_type)
        return None if instance is None else instance.vcpus

    def is_another_host(self, salvage: Salvage) -> bool:
        """Whether a line tells of another instance, or of other devices, than the lines so far."""
        document = salvage.document
        told, known = document.instance_info.instance_id, self.instance.instance_id
        if told and known and told != known:
            return True
        hardware = _with_core_size(document.neuron_hardware_info, chip_in(self.instance, self.hardware))
        return all(map(_shape, (hardware, self.hardware))) and _shape(hardware) != _shape(self.hardware)

    def add(self, salvage: Salvage, span: Span) -> None:
        """Adds one line. What it could not tell is unknown until a later line does."""
        self.lost = salvage.lost
        report = self._with_facts(salvage, span)
        self._add_system(report.system, span)
        self.started, self.ended = [], self._gone(report.runtimes, span)
        for runtime in report.runtimes:
            self._add_runtime(runtime, span)
        self._first = False

    def _with_facts(self, salvage: Salvage, span: Span) -> Report:
        """The line as a report; facts that it lacks are those of the lines before."""
        document = salvage.document
        if document.instance_info.instance_type or document.instance_info.instance_id:
            self.instance = document.instance_info
        told = document.neuron_hardware_info
        if told.neuron_device_count or (told != HardwareInfo() and not told.error):
            self.chip = chip_in(self.instance, told)
            self.hardware = _with_core_size(told, self.chip)
        self.errors["neuron_hardware_info"] = told.error
        self.errors["instance_info"] = document.instance_info.error
        facts = {"instance_info": self.instance, "neuron_hardware_info": self.hardware}
        return report_of(replace(document, **facts), span.ended_ns)

    def _add_system(self, groups: Mapping[str, Group], span: Span) -> None:
        for name, group in groups.items():
            self.errors[name] = group.error
        if "memory_info" in groups:
            self.host.look(groups["memory_info"])
        if "vcpu_usage" in groups:
            group = groups["vcpu_usage"]
            self.host.count(group, self._watch.watched_ns("vcpu_usage", group, span))
        if "neuron_hw_counters" in groups:
            interval = groups["neuron_hw_counters"].interval
            self.ecc = {}
            for device in interval.devices if interval is not None else ():
                if device.ecc is not None:
                    self._ecc.setdefault(device.device, Counter()).update(device.ecc)
                    self.ecc[device.device] = dict(self._ecc[device.device])

    def _add_runtime(self, runtime: Runtime, span: Span) -> None:
        known = self.runtimes.get((runtime.pid, runtime.tag)) or self._begin(runtime, span)
        known.listed(runtime, span.ended_ns)
        watched_ns = {name: known.watch.watched_ns(name, group, span) for name, group in runtime.groups.items()}
        if "execution_stats" in runtime.groups:
            known.count_executions(runtime.groups["execution_stats"])
        if "memory_used" in runtime.groups:
            known.look_at_memory(runtime.groups["memory_used"])
        if "neuron_runtime_vcpu_usage" in runtime.groups:
            name = "neuron_runtime_vcpu_usage"
            known.count_vcpu(runtime.groups[name], watched_ns[name], self.vcpu_count())
        if "neuroncore_counters" in runtime.groups:
            self._add_cores(known, runtime.groups["neuroncore_counters"], watched_ns["neuroncore_counters"])

    def _begin(self, runtime: Runtime, span: Span) -> RuntimeTotals:
        """A runtime that the line before did not list began after it. Two of one pid differ in their start."""
        others = sum(pid == runtime.pid for pid, _ in self.runtimes)
        started_ns = span.began_ns + others + (0 if self._first else 1)
        began = self.runtimes[runtime.pid, runtime.tag] = RuntimeTotals(runtime.pid, runtime.tag, started_ns)
        self.started.append(began)
        return began

    def _add_cores(self, runtime: RuntimeTotals, group: Group, watched_ns: int) -> None:
        interval = group.interval
        if interval is None:
            return
        runtime.hold(interval.cores, group)
        shown = {core.core: core.utilization_percent for core in interval.physical}
        for core in interval.cores:
            if core.utilization_percent is not None:
                for part in core.parts:
                    percent = shown.get(part)
                    percent = core.utilization_percent if percent is None else percent
                    self.busy_ns[part] += round(percent * watched_ns / 100)
            if core.flops_per_s is not None:
                flops = round(core.flops_per_s * watched_ns / NS_PER_S)
                self.flops.update(dict(zip(core.parts, shares(flops, len(core.parts)), strict=True)))

    def _gone(self, listed: Iterable[Runtime], span: Span) -> list[RuntimeTotals]:
        """Forgets the runtimes that have ended, and returns them."""
        present = {(runtime.pid, runtime.tag) for runtime in listed}
        absent = [runtime for key, runtime in self.runtimes.items() if key not in present]
        if "neuron_runtime_data" in self.lost:
            for runtime in absent:
                runtime.forget()
            return []
        ended = [runtime for runtime in absent if runtime.was_due(span.ended_ns)]
        for runtime in ended:
            del self.runtimes[runtime.pid, runtime.tag]
        return ended


def shares(total: int, parts: int) -> list[int]:
    """A whole number in `parts` nearly equal whole numbers that add up to it."""
    each, left = divmod(total, parts)
    return [each + (place < left) for place in range(parts)]


def _with_core_size(hardware: HardwareInfo, chip: Chip | None) -> HardwareInfo:
    """The facts with the size of a logical core, which older releases leave to the numbers of cores."""
    logical = hardware.neuroncore_per_device_count
    if hardware.logical_neuroncore_config is not UNSET or chip is None or not logical or chip.cores % logical:
        return hardware
    return replace(hardware, logical_neuroncore_config=chip.cores // logical)


def _shape(hardware: HardwareInfo) -> tuple[int, int, object] | None:
    """How many cores there are and how they are numbered; None where that is not told."""
    if not hardware.neuron_device_count:
        return None
    cores = hardware.neuroncore_per_device_count
    return hardware.neuron_device_count, cores, hardware.logical_neuroncore_config


def _host(group: Group) -> HostInterval | None:
    return None if group.interval is None else group.interval.host
