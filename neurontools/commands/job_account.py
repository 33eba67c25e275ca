"""What a job did to a host's Neuron devices: counters before and after it, and what was seen in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from msgspec import field

from neurontools.hardware.driver import STATUS_NAMES
from neurontools.hardware.nrt import STATUS_OF_DIRECTORY
from neurontools.schema.deltas import total_of
from neurontools.schema.document import Document, version_field
from neurontools.schema.interval import CoreInterval, Interval, between
from neurontools.schema.snapshot import MemoryUse, Origin, Process, Snapshot
from neurontools.units import NS_PER_S, NS_PER_US

Key = tuple[int, str]
"""A physical core, and a category of its memory."""


class Status(Document, frozen=True, kw_only=True):
    """How often executions and loads ended so, counted on each core; `directory` is the driver's name of it."""

    directory: str
    name: str | None = None
    code: int | None = None
    count: int


class Peak(Document, frozen=True, kw_only=True):
    """The most device memory of a category in bytes, over all cores, and what was in use before the job.

    Exact where every core's own high-water mark rose; else no sample showed more. Cores need not have been at their
    peaks at the same time.
    """

    category: str
    bytes: int
    before_bytes: int
    exact: bool


class Share(Document, frozen=True, kw_only=True):
    """What was done on one logical core."""

    core: int
    busy_s: float | None = None
    flops: int | None = None
    executions: int | None = None


class Ecc(Document, frozen=True, kw_only=True):
    """By how much an error counter of a device rose; `counter` is the driver's name of it."""

    device: int
    counter: str
    count: int


class User(Document, frozen=True, kw_only=True):
    """A process that held cores meanwhile; `left`: at the end, too. Outcomes as far as they were seen."""

    pid: int
    command: str | None = None
    cores: tuple[int, ...] = ()
    left: bool = False
    executions: dict[str, int] | None = None
    errors: dict[str, int] | None = None


class Account(Document, frozen=True, kw_only=True):
    """A job. `core_seconds` is time in execution summed over physical cores; `statuses` are those that were counted.

    `unknown` says of what could not be told why. With `processes_known` false, `own` and `others` say nothing.
    """

    version: int = version_field()
    command: tuple[str, ...] = ()
    exit_code: int = 0
    instance_type: str = ""
    origin: Origin
    duration_s: float
    core_seconds: float | None = None
    flops: int | None = None
    executions: int | None = None
    statuses: tuple[Status, ...] = ()
    memory: tuple[Peak, ...] = ()
    cores: tuple[Share, ...] = ()
    ecc: tuple[Ecc, ...] = ()
    own: tuple[User, ...] = ()
    others: tuple[User, ...] = ()
    processes_known: bool = True
    resets: tuple[str, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)


class _Seen(NamedTuple):
    first: Process
    last: Process
    own: bool


