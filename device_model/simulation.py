"""One simulated host in time: it moves by commands and by time, and everything that can be read of it is read here."""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from device_model.build import build
from device_model.faults.fault import FaultError
from device_model.faults.injections import Injection, Injections
from device_model.kernel.clock import NS as NS
from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.machine.zeroing import zero_file
from device_model.reading.explain import explain
from device_model.reading.explanation import Explanation
from device_model.reading.inventory import take_allocations, take_inventory
from device_model.reading.published import Published, take_published
from device_model.reading.snapshot import take_snapshot, times_engines, whole_snapshot
from device_model.scenario import NamedScenario
from device_model.scheduled_faults import Missed, ScheduledFaults
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Head, Origin, Snapshot

PAST_STEP_NS = 5 * NS
PAST_KEPT_NS = 600 * NS
"""The model keeps a snapshot every 5 s of the last 10 minutes, so that every tool's first figure has a period."""

FATAL_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 9: "SIGKILL", 15: "SIGTERM"}
"""Signals that end a simulated process; it handles none."""


T = TypeVar("T")

_NO_ENGINE_TIMES = Gap(reason="how fast this chip's vector and scalar engines are was never published")


class CommandError(ValueError):
    """A command makes no sense for this model now."""


class Simulation:
    """The state is a function of scenario, instance, seed, start and journal; only time and commands change it."""

    def __init__(
        self,
        named: NamedScenario,
        instance: str | None = None,
        seed: int | None = None,
        epoch_ns: int = STEPPED_EPOCH_NS,
    ) -> None:
        """Raises ScenarioError when the scenario does not fit on the instance."""
        self.name = named.name
        self.scenario = named.scenario
        self.instance = instance or named.scenario.instance
        self.seed = named.scenario.seed if seed is None else seed
        self.epoch_ns = epoch_ns
        self.now_ns = epoch_ns
        self.journal: list[dict[str, Any]] = []
        self._world = build(named.scenario, named.name, self.instance, self.seed, epoch_ns)
        self._injections = Injections(self._world.runtime)
        self._scheduled = ScheduledFaults(self._world, self._injections, self._snapshot_at, named.scenario.faults)
        self._scheduled.check(named.name)
        self._scheduled.begin(epoch_ns)
        self._boot_id = self._make_boot_id()
        self._past: deque[Snapshot] = deque()
        self._next_mark_ns = self._changed_ns = epoch_ns
        self._settle()

    def _make_boot_id(self) -> str:
        # What is expected of a host changes nothing of it.
        scenario = self.scenario.model_dump_json(exclude={"expect"})
        text = f"{scenario}\x1f{self.instance}\x1f{self.seed}\x1f{self.epoch_ns}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def core_count(self) -> int:
        """Logical NeuronCores of the host."""
        return len(self._world.node.cores) // self._world.node.logical_neuroncore_config

    def next_event_ns(self) -> int | None:
        """When something happens by itself; None on an idle node."""
        return self._world.queue.next_time()

    def advance(self, to_ns: int, pause: Callable[[], bool] = lambda: False) -> bool:
        """Moves to `to_ns`; `pause` is asked between events, and True stops there. Returns whether `to_ns` is reached.

        The state at any instant is the same however the way there is divided.
        """
        if to_ns < self.now_ns:
            raise CommandError("time goes only forward")
        queue = self._world.queue
        while (next_ns := queue.next_time()) is not None and next_ns <= to_ns:
            if next_ns > self.now_ns:
                for mark_ns in self._marks(next_ns, to_ns):
                    if pause():
                        return False
                    self._keep(mark_ns)
                    self.now_ns = mark_ns
                if pause():
                    return False
                self.now_ns = self._changed_ns = next_ns
            queue.run_next()
        self.now_ns = to_ns
        return True

    def _settle(self) -> None:
        """Lets everything happen that is due at this instant."""
        self.advance(self.now_ns)

    def signal(self, pid: int, number: int) -> None:
        """Sends a signal to a simulated process and notes it in the journal."""
        process = self._world.runtime.processes.get(pid)
        if process is None:
            raise CommandError(f"no simulated process has pid {pid}")
        if number not in FATAL_SIGNALS:
            known = ", ".join(f"{value} ({name})" for value, name in FATAL_SIGNALS.items())
            raise CommandError(f"simulated processes know the signals {known}, not {number}")
        self._command(
            lambda: self._world.runtime.end(self.now_ns, process, f"killed by {FATAL_SIGNALS[number]}"),
            {"command": "signal", "pid": pid, "number": number},
        )

    def inject(
        self, fault: str, target: Mapping[str, Any], parameters: Mapping[str, Any], for_ns: int | None = None
    ) -> int:
        """Injects a fault, for `for_ns` or until it is healed, notes it in the journal, and returns its number.

        `target` is {"device": N}, {"core": N}, {"link": [A, B]}, {"process": TAG} or {}; cores are logical.
        """
        return self._command(
            lambda: self._injections.inject(self.now_ns, fault, target, parameters, for_ns),
            {
                "command": "inject",
                "fault": fault,
                "target": dict(target),
                "parameters": dict(parameters),
                "for_ns": for_ns,
            },
        )

    def heal(self, what: int | str) -> list[int]:
        """Ends a fault by its number, all of a name, or "all", notes it in the journal, and returns their numbers."""
        return self._command(lambda: self._injections.heal(self.now_ns, what), {"command": "heal", "what": what})

    def write(self, device: int, core: int | None, path: str) -> None:
        """Somebody writes to a file of the driver, below a device's directory or that of one of its cores, numbered
        within it. Noted in the journal; raises CommandError where the driver ignores it.

        A counter's file is zeroed; a write to `reset` resets a device that no process has open.
        """
        there = 0 <= device < len(self._world.node.devices) and 0 <= (core or 0) < self._world.node.chip.cores
        if not there or self._world.node.driver.missing_by:
            raise CommandError(
                f"there is no file {path!r} of device {device}{'' if core is None else f', core {core}'}"
            )
        self._command(
            lambda: self._write(device, core, path),
            {"command": "write", "device": device, "core": core, "path": path},
        )

    def _write(self, index: int, core: int | None, path: str) -> None:
        device = self._world.node.devices[index]
        if core is None and path == "reset":
            self._world.runtime.reset(self.now_ns, device)
        elif not zero_file(device, core, path, self.now_ns):
            raise CommandError(f"the driver ignores what is written to {path!r}")

    def faults(self) -> list[Injection]:
        """The faults that last now."""
        return self._injections.active

    def missed_faults(self) -> list[Missed]:
        """The scenario's faults that could not happen when they were due."""
        return self._scheduled.missed

    def _command(self, does: Callable[[], T], entry: dict[str, Any]) -> T:
        """Changes the state from outside, as an entry of the journal says. After a CommandError nothing has changed."""
        # Whoever read the model at this instant did so before the command: the reading that is kept is that one.
        for mark_ns in self._marks(self.now_ns + 1, self.now_ns):
            self._keep(mark_ns)
        try:
            result = does()
        except FaultError as error:
            raise CommandError(str(error)) from None
        self.journal.append({"time_ns": self.now_ns, **entry})
        self._changed_ns = self.now_ns
        self._settle()
        return result

    def inventory(self) -> Inventory:
        """What is installed, and who holds it."""
        return take_inventory(self._world, self.name)

    def snapshot(self) -> Snapshot:
        """What has been counted until now."""
        return self._snapshot_at(self.now_ns)

    def past(self, age_ns: int) -> Snapshot | None:
        """The newest kept snapshot that is at least `age_ns` old; None where none is, or only those of 10 minutes ago.

        On the way of a long `advance` there may be none: only those are kept that will be recent at its end.
        """
        latest_ns, oldest_ns = self.now_ns - age_ns, self.now_ns - PAST_KEPT_NS
        mark_ns = latest_ns - (latest_ns - self.epoch_ns) % PAST_STEP_NS
        if mark_ns >= max(self._next_mark_ns, self._changed_ns, oldest_ns):
            return self._snapshot_at(mark_ns)
        return next((s for s in reversed(self._past) if oldest_ns <= s.head.time_ns <= latest_ns), None)

    def published(self, version: str) -> Published:
        """What the files of a driver of a version show now."""
        return take_published(self._world, self._head(self.now_ns), version)

    def events(self, since: int) -> Events:
        """Events with a number greater than `since`."""
        return self._world.events.since(since)

    def allocations(self, device: int) -> Allocations:
        """The bank map of one device; IndexError for a device that there is not."""
        return take_allocations(self._world, device, self.now_ns)

    def explain(self, core: int) -> Explanation:
        """Why a logical NeuronCore shows what it shows; IndexError for a core that there is not.

        Rates are over the period that every tool begins with.
        """
        oldest_ns = self.now_ns - PAST_KEPT_NS
        kept = (snapshot for snapshot in reversed(self._past) if snapshot.head.time_ns >= oldest_ns)
        current = whole_snapshot(self._world, self._head(self.now_ns))
        return explain(self._world, core, current, self.past(NS) or self.past(0), kept)

    def _snapshot_at(self, time_ns: int) -> Snapshot:
        return take_snapshot(self._world, self._head(time_ns))

    def _head(self, time_ns: int) -> Head:
        return Head(
            time_ns=time_ns,
            boot_id=self._boot_id,
            origin=Origin(kind="model", simulated=True, scenario=self.name),
            logical_neuroncore_config=self._world.node.logical_neuroncore_config,
            lnc_assumed=self._world.lnc_assumed,
            gaps={} if times_engines(self._world.node.chip.core) else {"engines": _NO_ENGINE_TIMES},
        )

    def _marks(self, before_ns: int, target_ns: int) -> range:
        """When the kept snapshots are due that were not taken yet and that the present state still shows.

        They are taken just before the state changes. Those that would be too old at `target_ns`, where
        the model is going, are not taken at all.
        """
        first_ns = max(self._next_mark_ns, self._changed_ns, target_ns - PAST_KEPT_NS)
        return range(first_ns + (self.epoch_ns - first_ns) % PAST_STEP_NS, before_ns, PAST_STEP_NS)

    def _keep(self, mark_ns: int) -> None:
        self._past.append(self._snapshot_at(mark_ns))
        self._next_mark_ns = mark_ns + PAST_STEP_NS
        while self._past[0].head.time_ns < mark_ns - PAST_KEPT_NS:
            self._past.popleft()
