"""The rule about devices that wait for their host: what executions take in all beside what the devices need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from neurontools.diagnosis.parts import lacking
from neurontools.diagnosis.rule import (
    MINUTE_NS,
    WARN,
    Found,
    Outcome,
    Rule,
    Unknown,
    process_scope,
    watched_too_shortly,
)
from neurontools.diagnosis.rules.progress import vcpu_percent
from neurontools.diagnosis.sample import ProcessSample, Sample
from neurontools.diagnosis.window import Window, counted
from neurontools.schema.histogram import Histogram
from neurontools.units import NS_PER_S

_LEAST_EXECUTIONS = 20
_WATCHED_NS = 10 * NS_PER_S
_HOST_SLOWER = 2.0
_HOST_IDLE_PERCENT = 60.0
_HOST_VCPU_PERCENT = 90.0
_MOST_NAMED = 4


def _at_work(window: Window) -> str:
    """Which processes keep a vCPU busy."""
    shares = {pid: vcpu_percent(window, process) for pid, process in (window.now.processes or {}).items()}
    busy = {pid: share for pid, share in shares.items() if share is not None and share >= _HOST_VCPU_PERCENT}
    told = [f"process {pid} uses {share:.0f} % of a vCPU" for pid, share in list(busy.items())[:_MOST_NAMED]]
    told += [f"{len(busy) - _MOST_NAMED} more do so"] if len(busy) > _MOST_NAMED else []
    known = [share for share in shares.values() if share is not None]
    return ", ".join(told) or ("no process keeps a vCPU busy" if known else "what processes use of vCPUs is not known")


def _host_bound(window: Window, rule: Rule) -> Iterator[Outcome]:
    gap = lacking(window, ("latency", "busy"))
    if gap is not None:
        yield Unknown(f"{rule.cannot}: {_at_work(window)}; {gap.reason}", gap.supply)
        return
    then = window.since(MINUTE_NS)
    if then is None or then.processes is None or window.watched_ns < _WATCHED_NS:
        yield watched_too_shortly(_WATCHED_NS, window.watched_ns)
        return
    for pid, process in (window.now.processes or {}).items():
        earlier = then.processes.get(pid)
        if earlier is None or earlier.started_ns != process.started_ns:
            continue
        total, device = (_median_ns(earlier, process, get) for get in (_TOTAL, _DEVICE))
        busy = _utilization(window, then, process)
        vcpu = vcpu_percent(window, process)
        if total is None or not device or busy is None or busy >= _HOST_IDLE_PERCENT:
            continue
        if total >= rule.threshold * device and (vcpu is None or vcpu >= _HOST_VCPU_PERCENT):
            evidence: dict[str, int | float | str] = {
                "p50_total_ms": total / 1e6,
                "p50_device_ms": device / 1e6,
                "utilization_percent": busy,
            }
            if vcpu is not None:
                evidence["vcpu_percent"] = vcpu
            words = f"executions take {total / device:.2g} times as long as the devices need for them"
            yield Found(process_scope(pid), words, evidence)


_TOTAL: Callable[[ProcessSample], Histogram | None] = attrgetter("latency_total")
_DEVICE: Callable[[ProcessSample], Histogram | None] = attrgetter("latency_device")


def _median_ns(
    earlier: ProcessSample, later: ProcessSample, get: Callable[[ProcessSample], Histogram | None]
) -> float | None:
    before, now = get(earlier), get(later)
    if before is None or now is None:
        return None
    recorded = now.since(before)
    if recorded.count < _LEAST_EXECUTIONS:
        return None
    values = recorded.percentiles_ns((50,))
    return values[0] if values else None


def _utilization(window: Window, then: Sample, process: ProcessSample) -> float | None:
    span_ns = window.now.time_ns - then.time_ns
    shares = []
    for core in window.cores_of(process):
        earlier = then.cores.get(core.core)
        busy_ns = counted(earlier.busy_ns if earlier else None, core.busy_ns)
        if busy_ns is None:
            return None
        shares.append(100.0 * busy_ns / core.parts / span_ns)
    return sum(shares) / len(shares) if shares else None


RULES = (
    Rule(
        id="host-bound",
        title="the devices wait for the host",
        needs=("devices",),
        find=_host_bound,
        scope="process",
        severity=WARN,
        category="speed",
        threshold=_HOST_SLOWER,
        meaning="times as long for an execution as the devices need, these idle and a vCPU busy",
        advice="Profile the process on the host: pre-processing, tokenising, Python; give it more vCPUs or batch more.",
        clears="a minute after it was last so",
        cannot="device effect unknown",
        hold_ns=MINUTE_NS,
    ),
)
