"""Rules that compare what should be alike: cores of a group, devices, equal processes, a process and its past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median, median_low
from typing import NamedTuple

from neurontools.diagnosis.parts import lacking
from neurontools.diagnosis.rule import (
    DEGRADED,
    INFO,
    MINUTE_NS,
    WARN,
    Evidence,
    Found,
    Outcome,
    Rule,
    Unknown,
    core_scope,
    device_scope,
    process_scope,
)
from neurontools.diagnosis.rules.replicas import slow_replicas
from neurontools.diagnosis.sample import CoreSample, ProcessSample, Sample
from neurontools.diagnosis.window import Window, counted
from neurontools.schema.deltas import total_of
from neurontools.units import NS_PER_S

_SPAN_NS = 20 * NS_PER_S
_LONG_SPAN_NS = 2 * MINUTE_NS
"""For executions of which there are too few in the shorter span."""

_LEAST_BUSY_PERCENT = 30.0
_BASELINE_NS = 3 * MINUTE_NS
_LEAST_EXECUTIONS = 20
_BUSY_PERCENT = 80.0
_COLLECTIVES_SLOWER = 2.0
_LEAST_COMPARED = 4
_ENDED_LATE = ("timeout", "hw_collectives_error")
"""With one of these an execution took as long as it was allowed to, which says nothing of speed."""

_SUDDEN = 1.5
"""A step with so many times fewer executions than others is one in which something stood still."""

_UNEVEN = 1.1
"""With a core that much slower than its peers these wait in collectives for it, not for a link."""


class _Work(NamedTuple):
    """What a core did in a span: time in execution, the part of it outside collectives, executions, FLOPs."""

    core: CoreSample
    busy_ns: int
    own_ns: int
    executions: int


def _work(then: Sample, core: CoreSample) -> _Work | None:
    earlier = then.cores.get(core.core)
    if earlier is None:
        return None
    busy_ns = counted(earlier.busy_ns, core.busy_ns)
    waiting_ns = counted(earlier.collectives_ns, core.collectives_ns)
    executions = counted(earlier.executions, core.executions)
    if any((earlier.errors or {}).get(name) != (core.errors or {}).get(name) for name in _ENDED_LATE):
        return None
    if busy_ns is None or waiting_ns is None or executions is None:
        return None
    return _Work(core, busy_ns, max(0, busy_ns - waiting_ns), executions)


def _groups(window: Window, then: Sample) -> Iterator[list[_Work]]:
    """The tensor-parallel groups that did the same number of executions in a span, each core with its work."""
    for process in (window.now.processes or {}).values():
        for group in process.groups:
            cores = [window.now.cores[core] for core in group if core in window.now.cores]
            works = [work for core in cores if (work := _work(then, core)) is not None]
            executions = [work.executions / work.core.parts for work in works]
            if len(works) < 2 or len(works) < len(group) or min(executions) < _LEAST_COMPARED:
                continue
            length_ns = window.now.time_ns - then.time_ns
            busy = median(100.0 * work.busy_ns / work.core.parts / length_ns for work in works)
            moving = all(_is_moving(window, work, length_ns) for work in works)
            if moving and busy >= _LEAST_BUSY_PERCENT and max(executions) - min(executions) <= 2:
                yield works


def _is_moving(window: Window, work: _Work, length_ns: int) -> bool:
    """Whether the last execution that was seen is no longer ago than two of them take, and the last step from one
    reading to the next had its part of them: else it may hang."""
    if window.now.time_ns - window.cores[work.core.core].executed_ns > 2 * work.busy_ns // work.executions:
        return False
    earlier = window.before.cores.get(work.core.core) if window.before is not None else None
    last = counted(earlier.executions, work.core.executions) if earlier is not None else None
    if window.before is None or last is None:
        return True
    usual = work.executions * (window.now.time_ns - window.before.time_ns) / length_ns
    return last + work.core.parts >= usual / _SUDDEN


def _slow(window: Window, factor: float) -> Iterator[tuple[list[_Work], list[_Work], float]]:
    """Groups with those of their cores that work so much longer than most for the same executions, and how much."""
    compared: set[int] = set()
    for span_ns in (_SPAN_NS, _LONG_SPAN_NS):
        then = window.since(span_ns)
        if then is None or window.now.time_ns - then.time_ns < span_ns // 2:
            return
        for works in _groups(window, then):
            if works[0].core.core in compared:
                continue
            compared.add(works[0].core.core)
            # Of a group on two devices half may be slow: the middle would lie between the halves.
            usual_ns = median_low(work.own_ns / work.core.parts for work in works)
            slow = [work for work in works if usual_ns and work.own_ns / work.core.parts >= factor * usual_ns]
            if slow and len(slow) <= len(works) // 2:
                yield works, slow, max(work.own_ns / work.core.parts for work in slow) / usual_ns


def _whole_devices(works: Sequence[_Work], slow: Sequence[_Work]) -> set[int]:
    """Devices of which all cores in a group are slow, more than one of them, while other devices are not."""
    sizes = {device: sum(work.core.device == device for work in works) for device in {w.core.device for w in works}}
    return {
        device
        for device in {work.core.device for work in slow}
        if sizes[device] > 1 and sum(work.core.device == device for work in slow) == sizes[device]
    }


def _straggler(window: Window, rule: Rule) -> Iterator[Outcome]:
    for works, slow, times in _slow(window, rule.threshold):
        whole = _whole_devices(works, slow)
        for work in slow:
            if work.core.device not in whole:
                evidence: Evidence = {"times_as_long": times, "cores_in_group": len(works)}
                words = f"it works {times:.2g} times as long as its peers for the same executions; they wait for it"
                yield Found(core_scope(work.core.core, work.core.device), words, evidence)
    yield from _slow_replicas(window, rule)


def _slow_replicas(window: Window, rule: Rule) -> Iterator[Outcome]:
    """Whole processes beside their equals, where no part of them can be compared; and whether all could be."""
    hidden = lacking(window, ("collectives",))
    processes = window.now.processes or {}
    whole = [pid for pid, process in processes.items() if hidden is not None or not _has_groups(process)]
    compared = slow_replicas(window, rule.threshold, whole)
    for pid, times, others, own_ns, usual_ns in compared.slow:
        evidence: Evidence = {
            "times_as_long": times,
            "ms_per_execution": own_ns / 1e6,
            "ms_usual": usual_ns / 1e6,
            "equal_processes": others,
        }
        equals = "an equal process" if others == 1 else f"{others} equal processes"
        words = f"its executions take {times:.2g} times as long as those of {equals}; which core is slow is not shown"
        yield Found(process_scope(pid), words, evidence, advice=_REPLICA)
    if hidden is not None and (not whole or not compared.pids.issuperset(whole)):
        yield Unknown(f"{rule.cannot}: {hidden.reason}", hidden.supply or rule.supply)


def _has_groups(process: ProcessSample) -> bool:
    return any(len(group) > 1 for group in process.groups)


def _throttling(window: Window, rule: Rule) -> Iterator[Outcome]:
    for works, slow, times in _slow(window, rule.threshold):
        for device in sorted(_whole_devices(works, slow)):
            evidence: dict[str, int | float | str] = {"times_as_long": times}
            found = window.device(device)
            power = found.power if found is not None else None
            if power is not None:
                evidence["power_avg_percent"] = power.avg_percent
            words = f"all its cores work {times:.2g} times as long as their peers for the same executions"
            yield Found(device_scope(device), words, evidence)


class _Pace(NamedTuple):
    """Per execution of a process's cores: time outside and inside collectives, in ns, and bytes over links."""

    own_ns: float
    collectives_ns: float
    sent_bytes: float


