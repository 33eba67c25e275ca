"""Which of several equal replicas takes longer on its devices: processes that provably do the same work.

Where time in collectives is not counted, a slow core looks like all of its group: only the whole group can be compared.
Two servers of one model need not do the same, since nobody counts the bytes that they read: a longer context costs
time, and at a large batch hardly any FLOPs. So processes are equal if they have as many cores, hold as much of each
kind of memory, and spend the same FLOPs on an execution in every part of a span; if their executions take as long one
time as another; and if what the FLOPs leave in doubt cannot explain the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from operator import eq
from statistics import median
from typing import NamedTuple

from neurontools.diagnosis.rule import MINUTE_NS
from neurontools.diagnosis.rules.memory import banks
from neurontools.diagnosis.rules.progress import executed_ns
from neurontools.diagnosis.sample import CoreSample, ProcessSample, Sample
from neurontools.diagnosis.window import Window, counted
from neurontools.hardware.chips import CHIPS, core_memory_bytes_per_s
from neurontools.schema.deltas import total_of
from neurontools.units import NS_PER_S

_SPANS_NS = (20 * NS_PER_S, 2 * MINUTE_NS, 10 * MINUTE_NS)
"""The longer ones are for executions of which there are too few in the shorter."""

_PARTS = 4
_ALIKE = 1.01
"""Bytes of memory may differ by so much."""

_SAME_FLOPS = 0.001
_MOST_DOUBT = 0.02
"""FLOPs per execution are known to one execution in as many as were counted, and no better than the first figure; if
not as well as the second, nothing is compared."""

_BYTES_PER_FLOP = 2.0
"""The most that FLOPs which nobody sees can have cost, in bytes at full bandwidth: attention reads a byte of a 16-bit
cache for every FLOP, and may reach half of the bandwidth. Weights cost more FLOPs with every sequence of a batch."""


_STEPS = 10
_SAME_TIME = 0.01
"""In the last steps from one reading to the next executions take as long as in the whole span, to this share and to one
execution: those whose time depends on their data do not."""

_EVEN = 1.1
"""So much longer than the short ones the long ones of the middle half of all executions may be."""


class Slow(NamedTuple):
    """A process whose executions take so many times as long as those of other equal ones."""

    pid: int
    times: float
    others: int
    execution_ns: float
    usual_ns: float


class Compared(NamedTuple):
    """The processes that are slow, and the pids of all that were compared to the rule's threshold."""

    slow: list[Slow]
    pids: set[int]


class _Work(NamedTuple):
    """Of one core, on average: executions, and time and FLOPs for each."""

    executions: float
    execution_ns: float
    flops: float


class _Pace(NamedTuple):
    """What a process did in a span and in each part of it. `shape` is what equal ones have in common, `bytes` too, but
    for what is within `_ALIKE`; `is_even` says that nothing shows some executions to take longer than others."""

    pid: int
    shape: tuple[int, ...]
    bytes: tuple[int, ...]
    names: tuple[frozenset[str], frozenset[str]] | None
    whole: _Work
    parts: tuple[_Work, ...]
    is_even: bool


def slow_replicas(window: Window, factor: float, pids: Sequence[int]) -> Compared:
    """Those of some processes that are slower than their equals by a factor, all through a span."""
    chip = CHIPS.get(window.inventory.chip)
    told = Compared([], set())
    if chip is None or len(pids) < 2:
        return told
    bytes_per_s = core_memory_bytes_per_s(chip)
    crowded = _crowded(window)
    alone = [_process(window, pid) for pid in pids if pid not in crowded]
    for span_ns in _SPANS_NS:
        samples = _samples(window, span_ns)
        left = [process for process in alone if process.pid not in told.pids] if samples else []
        paces = [pace for process in left if (pace := _pace(window, process, samples)) is not None]
        for group in _groups(paces):
            hidden_ns = _doubt(group) * group[0].whole.flops * _BYTES_PER_FLOP * NS_PER_S / bytes_per_s
            for found, slower in _compared_steady(window, group, factor, samples[0]):
                if slower and found.execution_ns - found.usual_ns > hidden_ns:
                    told.slow.append(found)
                    told.pids.add(found.pid)
                elif hidden_ns <= (factor - 1) * found.usual_ns:
                    told.pids.add(found.pid)
    return told


