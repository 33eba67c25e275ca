"""The table of a server of batches: the keys that encoders and models for images have in common."""

from abc import abstractmethod
from itertools import pairwise
from typing import ClassVar

from pydantic import Field, field_validator

from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.process import Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.batch_server import BatchServer, Rules, Served
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.pipeline import Line, handover
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.kinds.program import SpecError, WorkloadSpec
from device_model.workloads.models.cnns import CNNS
from device_model.workloads.models.datatypes import DataType, DataTypeError, data_type_for
from device_model.workloads.models.lookup import UnknownModelError, find
from device_model.workloads.models.shapes import SHAPES
from device_model.workloads.spec import ArrivalSpec, DataTypeName, Duration
from neurontools.hardware.chips import Chip
from neurontools.units import parse_duration_ns

_DOES = {"llm": "generates text", "encoder": "reads text", "vision": "looks at images"}
"""What the models do that a kind of workload serves."""


class BatchServing(WorkloadSpec):
    """The keys of every server of batches: `workers` share its queue, each with `pipeline` stages of `tp` cores.

    From its first request's arrival on, a batch waits for up to `wait` until there are `batch` of them.
    """

    degree_key: ClassVar[str] = "tp x pipeline x workers"
    serves: ClassVar[str]
    """The kind of workload that its models are for."""

    model: str
    tp: int = Field(default=1, ge=1, le=4096)
    pipeline: int = Field(default=1, ge=1, le=4096)
    workers: int = Field(default=1, ge=1, le=4096)
    batch: int = Field(default=1, ge=1, le=4096)
    wait: Duration = "0s"
    data_type: DataTypeName = "bf16"
    arrivals: ArrivalSpec
    queue_limit: int = Field(default=1000, ge=0, le=1_000_000)

    @field_validator("model")
    @classmethod
    def _for_this_kind(cls, value: str) -> str:
        try:
            kind = kind_for(value)
        except UnknownModelError as error:
            raise ValueError(str(error)) from None
        if kind != cls.serves:
            raise ValueError(f'{value} {_DOES[kind]}: give it kind = "{kind}"')
        return value

    @property
    def degree(self) -> int:
        """Logical NeuronCores of all workers."""
        return self.tp * self.pipeline * self.workers

    def check(self, chip: Chip) -> None:
        """Refuses a data type that the chip lacks, and stages or workers that would share a device unevenly."""
        try:
            data_type_for(self.data_type, chip)
        except DataTypeError as error:
            raise SpecError("data_type", str(error)) from None
        per_device = {chip.cores, chip.cores // chip.default_lnc}
        for key, cores in (("tp", self.tp), ("pipeline", self.tp * self.pipeline)):
            if all(count % cores and cores % count for count in per_device):
                raise SpecError(key, f"{cores} NeuronCores would split a device: {chip.name} has {min(per_device)}")

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """A lane for each worker, in it a team for each stage; a stage sends what it computed on to the next."""
        size = len(cores) // (self.workers * self.pipeline)
        stages = [cores[first : first + size] for first in range(0, len(cores), size)]
        teams = []
        for number, stage in enumerate(stages):
            patterns = super().teams(node, stage)[0].patterns
            if (number + 1) % self.pipeline:
                onward = handover(node.links.neighbours, stage[-1].device, stages[number + 1][0].device)
                patterns = (*patterns, onward)
            teams.append(Team(stage, patterns, number // self.pipeline))
        return tuple(teams)

    def program(self, runtime: Runtime, process: Process) -> BatchServer:
        """The server in its process."""
        node = runtime.node
        data_type = data_type_for(self.data_type, node.chip)
        rates = rates_for(node.instance.name, data_type.multiplied)
        devices = [[core.device for core in stage.cores] for stage in process.teams[0]]
        line = Line(
            rates=rates,
            constants=constants_for(rates.generation),
            tp=len(devices[0]),
            devices=len(set(devices[0])),
            crossings=tuple(sender[-1] != receiver[0] for sender, receiver in pairwise(devices)),
        )
        arrivals = self.arrivals.made(runtime.chance, process.identity.name)
        rules = Rules(self.pipeline, self.batch, parse_duration_ns(self.wait), self.queue_limit)
        return BatchServer(runtime, process, self.serves, rules, self.served(line, data_type), arrivals)

    @abstractmethod
    def served(self, line: Line, data_type: DataType) -> Served:
        """What the server serves; every worker is a line like this one."""


def kind_for(model: str) -> str:
    """The kind of workload that serves a model; UnknownModelError, which names the nearest, for an unknown one."""
    if find(model, CNNS) is not None:
        return "vision"
    shape = find(model, SHAPES)
    if shape is None:
        raise UnknownModelError.among(model, (*SHAPES, *CNNS))
    if shape.kind == "decoder":
        return "llm"
    return "encoder" if shape.vocabulary else "vision"
