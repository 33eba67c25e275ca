"""A custom operator: a program that calls it on the GPSIMD processors, over as many trips as each call's data need."""

from collections import deque
from functools import lru_cache, partial
from itertools import islice, takewhile
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from device_model.kernel.queue import Action, Order, Ticket
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.process import Durations, Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.arrivals import Arrivals, ClosedLoop, Lengths
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.operator import Operator, operator_image, operator_step, processors_of
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import Bound, StepCost
from device_model.workloads.kinds.program import Account, SpecError, WorkloadSpec
from device_model.workloads.spec import ArrivalSpec, LengthSpec
from neurontools.hardware.chips import CHIPS, Chip
from neurontools.schema.snapshot import Workload

MOST_IN_SERIES = 64
"""Calls that have arrived and run in one series: each reading adds up their latencies anew."""

_COSTS_KEPT = 1024
"""Costs of as many trip counts are remembered."""

MOST_GOING_ROUND = 1 << 16
"""Calls in a series of users that call again at once: nothing else would ever end it."""

_PART_NAMES: dict[Bound, str] = {
    "compute": "tensor engine",
    "vector": "vector engine",
    "gpsimd": "GPSIMD",
    "memory": "HBM",
    "latency": "launch",
}


class CustomOperator(WorkloadSpec):
    """A custom operator: `workers` share the queue of calls, each with `cores` logical NeuronCores that share a call.

    A call goes over its `elements` in `trips`, drawn call by call: in each, `operations` on each element. It has
    `inputs` and `outputs` of that many elements. `local` is the share of the inputs that the operator keeps in the
    GPSIMD processors' local memory from trip to trip, as far as they fit. `matmul_flops` (BF16) and `vector_elements`
    are what the tensor and the vector engine have to do beside it in each call.
    """

    degree_key: ClassVar[str] = "cores x workers"

    kind: Literal["custom-operator"]
    cores: int = Field(default=1, ge=1, le=4096)
    workers: int = Field(default=1, ge=1, le=4096)
    elements: int = Field(ge=1, le=1 << 40)
    element_bits: Literal[8, 16, 32] = 32
    operations: int = Field(default=1, ge=1, le=1_000_000)
    inputs: int = Field(default=1, ge=1, le=64)
    outputs: int = Field(default=1, ge=0, le=64)
    local: float = Field(default=1.0, ge=0, le=1)
    trips: LengthSpec = LengthSpec(mean=1)
    matmul_flops: float = Field(default=0.0, ge=0, le=1e18)
    vector_elements: float = Field(default=0.0, ge=0, le=1e18)
    arrivals: ArrivalSpec
    queue_limit: int = Field(default=1000, ge=0, le=1_000_000)

    @property
    def degree(self) -> int:
        """Logical NeuronCores of all workers."""
        return self.cores * self.workers

    def check(self, chip: Chip) -> None:
        """Refuses a chip without GPSIMD processors."""
        if processors_of(chip) is None:
            able = " and ".join(", ".join(c.name for c in CHIPS.values() if processors_of(c)).rsplit(", ", 1))
            raise SpecError("kind", f"{chip.name} has no GPSIMD processors to run a custom operator on; {able} have")

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """The cores of a worker start and end a call together, each with its own elements: nothing goes over links."""
        size = len(cores) // self.workers
        return tuple(Team(cores[lane * size : (lane + 1) * size], lane=lane) for lane in range(self.workers))

    def program(self, runtime: Runtime, process: Process) -> "OperatorCalls":
        """The program that calls the operator, in its process."""
        cores = len(process.cores) // self.workers
        operator = Operator(
            elements=-(-self.elements // cores),
            element_bits=self.element_bits,
            operations=self.operations,
            inputs=self.inputs,
            outputs=self.outputs,
            local=self.local,
            matmul_flops=self.matmul_flops / cores,
            vector_elements=self.vector_elements / cores,
        )
        called = Called(operator, self.elements, rates_for(runtime.node.instance.name))
        arrivals = self.arrivals.made(runtime.chance, process.identity.name)
        return OperatorCalls(runtime, process, called, Demand(arrivals, self.trips.made(), self.queue_limit))


class Called(NamedTuple):
    """The operator as one core runs it, the elements of a call on all of a worker's cores, and the core's rates."""

    operator: Operator
    elements: int
    rates: CoreRates


class Demand(NamedTuple):
    """Who calls, over how many trips, and how many calls may wait behind those that are running."""

    arrivals: Arrivals
    trips: Lengths
    queue_limit: int


class Call(NamedTuple):
    """A call as it arrived."""

    number: int
    arrived_ns: int
    trips: int


class Series(NamedTuple):
    """Calls of equal cost that run one after another from `start_ns` on.

    With `again` every caller calls again as soon as it has its answer, so the series goes round and round.
    """

    start_ns: int
    calls: tuple[Call, ...]
    cost: StepCost
    again: bool

    def latencies(self, call_ns: int, ended: int) -> list[tuple[int, int]]:
        """From arrival to answer, for the first `ended` calls of `call_ns` each: durations and how many times each."""
        first = [(self.start_ns + (i + 1) * call_ns - call.arrived_ns, 1) for i, call in enumerate(self.calls[:ended])]
        rounds = ended - len(self.calls)
        return [*first, (len(self.calls) * call_ns, rounds)] if rounds > 0 else first


class OperatorCalls:
    """One process whose workers run calls in the order in which they arrive, one at a time; a call is one execution.

    Of several free workers, the one that has been free the longest takes the next call.
    """

    kind = "custom-operator"

    def __init__(self, runtime: Runtime, process: Process, called: Called, demand: Demand) -> None:
        self._runtime = runtime
        self._process = process
        self._called = called
        self._demand = demand
        constants = constants_for(called.rates.generation)
        self._cost = lru_cache(_COSTS_KEPT)(partial(operator_step, called.operator, called.rates, constants))
        self._waiting: deque[Call] = deque()
        self._series: dict[int, Series] = {}
        """What the workers are at, by lane."""
        self._free = deque(range(len(process.lanes)))
        self._launch_ticket: Ticket | None = None
        self._submitted = self._completed = self._rejected = self._failed = 0
        self._latency = Durations()

    def begin(self, time_ns: int) -> None:
        """Loads the operator; calls come once it is there."""
        self._runtime.load(time_ns, self._process, operator_image(self._called.operator), self._loaded)

    def reading(self, time_ns: int) -> Workload:
        """The counts at `time_ns`; changes nothing."""
        under_way = [(series, *self._ended(time_ns, lane)) for lane, series in self._series.items()]
        again = sum([ended for series, ended, _ in under_way if series.again])
        latencies = [pair for series, ended, call_ns in under_way for pair in series.latencies(call_ns, ended)]
        running = len(under_way)
        return Workload(
            kind=self.kind,
            submitted=self._submitted + again,
            completed=self._completed + sum([ended for _, ended, _ in under_way]),
            rejected=self._rejected,
            failed=self._failed,
            queued=self._present(time_ns) - running,
            running=running,
            request_latency=self._latency.reading(latencies),
        )

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`: the call that has run the longest, and what its time goes to."""
        if self._process.model is None:
            return Account("loading a custom operator")
        running, workers = len(self._series), len(self._process.lanes)
        if not running:
            return Account("waiting for the next call of a custom operator")
        queued = self._present(time_ns) - running
        behind = "it" if workers == 1 else "them"
        notes = (f"{queued:,} call{' waits' if queued == 1 else 's wait'} behind {behind}.",) if queued else ()
        first = min(self._series.values(), key=lambda series: (series.start_ns, series.calls[0].number))
        of_several = f"{running} of {workers} workers, the first call on " if workers > 1 else ""
        resting = StepCost(first.cost.work, (), "latency")
        costs = [self._series[lane].cost if lane in self._series else resting for lane in range(workers)]
        return Account(f"calling an operator on {of_several}{_shares(self._called, first)}", tuple(costs), notes)

    def _ended(self, time_ns: int, lane: int) -> tuple[int, int]:
        """How many calls of a worker's series have ended by `time_ns`, and how long each took."""
        execution = self._runtime.under_way(self._process, lane)
        return (0, 0) if execution is None else (execution.steps_done(time_ns), execution.run.step_ns)

    def _present(self, time_ns: int) -> int:
        """Calls that are running or waiting."""
        present = len(self._waiting)
        for lane, series in self._series.items():
            present += len(series.calls) - (0 if series.again else self._ended(time_ns, lane)[0])
        return present

    def _loaded(self, time_ns: int) -> None:
        for at_ns in self._demand.arrivals.opening(time_ns):
            self._come(at_ns)

    def _come(self, at_ns: int | None) -> None:
        """A call will arrive at `at_ns`; None: nobody calls."""
        if at_ns is not None:
            self._schedule(at_ns, Order.ARRIVAL, self._arrive)

    def _schedule(self, time_ns: int, order: Order, action: Action) -> Ticket:
        def guarded(now_ns: int) -> None:
            if self._process.alive:
                action(now_ns)

        return self._runtime.queue.schedule(time_ns, order, self._process.identity.name, guarded)

    def _arrive(self, time_ns: int) -> None:
        demand, number = self._demand, self._submitted
        self._submitted += 1
        self._come(demand.arrivals.after_arrival(number, time_ns))
        if self._present(time_ns) >= demand.queue_limit + len(self._process.lanes):
            self._rejected += 1
            self._come(demand.arrivals.after_rejection(number, time_ns))
            return
        self._waiting.append(self._draw(number, time_ns))
        for lane, series in self._series.items():
            if series.again:
                self._runtime.cut(time_ns, self._process, lane)  # the next round is with whoever has come
        self._request_launch(time_ns)

    def _draw(self, number: int, time_ns: int) -> Call:
        trips = self._demand.trips.draw(self._runtime.chance, self._process.identity.name, "trips", number)
        return Call(number, time_ns, trips)

    def _request_launch(self, time_ns: int) -> None:
        if self._waiting and self._free and self._launch_ticket is None:
            self._launch_ticket = self._schedule(time_ns, Order.LAUNCH, self._launch)

    def _launch(self, time_ns: int) -> None:
        self._launch_ticket = None
        while self._waiting and self._free:
            self._begin_series(time_ns, self._free.popleft())

    def _begin_series(self, time_ns: int, lane: int) -> None:
        cost = self._cost(self._waiting[0].trips)
        length, again = self._series_ahead(time_ns, cost.work.duration_ns)
        calls = tuple([self._waiting.popleft() for _ in range(length)])
        self._series[lane] = Series(time_ns, calls, cost, again)
        steps = MOST_GOING_ROUND if again else length
        done, lost = partial(self._executed, lane), partial(self._lost, lane)
        self._runtime.execute(time_ns, self._process, (cost.work,), steps, done, lane=lane, lost=lost)

    def _series_ahead(self, time_ns: int, call_ns: int) -> tuple[int, bool]:
        """How many of the waiting calls run in one series, and whether it goes round.

        On hardware that may be slower than it should be, it is one, and so it is where another worker may take the
        next. Elsewhere they cost the same, and what their answers bring about arrives no earlier than the end of the
        last. Users who call again at once take the place that they leave, so that they follow one another where all
        calls are alike.
        """
        if self._process.careful or len(self._process.lanes) > 1:
            return 1, False
        arrivals = self._demand.arrivals
        at_once = isinstance(arrivals, ClosedLoop) and not arrivals.think_ns
        if at_once and not self._demand.trips.cv and len(self._waiting) <= MOST_IN_SERIES:
            return len(self._waiting), True
        alike = takewhile(lambda call: call.trips == self._waiting[0].trips, self._waiting)
        first, *others = islice(alike, MOST_IN_SERIES)
        length, end_ns, last = 1, time_ns + call_ns, first
        earliest_ns: int | None = None
        for call in others:
            following_ns = arrivals.after_completion(last.number, end_ns)
            end_ns += call_ns
            if following_ns is not None:
                earliest_ns = following_ns if earliest_ns is None else min(earliest_ns, following_ns)
            if earliest_ns is not None and earliest_ns < end_ns:
                break
            length, last = length + 1, call
        return length, False

    def _executed(self, lane: int, time_ns: int, ended: int) -> None:
        series = self._leave(lane)
        call_ns = (time_ns - series.start_ns) // ended
        for latency_ns, times in series.latencies(call_ns, ended):
            self._latency.add(latency_ns, times)
        self._completed += ended
        if series.again:
            fresh = range(max(0, ended - len(series.calls)), ended)
            returned = [self._draw(self._submitted + i, series.start_ns + (i + 1) * call_ns) for i in fresh]
            present = [*self._waiting, *[*series.calls, *returned][-len(series.calls) :]]
            self._waiting = deque(sorted(present, key=lambda call: call.arrived_ns))
            self._submitted += ended
        else:
            self._waiting.extendleft(reversed(series.calls[ended:]))
            for i, call in enumerate(series.calls[:ended]):
                self._come(self._demand.arrivals.after_completion(call.number, series.start_ns + (i + 1) * call_ns))
        self._request_launch(time_ns)

    def _lost(self, lane: int, time_ns: int) -> None:
        """The first call failed: its caller is told, and tries again like those who were turned away."""
        series = self._leave(lane)
        self._failed += 1
        self._waiting.extendleft(reversed(series.calls[1:]))
        self._come(self._demand.arrivals.after_rejection(series.calls[0].number, time_ns))
        self._request_launch(time_ns)

    def _leave(self, lane: int) -> Series:
        self._free.append(lane)
        return self._series.pop(lane)


def _shares(called: Called, series: Series) -> str:
    """What a call goes over, and what its time goes to; parts of less than half a percent are left out."""
    trips, call_ns, elements = series.calls[0].trips, series.cost.work.duration_ns, called.elements
    shares = sorted([(100e9 * part.seconds / call_ns, _PART_NAMES[part.name]) for part in series.cost.parts])
    (largest, bound), *others = [(f"{share:.0f} %", name) for share, name in reversed(shares) if share >= 0.5]
    return (
        f"{elements:,} element{'' if elements == 1 else 's'} of "
        f"{called.operator.element_bits} bits, "
        f"{trips:,} trip{'' if trips == 1 else 's'}: {bound} {largest} of the call"
        f"{''.join([f', {name} {share}' for share, name in others])}"
    )