class Meter:
    """Follows a host during a job: what memory was in use at most, and who used the devices."""

    def __init__(self, before: Snapshot, is_own: Callable[[int], bool]) -> None:
        """`is_own` says of a process that is alive whether the job started it."""
        self._before = before
        self._is_own = is_own
        self._most = dict(_in_use(before))
        self._seen: dict[tuple[int, int], _Seen] = {}
        self._processes_known = True
        self.add(before)

    def add(self, snapshot: Snapshot) -> None:
        """A reading while the job runs, or after it."""
        for key, count in _in_use(snapshot):
            self._most[key] = max(self._most.get(key, 0), count)
        self._processes_known = self._processes_known and snapshot.processes is not None
        for process in snapshot.processes or ():
            who = process.pid, process.started_ns
            seen = self._seen.get(who)
            own = seen.own if seen is not None else snapshot is not self._before and self._is_own(process.pid)
            self._seen[who] = _Seen(process if seen is None else seen.first, process, own)

    def are_left(self, after: Snapshot) -> bool:
        """Whether processes of the job hold cores although they may have ended."""
        alive = {(process.pid, process.started_ns) for process in after.processes or ()}
        return any(seen.own and key in alive for key, seen in self._seen.items())

    def account(self, after: Snapshot, command: tuple[str, ...], exit_code: int, instance_type: str) -> Account:
        """The job, over. Raises NoInterval where the two readings bound no period."""
        interval = between(self._before, after)
        self.add(after)
        alive = {(process.pid, process.started_ns) for process in after.processes or ()}
        users = [(seen.own, self._user(seen, key in alive)) for key, seen in self._seen.items() if seen.last.cores]
        busy_ns = total_of(map(_busy_ns, interval.physical))
        return Account(
            command=command,
            exit_code=exit_code,
            instance_type=instance_type,
            origin=interval.head.origin,
            duration_s=interval.duration_ns / NS_PER_S,
            core_seconds=None if busy_ns is None else busy_ns / NS_PER_S,
            flops=total_of(map(_flops, interval.physical)),
            executions=total_of(map(attrgetter("executions"), interval.physical)),
            statuses=tuple(_statuses(interval)),
            memory=tuple(self._peaks(after)),
            cores=tuple(_shares(interval)),
            ecc=tuple(_ecc(interval)),
            own=tuple(user for own, user in users if own),
            others=tuple(user for own, user in users if not own),
            processes_known=self._processes_known,
            resets=interval.resets,
            unknown={part: gap.reason for part, gap in interval.head.gaps.items()},
        )

    def _peaks(self, after: Snapshot) -> Iterator[Peak]:
        """Of each category; a high-water mark that did not rise tells only what was never exceeded."""
        marks_before, marks = dict(_marks(self._before)), dict(_marks(after))
        before = dict(_in_use(self._before))
        categories: dict[str, list[Key]] = {}
        for key in self._most:
            categories.setdefault(key[1], []).append(key)
        for category, keys in categories.items():
            rose = {key: marks[key] for key in keys if marks.get(key, 0) > marks_before.get(key, 0)}
            peak = sum(rose.get(key, self._most[key]) for key in keys)
            if peak:
                at_work = [key for key in keys if self._most[key] > before.get(key, 0)]
                exact = all(key in rose for key in at_work)
                before_bytes = sum(before.get(key, 0) for key in keys)
                yield Peak(category=category, bytes=peak, before_bytes=before_bytes, exact=exact)

    def _user(self, seen: _Seen, left: bool) -> User:
        size = max(1, self._before.head.logical_neuroncore_config)
        first, last = seen.first, seen.last
        started_before = first in (self._before.processes or ())
        return User(
            pid=last.pid,
            command=last.command,
            cores=tuple(sorted({core // size for core in last.cores})),
            left=left,
            executions=_counted(first.executions if started_before else {}, last.executions),
            errors=_counted(first.errors if started_before else {}, last.errors),
        )


def _counted(before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, int] | None:
    if before is None or after is None:
        return None
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


def _busy_ns(core: CoreInterval) -> int | None:
    """From the driver's own counter where there is one: readings spread over time what was credited in a lump."""
    counted = (core.other_info or {}).get("nc_time_in_use")
    return core.busy_ns if counted is None else counted * NS_PER_US


def _flops(core: CoreInterval) -> int | None:
    return (core.other_info or {}).get("flop_count", core.flops)


def _memory(snapshot: Snapshot) -> Iterator[tuple[Key, MemoryUse]]:
    for device in snapshot.devices:
        for core in device.cores:
            for category, use in (core.memory or {}).items():
                yield (core.core, category), use


def _in_use(snapshot: Snapshot) -> Iterator[tuple[Key, int]]:
    return ((key, use.total) for key, use in _memory(snapshot) if use.total is not None)


def _marks(snapshot: Snapshot) -> Iterator[tuple[Key, int]]:
    return ((key, use.peak) for key, use in _memory(snapshot) if use.peak is not None)


def _statuses(interval: Interval) -> Iterator[Status]:
    """What was counted, in the driver's order."""
    counts: Counter[str] = Counter()
    for core in interval.physical:
        counts.update(core.status or {})
    order = [*STATUS_NAMES, *sorted(counts.keys() - STATUS_NAMES.keys())]
    for directory in order:
        if counts[directory]:
            known = STATUS_OF_DIRECTORY.get(directory)
            name, code = (known.name, known.value) if known is not None else (None, None)
            yield Status(directory=directory, name=name, code=code, count=counts[directory])


def _shares(interval: Interval) -> Iterable[Share]:
    """The logical cores on which anything was done."""
    for core in interval.cores:
        busy_ns, flops = _busy_ns(core), _flops(core)
        if busy_ns or flops or core.executions:
            busy_s = None if busy_ns is None else busy_ns / NS_PER_S / len(core.parts)
            yield Share(core=core.core, busy_s=busy_s, flops=flops, executions=core.executions)


def _ecc(interval: Interval) -> Iterator[Ecc]:
    for device in interval.devices:
        for counter, count in (device.ecc or {}).items():
            if count:
                yield Ecc(device=device.device, counter=counter, count=count)
