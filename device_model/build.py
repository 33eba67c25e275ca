"""Makes a checked scenario into a node with the processes that will start on it."""

from collections.abc import Callable
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.kernel.queue import EventQueue, Order
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.eventlog import EventLog
from device_model.runtime.placement import Placement, PlacementError
from device_model.runtime.process import Identity, Process
from device_model.runtime.runtime import Runtime
from device_model.scenario import (
    Closed,
    LengthSpec,
    Llm,
    PoissonRate,
    ProcessSpec,
    Scenario,
    ScenarioError,
)
from device_model.workloads.arrivals import Arrivals, ClosedLoop, Lengths, Poisson
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.footprint import serving_image
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.kinds.llm import Demand, LlmServer, Reloads, Served
from device_model.workloads.models.datatypes import DataTypeError, data_type_for
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.instances import Instance, chip_of, lookup
from neurontools.units import parse_duration_ns


class Program(NamedTuple):
    """A process that the scenario starts at `start_ns`, and stops at `stop_ns` if that is not None."""

    identity: Identity
    cores: tuple[Core, ...]
    start_ns: int
    stop_ns: int | None
    serve: Callable[[Process], LlmServer]


class World:
    """A node, its runtime, its servers, and the events to come."""

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
        self.servers: dict[int, LlmServer] = {}
        for program in self._programs(scenario, where):
            self._plan(program, boot_ns)

    def _programs(self, scenario: Scenario, where: str) -> list[Program]:
        placement = Placement(self.node)
        programs: dict[str, Program] = {}
        for i, spec in enumerate(scenario.processes):
            try:
                data_type_for(spec.workload.data_type, self.node.chip)
            except DataTypeError as error:
                raise ScenarioError(f"{where}: processes[{i}].workload.data_type: {error}") from None
            for replica in range(spec.replicas):
                name = spec.name if spec.replicas == 1 else f"{spec.name}-{replica}"
                if name in programs:
                    raise ScenarioError(f"{where}: processes[{i}].name: a replica of another process is {name!r} too")
                try:
                    cores = placement.place(spec.workload.tp, spec.first_core if replica == 0 else None)
                except PlacementError as error:
                    raise ScenarioError(f"{where}: processes[{i}] ({name}): {error}") from None
                programs[name] = self._program(spec, name, cores)
        return list(programs.values())

    def _program(self, spec: ProcessSpec, name: str, cores: tuple[Core, ...]) -> Program:
        served = _served(spec.workload, self.node, cores)
        demand = _demand(spec.workload, self.chance, name)
        reload = spec.workload.reload
        reloads = Reloads(parse_duration_ns(reload.every), parse_duration_ns(reload.pause)) if reload else Reloads()
        return Program(
            Identity(name, name, spec.user, spec.command),
            cores,
            parse_duration_ns(spec.start),
            None if spec.stop is None else parse_duration_ns(spec.stop),
            lambda process: LlmServer(self.runtime, process, self.chance, served, demand, reloads),
        )

    def _plan(self, program: Program, boot_ns: int) -> None:
        def start(now_ns: int) -> None:
            process = self.runtime.start(now_ns, program.identity, program.cores)
            if process is None:
                return
            server = self.servers[process.pid] = program.serve(process)
            if program.stop_ns is not None:
                at_ns = boot_ns + program.stop_ns
                self.queue.schedule(at_ns, Order.PROCESS, program.identity.name, lambda t: stop(t, process))
            server.begin(now_ns)

        def stop(now_ns: int, process: Process) -> None:
            if process.alive:
                self.runtime.end(now_ns, process, "exit status 0")

        self.queue.schedule(boot_ns + program.start_ns, Order.PROCESS, program.identity.name, start)


def build(scenario: Scenario, where: str, instance_name: str, seed: int, boot_ns: int) -> World:
    """The world at `boot_ns`, before anything has happened."""
    return World(scenario, where, lookup(instance_name), seed, boot_ns)


def _served(spec: Llm, node: Node, cores: tuple[Core, ...]) -> Served:
    shape, data_type = shape_for(spec.model), data_type_for(spec.data_type, node.chip)
    rates = rates_for(node.instance.name, data_type.multiplied)
    return Served(
        shape=shape,
        image=serving_image(shape, len(cores), spec.batch, spec.context, round(spec.prompt.mean), data_type),
        rates=rates,
        constants=constants_for(rates.generation),
        tp=len(cores),
        devices=len({core.device for core in cores}),
        batch=spec.batch,
        context=spec.context,
        data_type=data_type,
    )


def _demand(spec: Llm, chance: Chance, entity: str) -> Demand:
    return Demand(
        _arrivals(spec.arrivals, chance, entity), _lengths(spec.prompt), _lengths(spec.output), spec.queue_limit
    )


def _arrivals(spec: Closed | PoissonRate, chance: Chance, entity: str) -> Arrivals:
    if isinstance(spec, Closed):
        return ClosedLoop(spec.users, parse_duration_ns(spec.think))
    return Poisson(chance, entity, max(1, round(NS / spec.per_second)))


def _lengths(spec: LengthSpec) -> Lengths:
    return Lengths(spec.mean, spec.cv, spec.least, spec.most)
