"""What every kind of workload is: a table that people write, and the program that it becomes on its cores."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, Protocol

from device_model.machine.collectives import all_reduce_algorithms
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.process import Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.cost.steps import StepCost
from device_model.workloads.spec import Part
from neurontools.hardware.chips import Chip
from neurontools.schema.snapshot import Workload

SMALLEST_GRAPH_BYTES = 4096
"""Constants of a compiled graph without weights: of collectives alone, or there for its tensors only (assumed)."""


class SpecError(ValueError):
    """A workload that this chip or host cannot run; `key` is the key of its table that says so."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class Account(NamedTuple):
    """What a program is doing at one instant, for who asks why a core shows what it shows.

    `doing` is a clause that goes on after "it is", with numbers; `costs` is what the step under way costs each of the
    process's groups, empty where none is; `notes` are further sentences.
    """

    doing: str
    costs: tuple[StepCost, ...] = ()
    notes: tuple[str, ...] = ()


class Program(Protocol):
    """A workload in its process. It acts only through the runtime, and only when events tell it to."""

    @property
    def kind(self) -> str:
        """The name of its kind."""
        ...

    def begin(self, time_ns: int) -> None:
        """Its process has started."""
        ...

    def reading(self, time_ns: int) -> Workload:
        """Its counts at `time_ns`; changes nothing."""
        ...

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`; changes nothing."""
        ...


class WorkloadSpec(Part, ABC):
    """The table of a workload. Every kind has a class of its own, which a `kind` tells apart."""

    degree_key: ClassVar[str] = "tp"
    """The key that says how many cores a process takes, for errors."""

    @property
    @abstractmethod
    def degree(self) -> int:
        """Logical NeuronCores of one process."""

    def check(self, chip: Chip) -> None:
        """Raises SpecError for what the chip cannot run."""

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """How the process's cores work together: all in lockstep, unless a kind says otherwise.

        Raises SpecError for cores that cannot be divided as the table says.
        """
        devices = tuple(sorted({core.device for core in cores}))
        ranks = len(cores) // node.logical_neuroncore_config
        algorithms = all_reduce_algorithms(node.links.neighbours, devices, ranks, node.chip.name)
        return (Team(cores, tuple(algorithm.pattern for algorithm in algorithms)),)

    @abstractmethod
    def program(self, runtime: Runtime, process: Process) -> Program:
        """The program that the table describes, in its process."""
