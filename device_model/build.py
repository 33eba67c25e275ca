"""Makes a checked scenario into a node with the processes that will start on it."""

from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.queue import EventQueue, Order
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.eventlog import EventLog
from device_model.runtime.placement import Placement, PlacementError
from device_model.runtime.process import Identity, Process, Team
from device_model.runtime.runtime import Runtime
from device_model.scenario import ProcessSpec, Scenario, ScenarioError
from device_model.workloads.kinds.program import Program, SpecError, WorkloadSpec
from neurontools.hardware.instances import Instance, chip_of, lookup
from neurontools.units import parse_duration_ns


class _Start(NamedTuple):
    """A process that the scenario starts at `start_ns`, and stops at `stop_ns` if that is not None."""

    identity: Identity
    teams: tuple[Team, ...]
    start_ns: int
    stop_ns: int | None
    workload: WorkloadSpec


class World:
    """A node, its runtime, its programs, and the events to come."""

    def __init__(self, scenario: Scenario, where: str, instance: Instance, seed: int, boot_ns: int) -> None:
        """Raises ScenarioError when the scenario does not fit on the instance."""
        lnc = scenario.logical_neuroncore_config or chip_of(instance).default_lnc
        if chip_of(instance).default_lnc == 1 and lnc != 1:
            raise ScenarioError(f"{where}: logical_neuroncore_config: {instance.name} has only 1, found {lnc}")
        self.lnc_assumed = scenario.logical_neuroncore_config is None
        self.chance = Chance(seed)
        self.queue = EventQueue()
        self.events = EventLog()
        self.node = Node(instance, self.chance, boot_ns, lnc)
        self.runtime = Runtime(self.node, self.queue, self.chance, self.events)
        self.programs: dict[int, Program] = {}
        for start in self._starts(scenario, where):
            self._plan(start, boot_ns)

    def _starts(self, scenario: Scenario, where: str) -> list[_Start]:
        placement = Placement(self.node)
        starts: dict[str, _Start] = {}
        for i, spec in enumerate(scenario.processes):
            try:
                spec.workload.check(self.node.chip)
            except SpecError as error:
                raise ScenarioError(f"{where}: processes[{i}].workload.{error.key}: {error}") from None
            for replica in range(spec.replicas):
                name = spec.name if spec.replicas == 1 else f"{spec.name}-{replica}"
                if name in starts:
                    raise ScenarioError(f"{where}: processes[{i}].name: a replica of another process is {name!r} too")
                try:
                    cores = placement.place(
                        spec.workload.degree, spec.workload.degree_key, spec.first_core if replica == 0 else None
                    )
                except PlacementError as error:
                    raise ScenarioError(f"{where}: processes[{i}] ({name}): {error}") from None
                starts[name] = self._start_of(spec, name, cores)
        return list(starts.values())

    def _start_of(self, spec: ProcessSpec, name: str, cores: tuple[Core, ...]) -> _Start:
        return _Start(
            Identity(name, name, spec.user, spec.command),
            spec.workload.teams(self.node, cores),
            parse_duration_ns(spec.start),
            None if spec.stop is None else parse_duration_ns(spec.stop),
            spec.workload,
        )

    def _plan(self, planned: _Start, boot_ns: int) -> None:
        def start(now_ns: int) -> None:
            process = self.runtime.start(now_ns, planned.identity, planned.teams)
            if process is None:
                return
            program = self.programs[process.pid] = planned.workload.program(self.runtime, process)
            if planned.stop_ns is not None:
                at_ns = boot_ns + planned.stop_ns
                self.queue.schedule(at_ns, Order.PROCESS, planned.identity.name, lambda t: stop(t, process))
            program.begin(now_ns)

        def stop(now_ns: int, process: Process) -> None:
            if process.alive:
                self.runtime.end(now_ns, process, "exit status 0")

        self.queue.schedule(boot_ns + planned.start_ns, Order.PROCESS, planned.identity.name, start)


def build(scenario: Scenario, where: str, instance_name: str, seed: int, boot_ns: int) -> World:
    """The world at `boot_ns`, before anything has happened."""
    return World(scenario, where, lookup(instance_name), seed, boot_ns)
