"""A training job: micro-steps forward and backward, the optimizer's step, and now and then a checkpoint."""

from collections import Counter
from collections.abc import Mapping
from math import lcm
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from device_model.machine.activity import Edge, Pattern
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork
from device_model.runtime.loading import LOAD_BYTES_PER_S
from device_model.runtime.process import Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.cost.steps import StepCost
from device_model.workloads.cost.training import (
    HostCopy,
    Trained,
    host_copy,
    micro_step,
    training_image,
    update_step,
)
from device_model.workloads.kinds.program import Account, SpecError, WorkloadSpec
from device_model.workloads.models.datatypes import DATA_TYPES, data_type_for, data_types_of
from device_model.workloads.models.shapes import shape_for
from device_model.workloads.spec import MAX_TOKENS, DataTypeName, ModelName, Part
from neurontools.hardware.chips import Chip
from neurontools.schema.snapshot import Workload

LEAST_WEIGHT_BYTES = 2
"""Eight-bit weights are too coarse for the small steps of training."""


class Checkpoint(Part):
    """After every `every_steps` steps the host writes weights and optimizer states; the cores wait for it."""

    every_steps: int = Field(default=100, ge=1, le=1_000_000)
    bytes_per_second: float = Field(ge=1e6, le=1e11)


class Training(WorkloadSpec):
    """A training job: `dp` replicas of `tp` logical NeuronCores in one process, synchronous, AdamW.

    With `sequence_parallel` a replica's cores divide norms and residuals among them by tokens, as AWS's examples do.
    """

    degree_key: ClassVar[str] = "tp x dp"

    kind: Literal["training"]
    model: ModelName
    tp: int = Field(ge=1, le=4096)
    dp: int = Field(default=1, ge=1, le=4096)
    micro_batch: int = Field(default=1, ge=1, le=4096)
    accumulation: int = Field(default=1, ge=1, le=1_000_000)
    sequence: int = Field(ge=16, le=MAX_TOKENS)
    data_type: DataTypeName = "bf16"
    recompute: bool = False
    optimizer: Literal["adamw"] = "adamw"
    shard_optimizer: bool = True
    sequence_parallel: bool = True
    checkpoint: Checkpoint | None = None

    @model_validator(mode="after")
    def _within_the_model(self) -> Self:
        longest = shape_for(self.model).max_context
        if self.sequence > longest:
            raise ValueError(
                f"expected sequence to be at most {longest}, the longest of {self.model}, found {self.sequence}"
            )
        return self

    @property
    def degree(self) -> int:
        """Logical NeuronCores of all replicas."""
        return self.tp * self.dp

    def check(self, chip: Chip) -> None:
        """Refuses a chip whose engines cannot be timed, and a data type that is too coarse."""
        if chip.core.vector_flops is None:
            reason = f"how fast the vector engine of {chip.name} is was never published"
            raise SpecError("kind", f"{reason}: train on an instance with Inferentia2 or Trainium")
        fine = [name for name in data_types_of(chip) if DATA_TYPES[name].weight_bytes >= LEAST_WEIGHT_BYTES]
        if self.data_type not in fine:
            raise SpecError("data_type", f"{chip.name} trains in one of {', '.join(fine)}, found {self.data_type!r}")

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """A team for each replica, all in one lane. Its last pattern is its part of the gradients' reduction.

        Replicas must not split devices.
        """
        per_device = node.chip.cores // node.logical_neuroncore_config
        if per_device % self.tp and self.tp % per_device:
            parts = ", ".join(str(part) for part in range(1, per_device) if per_device % part == 0)
            raise SpecError("tp", f"{self.tp} cores split a device: expected {parts} or a multiple of {per_device}")
        in_lockstep, ranks = super().teams, len(cores) // self.dp
        replicas = [cores[first : first + ranks] for first in range(0, len(cores), ranks)]
        # The first pattern is the ring, which suits payloads of gigabytes on every chip.
        rings = [in_lockstep(node, same_rank)[0].patterns[0] for same_rank in zip(*replicas, strict=True)]
        gradients = _rings_together(rings, self.dp)
        return tuple(Team(replica, (*in_lockstep(node, replica)[0].patterns, gradients)) for replica in replicas)

    def program(self, runtime: Runtime, process: Process) -> "TrainingJob":
        """The job in its process."""
        node, replica = runtime.node, process.teams[0][0]
        data_type = data_type_for(self.data_type, node.chip)
        trained = Trained(
            shape=shape_for(self.model),
            data_type=data_type,
            tp=len(replica.cores),
            devices=len({core.device for core in replica.cores}),
            dp=self.dp,
            micro_batch=self.micro_batch,
            sequence=self.sequence,
            recompute=self.recompute,
            shard_optimizer=self.shard_optimizer,
            sequence_parallel=self.sequence_parallel,
            cores_per_rank=node.logical_neuroncore_config,
        )
        rates = rates_for(node.instance.name, data_type.multiplied)
        constants, patterns = constants_for(rates.generation), replica.patterns
        steps = {
            "micro-steps": micro_step(trained, rates, constants),
            "update": update_step(trained, rates, constants, _counted_by_all(patterns[-1], self.dp)),
        }
        every = 0 if self.checkpoint is None else self.checkpoint.every_steps
        copies = self._copies(trained, process, len(patterns))
        return TrainingJob(runtime, process, Plan(trained, self.accumulation, steps, copies, every))

    def _copies(self, trained: Trained, process: Process, patterns: int) -> dict[str, HostCopy]:
        cores, load_bytes_per_s = len(process.cores), LOAD_BYTES_PER_S * len(process.devices)
        weights = host_copy(trained.weights_bytes * cores, cores, load_bytes_per_s, patterns, to_host=False)
        if self.checkpoint is None:
            return {"weights": weights}
        rate = self.checkpoint.bytes_per_second
        written = host_copy(trained.checkpoint_bytes, cores, rate, patterns, to_host=True)
        return {"weights": weights, "checkpoint": written}