def _crowded(window: Window) -> set[int]:
    """The processes that share a core or a bank of memory with another one, which may slow them down."""
    owners: dict[int, set[int]] = {}
    for pid, process in (window.now.processes or {}).items():
        for core in process.cores:
            owners.setdefault(core, set()).add(pid)
    on_banks = [set().union(*[owners.get(core, ()) for core in bank.cores]) for bank in banks(window)]
    return {pid for pids in on_banks if len(pids) > 1 for pid in pids}


def _process(window: Window, pid: int) -> ProcessSample:
    return (window.now.processes or {})[pid]


def _samples(window: Window, span_ns: int) -> list[Sample]:
    """The samples at the ends of the parts of a span, oldest first; none where it was not watched that closely."""
    samples = [sample for part in range(_PARTS, -1, -1) if (sample := window.at(span_ns * part // _PARTS)) is not None]
    apart = len({sample.time_ns for sample in samples}) == _PARTS + 1
    return samples if apart and samples[-1].time_ns - samples[0].time_ns <= 2 * span_ns else []


def _pace(window: Window, process: ProcessSample, samples: Sequence[Sample]) -> _Pace | None:
    """What a process did; None where that is not known, or it did something else too: loaded, failed, stood still."""
    cores = window.cores_of(process)
    sizes, last_ns = _bytes(process, cores), executed_ns(window, process)
    whole = _work(samples[0], samples[-1], process) if _is_settled(window, process, cores, samples[0]) else None
    if sizes is None or last_ns is None or whole is None or _failed(samples[0], samples[-1], process):
        return None
    parts = []
    for earlier, later in pairwise(samples):
        part = _work(earlier, later, process)
        if part is None or not _same_flops(whole, part):
            return None
        parts.append(part)
    if window.now.time_ns - last_ns > 2 * whole.execution_ns:
        return None
    shape = (len(cores), sum(core.parts for core in cores), len({core.device for core in cores}))
    return _Pace(
        process.pid, shape, sizes, _names(window, process.pid), whole, tuple(parts), _is_even(samples[0], process)
    )


def _is_settled(window: Window, process: ProcessSample, cores: Sequence[CoreSample], then: Sample) -> bool:
    """Whether a process has loaded nothing since then."""
    loaded = [window.cores[core.core].loaded_ns for core in cores]
    loaded.append(window.processes[process.pid, process.started_ns].loaded_ns)
    return bool(cores) and max(loaded) <= then.time_ns


def _work(earlier: Sample, later: Sample, process: ProcessSample) -> _Work | None:
    """Between two samples; None where counters are unknown or nothing was executed."""
    pairs = [(earlier.cores.get(core), later.cores.get(core)) for core in process.cores]
    cores = [(old, new) for old, new in pairs if old is not None and new is not None]
    before, now = ((sample.processes or {}).get(process.pid) for sample in (earlier, later))
    if len(cores) < len(pairs) or before is None or now is None or before.started_ns != process.started_ns:
        return None
    size = sum(new.parts for _, new in cores)
    busy_ns: int | None = total_of([counted(old.busy_ns, new.busy_ns) for old, new in cores])
    flops: int | None = total_of([counted(old.flops, new.flops) for old, new in cores])
    if now.completed is not None:
        executed: float | None = counted(before.completed, now.completed)
    else:
        own: int | None = total_of([counted(old.executions, new.executions) for old, new in cores])
        executed = None if own is None else own / size
    if not busy_ns or not flops or not executed:
        return None
    return _Work(executed, busy_ns / size / executed, flops / size / executed)


def _is_steady(window: Window, process: ProcessSample, whole: _Work, then: Sample) -> bool:
    """Whether executions have taken as long in each of the last steps as in all the time since then."""
    last = [sample for sample in islice(reversed(window.samples), _STEPS + 1) if sample.time_ns >= then.time_ns]
    steps = [step for later, earlier in pairwise(last) if (step := _work(earlier, later, process)) is not None]
    return all(
        abs(step.execution_ns - whole.execution_ns)
        <= (_SAME_TIME + 1 / step.executions + 1 / whole.executions) * whole.execution_ns
        for step in steps
    )


def _is_even(then: Sample, process: ProcessSample) -> bool:
    """Whether the middle half of a process's executions took as long, where each one's time on the devices is known."""
    earlier = (then.processes or {}).get(process.pid)
    if process.latency_device is None or earlier is None or earlier.latency_device is None:
        return True
    quarters = process.latency_device.since(earlier.latency_device).percentiles_ns((25, 75))
    return quarters is None or quarters[1] <= _EVEN * quarters[0]


def _same_flops(whole: _Work, part: _Work) -> bool:
    doubt = _SAME_FLOPS + 1 / part.executions + 1 / whole.executions
    return abs(part.flops - whole.flops) <= doubt * whole.flops


def _failed(earlier: Sample, later: Sample, process: ProcessSample) -> bool:
    """Whether executions of a process, or on its cores, ended in another way than they should."""
    before, now = ((sample.processes or {})[process.pid].executions or {} for sample in (earlier, later))
    ended = any(before.get(name, 0) != count for name, count in now.items() if name != "completed")
    return ended or any(earlier.cores[core].errors != later.cores[core].errors for core in process.cores)


def _bytes(process: ProcessSample, cores: Sequence[CoreSample]) -> tuple[int, ...] | None:
    """What a process holds of what models take, and of tensors; by its cores where it is not told itself."""
    fixed, tensors = process.fixed_bytes, process.tensors_bytes
    if fixed is None or tensors is None:
        fixed = total_of([core.fixed_bytes for core in cores])
        tensors = total_of([core.tensors_bytes for core in cores])
    return None if fixed is None or tensors is None else (fixed, tensors)


def _names(window: Window, pid: int) -> tuple[frozenset[str], frozenset[str]] | None:
    """The names of the models that a process has loaded, and their identities; None where they are not told."""
    for process in window.snapshot.processes or ():
        if process.pid == pid and process.models is not None:
            return frozenset(model.name for model in process.models), frozenset(model.uuid for model in process.models)
    return None


def _groups(paces: Sequence[_Pace]) -> list[list[_Pace]]:
    """Those that are equal to the one among them that executed most."""
    groups: list[list[_Pace]] = []
    for pace in sorted(paces, key=lambda pace: -pace.whole.executions):
        group = next((group for group in groups if _are_equal(group[0], pace)), None)
        if group is None:
            groups.append([pace])
        else:
            group.append(pace)
    return [group for group in groups if len(group) > 1]


def _are_equal(one: _Pace, other: _Pace) -> bool:
    if one.shape != other.shape or any(
        max(pair) > _ALIKE * min(pair) for pair in zip(one.bytes, other.bytes, strict=True)
    ):
        return False
    if one.names is not None and other.names is not None and not any(map(eq, one.names, other.names)):
        return False
    doubt = _doubt((one, other))
    return doubt <= _MOST_DOUBT and abs(one.whole.flops - other.whole.flops) <= doubt * one.whole.flops


def _doubt(group: Sequence[_Pace]) -> float:
    """How much the FLOPs of an execution may differ between equal processes, as a share, and nobody see it."""
    return _SAME_FLOPS + sum(sorted(1 / pace.whole.executions for pace in group)[-2:])


def _compared_steady(
    window: Window, group: Sequence[_Pace], factor: float, then: Sample
) -> Iterator[tuple[Slow, bool]]:
    """The same, where one is slower without those whose executions take now longer and now shorter."""
    compared = list(_compared(group, factor))
    if any(slower for _, slower in compared):
        # To look at each step costs more than all the rest.
        steady = [pace for pace in group if _is_steady(window, _process(window, pace.pid), pace.whole, then)]
        compared = list(_compared(steady, factor)) if len(steady) > 1 else []
    yield from compared


def _compared(group: Sequence[_Pace], factor: float) -> Iterator[tuple[Slow, bool]]:
    """Each beside its equals, and whether it is slower in every part of the span: what just began to hang is not, and
    what was healed is not either."""
    even = [pace for pace in group if pace.is_even]
    of_all = _medians(even)
    for pace in group:
        # Of two the one is compared with the other, of more with the one in the middle.
        others = [each for each in even if each is not pace] if len(even) < 3 else even
        if not others:
            continue
        usual = _medians(others) if others is not even else of_all
        own = [work.execution_ns for work in _works(pace)]
        slower = all(mine >= factor * theirs for mine, theirs in zip(own, usual, strict=True))
        yield Slow(pace.pid, own[0] / usual[0], len(group) - 1, own[0], usual[0]), slower


def _medians(paces: Sequence[_Pace]) -> list[float]:
    """How long an execution of the one in the middle takes, over the span and in each part of it."""
    return [median([work.execution_ns for work in works]) for works in zip(*map(_works, paces), strict=True)]


def _works(pace: _Pace) -> tuple[_Work, ...]:
    return pace.whole, *pace.parts
