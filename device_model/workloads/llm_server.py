"""A language model server: requests wait, are admitted to a batch, prefilled, and decoded together until done."""

from functools import partial
from typing import NamedTuple

from device_model.kernel.queue import Action, Order, Ticket
from device_model.runtime.loading import ModelImage
from device_model.runtime.process import Durations, Process
from device_model.runtime.runtime import Runtime
from device_model.workloads.arrivals import Arrivals, Lengths
from device_model.workloads.batching import Batch, Phase, Plan, Request, Rules
from device_model.workloads.cost.decoder import Chunk, decode_step, mixed_step, prefill
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost
from device_model.workloads.kinds.program import Account
from device_model.workloads.kv_cache import KvCache
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape
from neurontools.schema.snapshot import Workload
from neurontools.units import format_duration_ns


class Served(NamedTuple):
    """What a server serves: the model on its cores, how it makes batches, and what they cost.

    The model was compiled for the sizes in `rules`; `tp` counts physical cores.
    """

    shape: ModelShape
    image: ModelImage
    rates: CoreRates
    constants: CostConstants
    tp: int
    devices: int
    data_type: DataType
    rules: Rules
    cache: KvCache


class Demand(NamedTuple):
    """Who asks, for how much, and how many may wait beyond the places in the batch before the next is turned away."""

    arrivals: Arrivals
    prompt: Lengths
    output: Lengths
    queue_limit: int


class Reloads(NamedTuple):
    """The server unloads its model every `every_ns` of service, for `pause_ns`; 0: never."""

    every_ns: int = 0
    pause_ns: int = 0


