"""Rules about work that does not move on: hangs of a core or of collectives, and memory that is held for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from neurontools.diagnosis.parts import PARTS, lacking
from neurontools.diagnosis.rule import (
    DEGRADED,
    MINUTE_NS,
    NODE,
    WARN,
    Evidence,
    Found,
    Outcome,
    Rule,
    Unknown,
    process_scope,
)
from neurontools.diagnosis.rules.hardware import hardware_errors
from neurontools.diagnosis.sample import CoreSample, ProcessSample
from neurontools.diagnosis.window import Window, counted
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.deltas import percent
from neurontools.schema.finding import Scope
from neurontools.units import MIB, NS_PER_S, format_bytes, format_duration_ns, format_time_ns

_HANG = "HANG_ON_COLLECTIVES"
_BUSY_PERCENT = 90.0
_WAITING_PERCENT = 50.0
_STALL_NS = 15 * NS_PER_S
_FIRST_EXECUTION_NS = 60 * NS_PER_S
_SLOWER = 5
_IDLE_NS = 30 * MINUTE_NS
_LEAST_HELD_BYTES = 64 * MIB
_IDLE_VCPU_PERCENT = 10.0
_COMPILING_VCPU_PERCENT = 50.0


class Stall(NamedTuple):
    """The cores of a process that have been in execution since an instant and have completed nothing."""

    process: ProcessSample
    cores: Sequence[CoreSample]
    since_ns: int
    waiting: dict[int, float | None]
    """How many percent of that time each core waited in collectives."""


def stalls(window: Window) -> Iterator[Stall]:
    """Processes whose cores are busy and have completed nothing for much longer than their executions take."""
    for process in (window.now.processes or {}).values():
        cores = window.cores_of(process)
        since_ns = executed_ns(window, process)
        if (
            not cores
            or since_ns is None
            or window.now.time_ns - since_ns < _patience_ns(process, cores, since_ns, window)
        ):
            continue
        then = window.since(window.now.time_ns - since_ns)
        if then is None:
            continue
        length_ns = window.now.time_ns - then.time_ns
        shares = [_share(then.cores.get(core.core), core, "busy_ns", length_ns) for core in cores]
        if all(share is not None and share >= _BUSY_PERCENT for share in shares):
            waiting = {
                core.core: _share(then.cores.get(core.core), core, "collectives_ns", length_ns) for core in cores
            }
            yield Stall(process, cores, since_ns, waiting)


def executed_ns(window: Window, process: ProcessSample) -> int | None:
    """When a process was last seen to complete an execution, or first seen; None where completions are not shown."""
    activity = window.processes[process.pid, process.started_ns]
    if process.completed is not None:
        return activity.executed_ns
    cores = window.cores_of(process)
    if not cores or any(core.executions is None for core in cores):
        return None
    return max(activity.first_ns, *(window.cores[core.core].executed_ns for core in cores))


def _patience_ns(process: ProcessSample, cores: Sequence[CoreSample], since_ns: int, window: Window) -> int:
    """How long executions like those before may take."""
    stalled_ns = window.now.time_ns - since_ns
    counts = [process.completed if core.executions is None else core.executions for core in cores]
    means = [
        max(0, core.busy_ns - core.parts * stalled_ns) // count
        for core, count in zip(cores, counts, strict=True)
        if core.busy_ns is not None and count
    ]
    return max(_STALL_NS, _SLOWER * max(means)) if means else _FIRST_EXECUTION_NS


def _share(earlier: CoreSample | None, core: CoreSample, field: str, length_ns: int) -> float | None:
    before = getattr(earlier, field) if earlier is not None else None
    return percent(counted(before, getattr(core, field)), core.parts * length_ns)


def compiling(window: Window, process: ProcessSample | None = None) -> bool:
    """Whether something is compiled: a compiler runs, or a process that has executed nothing keeps vCPUs busy."""
    if window.facts is not None and window.facts.compilers:
        return True
    if process is None:
        return any(compiling(window, each) for each in (window.now.processes or {}).values())
    busy = vcpu_percent(window, process)
    return not process.completed and busy is not None and busy >= _COMPILING_VCPU_PERCENT


def vcpu_percent(window: Window, process: ProcessSample, age_ns: int = MINUTE_NS) -> float | None:
    """Percent of one vCPU that a process used lately; None where it is not known."""
    then = window.since(age_ns)
    earlier = (then.processes or {}).get(process.pid) if then is not None else None
    if then is None or earlier is None or earlier.started_ns != process.started_ns:
        return None
    return percent(counted(earlier.vcpu_ns, process.vcpu_ns), window.now.time_ns - then.time_ns)


def _no_progress(window: Window, rule: Rule) -> Iterator[Outcome]:
    found: set[int] = set()
    for stall in stalls(window):
        suspects = _suspects(stall)
        if suspects is None:
            continue
        seconds = (window.now.time_ns - stall.since_ns) // NS_PER_S
        evidence: Evidence = {"seconds": seconds, "executions": 0, "pid": stall.process.pid}
        words = f"in execution for {format_duration_ns(seconds * NS_PER_S)} and nothing was completed"
        found.add(stall.process.pid)
        for core in suspects:
            yield Found(_core(core, stall.process.pid), words, evidence, stall.since_ns)
        if not suspects:
            yield Found(process_scope(stall.process.pid), words, evidence, stall.since_ns)
    # Where it moves at the end of a process only, the table of signals allows nothing to be said of it.
    for number, name, count in window.grew("core") if window.status_is_live else ():
        if name == "timeout":
            pid = former_holder(window, number)
            found |= set() if pid is None else {pid}
            evidence = {"status/timeout": count, "nrt_code": 5} | ({} if pid is None else {"pid": pid})
            yield Found(_core(window.now.cores[number], pid), "an execution on it did not end in time", evidence)
    yield from _timed_out_processes(window, found)
    yield from _look_alike(window, found)


def _core(core: CoreSample, pid: int | None) -> Scope:
    return Scope(kind="core", core=core.core, device=core.device, pid=pid)


def _suspects(stall: Stall) -> list[CoreSample] | None:
    """The cores that work while the others wait for them; none where it is not known who waits, None where all do."""
    shares = [stall.waiting[core.core] for core in stall.cores]
    if any(share is None for share in shares):
        return []
    working = [core for core in stall.cores if (stall.waiting[core.core] or 0.0) < _WAITING_PERCENT]
    if len(working) == len(stall.cores):
        return working if len(working) == 1 else []
    return working or None


def _timed_out_processes(window: Window, found: set[int]) -> Iterator[Found]:
    """By the tallies of processes, where nothing tells the cores apart."""
    if PARTS["status"].known(window) or window.before is None:
        return
    for pid, process in (window.now.processes or {}).items():
        earlier = (window.before.processes or {}).get(pid)
        before = (earlier.executions or {}).get("timed_out", 0) if earlier is not None else None
        count = counted(before, (process.executions or {}).get("timed_out"))
        if count and pid not in found:
            found.add(pid)
            words = f"{count} {'execution' if count == 1 else 'executions'} did not end in time"
            yield Found(process_scope(pid), words, {"timed_out": count, "nrt_code": 5})


def _look_alike(window: Window, found: set[int]) -> Iterator[Unknown]:
    """Says so where busy time is credited at the end of an execution, and a process that worked does nothing now."""
    origin = window.snapshot.head.origin
    if "driver" not in (origin.kind, origin.detail):
        return
    for process in (window.now.processes or {}).values():
        last_ns = executed_ns(window, process)
        cores = window.cores_of(process)
        worked = any(core.executions for core in cores)
        quiet = last_ns is not None and window.now.time_ns - last_ns >= _STALL_NS
        if worked and quiet and process.pid not in found:
            yield Unknown(f"process {process.pid} completes nothing: {_ALIKE}, until a time-out is counted")
            return


def former_holder(window: Window, core: int) -> int | None:
    """The one process that held a core at the last or the newest reading; None for several or none."""
    for sample in (window.before, window.now):
        pids = [each.pid for each in ((sample.processes or {}) if sample else {}).values() if core in each.cores]
        if pids:
            return pids[0] if len(pids) == 1 else None
    return None


def _collectives_hang(window: Window, rule: Rule) -> Iterator[Outcome]:
    for stall in stalls(window):
        if _suspects(stall) is None:
            if compiling(window):
                yield Unknown("held back: something is being compiled, which other ranks may wait for")
                continue
            seconds = (window.now.time_ns - stall.since_ns) // NS_PER_S
            words = f"all {len(stall.cores)} cores wait in a collective for {format_duration_ns(seconds * NS_PER_S)}"
            evidence: Evidence = {"seconds": seconds, "cores_waiting": len(stall.cores)}
            yield Found(process_scope(stall.process.pid), words, evidence, stall.since_ns)
    counts: dict[int | None, int] = {}
    for core, name, _ in window.grew("core"):
        if name == "hw_collectives_error":
            pid = former_holder(window, core)
            counts[pid] = counts.get(pid, 0) + 1
    lines: dict[int | None, int] = {}
    for error, event in hardware_errors(window):
        fresh = window.now.time_ns - event.time_ns <= rule.hold_ns
        if error == _HANG and event.core is not None and fresh:
            pid = former_holder(window, event.core // window.snapshot.head.logical_neuroncore_config)
            lines[pid] = lines.get(pid, 0) + 1
    for pid in dict.fromkeys((*counts, *lines)):
        signs = (("cores_with_1200", counts), ("lines_in_kernel_log", lines))
        evidence = {name: many[pid] for name, many in signs if pid in many}
        scope = NODE if pid is None else process_scope(pid)
        yield Found(scope, "a collective operation hung; which rank stayed away is not shown", evidence)
    yield from _collectives_unseen(window)


def _collectives_unseen(window: Window) -> Iterator[Unknown]:
    if all(lacking(window, (part,)) is not None for part in ("collectives", "status", "kernel_log")):
        yield Unknown(
            "cannot name the rank: check peers, other nodes, compilation; status codes are not shown here",
            "driver 2.30.2, or the kernel's log",
        )


def _allocated_idle(window: Window, rule: Rule) -> Iterator[Outcome]:
    for process in (window.now.processes or {}).values():
        held = held_bytes(window, process)
        if held is None or held < _LEAST_HELD_BYTES * max(1, len(process.cores)):
            continue
        since_ns = _idle_since(window, process)
        if since_ns is None:
            first_ns = window.processes[process.pid, process.started_ns].first_ns
            yield Unknown(
                f"activity not visible; process {process.pid} held memory at {format_time_ns(first_ns)} and since"
            )
            continue
        idle_ns = window.now.time_ns - since_ns
        if compiling(window, process) or (vcpu_percent(window, process) or 0.0) >= _IDLE_VCPU_PERCENT:
            continue
        if idle_ns >= rule.threshold * NS_PER_S:
            minutes = idle_ns // MINUTE_NS
            words = f"{format_bytes(held)} on {len(process.cores)} cores are held, nothing was executed for {minutes}m"
            evidence: Evidence = {"held_bytes": held, "cores": len(process.cores), "idle_minutes": minutes}
            yield Found(process_scope(process.pid), words, evidence, since_ns)


def _idle_since(window: Window, process: ProcessSample) -> int | None:
    """Since when a process has completed nothing; None where that is not shown."""
    if process.completed == 0 and "totals" not in window.gaps:
        return process.started_ns
    executed = executed_ns(window, process)
    if executed is not None:
        return executed
    cores = [core for core in window.cores_of(process) if core.tensor_cycles is not None]
    return max((window.cores[core.core].cycled_ns for core in cores), default=None) if cores else None


def held_bytes(window: Window, process: ProcessSample) -> int | None:
    """The device memory of a process; by its cores where it is the only one on them."""
    if process.memory_bytes is not None:
        return process.memory_bytes
    cores = window.cores_of(process)
    alone = window.holders(process.cores) == [process.pid]
    if not cores or not alone or any(core.memory_bytes is None for core in cores):
        return None
    return sum(core.memory_bytes or 0 for core in cores)


_ALIKE = "hang and empty queue look alike here"

RULES = (
    Rule(
        id="no-progress",
        title="a core is in execution and completes nothing",
        needs=("executions",),
        find=_no_progress,
        scope="core",
        severity=DEGRADED,
        category="progress",
        threshold=_STALL_NS / NS_PER_S,
        meaning="seconds busy without a completion, and five times as long as executions took; or a time-out",
        advice="Save what is needed, end the process and reset the device; replace the instance if it happens again.",
        clears="10 minutes after it was last so",
        cannot=_ALIKE,
        hold_ns=10 * MINUTE_NS,
        codes=(5,),
        hidden_by=("collectives-hang",),
    ),
    Rule(
        id="collectives-hang",
        title="a collective operation hangs",
        needs=("devices",),
        find=_collectives_hang,
        scope="process",
        severity=DEGRADED,
        category="progress",
        threshold=_STALL_NS / NS_PER_S,
        meaning="seconds in which all cores of a process wait in collectives; or status 1200, or the driver's line",
        advice=f"{STATUSES[1200].advice} Look at the peers first: ranks that ended, other nodes, one that still "
        "compiles; only then at this host.",
        clears="10 minutes after it was last so",
        cannot="cannot name the rank: check peers, other nodes, compilation",
        hold_ns=10 * MINUTE_NS,
        codes=(1200,),
        hidden_by=("no-progress@core",),
    ),
    Rule(
        id="allocated-idle",
        title="a process holds cores and memory and executes nothing",
        needs=("memory", "processes"),
        find=_allocated_idle,
        scope="process",
        severity=WARN,
        category="progress",
        threshold=_IDLE_NS / NS_PER_S,
        meaning="seconds without an execution, the process not at work on the host either",
        advice="Ask its owner; end it if nobody needs it: no other process can use these cores meanwhile.",
        clears="when something is executed, or the process ends",
        cannot="activity not visible",
    ),
)
