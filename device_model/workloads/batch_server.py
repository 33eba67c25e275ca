"""A server that answers whole batches: requests wait in one queue, and workers take them as many at a time as fit."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from device_model.kernel.queue import Order, Ticket
from device_model.runtime.loading import ModelImage
from device_model.runtime.process import Durations, Process
from device_model.runtime.runtime import Runtime
from device_model.workloads.arrivals import Arrivals, Lengths
from device_model.workloads.cost.pipeline import Beat
from device_model.workloads.cost.steps import StepCost
from device_model.workloads.kinds.program import Account
from neurontools.schema.snapshot import Workload
from neurontools.units import format_duration_ns


class Extent(NamedTuple):
    """A batch as it is computed, padding included: of sequences of `tokens` tokens, or of images where that is 0."""

    items: int
    tokens: int

    def __str__(self) -> str:
        what = "sequence" if self.tokens else "image"
        counted = f"{self.items} {what}{'' if self.items == 1 else 's'}"
        return f"{counted} of {self.tokens} tokens" if self.tokens else counted


class Served(NamedTuple):
    """What a server serves, as its kind of workload says.

    `lengths` are those of sequences, None for images; a sequence is cut to its first `longest` tokens. `extent` says as
    what a number of requests is computed, the longest of them of so many tokens, and `beat` what that costs.
    """

    image: ModelImage
    lengths: Lengths | None
    longest: int
    extent: Callable[[int, int], Extent]
    beat: Callable[[Extent], Beat]


class Rules(NamedTuple):
    """How requests become batches.

    A worker has `stages` groups of cores and takes up to `batch` requests at a time. From its first request's arrival
    on, a batch waits for up to `wait_ns` until it is full. Beyond the places of free workers, `queue_limit` requests
    may wait before the next is turned away.
    """

    stages: int
    batch: int
    wait_ns: int
    queue_limit: int


class Request(NamedTuple):
    """A request as it arrived; an image has no tokens."""

    number: int
    arrived_ns: int
    tokens: int


class Batch(NamedTuple):
    """Requests that are computed together."""

    requests: tuple[Request, ...]
    extent: Extent
    beat: Beat

    @property
    def tokens(self) -> int:
        """Without padding."""
        return sum([request.tokens for request in self.requests])


class Worker:
    """One lane of a process and the batches in its stages, the first stage first; None where a stage is empty.

    Between two beats, what was in the last stage has left, and the first waits for what enters next.
    """

    def __init__(self, lane: int, stages: int) -> None:
        self.lane = lane
        self.stages: deque[Batch | None] = deque([None] * (stages - 1))

    @property
    def batches(self) -> list[Batch]:
        """Those under way."""
        return [batch for batch in self.stages if batch is not None]


class BatchServer:
    """One process whose workers share a queue. It acts only through the runtime and only when events tell it to.

    A worker that is free takes the oldest requests as soon as there are enough for a batch or the first has waited
    long enough; of several, the one that has been free the longest. A worker of several stages moves all its batches
    on at every beat, and goes on with empty stages as long as it has any.
    """

    def __init__(
        self, runtime: Runtime, process: Process, kind: str, rules: Rules, served: Served, arrivals: Arrivals
    ) -> None:
        self.kind = kind
        self._runtime = runtime
        self._process = process
        self._entity = process.identity.name
        self._rules = rules
        self._served = served
        self._arrivals = arrivals
        self._beats: dict[Extent, Beat] = {}
        self._waiting: deque[Request] = deque()
        self._workers = tuple(Worker(lane, rules.stages) for lane in range(len(process.lanes)))
        self._free = deque(self._workers)
        self._between_beats: list[Worker] = []
        self._launch_ticket: Ticket | None = None
        self._submitted = self._completed = self._rejected = self._failed = self._tokens = 0
        self._latency = Durations()

    def begin(self, time_ns: int) -> None:
        """Loads the model; requests come once it can serve them."""
        self._runtime.load(time_ns, self._process, self._served.image, self._loaded)

    def reading(self, time_ns: int) -> Workload:
        """The server's counts at `time_ns`; changes nothing."""
        return Workload(
            kind=self.kind,
            submitted=self._submitted,
            completed=self._completed,
            rejected=self._rejected,
            failed=self._failed,
            queued=len(self._waiting),
            running=sum([len(batch.requests) for worker in self._workers for batch in worker.batches]),
            prompt_tokens=self._tokens,
            request_latency=self._latency.reading(),
        )

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`, and what that costs each group; a group that rests costs nothing."""
        if self._process.model is None:
            return Account(f"loading {self._served.image.name}")
        working = [worker for worker in self._workers if worker.batches]
        if not working:
            return Account(f"waiting for requests, {len(self._waiting)} of {self._rules.batch} in the batch")
        batches = [batch for worker in working for batch in worker.batches]
        beat = batches[0].beat
        doing = self._in_beats(beat, batches) if self._rules.stages > 1 else self._in_batches(working, batches)
        costs = [cost for worker in self._workers for cost in _costs(worker, beat)]
        return Account(doing, tuple(costs), self._notes(batches))

    def _in_beats(self, beat: Beat, batches: list[Batch]) -> str:
        stages = self._rules.stages * len(self._workers)
        uneven = any(cost.work.idle_ns for cost in beat.stages)
        slowest = f"stage {beat.slowest + 1} the slowest" if uneven else "all of them equally long"
        duration = format_duration_ns(beat.duration_ns, 1)
        return f"in a beat of {duration}, {len(batches)} of {stages} stages filled, {slowest}"

    def _in_batches(self, working: list[Worker], batches: list[Batch]) -> str:
        largest = max(batch.extent for batch in batches)
        alike = all(batch.extent == largest for batch in batches)
        batch = f"a batch of {largest}" if alike else f"batches of up to {largest}"
        return f"running {batch} on {len(working)} of {len(self._workers)} workers"

    def _notes(self, batches: list[Batch]) -> tuple[str, ...]:
        notes = []
        waiting = len(self._waiting)
        if waiting:
            cause = "until a batch is full" if self._free else "for a place in the next batch"
            notes.append(f"{waiting:,} request{' waits' if waiting == 1 else 's wait'} {cause}.")
        computed = sum(batch.extent.items * max(1, batch.extent.tokens) for batch in batches)
        asked = sum(batch.tokens or len(batch.requests) for batch in batches)
        if asked < computed:
            what = "tokens" if batches[0].extent.tokens else "images"
            notes.append(f"{asked:,} of the {computed:,} {what} under way were asked for, the rest is padding.")
        if self._rules.stages > 1:
            notes.append("Weights come from device memory in every beat; that they stay on the chip is not modelled.")
        return tuple(notes)

    def _loaded(self, time_ns: int) -> None:
        for at_ns in self._arrivals.opening(time_ns):
            self._follow(at_ns)

    def _follow(self, time_ns: int | None) -> None:
        """A request will arrive at `time_ns`; None: nobody asks."""
        if time_ns is not None:
            self._runtime.queue.schedule(time_ns, Order.ARRIVAL, self._entity, self._arrive)

    def _arrive(self, time_ns: int) -> None:
        if not self._process.alive:
            return
        number = self._submitted
        self._submitted += 1
        self._follow(self._arrivals.after_arrival(number, time_ns))
        if len(self._waiting) >= self._rules.queue_limit and self._full():
            self._rejected += 1
            self._follow(self._arrivals.after_rejection(number, time_ns))
            return
        self._waiting.append(Request(number, time_ns, self._draw(number)))
        if self._launch_ticket is None or len(self._waiting) >= self._rules.batch:
            self._plan_launch(time_ns)

    def _full(self) -> bool:
        """Whether all places are taken: those of the queue, and those of workers that could take a batch now."""
        able = len(self._free) + len(self._between_beats)
        return len(self._waiting) >= self._rules.queue_limit + self._rules.batch * able

    def _draw(self, number: int) -> int:
        """Tokens of a request."""
        served = self._served
        if served.lengths is None:
            return 0
        given = self._arrivals.lengths_of(number)
        if given is not None:
            return min(given[0], served.longest)
        return min(served.lengths.draw(self._runtime.chance, self._entity, "tokens", number), served.longest)

    def _plan_launch(self, time_ns: int) -> None:
        """Makes sure that the next launch comes as soon as something can begin."""
        if self._between_beats:
            due_ns = time_ns
        elif self._waiting and self._free:
            due_ns = time_ns if self._ready(time_ns) else self._waiting[0].arrived_ns + self._rules.wait_ns
        else:
            return
        if self._launch_ticket is not None:
            if self._launch_ticket.time_ns <= due_ns:
                return
            self._launch_ticket.cancel()
        self._launch_ticket = self._runtime.queue.schedule(due_ns, Order.LAUNCH, self._entity, self._launch)

    def _ready(self, time_ns: int) -> bool:
        """Whether the oldest requests need not wait for more."""
        waiting = self._waiting
        return len(waiting) >= self._rules.batch or (
            bool(waiting) and waiting[0].arrived_ns + self._rules.wait_ns <= time_ns
        )

    def _launch(self, time_ns: int) -> None:
        if not self._process.alive:
            return
        self._launch_ticket = None
        for worker in self._between_beats:
            self._execute(time_ns, worker)
        self._between_beats.clear()
        while self._free and self._ready(time_ns):
            self._execute(time_ns, self._free.popleft())
        self._plan_launch(time_ns)

    def _execute(self, time_ns: int, worker: Worker) -> None:
        """A batch enters the worker if there is one, and all that is in it moves on by a stage."""
        worker.stages.appendleft(self._next_batch() if self._ready(time_ns) else None)
        beat = worker.batches[0].beat
        stages = zip(worker.stages, beat.stages, beat.empty, strict=True)
        works = tuple([empty if batch is None else cost.work for batch, cost, empty in stages])
        done, lost = partial(self._executed, worker), partial(self._lost, worker)
        self._runtime.execute(time_ns, self._process, works, 1, done, worker.lane, self._rules.stages, lost)

    def _next_batch(self) -> Batch:
        served = self._served
        requests = tuple([self._waiting.popleft() for _ in range(min(self._rules.batch, len(self._waiting)))])
        extent = served.extent(len(requests), max([request.tokens for request in requests]))
        if extent not in self._beats:
            self._beats[extent] = served.beat(extent)
        return Batch(requests, extent, self._beats[extent])

    def _executed(self, worker: Worker, time_ns: int, _: int) -> None:
        self._move_on(time_ns, worker, self._answer)

    def _lost(self, worker: Worker, time_ns: int) -> None:
        """Of a pipeline, what fails is the batch that leaves; those behind it move on (assumed)."""
        self._move_on(time_ns, worker, self._fail)

    def _move_on(self, time_ns: int, worker: Worker, leave: Callable[[int, Batch], None]) -> None:
        batch = worker.stages.pop()
        if batch is not None:
            leave(time_ns, batch)
        (self._between_beats if worker.batches else self._free).append(worker)
        self._plan_launch(time_ns)

    def _fail(self, time_ns: int, batch: Batch) -> None:
        """Its clients are told, and try again like those who were turned away."""
        self._failed += len(batch.requests)
        for request in batch.requests:
            self._follow(self._arrivals.after_rejection(request.number, time_ns))

    def _answer(self, time_ns: int, batch: Batch) -> None:
        self._tokens += batch.tokens
        self._completed += len(batch.requests)
        for request in batch.requests:
            self._latency.add(time_ns - request.arrived_ns)
            self._follow(self._arrivals.after_completion(request.number, time_ns))


def _costs(worker: Worker, beat: Beat) -> list[StepCost]:
    """What a worker's groups cost in its own beat, or, where it rests, in another's."""
    batches = worker.batches
    own = batches[0].beat if batches else beat
    held = worker.stages if batches else [None] * len(own.stages)
    pairs = zip(held, own.stages, own.empty, strict=True)
    return [StepCost(empty, (), "latency") if batch is None else cost for batch, cost, empty in pairs]
