"""Ratios, rates and percentiles as neuron-monitor's lines print them: sums over lines give them only nearly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from neurontools.report_format import Group, Report
from neurontools.schema.deltas import mean, per_s, total_of
from neurontools.schema.interval import Interval
from neurontools.schema.interval_records import CoreInterval, DeviceInterval, HostInterval, ProcessInterval

_STATS, _VCPU, _CORES = "execution_stats", "neuron_runtime_vcpu_usage", "neuroncore_counters"
_HOST = "vcpu_usage"


class Printed:
    """What each group printed when it was last due.

    Groups may have periods of their own. In a line between two of its own a group has counted nothing, which does not
    say that nothing was done: its last figures stand.
    """

    def __init__(self) -> None:
        self._boot_id = ""
        self._runtimes: dict[tuple[int, str], dict[str, Group]] = {}
        self._system: dict[str, Group] = {}

    def on(self, summed: Interval, report: Report | None) -> Interval:
        """The interval that ends with a line, with the figures that were printed; as it is without a report."""
        if summed.head.boot_id != self._boot_id:
            self._boot_id, self._runtimes, self._system = summed.head.boot_id, {}, {}
        if report is None:
            return summed
        self._take(report)
        listed = {_key(process) for process in summed.processes}
        self._runtimes = {key: groups for key, groups in self._runtimes.items() if key in listed}
        return self._shown(summed)

    def _take(self, report: Report) -> None:
        self._system |= report.system
        for runtime in report.runtimes:
            if runtime.error and not runtime.groups:
                self._runtimes.pop((runtime.pid, runtime.tag), None)
            self._runtimes.setdefault((runtime.pid, runtime.tag), {}).update(runtime.groups)

    def _shown(self, summed: Interval) -> Interval:
        printed = self._cores()
        cores = {core.core: _core(core, printed.get(core.core)) for core in summed.cores}
        return replace(
            summed,
            cores=tuple(cores.values()),
            devices=tuple(_device(device, cores.values()) for device in summed.devices),
            processes=tuple(_process(each, self._runtimes.get(_key(each), {}), cores) for each in summed.processes),
            host=_host(summed.host, self._system.get(_HOST)),
        )

    def _cores(self) -> dict[int, list[CoreInterval]]:
        """The cores by number, each as every runtime prints it that holds it."""
        held: dict[int, list[CoreInterval]] = {}
        for groups in self._runtimes.values():
            group = groups.get(_CORES)
            for core in group.interval.cores if group is not None and group.interval is not None else ():
                held.setdefault(core.core, []).append(core)
        return held


def _key(process: ProcessInterval) -> tuple[int, str]:
    return process.pid, process.tag or ""


def _core(summed: CoreInterval, printed: list[CoreInterval] | None) -> CoreInterval:
    if printed is None:
        return summed
    return replace(
        summed,
        utilization_percent=total_of(core.utilization_percent for core in printed),
        flops_per_s=total_of(core.flops_per_s for core in printed),
    )


def _device(summed: DeviceInterval, cores: Iterable[CoreInterval]) -> DeviceInterval:
    own = [core.utilization_percent for core in cores if core.device == summed.device]
    return replace(summed, utilization_percent=mean(own))


def _process(
    summed: ProcessInterval, groups: Mapping[str, Group], cores: Mapping[int, CoreInterval]
) -> ProcessInterval:
    own = [cores[number] for number in summed.cores if number in cores]
    return replace(
        summed,
        utilization_percent=mean(core.utilization_percent for core in own),
        flops_per_s=total_of(core.flops_per_s for core in own),
        **_of_stats(groups.get(_STATS)),
        **_of_vcpu(groups.get(_VCPU)),
    )


def _of_stats(group: Group | None) -> dict[str, Any]:
    printed = _printed(group)
    if group is None or printed is None:
        return {}
    completed = [count for outcome, count in (printed.executions or {}).items() if outcome.startswith("completed")]
    return {
        "latency_total": printed.latency_total,
        "latency_device": printed.latency_device,
        "executions_per_s": per_s(total_of(completed), group.period_ns),
    }


def _of_vcpu(group: Group | None) -> dict[str, Any]:
    printed = _printed(group)
    if printed is None:
        return {}
    return {name: getattr(printed, name) for name in ("vcpu_user_percent", "vcpu_system_percent")}


def _printed(group: Group | None) -> ProcessInterval | None:
    """The process as a group of its line shows it."""
    return group.interval.processes[0] if group is not None and group.interval is not None else None


def _host(summed: HostInterval | None, group: Group | None) -> HostInterval | None:
    printed = group.interval.host if group is not None and group.interval is not None else None
    if summed is None or printed is None:
        return summed
    return replace(summed, average=printed.average, cpus=printed.cpus)
