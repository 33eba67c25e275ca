"""Rules about device memory: it ran out, it soon will, or a process takes ever more of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

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
    device_scope,
    process_scope,
)
from neurontools.diagnosis.rules.progress import former_holder
from neurontools.diagnosis.sample import CoreSample, Sample
from neurontools.diagnosis.window import Window
from neurontools.hardware.chips import CHIPS, banks_of_core
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.deltas import total_of
from neurontools.schema.events import RUNTIME_LOG, Event
from neurontools.schema.finding import Scope
from neurontools.schema.snapshot import Snapshot
from neurontools.units import MIB, NS_PER_S, format_bytes, format_duration_ns, parse_bytes

_FAILED = re.compile(r"Failed to allocate ([\d.]+)([KMGT]?B) .*usage: ([\w ]+)\) on ND\s*(\d+):NC\s*(\d+)")
_NEAR_NS = 30 * MINUTE_NS
_VERY_NEAR_NS = 5 * MINUTE_NS
_SPANS_NS = (MINUTE_NS, 10 * MINUTE_NS)
_PARTS = 5
_LEAST_GROWTH_BYTES = 64 * MIB
_NAMED = 3


class _Bank(NamedTuple):
    """A memory bank of a device and the logical cores that share it."""

    device: int
    bank: int
    total_bytes: int
    cores: tuple[int, ...]


class _Growth(NamedTuple):
    """So many bytes more in each part of a span without a model being loaded."""

    bytes: int
    span_ns: int

    @property
    def bytes_per_s(self) -> float:
        return self.bytes * NS_PER_S / self.span_ns


@cache
def _banks_of_cores(chip: str) -> tuple[tuple[int, ...], ...]:
    return tuple(banks_of_core(CHIPS[chip], core) for core in range(CHIPS[chip].cores))


def banks(window: Window) -> list[_Bank]:
    """The banks of all devices; none where the chip is not known."""
    chip, size = CHIPS.get(window.inventory.chip), max(1, window.snapshot.head.logical_neuroncore_config)
    if chip is None:
        return []
    served = _banks_of_cores(chip.name)
    found: dict[tuple[int, int], set[int]] = {}
    for device in window.snapshot.devices:
        for core in device.cores:
            for bank in served[core.index] if core.index < chip.cores else ():
                found.setdefault((device.index, bank), set()).add(core.core // size)
    total = chip.bank_bytes
    return [_Bank(device, bank, total, tuple(sorted(cores))) for (device, bank), cores in found.items()]


def _used(sample: Sample | None, bank: _Bank) -> int | None:
    """Bytes in use by the cores of a bank; of a logical core that has several banks only if it is alone in it."""
    cores = [sample.cores.get(core) for core in bank.cores] if sample is not None else [None]
    known = [core.memory_bytes for core in cores if core is not None and core.memory_bytes is not None]
    return sum(known) if len(known) == len(cores) else None


def _out_of_memory(window: Window, rule: Rule) -> Iterator[Outcome]:
    failed: dict[int, Event | None] = {
        number: None for number, name, _ in window.grew("core") if name == "resource_error"
    }
    size = max(1, window.snapshot.head.logical_neuroncore_config)
    for event in window.events:
        if event.kind == RUNTIME_LOG and event.core is not None and _FAILED.search(event.text):
            failed[event.core // size] = event
    places: dict[Scope, tuple[int, Event | None]] = {}
    for core, said in failed.items():
        pid = former_holder(window, core) if said is None or said.pid is None else said.pid
        device = window.now.cores[core].device if core in window.now.cores else None
        scope = process_scope(pid) if pid is not None else NODE if device is None else device_scope(device)
        if scope not in places or said is not None:
            places[scope] = (core, said)
    for scope, (core, said) in places.items():
        yield _ran_out(window, scope, core, said)
    if not window.status_is_live:
        gap = window.gaps.get("status")
        yield Unknown(gap.reason if gap else "status codes are not shown here", gap.supply if gap else None)


def _ran_out(window: Window, scope: Scope, core: int, said: Event | None) -> Found:
    """The finding, with what filled the core's bank at the reading before, and what would fit."""
    evidence: dict[str, int | float | str] = {"core": core, "nrt_code": 4}
    bank = next((each for each in banks(window) if core in each.cores), None)
    match = _FAILED.search(said.text) if said is not None else None
    advice = STATUSES[4].advice
    words = "an allocation of device memory failed"
    if match is not None:
        wanted = parse_bytes(f"{match[1]} {match[2][:-1]}iB" if len(match[2]) > 1 else f"{match[1]} B")
        evidence |= {"requested_bytes": wanted, "usage": match[3]}
        words = f"{format_bytes(wanted)} of {match[3]} did not fit"
    held = _categories(window.previous_snapshot, bank) if bank is not None else []
    peaks = _categories(window.snapshot, bank, "peak") if bank is not None else []
    used = sum(size for _, size in held)
    if bank is not None and peaks and peaks[0][1] > used:
        # Whoever failed came and went between two readings. The peaks of two categories need not have been at one time.
        evidence |= {"bank_bytes": bank.total_bytes} | {f"{name}_peak_bytes": size for name, size in peaks[:_NAMED]}
        words += f"; at their peak {peaks[0][0]} filled {format_bytes(peaks[0][1])} of {format_bytes(bank.total_bytes)}"
    elif bank is not None and used:
        evidence |= {"bank_bytes": bank.total_bytes, "used_bytes": used}
        evidence |= {f"{name}_bytes": size for name, size in held[:_NAMED]}
        free, (largest, size) = max(0, bank.total_bytes - used), held[0]
        words += f"; {largest} fill {format_bytes(size)} of the bank's {format_bytes(bank.total_bytes)}"
        advice = f"At most {format_bytes(free)} more would have fitted. {advice}"
    since_ns = said.time_ns if said is not None else None
    return Found(scope, words, evidence, since_ns, advice=advice)


