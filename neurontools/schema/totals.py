"""The node as a whole: every number over all cores, devices or processes, computed once for all views and exporters.

A sum over cores or devices is None when one of them is unknown. A sum over processes and workloads
is over those that report the number, None when none does.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from neurontools.schema.deltas import percent, total_of
from neurontools.schema.document import Document
from neurontools.schema.interval_records import CoreInterval, HostInterval, Interval

_OF_CORES = ("flops_per_s", "hbm_read_bytes_per_s", "hbm_written_bytes_per_s")
_OF_DEVICES = ("memory_used_bytes", "memory_total_bytes")
_OF_PROCESSES = ("executions_per_s",)
_OF_WORKLOADS = ("requests_per_s", "queued", "running", "prompt_tokens_per_s", "generated_tokens_per_s")


class Totals(Document, frozen=True, kw_only=True):
    """Numbers of one node in one interval.

    `utilization_percent` is the mean over the logical cores whose utilization is known;
    `busiest_core` and `idlest_core` are logical, the first of equals. `process_count` is None where
    processes cannot be seen. `host` is the interval's.
    """

    device_count: int = 0
    core_count: int = 0
    process_count: int | None = None
    utilization_percent: float | None = None
    busiest_core: CoreInterval | None = None
    idlest_core: CoreInterval | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    memory_used_percent: float | None = None
    flops_per_s: float | None = None
    hbm_read_bytes_per_s: float | None = None
    hbm_written_bytes_per_s: float | None = None
    executions_per_s: float | None = None
    requests_per_s: float | None = None
    queued: int | None = None
    running: int | None = None
    prompt_tokens_per_s: float | None = None
    generated_tokens_per_s: float | None = None
    host: HostInterval | None = None


def totals(interval: Interval) -> Totals:
    """The node's numbers in an interval."""
    known = [core for core in interval.cores if core.utilization_percent is not None]
    utilization: float | None = _sum_of_known("utilization_percent", known)
    workloads = [process.workload for process in interval.processes if process.workload is not None]
    sums: dict[str, Any] = {
        **{name: total_of(map(attrgetter(name), interval.cores)) for name in _OF_CORES},
        **{name: total_of(map(attrgetter(name), interval.devices)) for name in _OF_DEVICES},
        **{name: _sum_of_known(name, interval.processes) for name in _OF_PROCESSES},
        **{name: _sum_of_known(name, workloads) for name in _OF_WORKLOADS},
    }
    return Totals(
        device_count=len(interval.devices),
        core_count=len(interval.cores),
        process_count=len(interval.processes) if interval.processes_known else None,
        utilization_percent=None if utilization is None else utilization / len(known),
        busiest_core=max(known, key=_utilization, default=None),
        idlest_core=min(known, key=_utilization, default=None),
        memory_used_percent=percent(sums["memory_used_bytes"], sums["memory_total_bytes"]),
        host=interval.host,
        **sums,
    )


def _utilization(core: CoreInterval) -> float:
    return core.utilization_percent or 0.0


def _sum_of_known(name: str, records: Iterable[object]) -> Any:
    return total_of(value for value in map(attrgetter(name), records) if value is not None)
