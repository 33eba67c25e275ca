"""Rules about executions that end with an error: numerical ones, others by code, and cores that were refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from neurontools.diagnosis.parts import PARTS, lacking
from neurontools.diagnosis.rule import (
    MINUTE_NS,
    WARN,
    Evidence,
    Found,
    Outcome,
    Rule,
    Unknown,
    core_scope,
    process_scope,
)
from neurontools.diagnosis.rules.progress import former_holder
from neurontools.diagnosis.window import Window, counted
from neurontools.hardware.nrt import STATUS_OF_DIRECTORY, STATUSES
from neurontools.schema.events import RUNTIME_LOG
from neurontools.schema.finding import Scope
from neurontools.units import format_ranges

_NUMERICAL = 1003
_OWN_RULES = (4, 5, 6, 9, 10, _NUMERICAL, 1200, 1201, 1202, 1203, 1205)
"""Codes that other rules look at."""

_OUTCOMES = {"completed_with_err": 1004, "incorrect_input": 1002, "failed_to_queue": 7}
_KINDS = ("generic", "model", "runtime")
_MOST_NAMED = 4
_REFUSED = re.compile(r"NeuronCore\(s\) not available - Requested:nc(\d+)-nc(\d+)")


def _numerical(window: Window, rule: Rule) -> Iterator[Outcome]:
    told: dict[Scope, int] = {}
    for pid, name, count in window.grew("process"):
        if name == "numerical":
            told[process_scope(pid)] = count
    by_core: dict[Scope, int] = {}
    for core, name, count in window.grew("core"):
        status = STATUS_OF_DIRECTORY.get(name)
        if status is not None and status.value == _NUMERICAL:
            scope = _owner(window, core)
            by_core[scope] = max(by_core.get(scope, 0), count)
    for scope, count in (by_core | told).items():
        evidence: Evidence = {"executions": count, "nrt_code": _NUMERICAL}
        times = "execution" if count == 1 else "executions"
        yield Found(scope, f"{count} {times} since the last look ended with NaN or another numerical error", evidence)
    yield from at_close_only(window, rule)


def at_close_only(window: Window, rule: Rule) -> Iterator[Unknown]:
    """Says so where status counters move at the end of a process only, and nothing else counts errors."""
    if not window.status_is_live and lacking(window, ("by_process",)) is not None:
        gap = window.gaps.get("status")
        yield Unknown(rule.cannot if gap is None else f"{rule.cannot}: {gap.reason}", gap.supply if gap else None)


def _owner(window: Window, core: int) -> Scope:
    pid = former_holder(window, core)
    return core_scope(core, window.now.cores[core].device) if pid is None else process_scope(pid)


def _errors(window: Window, rule: Rule) -> Iterator[Outcome]:
    counts: dict[tuple[Scope, str], int] = {}
    for core, name, count in window.grew("core"):
        status = STATUS_OF_DIRECTORY.get(name)
        if status is not None and status.value not in _OWN_RULES:
            key = _owner(window, core), status.name
            counts[key] = max(counts.get(key, 0), count)
    for pid, outcome, count in _outcomes(window):
        scope = process_scope(pid)
        if not any(known == scope for known, _ in counts) and outcome in _OUTCOMES:
            counts[scope, outcome] = count
    if not PARTS["status"].known(window):
        counts |= {(process_scope(pid), kind): n for pid, kind, n in window.grew("process") if kind in _KINDS}
    grouped: dict[Scope, dict[str, int]] = {}
    for (scope, name), count in counts.items():
        grouped.setdefault(scope, {})[name] = count
    for scope, names in grouped.items():
        words = ", ".join(f"{name} {count}" for name, count in names.items())
        yield Found(scope, f"executions failed: {words}", names, advice=_advice(names) or rule.advice)
    yield from at_close_only(window, rule)


def _advice(names: Mapping[str, int]) -> str:
    """What the runtime's codes advise for these names or outcomes."""
    by_name = {status.name: status for status in STATUSES.values()}
    found = [by_name.get(name) or STATUSES.get(_OUTCOMES.get(name, -1)) for name in names]
    return " ".join(dict.fromkeys(status.advice for status in found if status is not None))