def _pace(then: Sample, now: Sample, cores: Sequence[int]) -> _Pace | None:
    works = [work for core in cores if core in now.cores and (work := _work(then, now.cores[core])) is not None]
    executions = sum(work.executions for work in works)
    devices = {work.core.device for work in works} & then.devices.keys()
    sent = total_of([counted(then.devices[each].sent_bytes, now.devices[each].sent_bytes) for each in devices])
    if not works or not sent or executions < _LEAST_EXECUTIONS * len(works):
        return None
    own_ns = sum(work.own_ns for work in works)
    return _Pace(own_ns / executions, (sum(work.busy_ns for work in works) - own_ns) / executions, sent / executions)


def _link_unbalanced(window: Window, rule: Rule) -> Iterator[Outcome]:
    """Collectives that take much longer than before, while the work between them does not."""
    recent, before = window.since(_SPAN_NS), window.at(_SPAN_NS)
    baseline = window.since(_BASELINE_NS)
    if recent is None or before is None or baseline is None or before.time_ns - baseline.time_ns < MINUTE_NS:
        return
    uneven = {work.core.core for works, _, _ in _slow(window, _UNEVEN) for work in works}
    for process in (window.now.processes or {}).values():
        loaded_ns = max((window.cores[core].loaded_ns for core in process.cores if core in window.cores), default=0)
        if len(process.cores) < 2 or uneven.intersection(process.cores) or loaded_ns > baseline.time_ns:
            continue
        stalled_ns = window.now.time_ns - max(
            (window.cores[c].executed_ns for c in process.cores if c in window.cores), default=0
        )
        now, usual = _pace(recent, window.now, process.cores), _pace(baseline, before, process.cores)
        if now is None or usual is None or not usual.collectives_ns:
            continue
        if stalled_ns > 2 * (now.own_ns + now.collectives_ns):
            continue
        times, own = now.collectives_ns / usual.collectives_ns, now.own_ns / max(1.0, usual.own_ns)
        if times >= rule.threshold and max(own, now.sent_bytes / usual.sent_bytes) < _even(times):
            evidence: Evidence = {"times_as_long": times, "ms_per_execution": now.collectives_ns / 1e6}
            words = f"its collectives take {times:.2g} times as long as before, and the work between them does not"
            yield Found(process_scope(process.pid), words, evidence)


