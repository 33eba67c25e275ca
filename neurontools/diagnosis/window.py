"""What rules look at: the newest reading, the one before, thinned samples of an hour, and when work was last seen."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from neurontools.diagnosis.sample import CoreSample, ProcessSample, Sample, sample_of
from neurontools.hardware.driver import SRAM_ECC_BITS
from neurontools.schema.deltas import delta
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.host_facts import HostFacts
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Device, Gap, Snapshot
from neurontools.units import NS_PER_S

HARDWARE_ERROR = re.compile(r"NEURON_HW_ERR=(\w+)")
"""The driver's word for what failed, in a line of the kernel's log."""

KEPT_NS = 3600 * NS_PER_S
_LADDER = ((60 * NS_PER_S, 0), (600 * NS_PER_S, 10 * NS_PER_S), (KEPT_NS, 60 * NS_PER_S))
"""Up to which age samples are kept that lie so far apart."""

_MOST_KEPT = 300
"""Samples, should somebody read more often than every second."""

_WRAP_BITS = {"sram_ecc_uncorrected": SRAM_ECC_BITS, "sram_ecc_corrected": SRAM_ECC_BITS}


class Activity:
    """When one core or process was last seen to complete something, to multiply, or to change what loading takes."""

    __slots__ = ("cycled_ns", "cycles", "executed_ns", "executions", "first_ns", "fixed", "loaded_ns")

    def __init__(self, now_ns: int) -> None:
        self.first_ns = self.executed_ns = self.cycled_ns = self.loaded_ns = now_ns
        self.executions: int | None = None
        self.cycles: int | None = None
        self.fixed: int | None = None

    def see(self, now_ns: int, executions: int | None, cycles: int | None, fixed: int | None) -> None:
        """Notes what moved."""
        if executions != self.executions:
            self.executions, self.executed_ns = executions, now_ns
        if cycles != self.cycles:
            self.cycles, self.cycled_ns = cycles, now_ns
        if fixed != self.fixed:
            self.fixed, self.loaded_ns = fixed, now_ns


class Growth(NamedTuple):
    """When a count of errors first and last grew while it was watched, and by how much in all."""

    first_ns: int
    last_ns: int
    total: int


class Window:
    """Readings of one boot of one host, oldest first. Only `add` changes it."""

    def __init__(self, inventory: Inventory, snapshot: Snapshot) -> None:
        self.inventory = inventory
        self.snapshot = snapshot
        self.previous_snapshot: Snapshot | None = None
        self.facts: HostFacts | None = None
        self.earlier_facts: HostFacts | None = None
        self.events: Sequence[Event] = ()
        self.status_is_live = False
        self.samples: deque[Sample] = deque()
        self.cores: dict[int, Activity] = {}
        self.processes: dict[tuple[int, int], Activity] = {}
        self.logged: dict[tuple[int | None, str], int] = {}
        """When the driver last wrote of an error of a device into the kernel's log, by device and word."""
        self._growth: dict[tuple[str, int, str], Growth] = {}

    def add(self, inventory: Inventory, snapshot: Snapshot, events: Sequence[Event], facts: HostFacts | None) -> None:
        """A later reading, with the events since the one before. One of the same instant takes its place."""
        if facts is not None:
            self.facts, self.earlier_facts = facts, self.facts
        sample = sample_of(snapshot, self.facts.closed_status if self.facts is not None else None)
        self.status_is_live = any(core.status is not None for device in snapshot.devices for core in device.cores)
        if self.samples and self.samples[-1].time_ns >= sample.time_ns:
            self.samples.pop()
        elif self.samples:
            self.previous_snapshot = self.snapshot
        self.inventory, self.snapshot, self.events = inventory, snapshot, events
        self.samples.append(sample)
        self._thin(sample.time_ns)
        self._note_events()
        self._note(sample)

    @property
    def now(self) -> Sample:
        """The newest sample."""
        return self.samples[-1]

    @property
    def before(self) -> Sample | None:
        """The sample before the newest."""
        return self.samples[-2] if len(self.samples) > 1 else None

    @property
    def gaps(self) -> Mapping[str, Gap]:
        """Why parts of the newest reading are unknown."""
        return self.snapshot.head.gaps

    @property
    def watched_ns(self) -> int:
        """How long the host has been watched."""
        return self.now.time_ns - self.samples[0].time_ns

    def at(self, age_ns: int) -> Sample | None:
        """The newest sample that is at least so much older than the newest; None where none is."""
        latest_ns = self.now.time_ns - age_ns
        for sample in reversed(self.samples):
            if sample.time_ns <= latest_ns:
                return sample
        return None

    def since(self, age_ns: int) -> Sample | None:
        """The oldest sample that is at most so much older than the newest; None where that is the newest."""
        found = None
        for sample in reversed(self.samples):
            if sample.time_ns < self.now.time_ns - age_ns:
                break
            found = sample
        return None if found is self.now else found

    def grown(self, kind: str, number: int, name: str) -> Growth | None:
        """How the count of errors of that name of a device, core (logical) or process grew while it was watched."""
        return self._growth.get((kind, number, name))

    def grew(self, kind: str) -> Iterator[tuple[int, str, int]]:
        """The counts of errors that grew in the last step: whose, which, and by how much."""
        before = self.before
        if before is not None:
            yield from _steps(kind, before, self.now)

    def device(self, index: int) -> Device | None:
        """The newest whole reading of a device."""
        return next((device for device in self.snapshot.devices if device.index == index), None)

    def cores_of(self, process: ProcessSample) -> list[CoreSample]:
        """The cores of a process that are in the newest sample."""
        return [self.now.cores[core] for core in process.cores if core in self.now.cores]

    def holders(self, cores: Iterable[int]) -> list[int]:
        """The pids of the processes on any of these cores, where it is known who is."""
        wanted = set(cores)
        processes = self.now.processes or {}
        return [process.pid for process in processes.values() if wanted.intersection(process.cores)]

    def _thin(self, now_ns: int) -> None:
        """Lets go of samples that are too old, or closer to the one before than their age wants."""
        kept: deque[Sample] = deque()
        for sample in self.samples:
            age_ns = now_ns - sample.time_ns
            step_ns = next((step for limit, step in _LADDER if age_ns <= limit), None)
            if step_ns is not None and (not kept or sample.time_ns - kept[-1].time_ns >= step_ns):
                kept.append(sample)
        while len(kept) > _MOST_KEPT:
            del kept[1]
        self.samples = kept

    def _note_events(self) -> None:
        for event in self.events:
            error = HARDWARE_ERROR.search(event.text) if event.kind == KERNEL_LOG else None
            if error is not None:
                self.logged[event.device, error[1]] = event.time_ns

    def _note(self, sample: Sample) -> None:
        now_ns = sample.time_ns
        for kind in ("device", "core", "process"):
            for number, name, count in self.grew(kind):
                place = kind, number, name
                known = self._growth.get(place)
                first_ns, sum_before = (known.first_ns, known.total) if known else (now_ns, 0)
                self._growth[place] = Growth(first_ns, now_ns, sum_before + count)
        for core in sample.cores.values():
            activity = self.cores.get(core.core)
            if activity is None:
                activity = self.cores[core.core] = Activity(now_ns)
            activity.see(now_ns, core.executions, core.tensor_cycles, core.fixed_bytes)
        self._note_processes(sample, now_ns)

    def _note_processes(self, sample: Sample, now_ns: int) -> None:
        alive = {(process.pid, process.started_ns): process for process in (sample.processes or {}).values()}
        for gone in self.processes.keys() - alive.keys():
            del self.processes[gone]
            for place in [place for place in self._growth if place[:2] == ("process", gone[0])]:
                del self._growth[place]
        for key, process in alive.items():
            activity = self.processes.get(key)
            if activity is None:
                activity = self.processes[key] = Activity(now_ns)
            activity.see(now_ns, process.completed, None, process.fixed_bytes)


