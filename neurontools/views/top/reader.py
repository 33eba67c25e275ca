"""One reading after the other from a source: each an interval since the one before, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from time import monotonic
from typing import Any, NamedTuple

from msgspec.structs import replace

from neurontools.schema.allocations import Allocations
from neurontools.schema.document import Document, narrowed
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.finding import Diagnosis
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.lean import without
from neurontools.schema.snapshot import Core, Device, Gap, Head, Process, Snapshot
from neurontools.schema.source import Playback, Replaying, Source, SourceError, narrow
from neurontools.units import NS_PER_S
from neurontools.views.top.history import History
from neurontools.views.top.history.travel import Rewind

Watch = Callable[[Inventory, Snapshot, Sequence[Event]], Diagnosis]
"""Is told of one reading after the other, with the events since the one before, and says what is wrong."""

_LEAST_PERIOD_NS = 1_000_000_000
_WATCH_PERIOD_S = 10.0
_BANKS_PERIOD_S = 5.0
_REMEMBERED_S, _REMEMBERED_STEP_S, _WATCHED_STEP_S = 600, 5, 30
_UNSHOWN_OF_CORE = ("status", "other_info", "collectives_ns")
_UNSHOWN_OF_PROCESS = ("latency_device",)
_REGISTERS = "pe_cntrs"
_ENGINES = ("engines", _REGISTERS)
_NOT_ASKED = {"core_engine_percent": Gap(reason="read only while engines are shown")}


class Reading(NamedTuple):
    """`interval` is None where nothing can be compared yet; with an `error` the source did not answer at all."""

    inventory: Inventory | None = None
    interval: Interval | None = None
    error: str = ""
    hint: str = ""
    waiting: str = ""
    banks: BankMapRead | None = None


class BankMapRead(NamedTuple):
    """The bank map of a device, or why there is none."""

    device: int
    allocations: Allocations | None
    why: str = ""


class Reader:
    """Remembers the last snapshot of a source, and what it read in `history`. Not for two threads at a time.

    `make_watch` makes what is told of a reading every few seconds, with the events since the one before, and says what
    is wrong; made anew where the readings before mean nothing any more.
    """

    def __init__(self, source: Source, make_watch: Callable[[], Watch] | None = None) -> None:
        narrow(source, lean_kind())
        self._source = source
        self._registers = self._asked = False
        self._inventory: Inventory | None = None
        self._previous: Snapshot | None = None
        self._watched = _Watched(make_watch)
        self._playback = source.playback if isinstance(source, Replaying) else None
        self._jumps = self._playback.jumps if self._playback is not None else 0
        self._seen = 0
        self._began = False
        self._banks: BankMapRead | None = None
        self._banks_due_s = 0.0
        self._first: tuple[Snapshot, Interval | None, Inventory] | None = None
        self.history = History(frames=self._playback is None)
        self.playback: Playback = self._playback or Rewind(self.history)
        """Where in time is looked at; that of a replay moves the source."""

    @property
    def replays(self) -> bool:
        """Whether the source itself is moved in time."""
        return self._playback is not None

    def read(self, registers: bool = False, bank_map_of: int | None = None) -> Reading:
        """The source now. After a failure or a reboot the inventory is read anew: it may be another host.

        What is in the device's registers is read only where it is asked for, as it costs an access to each; so is the
        bank map of a device.
        """
        self._asked, before = registers and self._registers, self._registers
        if registers != before:
            self._registers = registers
            narrow(self._source, lean_kind(registers))
        try:
            reading = self._read()
            return reading if bank_map_of is None else reading._replace(banks=self._bank_map(bank_map_of))
        except SourceError as error:
            self._inventory = None
            return Reading(error=error.reason, hint=error.hint)

    def look(self) -> Diagnosis | None:
        """What one look at one more reading says is wrong; None where nobody looks, or the source does not answer."""
        with suppress(SourceError), self._looking_at(watched_kind()):
            inventory = self._inventory or self._source.inventory()
            self._watched.see(inventory, self._source.snapshot(), self.history)
        return self.history.diagnosis()

    def remember(self) -> None:
        """Reads what the source itself remembers, once: then there is something to look back at from the start.

        After a jump in a recording that is once more.
        """
        if self._began:
            return
        self._began = True
        with suppress(SourceError):
            self._remember(self._inventory or self._source.inventory())
        if self._first is not None:
            self.history.add(*self._first)

    def _read(self) -> Reading:
        self._follow_jumps()
        current, whole = self._snapshot()
        previous = self._previous
        if previous is None or _begins_anew(previous.head, current.head):
            self._inventory = None
            if previous is not None and previous.head.boot_id != current.head.boot_id:
                self._seen = 0
                self._watched.begin_anew()
            previous = self._past()
            self.history.begin(current.head.boot_id)
        if self._inventory is None:
            self._inventory = self._source.inventory()
        self._previous = current
        self._listen()
        if whole is not None:
            self._watched.see(self._inventory, whole, self.history)
        if previous is None:
            self._keep(current, None, self._inventory)
            return Reading(self._inventory, waiting="one more reading is needed before there is a period to show")
        try:
            interval = between(previous, current)
        except NoInterval as nothing:
            self._previous = previous
            return Reading(self._inventory, waiting=nothing.reason)
        self._keep(current, interval, self._inventory)
        return Reading(self._inventory, interval)

    def _keep(self, current: Snapshot, interval: Interval | None, inventory: Inventory) -> None:
        """The first reading waits for those that are older."""
        if self._began:
            self.history.add(current, interval, inventory)
        else:
            self._first = current, interval, inventory

    def _bank_map(self, device: int) -> BankMapRead:
        """Read anew every few seconds: on a full device it is as long as all the rest."""
        if self._banks is None or self._banks.device != device or monotonic() >= self._banks_due_s:
            try:
                self._banks = BankMapRead(device, self._source.allocations(device))
            except SourceError as error:
                self._banks = BankMapRead(device, None, error.reason)
            self._banks_due_s = monotonic() + _BANKS_PERIOD_S
        return self._banks

    def _snapshot(self) -> tuple[Snapshot, Snapshot | None]:
        """The reading, and where it is time to look whether something is wrong, all of it that this takes."""
        if not (self._began and self._watched.is_due()):
            return self._explained(lean(self._source.snapshot())), None
        with self._looking_at(watched_kind()):
            whole = self._source.snapshot()
        return self._explained(lean(whole)), whole

    def _explained(self, snapshot: Snapshot) -> Snapshot:
        """With the reason why nothing is known of engines, where they were not asked for now or the time before."""
        if self._asked:
            return snapshot
        return replace(snapshot, head=replace(snapshot.head, gaps=_NOT_ASKED | snapshot.head.gaps))

    def _past(self) -> Snapshot | None:
        """The newest kept snapshot that makes a period long enough to mean something, else any older one."""
        past = self._source.past(_LEAST_PERIOD_NS) or self._source.past(1)
        return lean(past) if past is not None else None

    def _remember(self, inventory: Inventory) -> None:
        previous: Snapshot | None = None
        with self._looking_at(watched_kind()):
            for age_s in range(_REMEMBERED_S, 0, -_REMEMBERED_STEP_S):
                whole = self._source.past(age_s * NS_PER_S)
                if whole is None:
                    continue
                if previous is not None and whole.head.time_ns <= previous.head.time_ns:
                    continue
                now = lean(whole)
                self.history.begin(now.head.boot_id)
                with suppress(NoInterval):
                    self.history.add(now, None if previous is None else between(previous, now), inventory)
                if age_s % _WATCHED_STEP_S == 0:
                    self._watched.see(inventory, whole, self.history)
                previous = now

    def _listen(self) -> None:
        """What happened since the last time; a source that cannot tell is asked again."""
        with suppress(SourceError):
            events = self._source.events(self._seen).events
            self._seen = max((event.seq for event in events), default=self._seen)
            self.history.add_events(events)
            self._watched.hear(events)

    def _follow_jumps(self) -> None:
        """After a jump nothing is compared with what was read before it."""
        if self._playback is not None and self._playback.jumps != self._jumps:
            self._jumps = self._playback.jumps
            self._previous = self._first = None
            self._began = False
            self._seen = 0
            self.history.forget_events()
            self._watched.begin_anew()

    @contextmanager
    def _looking_at(self, kind: type[Snapshot]) -> Iterator[None]:
        narrow(self._source, kind)
        try:
            yield
        finally:
            narrow(self._source, lean_kind(self._registers))


class _Watched:
    """When somebody looks whether something is wrong, and what happened until then."""

    def __init__(self, make: Callable[[], Watch] | None) -> None:
        self._make = make
        self._watch: Watch | None = None
        self._due_s = 0.0
        self._events: list[Event] = []

    def is_due(self) -> bool:
        """Whether it is time; news from the kernel does not wait."""
        urgent = any(event.kind == KERNEL_LOG for event in self._events)
        return self._make is not None and (urgent or monotonic() >= self._due_s)

    def hear(self, events: Sequence[Event]) -> None:
        """Keeps what happened until somebody looks."""
        if self._make is not None:
            self._events += events

    def see(self, inventory: Inventory, snapshot: Snapshot, history: History) -> None:
        """Looks, and keeps what was found."""
        if self._make is None:
            return
        if self._watch is None:
            self._watch = self._make()
        now_ns = snapshot.head.time_ns
        heard = [event for event in self._events if event.time_ns <= now_ns]
        self._events = [event for event in self._events if event.time_ns > now_ns]
        self._due_s = monotonic() + _WATCH_PERIOD_S
        history.add_diagnosis(self._watch(inventory, snapshot, heard))

    def begin_anew(self) -> None:
        """What was found before has no meaning any more."""
        self._watch = None
        self._events = []
        self._due_s = 0.0


def _begins_anew(before: Head, now: Head) -> bool:
    """Whether nothing counted before goes on: after a boot, and where a replay was set back."""
    return now.boot_id != before.boot_id or now.time_ns < before.time_ns


def lean_kind(registers: bool = False) -> type[Snapshot]:
    """A snapshot of whose text what no page shows is not even read.

    The engines' activity, on hardware counted in registers, is read only where `registers` says that it is shown.
    """
    return _lean_kinds()[registers]


@cache
def _lean_kinds() -> tuple[type[Snapshot], type[Snapshot]]:
    """Without and with what is in registers."""
    return _made_lean(False), _made_lean(True)


def _made_lean(registers: bool) -> type[Snapshot]:
    process: Any = narrowed(Process, _all_but(Process, *_UNSHOWN_OF_PROCESS))
    unshown = _UNSHOWN_OF_CORE if registers else (*_UNSHOWN_OF_CORE, *_ENGINES)
    core: Any = narrowed(Core, _all_but(Core, *unshown))
    device: Any = narrowed(Device, _all_but(Device, "cores"), cores=tuple[core, ...])
    parts: dict[str, Any] = {"devices": tuple[device, ...], "processes": tuple[process, ...] | None}
    return narrowed(Snapshot, _all_but(Snapshot, *parts), **parts)


@cache
def watched_kind() -> type[Snapshot]:
    """All that one looks at to find out whether something is wrong: no registers."""
    core: Any = narrowed(Core, _all_but(Core, _REGISTERS))
    device: Any = narrowed(Device, _all_but(Device, "cores"), cores=tuple[core, ...])
    return narrowed(Snapshot, _all_but(Snapshot, "devices"), devices=tuple[device, ...])


def _all_but(kind: type[Document], *names: str) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in names)


def lean(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what no page shows: comparing that too would take a third of the program's time."""
    if isinstance(snapshot, _lean_kinds()):
        return snapshot
    return without(snapshot, {"core": _UNSHOWN_OF_CORE, "process": _UNSHOWN_OF_PROCESS})