class LlmServer:
    """One replica in one process. It acts only through the runtime and only when events tell it to."""

    kind = "llm"

    def __init__(self, runtime: Runtime, process: Process, served: Served, demand: Demand, reloads: Reloads) -> None:
        self._runtime = runtime
        self._process = process
        self._chance = runtime.chance
        self._served = served
        self._demand = demand
        self._reloads = reloads
        self._costs: dict[tuple[Phase, int, int, int], StepCost] = {}
        self._batch = Batch(served.rules, served.cache)
        self._plan: Plan | None = None
        self._launch_ticket: Ticket | None = None
        self._due_ticket: Ticket | None = None
        self._load_ticket: Ticket | None = None
        self._open = False
        self._serving = False
        self._draining = False
        self._submitted = self._completed = self._rejected = self._failed = 0
        self._prompt_tokens = self._generated_tokens = 0
        self._first_token = Durations()
        self._latency = Durations()

    def begin(self, time_ns: int) -> None:
        """Loads the model; requests come once it can serve them."""
        self._load_ticket = None
        self._runtime.load(time_ns, self._process, self._served.image, self._loaded)

    def reading(self, time_ns: int) -> Workload:
        """The server's counts at `time_ns`; changes nothing."""
        batch, steps = self._batch, self._steps_done(time_ns)
        return Workload(
            kind=self.kind,
            submitted=self._submitted,
            completed=self._completed,
            rejected=self._rejected,
            failed=self._failed,
            queued=len(batch.waiting),
            running=batch.admitted,
            preempted=batch.preempted,
            prompt_tokens=self._prompt_tokens,
            generated_tokens=self._generated_tokens + steps * len(batch.sequences),
            cached_tokens=batch.cached_tokens(self._plan, steps),
            cache_capacity_tokens=self._served.cache.capacity_tokens,
            time_to_first_token=self._first_token.reading(),
            request_latency=self._latency.reading(),
        )

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`."""
        plan, notes = self._plan, self._notes(time_ns)
        if plan is None:
            return Account(self._waiting_for(time_ns), (), notes)
        return Account(self._working_on(plan, time_ns), (self._cost(plan),), notes)

    def _steps_done(self, time_ns: int) -> int:
        execution = self._runtime.under_way(self._process)
        return 0 if execution is None else execution.steps_done(time_ns)

    def _working_on(self, plan: Plan, time_ns: int) -> str:
        batch, compiled = self._batch, f"in the graph compiled for {plan.context}"
        prompts, sequences = counted(len(batch.prompts), "prompt"), counted(len(batch.sequences), "sequence")
        if plan.phase == "prefill":
            longest = max(prompt.request.tokens for prompt in batch.prompts)
            return f"prefilling {prompts}, the longest of {longest} tokens, {compiled}"
        prefilling = f"prefilling {prompts} in chunks of {self._served.rules.chunk} tokens"
        if not batch.sequences:
            return prefilling
        longest = max(batch.lengths()) + 1 + self._steps_done(time_ns)
        beside = f" beside {counted(batch.finished, 'finished one')}" if batch.finished else ""
        decoding = f"decoding {sequences}{beside}, the longest of {longest} tokens, {compiled}"
        return f"{decoding}, and {prefilling}" if plan.phase == "mixed" else decoding

    def _waiting_for(self, time_ns: int) -> str:
        image, batch = self._served.image, self._batch
        if self._load_ticket is not None:
            pause = format_duration_ns(self._load_ticket.time_ns - time_ns, 1)
            return f"paused: its model is unloaded, and loads again in {pause}"
        if not self._serving:
            run = self._process.groups[0].meter.run
            layers = 0 if run is None else run.steps_done(time_ns)
            return f"loading {image.name}: {layers} of {image.layers} layers"
        if self._due_ticket is not None and batch.waiting:
            wait = format_duration_ns(self._due_ticket.time_ns - time_ns, 1)
            found, places = len(batch.waiting), self._served.rules.places
            return f"waiting for its batch to fill: {found} of {places} requests, for {wait} more"
        return "waiting for requests"

    def _notes(self, time_ns: int) -> tuple[str, ...]:
        batch, capacity = self._batch, self._served.cache.capacity_tokens
        notes = []
        if batch.admitted:
            cached = batch.cached_tokens(self._plan, self._steps_done(time_ns))
            notes.append(f"The cache holds {cached:,} tokens of at most {capacity:,}.")
        if self._draining:
            notes.append("It admits nobody: the model will be unloaded when these answers are complete.")
        if batch.preempted:
            times = "once" if batch.preempted == 1 else f"{batch.preempted:,} times"
            notes.append(f"The cache was full and a sequence was preempted {times} so far.")
        return tuple(notes)

    def _loaded(self, time_ns: int) -> None:
        self._serving = True
        if self._reloads.every_ns:
            self._schedule(time_ns + self._reloads.every_ns, Order.PROCESS, self._drain)
        if not self._open:
            self._open = True
            for at_ns in self._demand.arrivals.opening(time_ns):
                self._schedule(at_ns, Order.ARRIVAL, self._arrive)
        self._request_launch(time_ns)

    def _schedule(self, time_ns: int, order: Order, action: Action) -> Ticket:
        def guarded(now_ns: int) -> None:
            if self._process.alive:
                action(now_ns)

        return self._runtime.queue.schedule(time_ns, order, self._process.identity.name, guarded)

    def _arrive(self, time_ns: int) -> None:
        number = self._submitted
        self._submitted += 1
        following = self._demand.arrivals.after_arrival(number, time_ns)
        if following is not None:
            self._schedule(following, Order.ARRIVAL, self._arrive)
        batch = self._batch
        if len(batch.waiting) >= self._demand.queue_limit + batch.free_places:
            self._reject(number, time_ns)
            return
        batch.waiting.append(self._draw(number, time_ns))
        if self._plan is None:
            self._request_launch(time_ns)
        elif self._plan.steps > 1 and batch.last_may_join and not self._draining:
            self._runtime.cut(time_ns, self._process)

    def _reject(self, number: int, time_ns: int) -> None:
        self._rejected += 1
        following = self._demand.arrivals.after_rejection(number, time_ns)
        if following is not None:
            self._schedule(following, Order.ARRIVAL, self._arrive)

    def _draw(self, number: int, time_ns: int) -> Request:
        demand, entity, context = self._demand, self._process.identity.name, self._served.rules.context
        prompt, output = demand.arrivals.lengths_of(number) or (
            demand.prompt.draw(self._chance, entity, "prompt", number),
            demand.output.draw(self._chance, entity, "output", number),
        )
        prompt = min(prompt, context - 1)
        return Request(number, time_ns, prompt, min(output, context - prompt))

    def _request_launch(self, time_ns: int) -> None:
        """Launches after all else that happens at this instant; where nothing does, that is now."""
        if self._serving and self._plan is None and self._launch_ticket is None:
            if self._runtime.queue.next_time() == time_ns:
                self._launch_ticket = self._schedule(time_ns, Order.LAUNCH, self._launch)
            else:
                self._launch(time_ns)

    def _launch(self, time_ns: int) -> None:
        self._launch_ticket = None
        if not self._draining:
            self._batch.admit(time_ns)
        plan = self._batch.plan()
        if plan is not None:
            self._execute(time_ns, plan)
        elif self._draining:
            self._unload(time_ns)
        elif self._batch.due_ns is not None and self._due_ticket is None:
            self._due_ticket = self._schedule(self._batch.due_ns, Order.LAUNCH, self._due)

    def _due(self, time_ns: int) -> None:
        self._due_ticket = None
        self._request_launch(time_ns)

    def _execute(self, time_ns: int, plan: Plan) -> None:
        if self._due_ticket is not None:
            self._due_ticket.cancel()
            self._due_ticket = None
        self._plan = plan
        done, lost = partial(self._executed, plan), partial(self._lost, plan)
        self._runtime.execute(time_ns, self._process, (self._cost(plan).work,), plan.steps, done, lost=lost)

    def _executed(self, plan: Plan, time_ns: int, steps: int) -> None:
        self._plan = None
        progress = self._batch.complete(plan, steps)
        for request in progress.prefilled:
            if not request.generated:
                self._first_token.add(time_ns - request.arrived_ns)
                self._prompt_tokens += request.prompt
        self._generated_tokens += progress.generated
        for request in progress.finished:
            self._completed += 1
            self._latency.add(time_ns - request.arrived_ns)
            following = self._demand.arrivals.after_completion(request.number, time_ns)
            if following is not None:
                self._schedule(following, Order.ARRIVAL, self._arrive)
        self._request_launch(time_ns)

    def _lost(self, plan: Plan, time_ns: int) -> None:
        """A step failed: the clients of its requests are told, and try again like those who were turned away."""
        self._plan = None
        for request in self._batch.lose(plan):
            self._failed += 1
            following = self._demand.arrivals.after_rejection(request.number, time_ns)
            if following is not None:
                self._schedule(following, Order.ARRIVAL, self._arrive)
        self._request_launch(time_ns)

    def _cost(self, plan: Plan) -> StepCost:
        """The cost of one of a plan's steps; computed once for each graph."""
        graph = (plan.phase, plan.sequences, plan.context, plan.keys)
        cost = self._costs.get(graph)
        if cost is None:
            cost = self._costs[graph] = step_cost(self._served, plan)
        return cost

    def _drain(self, time_ns: int) -> None:
        self._draining = True
        self._request_launch(time_ns)

    def _unload(self, time_ns: int) -> None:
        self._runtime.unload(self._process)
        self._serving = self._draining = False
        self._load_ticket = self._schedule(time_ns + self._reloads.pause_ns, Order.PROCESS, self.begin)


def step_cost(served: Served, plan: Plan) -> StepCost:
    """What one step of a plan costs each of the replica's cores."""
    common = (served.shape, served.rates, served.constants, served.tp, served.devices, plan.sequences, plan.context)
    sizes = (served.data_type.weight_bytes, served.data_type.element_bytes)
    if plan.phase == "mixed":
        return mixed_step(*common, Chunk(served.rules.chunk, plan.keys), *sizes)
    return (prefill if plan.phase == "prefill" else decode_step)(*common, *sizes)


def counted(count: int, name: str) -> str:
    """A count and what is counted, such as "3 prompts"."""
    return f"{count} {name}{'' if count == 1 else 's'}"
