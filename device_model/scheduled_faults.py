"""Lets the faults of a scenario happen to a host when their tables say."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from device_model.build import World
from device_model.faults.fault import FaultError
from device_model.faults.injections import Injections
from device_model.faults.targets import find_target
from device_model.kernel.queue import Order
from device_model.metric_path import Absent, metric_path
from device_model.scenario import ScenarioError
from device_model.timeline.faults import FaultSpec, When, fault_of
from device_model.timeline.parts import LOOK_NS
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Snapshot

Look = Callable[[int], Snapshot]
"""The host at a time in ns, which is now."""


class Missed(NamedTuple):
    """A fault that could not happen at its time, and why; `entry` counts the scenario's faults from 0."""

    time_ns: int
    entry: int
    reason: str


class ScheduledFaults:
    """The faults of a scenario, each an entity with draws of its own."""

    def __init__(self, world: World, injections: Injections, look: Look, specs: tuple[FaultSpec, ...]) -> None:
        self._world = world
        self._injections = injections
        self._look = look
        self._specs = specs
        self.missed: list[Missed] = []
        """Those that could not happen: their process was not there, or not such that they could."""

    def check(self, where: str) -> None:
        """Raises ScenarioError for a target that this host has not; whether a process runs is seen only then."""
        for i, spec in enumerate(self._specs):
            if spec.process is None:
                try:
                    find_target(self._world.runtime, fault_of(spec), spec.target)
                except FaultError as error:
                    raise ScenarioError(f"{where}: faults[{i}]: {error}") from None

    def begin(self, time_ns: int) -> None:
        """From now on they happen; `time_ns` is the host's start."""
        alike: Counter[str] = Counter()
        for i, spec in enumerate(self._specs):
            entity = f"fault {spec.fault} {spec.target}"
            alike[entity] += 1
            if spec.when is not None:
                self._await(time_ns, i, spec.when, None)
            else:
                self._plan(i, time_ns, spec.times_ns(self._world.chance, f"{entity} {alike[entity]}"))

    def _plan(self, i: int, start_ns: int, times_ns: Iterator[int]) -> None:
        """The next of its times; after each comes the one behind it."""
        up_ns = next(times_ns, None)
        if up_ns is None:
            return

        def happens(now_ns: int) -> None:
            self._happens(now_ns, i)
            self._plan(i, start_ns, times_ns)

        self._world.queue.schedule(start_ns + up_ns, Order.FAULT, f"faults/{i}", happens)

    def _await(self, time_ns: int, i: int, when: When, earlier: Snapshot | None) -> None:
        """Looks once a second until the metric is as it must be; then the fault happens, once."""

        def looks(now_ns: int) -> None:
            current = self._look(now_ns)
            if earlier is not None and _met(when, earlier, current):
                self._happens(now_ns, i)
            else:
                self._await(now_ns, i, when, current)

        self._world.queue.schedule(time_ns + LOOK_NS, Order.FAULT, f"faults/{i}", looks)

    def _happens(self, time_ns: int, i: int) -> None:
        spec = self._specs[i]
        try:
            self._injections.inject(time_ns, spec.fault, spec.target, spec.parameters, spec.lasts_ns)
        except FaultError as error:
            self.missed.append(Missed(time_ns, i, str(error)))


def _met(when: When, earlier: Snapshot, current: Snapshot) -> bool:
    try:
        return when.met(metric_path(when.metric).read(between(earlier, current)))
    except Absent:
        return False
