"""How neuron-doctor looks: at a source's past and present, for as long as it is told to, or at all of a recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from msgspec.structs import replace

from neurontools.commands import errors
from neurontools.commands.recorded import opened_series
from neurontools.commands.source_flags import say_replay, source_environment
from neurontools.diagnosis import Doctor
from neurontools.recording import replayed
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.finding import Diagnosis, Finding, Scope
from neurontools.schema.host_facts import HostFacts
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import Source, SourceError, pace
from neurontools.sources.choose import choose, root_of
from neurontools.sources.host_facts import FactsReader
from neurontools.sources.sysfs.options import options_of
from neurontools.units import NS_PER_S, format_time_ns, parse_duration_ns

NAME = "neuron-doctor"

_DEFAULT_WINDOW = "30s"
_LONGEST_WINDOW_NS = 24 * 3600 * NS_PER_S
_STEP_S = 1.0
_PATIENCE_S, _QUICK_PATIENCE_S = 1.0, 0.5
"""How long the metadata service may take in all."""

_PAST_AGES_S = (600, 480, 360, 240, 180, 120, 90, 60, 45, 30, 25, 20, 15, 10, 5, 1)
_OLD_EVENTS_NS = 600 * NS_PER_S
_FACTS_PERIOD_S = 10.0


class Looked(NamedTuple):
    """A diagnosis and the host that it is of; `period` says what a recording reaches over."""

    diagnosis: Diagnosis
    inventory: Inventory | None
    period: str = ""


class Look(NamedTuple):
    """One reading, as the doctor was told of it."""

    inventory: Inventory
    snapshot: Snapshot
    events: Sequence[Event]
    facts: HostFacts | None


class Visit:
    """One host that is read again and again, each time with the events and facts that go with it."""

    def __init__(
        self,
        source: Source,
        facts: FactsReader | None,
        clock: Callable[[], float] = time.monotonic,
        on_look: Callable[[Look], None] | None = None,
    ) -> None:
        """`clock` gives the seconds by which the facts are looked at now and then only; `on_look` is told of each
        reading."""
        self.source = source
        self.doctor = Doctor()
        self.inventory: Inventory | None = None
        self._facts = facts
        self._clock = clock
        self._on_look = on_look
        self._facts_due_s: float | None = None
        self._seen = 0
        self._pids: list[int] = []
        self._closed: dict[int, dict[str, int]] | None = None
        self._pending: list[Event] = []

    def begin(self) -> bool:
        """Looks at the past that the source keeps; whether there is any."""
        kept: dict[int, Snapshot] = {}
        for age_s in _PAST_AGES_S:
            snapshot = self.source.past(age_s * NS_PER_S)
            if snapshot is not None:
                kept[snapshot.head.time_ns] = snapshot
        for snapshot in kept.values():
            self._see(snapshot, None)
        return bool(kept)

    def look(self) -> Diagnosis:
        """What is wrong now. Raises SourceError."""
        snapshot = self.source.snapshot()
        # Who holds a device may change at any time.
        self.inventory = self.source.inventory()
        return self._see(snapshot, self._facts_now(snapshot))

    def see(self, snapshot: Snapshot, inventory: Inventory) -> Diagnosis:
        """What is wrong at a reading that somebody else has taken. Raises SourceError."""
        self.inventory = inventory
        return self._see(snapshot, self._facts_now(snapshot))

    def _see(self, snapshot: Snapshot, facts: HostFacts | None) -> Diagnosis:
        if self.inventory is None:
            self.inventory = self.source.inventory()
        look = Look(self.inventory, snapshot, self._events(snapshot.head.time_ns), facts)
        if self._on_look is not None:
            self._on_look(look)
        return self.doctor.see(*look)

    def _events(self, time_ns: int) -> Sequence[Event]:
        """The events until an instant that were not seen yet; of a first look those that may still matter."""
        first = not self._seen
        new = self.source.events(self._seen).events
        self._seen = max((event.seq for event in new), default=self._seen)
        oldest_ns = time_ns - _OLD_EVENTS_NS
        self._pending += [event for event in new if not first or event.kind == KERNEL_LOG or event.time_ns >= oldest_ns]
        due = [event for event in self._pending if event.time_ns <= time_ns]
        self._pending = [event for event in self._pending if event.time_ns > time_ns]
        return due

    def _facts_now(self, snapshot: Snapshot) -> HostFacts | None:
        pids = [process.pid for process in snapshot.processes or ()]
        # Where counters move at the end of a process only, that is when to look at them.
        ended, self._pids = bool(set(self._pids) - set(pids)), pids
        due = self._facts_due_s is None or self._clock() >= self._facts_due_s or ended
        if self._facts is None or not due:
            return None
        self._facts_due_s = self._clock() + _FACTS_PERIOD_S
        facts = self._facts.read(snapshot.head.time_ns, pids)
        if "status" not in snapshot.head.gaps:
            return facts
        if self._closed is None or ended:
            self._closed = self._facts.closed_status()
        return replace(facts, closed_status=self._closed)


def look(given: Mapping[str, str], on_look: Callable[[Look], None] | None = None) -> Looked:
    """The host that the options name, now. Where it cannot be read at all, that is what is found."""
    window_ns = _window_ns(given)
    try:
        with visiting(given, on_look) as visit:
            return _visit(visit, given, window_ns)
    except SourceError as error:
        return Looked(Doctor().blind(time.time_ns(), error.reason, error.hint), None)


@contextmanager
def visiting(given: Mapping[str, str], on_look: Callable[[Look], None] | None = None) -> Iterator[Visit]:
    """A visit to the host that the options name. Raises SourceError."""
    environment = source_environment(given)
    spec, quick = given.get("source"), "quick" in given
    source = choose(spec, environment, place=False)
    say_replay(NAME, source)
    try:
        pace(source, round(_STEP_S * NS_PER_S))
        facts = facts_reader(spec, environment, _QUICK_PATIENCE_S if quick else _PATIENCE_S)
        yield Visit(source, facts, on_look=on_look)
    finally:
        source.close()


def facts_reader(spec: str | None, environ: Mapping[str, str], patience_s: float = _PATIENCE_S) -> FactsReader | None:
    """What reads that of a host which no snapshot holds; None for a source that does not read a host's files."""
    root = root_of(spec, environ)
    return None if root is None else FactsReader(root, options_of(environ).imds, patience_s)


