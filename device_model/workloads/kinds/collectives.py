"""A benchmark of collectives: one operation among all cores of a process, size after size, round after round."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from device_model.kernel.queue import Order
from device_model.machine.collectives import Algorithms, Operation, algorithms_of
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.loading import Caches, ModelImage, Piece, decoder_image
from device_model.runtime.process import Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.cost.collectives import FITTED_CHIP, Collective, CollectiveCost, collective_cost
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.kinds.program import SMALLEST_GRAPH_BYTES, Account, SpecError, WorkloadSpec
from device_model.workloads.spec import Duration, Part, Size
from neurontools.hardware.chips import Chip
from neurontools.schema.snapshot import Workload
from neurontools.units import format_bytes, format_duration_ns, parse_bytes, parse_duration_ns

_PART_BEFORE: tuple[Operation, ...] = ("all-gather",)
_PART_AFTER: tuple[Operation, ...] = ("reduce-scatter",)
"""Operations before, or after, which a rank holds its own part of the payload only."""


class Sizes(Part):
    """The sizes of a round: the smallest, then each `factor` times the one before, up to the largest."""

    # The key is a word of Python's; a saved scenario has it as people write it.
    model_config = ConfigDict(serialize_by_alias=True)

    smallest: Size = Field(alias="from")
    to: Size
    factor: int = Field(default=4, ge=2, le=1024)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if parse_bytes(self.to) < parse_bytes(self.smallest):
            raise ValueError(f"from is greater than to: {self.smallest!r} and {self.to!r}")
        return self

    def each_bytes(self) -> Iterator[int]:
        """The sizes in bytes, in order."""
        size_bytes, largest_bytes = parse_bytes(self.smallest), parse_bytes(self.to)
        while size_bytes <= largest_bytes:
            yield size_bytes
            size_bytes *= self.factor


class Collectives(WorkloadSpec):
    """`iterations` times an operation among `tp` logical NeuronCores for each size, a pause, and all again."""

    kind: Literal["collectives"]
    tp: int = Field(ge=2, le=4096)
    operation: Operation
    sizes: Sizes
    iterations: int = Field(default=20, ge=1, le=1_000_000)
    pause: Duration = "1s"

    @property
    def degree(self) -> int:
        """Logical NeuronCores, each a rank."""
        return self.tp

    def check(self, chip: Chip) -> None:
        """Refuses a chip whose cores cannot communicate."""
        if chip.cc_cores is None:
            raise SpecError("kind", f"{chip.name} has no collectives: take an Inferentia2 or Trainium instance")

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """All cores in lockstep; their traffic goes the ways of the operation's algorithms."""
        return (Team(cores, tuple(algorithm.pattern for algorithm in self._algorithms(node, cores))),)

    def program(self, runtime: Runtime, process: Process) -> "CollectivesBenchmark":
        """The benchmark in its process."""
        node = runtime.node
        lnc = node.logical_neuroncore_config
        series = Series(
            tuple(Collective(self.operation, size, len(process.cores) // lnc, lnc) for size in self.sizes.each_bytes()),
            self.iterations,
            parse_duration_ns(self.pause),
        )
        algorithms = self._algorithms(node, process.cores)
        return CollectivesBenchmark(runtime, process, series, algorithms, rates_for(node.instance.name))

    def _algorithms(self, node: Node, cores: tuple[Core, ...]) -> Algorithms:
        devices = tuple(sorted({core.device for core in cores}))
        ranks = len(cores) // node.logical_neuroncore_config
        return algorithms_of(self.operation, node.links.neighbours, devices, ranks, node.chip.name)


class Series(NamedTuple):
    """The collectives of a round, how often each is done, and the pause after the last."""

    collectives: tuple[Collective, ...]
    iterations: int
    pause_ns: int

    @property
    def image(self) -> ModelImage:
        """What each physical core holds: what every graph with collectives needs, and two buffers of the largest."""
        operation, size, ranks, cores_per_rank = self.collectives[-1]
        part, whole = -(-size // (ranks * cores_per_rank)), -(-size // cores_per_rank)
        held = (part if operation in _PART_BEFORE else whole, part if operation in _PART_AFTER else whole)
        buffers = tuple(Piece("tensors", "tensors", size_bytes) for size_bytes in held)
        return decoder_image(operation, 1, SMALLEST_GRAPH_BYTES, Caches(0, 0), 0, ranks)._replace(last=buffers)


class CollectivesBenchmark:
    """One process that does nothing but collectives, from its load to its end; one collective is one execution."""

    kind = "collectives"

    def __init__(
        self, runtime: Runtime, process: Process, series: Series, algorithms: Algorithms, rates: CoreRates
    ) -> None:
        self._runtime = runtime
        self._process = process
        self._series = series
        self._costs = tuple(collective_cost(rates, algorithms, collective) for collective in series.collectives)
        fitted = rates.chip == FITTED_CHIP
        self._doubts = () if fitted else (f"Its times are extrapolated: runs of {FITTED_CHIP} were fitted, no others.",)
        self._position = 0
        self._done = 0
        self._completed = self._failed = 0

    def begin(self, time_ns: int) -> None:
        """Loads the graph and its buffers; the first round begins when they are there."""
        self._runtime.load(time_ns, self._process, self._series.image, self._execute)

    def reading(self, time_ns: int) -> Workload:
        """How many collectives have ended by `time_ns`, each of which counts as a request."""
        execution = self._runtime.under_way(self._process)
        ended, running = (0, 0) if execution is None else (execution.steps_done(time_ns), 1)
        completed = self._completed + ended
        return Workload(
            kind=self.kind,
            submitted=completed + self._failed + running,
            completed=completed,
            failed=self._failed,
            running=running,
        )

    def account(self, time_ns: int) -> Account:
        """The collective that is under way at `time_ns`: its algorithm, its traffic and its bandwidths."""
        collective, cost = self._series.collectives[self._position], self._costs[self._position]
        if self._process.model is None:
            return Account(f"loading the buffers of {collective.operation}")
        if self._runtime.under_way(self._process) is None:
            return Account("waiting for the next round of collectives")
        notes = (*_notes(collective, cost), *self._doubts)
        return Account(_doing(collective, cost), (cost.step,), notes)

    def _execute(self, time_ns: int) -> None:
        work, left = self._costs[self._position].step.work, self._series.iterations - self._done
        self._runtime.execute(time_ns, self._process, (work,), left, self._executed, lost=self._lost)

    def _executed(self, time_ns: int, steps: int) -> None:
        self._completed += steps
        self._go_on(time_ns, steps)

    def _lost(self, time_ns: int) -> None:
        """One that failed is not done again."""
        self._failed += 1
        self._go_on(time_ns, 1)

    def _go_on(self, time_ns: int, steps: int) -> None:
        self._done += steps
        if self._done == self._series.iterations:
            self._done = 0
            self._position = (self._position + 1) % len(self._costs)
        if self._position or self._done:
            self._execute(time_ns)
        else:
            at_ns = time_ns + self._series.pause_ns
            self._runtime.queue.schedule(at_ns, Order.LAUNCH, self._process.identity.name, self._begin_round)

    def _begin_round(self, time_ns: int) -> None:
        if self._process.alive:
            self._execute(time_ns)


def _doing(collective: Collective, cost: CollectiveCost) -> str:
    steps, busiest = cost.algorithm.hops, cost.busiest_bytes
    return (
        f"doing {collective.operation} of {format_bytes(collective.size_bytes)} among {collective.ranks} ranks, "
        f"algorithm {cost.algorithm.pattern.name}: {steps} hop{'' if steps == 1 else 's'} one after another, "
        f"{f'{format_bytes(busiest)} on the busiest link' if busiest else 'all within one device'}"
    )


def _notes(collective: Collective, cost: CollectiveCost) -> Iterator[str]:
    algorithm, bus = (
        format_bytes(moved * 10**9 // cost.duration_ns) for moved in (collective.size_bytes, collective.received_bytes)
    )
    yield (
        f"One takes {format_duration_ns(cost.duration_ns, 1)}: {algorithm}/s of payload (algorithm bandwidth), "
        f"{bus}/s received by each rank (bus bandwidth)."
    )
    step_ns = cost.step.work.duration_ns
    if step_ns > cost.duration_ns:
        yield f"The host launches one in {format_duration_ns(step_ns, 1)}, so the cores wait in between."
