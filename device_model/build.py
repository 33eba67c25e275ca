"""Makes a checked scenario into a node with the processes that will start on it."""

from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.queue import EventQueue, Order
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.eventlog import EventLog
from device_model.runtime.placement import Placement, PlacementError
from device_model.runtime.process import TIMEOUT_NS, Identity, Process, Team
from device_model.runtime.runtime import Runtime
from device_model.scenario import ProcessSpec, Scenario, ScenarioError
from device_model.workloads.compiling import Compiling
from device_model.workloads.kinds.program import Program, SpecError, WorkloadSpec
from neurontools.hardware.instances import Instance, chip_of, lookup
from neurontools.units import parse_duration_ns


class _Start(NamedTuple):
    """A process that the scenario starts at `start_ns` after the boot, and stops at `stop_ns` if that is not None.

    When it ends otherwise, it starts again `restart_ns` later, unless that is None. The first time it compiles its
    model for `compile_ns`; after that the model is in the compiler's cache. An execution may take `timeout_ns`.
    """

    identity: Identity
    teams: tuple[Team, ...]
    start_ns: int
    stop_ns: int | None
    restart_ns: int | None
    compile_ns: int
    timeout_ns: int
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
                raise _refused(where, i, error) from None
            for replica, name in enumerate(spec.tags):
                if name in starts:
                    raise ScenarioError(f"{where}: processes[{i}].name: a replica of another process is {name!r} too")
                try:
                    cores = placement.place(
                        spec.workload.degree, spec.workload.degree_key, spec.first_core if replica == 0 else None
                    )
                    starts[name] = self._start_of(spec, name, cores)
                except PlacementError as error:
                    raise ScenarioError(f"{where}: processes[{i}] ({name}): {error}") from None
                except SpecError as error:
                    raise _refused(where, i, error) from None
        return list(starts.values())

    def _start_of(self, spec: ProcessSpec, name: str, cores: tuple[Core, ...]) -> _Start:
        return _Start(
            Identity(name, name, spec.user, spec.command, spec.name if spec.launched else ""),
            spec.workload.teams(self.node, cores),
            parse_duration_ns(spec.start),
            None if spec.stop is None else parse_duration_ns(spec.stop),
            None if spec.restart is None else parse_duration_ns(spec.restart),
            0 if spec.compile is None else parse_duration_ns(spec.compile),
            TIMEOUT_NS if spec.execution_timeout is None else parse_duration_ns(spec.execution_timeout),
            spec.workload,
        )

    def _plan(self, planned: _Start, boot_ns: int) -> None:
        name, stop_ns = planned.identity.name, None if planned.stop_ns is None else boot_ns + planned.stop_ns
        running: list[Process] = []

        def start(now_ns: int, attempt: int = 1) -> None:
            identity = planned.identity if attempt == 1 else planned.identity._replace(name=f"{name}/{attempt}")
            process = self.runtime.start(
                now_ns, identity, planned.teams, lambda end_ns: ended(end_ns, attempt), planned.timeout_ns
            )
            if process is not None:
                running.append(process)
                program: Program = planned.workload.program(self.runtime, process)
                if planned.compile_ns and attempt == 1:
                    program = Compiling(self.runtime, process, program, planned.compile_ns)
                self.programs[process.pid] = program
                program.begin(now_ns)

        def ended(now_ns: int, attempt: int) -> None:
            if running:
                del self.programs[running.pop().pid]
            if planned.restart_ns is not None and (stop_ns is None or now_ns + planned.restart_ns < stop_ns):
                again_ns = now_ns + planned.restart_ns
                self.queue.schedule(again_ns, Order.PROCESS, name, lambda at_ns: start(at_ns, attempt + 1))

        def stop(now_ns: int) -> None:
            if running:
                self.runtime.end(now_ns, running[0], "exit status 0")

        self.queue.schedule(boot_ns + planned.start_ns, Order.PROCESS, name, start)
        if stop_ns is not None:
            self.queue.schedule(stop_ns, Order.PROCESS, name, stop)


def _refused(where: str, process: int, error: SpecError) -> ScenarioError:
    return ScenarioError(f"{where}: processes[{process}].workload.{error.key}: {error}")


def build(scenario: Scenario, where: str, instance_name: str, seed: int, boot_ns: int) -> World:
    """The world at `boot_ns`, before anything has happened."""
    return World(scenario, where, lookup(instance_name), seed, boot_ns)