def _even(times: float) -> float:
    """How much more the work itself may take, and be sent, for collectives to be what is slow."""
    return 1.0 + (times - 1.0) / 4


def _tensor_idle(window: Window, rule: Rule) -> Iterator[Outcome]:
    then, before, baseline = window.since(MINUTE_NS), window.at(MINUTE_NS), window.since(10 * MINUTE_NS)
    if then is None or before is None or baseline is None or before.time_ns - baseline.time_ns < 2 * MINUTE_NS:
        return
    span_ns = window.now.time_ns - then.time_ns
    for core in window.now.cores.values():
        now = _intensity(then.cores.get(core.core), core)
        usual = _intensity(baseline.cores.get(core.core), before.cores.get(core.core))
        busy_ns = counted(then.cores[core.core].busy_ns, core.busy_ns) if core.core in then.cores else None
        at_work = busy_ns is not None and busy_ns >= _BUSY_PERCENT / 100 * core.parts * span_ns
        executed = window.now.time_ns - window.cores[core.core].executed_ns < _SPAN_NS
        if at_work and executed and now is not None and usual and now < rule.threshold / 100 * usual:
            evidence: Evidence = {"flops_per_busy_s": now, "before": usual}
            words = "busy, but its tensor engine does hardly anything of what it did before"
            yield Found(core_scope(core.core, core.device), words, evidence)


def _intensity(earlier: CoreSample | None, later: CoreSample | None) -> float | None:
    """FLOPs per busy second between two samples of a core, waits in collectives left out where they are known."""
    if earlier is None or later is None:
        return None
    flops, busy_ns = counted(earlier.flops, later.flops), counted(earlier.busy_ns, later.busy_ns)
    own_ns = None if busy_ns is None else busy_ns - (counted(earlier.collectives_ns, later.collectives_ns) or 0)
    return None if flops is None or not own_ns else flops * NS_PER_S / own_ns


_REPLICA = (
    "One of its cores is slow, or a link between them. Start it on other cores, and see whether the slowness goes with "
    "the process or stays with the cores."
)
_NOT_COUNTED = "no link counters; power near the limit proves nothing"

RULES = (
    Rule(
        id="straggler",
        title="a core is slower than its peers",
        needs=("busy", "executions"),
        find=_straggler,
        scope="core",
        severity=DEGRADED,
        category="speed",
        threshold=1.25,
        meaning="times as long in execution, collectives left out, as the median of its tensor-parallel group; of a "
        "process, as other processes that do the same work",
        advice="Move the work off this core, and see whether the slowness stays with the core or goes with the work.",
        clears="a minute after it was last so",
        cannot="not observable within a group",
        watched_ns=_SPAN_NS // 2,
        hold_ns=MINUTE_NS,
    ),
    Rule(
        id="throttling",
        title="a device is slower than others",
        needs=("collectives", "executions"),
        find=_throttling,
        scope="device",
        severity=DEGRADED,
        category="speed",
        threshold=1.25,
        meaning="times as long in execution, collectives left out, on all its cores as the median of their group",
        advice="Lower its load, or move the work to another device; replace the instance if it goes on.",
        clears="a minute after it was last so",
        cannot=_NOT_COUNTED,
        watched_ns=_SPAN_NS // 2,
        hold_ns=MINUTE_NS,
    ),
    Rule(
        id="link-unbalanced",
        title="collectives have become slow",
        needs=("links", "collectives", "executions"),
        find=_link_unbalanced,
        scope="process",
        severity=WARN,
        category="link",
        threshold=_COLLECTIVES_SLOWER,
        meaning="times as long in collectives per execution as in the minutes before, the work between them unchanged",
        advice="A link that the group uses may be slow, or others use it too: compare with a group on other devices.",
        clears="a minute after it was last so",
        cannot=_NOT_COUNTED,
        hold_ns=MINUTE_NS,
    ),
    Rule(
        id="tensor-idle",
        title="a core is busy, and its tensor engine hardly",
        needs=("flops", "busy", "executions"),
        find=_tensor_idle,
        scope="core",
        severity=INFO,
        category="speed",
        threshold=10.0,
        meaning="percent of the FLOPs per busy second that the core did in the ten minutes before",
        advice="See what changed in the workload: operators that fall back to slower engines, waits, other shapes.",
        clears="a minute after it was last so",
        cannot="engines have no live source",
        hold_ns=MINUTE_NS,
    ),
)