def _rings_together(rings: list[Pattern], replicas: int) -> Pattern:
    """The links of all rings, of whose traffic each replica counts an equal part.

    Ring r joins the cores of rank r in every replica; each core's gradients go round its ring.
    """
    parts = lcm(*[ring.parts for ring in rings])
    crossed: Counter[Edge] = Counter()
    for ring in rings:
        crossed.update({edge: share * (parts // ring.parts) for edge, share in ring.crossings})
    return Pattern("gradients", tuple(sorted(crossed.items())), parts * replicas)


def _counted_by_all(gradients: Pattern, replicas: int) -> Pattern:
    """What the links carry when every replica counts its part."""
    return gradients._replace(parts=gradients.parts // replicas)


class Phase(NamedTuple):
    """So many equal executions of the same work on every replica."""

    work: StepWork
    executions: int


_COPYING = {"weights": "copying weights to the devices", "checkpoint": "writing a checkpoint"}


class Plan(NamedTuple):
    """What a job does: the weights arrive, then come steps of `accumulation` micro-steps and an update.

    `steps` are the costs of the phases "micro-steps" and "update", `copies` the bytes of "weights" and "checkpoint",
    which follows every `checkpoint_every` steps; 0: never.
    """

    trained: Trained
    accumulation: int
    steps: Mapping[str, StepCost]
    copies: Mapping[str, HostCopy]
    checkpoint_every: int

    def phases(self) -> dict[str, Phase]:
        """By name; every phase is a row of equal executions."""
        copies = {name: Phase(copy.work, copy.blocks) for name, copy in self.copies.items()}
        counts = {"micro-steps": self.accumulation, "update": 1}
        return copies | {name: Phase(self.steps[name].work, count) for name, count in counts.items()}


class TrainingJob:
    """One job in one process. All its cores go through the same phases, one after the other."""

    kind = "training"

    def __init__(self, runtime: Runtime, process: Process, plan: Plan) -> None:
        self._runtime = runtime
        self._process = process
        self._plan = plan
        self._phases = plan.phases()
        self._phase = "loading"
        self._executed = 0
        self._steps = 0

    def begin(self, time_ns: int) -> None:
        """Loads the compiled graph and takes all memory; then the weights are written."""
        image = training_image(self._plan.trained)
        self._runtime.load(time_ns, self._process, image, lambda now_ns: self._enter(now_ns, "weights"))

    def reading(self, time_ns: int) -> Workload:
        """The job's counts at `time_ns`; changes nothing.

        A step counts as a request, and `prompt_tokens` are the tokens of all replicas that went forward and backward.
        """
        trained, stepping = self._plan.trained, int(self._phase in self._plan.steps)
        return Workload(
            kind=self.kind,
            submitted=self._steps + stepping,
            completed=self._steps,
            running=stepping,
            prompt_tokens=self._micro_steps(time_ns) * trained.tokens * trained.dp,
        )

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`."""
        plan, every = self._plan, self._plan.checkpoint_every
        cost = plan.steps.get(self._phase)
        next_checkpoint = every and self._steps // every * every + every
        return Account(
            self._doing(time_ns),
            () if cost is None else (cost,) * plan.trained.dp,
            (f"The next checkpoint follows step {next_checkpoint:,}.",) if every else (),
        )

    def _doing(self, time_ns: int) -> str:
        plan, trained = self._plan, self._plan.trained
        if self._phase in plan.copies:
            copy = plan.copies[self._phase]
            copied = copy.total_bytes * self._done(time_ns) // copy.blocks
            gigabytes = f"{copied / 1e9:,.0f} of {copy.total_bytes / 1e9:,.0f} GB"
            return f"{_COPYING[self._phase]}, {gigabytes}"
        replicas = "one replica" if trained.dp == 1 else f"each of {trained.dp} replicas"
        if self._phase == "update":
            reducing = "" if trained.dp == 1 else f"reducing gradients among {trained.dp} replicas and "
            return f"{reducing}updating the weights in step {self._steps + 1:,}"
        if self._phase == "micro-steps":
            sequences = "1 sequence" if trained.micro_batch == 1 else f"{trained.micro_batch} sequences"
            return (
                f"in micro-step {self._done(time_ns) + 1:,} of {plan.accumulation:,} of step {self._steps + 1:,}: "
                f"forward and backward of {sequences} of {trained.sequence} tokens on {replicas}"
            )
        return f"loading the graph of {trained.shape.name}"

    def _done(self, time_ns: int) -> int:
        """Executions of the phase that have ended."""
        execution = self._runtime.under_way(self._process)
        return self._executed + (0 if execution is None else execution.steps_done(time_ns))

    def _micro_steps(self, time_ns: int) -> int:
        accumulation = self._plan.accumulation
        in_step = {"micro-steps": self._done(time_ns), "update": accumulation}.get(self._phase, 0)
        return self._steps * accumulation + in_step

    def _enter(self, time_ns: int, phase: str) -> None:
        self._phase, self._executed = phase, 0
        self._execute(time_ns)

    def _execute(self, time_ns: int) -> None:
        """Runs what is left of the phase; an execution that fails is done again."""
        work, executions = self._phases[self._phase]
        works, left = (work,) * self._plan.trained.dp, executions - self._executed
        self._runtime.execute(time_ns, self._process, works, left, self._ended, lost=self._execute)

    def _ended(self, time_ns: int, executions: int) -> None:
        self._executed += executions
        if self._executed < self._phases[self._phase].executions:
            self._execute(time_ns)
        else:
            self._enter(time_ns, self._next_phase())

    def _next_phase(self) -> str:
        """What follows the phase that has ended; a step is complete with its update."""
        if self._phase == "micro-steps":
            return "update"
        if self._phase == "update":
            self._steps += 1
            every = self._plan.checkpoint_every
            if every and self._steps % every == 0:
                return "checkpoint"
        return "micro-steps"