def _visit(visit: Visit, given: Mapping[str, str], window_ns: int) -> Looked:
    if "quick" in given:
        return Looked(visit.look(), visit.inventory)
    has_past = visit.begin()
    diagnosis = visit.look()
    if not has_past or "window" in given:
        diagnosis = _watch(visit, diagnosis, window_ns)
    return Looked(diagnosis, visit.inventory)


def _watch(visit: Visit, diagnosis: Diagnosis, window_ns: int) -> Diagnosis:
    """Looks once a second until the window is over; a host whose time stands still is not waited for."""
    began_ns = diagnosis.time_ns
    began_s = due_s = time.monotonic()
    told = False
    while time.monotonic() - began_s < window_ns / NS_PER_S:
        due_s += _STEP_S
        if not told and window_ns > 2 * NS_PER_S:
            errors.say(
                f"{NAME}: watching for {window_ns / NS_PER_S:g} s, as there is no past to look at; --quick does without"
            )
            told = True
        time.sleep(max(0.0, due_s - time.monotonic()))
        diagnosis = visit.look()
        if diagnosis.time_ns == began_ns:
            break
    return diagnosis


def _window_ns(given: Mapping[str, str]) -> int:
    text = given.get("window", _DEFAULT_WINDOW)
    try:
        window_ns = parse_duration_ns(text)
    except ValueError:
        window_ns = -1
    if not 0 < window_ns <= _LONGEST_WINDOW_NS:
        raise errors.UsageError(f"--window takes a duration such as 30s or 10m, up to 24h, not {text!r:.40}")
    return window_ns


def look_back(path: str, given: Mapping[str, str]) -> Looked:
    """Everything that was found in a recording, and when; what could be checked is that of its last reading."""
    for option in ("source", "window", "quick"):
        if option in given:
            raise errors.UsageError(f"--{option} does not go with a recording")
    with opened_series(NAME, path) as recording:
        first_ns, last_ns = recording.span
        doctor, found = Doctor(), dict[tuple[str, Scope, int], Finding]()
        diagnosis, inventory = None, None
        for frame in map(replayed, recording.frames()):
            diagnosis = doctor.see(frame.inventory, frame.snapshot, frame.events.events)
            inventory = frame.inventory
            for each in diagnosis.findings:
                found[each.rule, each.scope, each.since_ns] = replace(each, until_ns=diagnosis.time_ns)
    if diagnosis is None:
        raise SourceError(f"there is no reading in {path}")
    period = f"{format_time_ns(first_ns)} to {format_time_ns(last_ns)}"
    return Looked(replace(diagnosis, findings=tuple(_over(found.values(), last_ns))), inventory, period)


def _over(findings: Iterable[Finding], last_ns: int) -> Iterator[Finding]:
    """Findings in the order of their beginnings; those that last have no end."""
    for each in sorted(findings, key=lambda finding: finding.since_ns):
        yield replace(each, until_ns=None) if each.until_ns == last_ns else each