def _categories(snapshot: Snapshot | None, bank: _Bank, field: str = "total") -> list[tuple[str, int]]:
    """What the cores of a bank held, or at most held since boot ("peak"), the largest first."""
    size = max(1, snapshot.head.logical_neuroncore_config) if snapshot is not None else 1
    found: dict[str, int] = {}
    for device in snapshot.devices if snapshot is not None else ():
        for core in device.cores if device.index == bank.device else ():
            for name, use in (core.memory or {}).items() if core.core // size in bank.cores else ():
                found[name] = found.get(name, 0) + (getattr(use, field) or 0)
    return sorted(((name, size) for name, size in found.items() if size), key=lambda pair: -pair[1])


class _Span(NamedTuple):
    """A time to look back over, and the samples at the ends of its parts, oldest first."""

    length_ns: int
    samples: Sequence[Sample]


def _spans(window: Window) -> list[_Span]:
    """The spans for which the host has been watched long enough."""
    found = []
    for length_ns in _SPANS_NS:
        samples = [window.at(length_ns * part // _PARTS) for part in range(_PARTS, -1, -1)]
        if window.watched_ns >= length_ns:
            found.append(_Span(length_ns, [sample for sample in samples if sample is not None]))
    return found


def _grown(window: Window, spans: Sequence[_Span], cores: Sequence[int], field: str) -> _Growth | None:
    """Growth of these cores that went on through all parts of a span; None where it did not, or models were loaded."""
    now = _level(window.now, cores, field)
    for span_ns, samples in spans:
        # Most cores hold what they held: one comparison tells.
        if now is None or now <= (_level(samples[-2], cores, field) or 0):
            continue
        loaded_ns = max((window.cores[core].loaded_ns for core in cores if core in window.cores), default=0)
        if window.now.time_ns - loaded_ns < span_ns:
            continue
        levels = [_level(sample, cores, field) for sample in samples]
        known = [level for level in levels if level is not None]
        if len(known) == len(levels) and all(late > early for early, late in pairwise(known)):
            growth = known[-1] - known[0]
            if growth >= _LEAST_GROWTH_BYTES:
                return _Growth(growth, span_ns)
    return None


def _level(sample: Sample | None, cores: Sequence[int], field: str) -> int | None:
    found = [sample.cores.get(core) for core in cores] if sample is not None else [None]
    total: int | None = total_of([getattr(core, field) if core is not None else None for core in found])
    return total


def _near(window: Window, rule: Rule) -> Iterator[Outcome]:
    spans = _spans(window)
    for bank in banks(window) if spans else ():
        growth = _grown(window, spans, bank.cores, "memory_bytes")
        used = _used(window.now, bank)
        if growth is None or used is None:
            continue
        left_ns = round(max(0, bank.total_bytes - used) / growth.bytes_per_s * NS_PER_S)
        if left_ns > rule.threshold * NS_PER_S:
            continue
        pids = window.holders(bank.cores)
        evidence: dict[str, int | float | str] = {
            "bank": bank.bank,
            "used_bytes": used,
            "bank_bytes": bank.total_bytes,
            "bytes_per_s": growth.bytes_per_s,
            "seconds_left": left_ns // NS_PER_S,
        }
        if len(pids) == 1:
            evidence["pid"] = pids[0]
        words = f"memory bank {bank.bank} grows by {format_bytes(round(growth.bytes_per_s))} a second and is full in "
        words += format_duration_ns(left_ns - left_ns % NS_PER_S)
        severity = DEGRADED if left_ns <= _VERY_NEAR_NS else None
        yield Found(device_scope(bank.device), words, evidence, severity=severity)


def _leak(window: Window, rule: Rule) -> Iterator[Outcome]:
    by_process: dict[int | None, list[tuple[CoreSample, _Growth]]] = {}
    spans = _spans(window)
    for core in window.now.cores.values() if spans else ():
        growth = _grown(window, spans, (core.core,), "tensors_bytes")
        if growth is not None:
            by_process.setdefault(former_holder(window, core.core), []).append((core, growth))
    for pid, growing in by_process.items():
        total = sum(growth.bytes for _, growth in growing)
        span_ns = max(growth.span_ns for _, growth in growing)
        evidence: Evidence = {"tensors_bytes": total, "seconds": span_ns // NS_PER_S, "cores": len(growing)}
        words = f"tensors grew without a pause by {format_bytes(total)} in {format_duration_ns(span_ns)}"
        if pid is not None:
            yield Found(process_scope(pid), words, evidence)
            continue
        for device in sorted({core.device for core, _ in growing}):
            yield Found(device_scope(device), f"{words}; several holders: process unknown", evidence)


RULES = (
    Rule(
        id="out-of-memory",
        title="device memory ran out",
        needs=("devices",),
        find=_out_of_memory,
        scope="process",
        severity=WARN,
        category="memory",
        threshold=1,
        meaning="allocations that failed: status 4, or the runtime's line",
        advice=STATUSES[4].advice,
        clears="10 minutes after it last happened",
        cannot="process named only if it is the sole holder",
        hold_ns=10 * MINUTE_NS,
        codes=(4,),
    ),
    Rule(
        id="memory-near-full",
        title="device memory will soon run out",
        needs=("memory",),
        find=_near,
        scope="device",
        severity=WARN,
        category="memory",
        threshold=_NEAR_NS / NS_PER_S,
        meaning="seconds left, if a bank goes on growing as in the last minute; loading models does not count",
        advice="Find what grows: a cache without a limit, longer contexts, a leak. Neuron servers are full by design, "
        "and growth after loading is not.",
        clears="a minute after it stopped growing",
        cannot="fragmentation unknown: no addresses are published",
        watched_ns=MINUTE_NS,
        hold_ns=MINUTE_NS,
        codes=(4,),
    ),
    Rule(
        id="memory-leak",
        title="a process takes ever more device memory",
        needs=("memory",),
        find=_leak,
        scope="process",
        severity=WARN,
        category="memory",
        threshold=_LEAST_GROWTH_BYTES,
        meaning="bytes of tensors more on a core, growing in every fifth of a minute or of ten",
        advice="Look for tensors that are kept: results, caches, graphs of new shapes. Restart the process before its "
        "memory runs out.",
        clears="a minute after it stopped growing",
        cannot="several holders: process unknown",
        watched_ns=MINUTE_NS,
        hold_ns=MINUTE_NS,
    ),
)