def _steps(kind: str, before: Sample, now: Sample) -> Iterator[tuple[int, str, int]]:
    for number, (earlier, later) in _tallies(kind, before, now):
        if later and later != earlier and earlier is not None:
            for name, total in later.items():
                count = counted(earlier.get(name, 0), total, name)
                if count:
                    yield number, name, count


def _tallies(
    kind: str, before: Sample, now: Sample
) -> Iterator[tuple[int, tuple[Mapping[str, int] | None, Mapping[str, int] | None]]]:
    """The counts of errors in both samples, by the number of the device, core or process."""
    if kind == "device":
        for number, device in now.devices.items():
            yield number, (before.devices[number].ecc if number in before.devices else None, device.ecc)
    elif kind == "core":
        for number, core in now.cores.items():
            yield number, (before.cores[number].errors if number in before.cores else None, core.errors)
    else:
        known = before.processes or {}
        for pid, process in (now.processes or {}).items():
            same = pid in known and known[pid].started_ns == process.started_ns
            # A process that started in between has counted from zero.
            yield pid, (known[pid].errors if same else {}, process.errors)


def counted(before: int | None, now: int | None, name: str = "") -> int | None:
    """What a counter counted between two samples, see schema.deltas.delta."""
    return delta(before, now, _WRAP_BITS.get(name))