def _outcomes(window: Window) -> Iterator[tuple[int, str, int]]:
    """How many more executions of each process had an outcome than at the reading before."""
    before = window.before.processes if window.before is not None else None
    for pid, process in (window.now.processes or {}).items():
        earlier = (before or {}).get(pid)
        earlier = earlier if earlier is not None and earlier.started_ns == process.started_ns else None
        if before is None or process.executions is None or (earlier is not None and earlier.executions is None):
            continue
        for outcome, total in process.executions.items():
            count = counted(earlier.executions.get(outcome, 0) if earlier and earlier.executions else 0, total)
            if count:
                yield pid, outcome, count


def _conflict(window: Window, rule: Rule) -> Iterator[Outcome]:
    size = max(1, window.snapshot.head.logical_neuroncore_config)
    wanted = {core: count for core, name, count in window.grew("core") if name == "resource_nc_error"}
    for event in window.events:
        match = _REFUSED.search(event.text) if event.kind == RUNTIME_LOG else None
        if match is not None and event.core is not None:
            wanted.setdefault(event.core // size, 1)
    for core in wanted:
        if core in window.now.cores:
            yield _refused(window, core)
    if not wanted and not window.status_is_live:
        yield Unknown(f"{rule.cannot}; {_who_holds(window)}", "driver 2.30.2, or that log")


def _who_holds(window: Window) -> str:
    """Which processes hold which cores, or which devices where that is all that is seen."""
    if window.now.processes is None or "processes" in window.gaps:
        return "who holds which core cannot be seen"
    held = [(process.cores, process.pid) for process in window.now.processes.values()]
    places = [
        (f"core{'s' * (len(cores) > 1)} {format_ranges(cores)}" if cores else _devices_of(window, pid), pid)
        for cores, pid in sorted(held)
    ]
    told = [f"process {pid} holds {place}" for place, pid in places[:_MOST_NAMED]]
    told += [f"{len(places) - _MOST_NAMED} more hold others"] if len(places) > _MOST_NAMED else []
    return ", ".join(told) or "no process holds a core"


def _devices_of(window: Window, pid: int) -> str:
    devices = [each.device for each in window.inventory.devices if any(holder.pid == pid for holder in each.holders)]
    noun = "device" if len(devices) == 1 else "devices"
    return f"cores of {noun} {format_ranges(devices)}" if devices else "cores that are not shown"


def _refused(window: Window, core: int) -> Found:
    pids = window.holders((core,))
    evidence: dict[str, int | float | str] = {"nrt_code": 9}
    holder = "who holds it is not shown"
    if pids:
        evidence["holder"] = pids[0]
        holder = f"process {pids[0]} holds it"
    return Found(core_scope(core, window.now.cores[core].device), f"a process was refused the core: {holder}", evidence)


RULES = (
    Rule(
        id="numerical-errors",
        title="executions end with NaN",
        needs=("errors",),
        find=_numerical,
        scope="process",
        severity=WARN,
        category="executions",
        threshold=1,
        meaning="executions that ended with status 1003, or numerical errors of a process, since the last look",
        advice=STATUSES[_NUMERICAL].advice,
        clears="5 minutes after the last one",
        cannot="counted when the process closes",
        hold_ns=5 * MINUTE_NS,
        codes=(_NUMERICAL,),
    ),
    Rule(
        id="execution-errors",
        title="executions fail",
        needs=("errors",),
        find=_errors,
        scope="process",
        severity=WARN,
        category="executions",
        threshold=1,
        meaning="executions that ended with a code that no other rule looks at, since the last look",
        advice="Read the runtime's log of that process.",
        clears="5 minutes after the last one",
        cannot="counted when the process closes",
        hold_ns=5 * MINUTE_NS,
        codes=(1, 2, 7, 1002, 1004, 1005, 1006, 1204),
    ),
    Rule(
        id="core-conflict",
        title="a process was refused a core that another one holds",
        needs=("devices",),
        find=_conflict,
        scope="core",
        severity=WARN,
        category="process",
        threshold=1,
        meaning="refusals that were counted or logged since the last look",
        advice=STATUSES[9].advice,
        clears="5 minutes after the last refusal",
        cannot="the refusal is in the application's log",
        hold_ns=5 * MINUTE_NS,
        codes=(9,),
    ),
)
