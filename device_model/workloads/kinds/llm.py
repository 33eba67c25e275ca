"""A language model server: requests wait, are admitted to a batch, prefilled, and decoded together until done."""

from collections import deque
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from device_model.kernel.queue import Action, Order, Ticket
from device_model.runtime.execution import StepWork
from device_model.runtime.loading import ModelImage
from device_model.runtime.process import Durations, Process
from device_model.runtime.runtime import Runtime
from device_model.workloads.arrivals import Arrivals, Lengths
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.decoder import context_bucket, decode_step, prefill
from device_model.workloads.cost.footprint import serving_image
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import CostConstants, StepCost
from device_model.workloads.kinds.program import Account, SpecError, WorkloadSpec
from device_model.workloads.models.datatypes import DataType, DataTypeError, data_type_for
from device_model.workloads.models.families import ModelShape
from device_model.workloads.models.lookup import UnknownModelError
from device_model.workloads.models.shapes import shape_for
from device_model.workloads.spec import MAX_TOKENS, ArrivalSpec, DataTypeName, Duration, LengthSpec, LongDuration, Part
from neurontools.hardware.chips import Chip
from neurontools.schema.snapshot import Workload
from neurontools.units import parse_duration_ns


class Reload(Part):
    """The server drains, unloads its model, waits, and loads it again."""

    every: LongDuration
    pause: Duration = "10s"


class Llm(WorkloadSpec):
    """A language model server: one replica, `tp` logical NeuronCores, continuous batching."""

    kind: Literal["llm"]
    model: str
    tp: int = Field(ge=1, le=4096)
    batch: int = Field(default=8, ge=1, le=4096)
    context: int = Field(default=2048, ge=16, le=MAX_TOKENS)
    data_type: DataTypeName = "bf16"
    arrivals: ArrivalSpec
    prompt: LengthSpec
    output: LengthSpec
    queue_limit: int = Field(default=1000, ge=0, le=1_000_000)
    reload: Reload | None = None

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        try:
            kind = shape_for(value).kind
        except UnknownModelError as error:
            raise ValueError(str(error)) from None
        if kind != "decoder":
            raise ValueError(f"{value} generates no text: give a language model, such as opt-30b or Llama-2-7b")
        return value

    @property
    def degree(self) -> int:
        """Logical NeuronCores of the replica."""
        return self.tp

    def check(self, chip: Chip) -> None:
        """Refuses a data type that the chip lacks."""
        try:
            data_type_for(self.data_type, chip)
        except DataTypeError as error:
            raise SpecError("data_type", str(error)) from None

    def program(self, runtime: Runtime, process: Process) -> "LlmServer":
        """The server in its process."""
        node, tp = runtime.node, len(process.cores)
        shape, data_type = shape_for(self.model), data_type_for(self.data_type, node.chip)
        rates = rates_for(node.instance.name, data_type.multiplied)
        served = Served(
            shape=shape,
            image=serving_image(shape, tp, self.batch, self.context, round(self.prompt.mean), data_type),
            rates=rates,
            constants=constants_for(rates.generation),
            tp=tp,
            devices=len(process.devices),
            batch=self.batch,
            context=self.context,
            data_type=data_type,
        )
        arrivals = self.arrivals.made(runtime.chance, process.identity.name)
        demand = Demand(arrivals, self.prompt.made(), self.output.made(), self.queue_limit)
        reloads = Reloads()
        if self.reload is not None:
            reloads = Reloads(parse_duration_ns(self.reload.every), parse_duration_ns(self.reload.pause))
        return LlmServer(runtime, process, served, demand, reloads)


class Served(NamedTuple):
    """What a server serves: the model on its cores, the size of its batch, and what it costs.

    `batch` and `context` are the sizes the model was compiled for; `tp` counts physical cores.
    """

    shape: ModelShape
    image: ModelImage
    rates: CoreRates
    constants: CostConstants
    tp: int
    devices: int
    batch: int
    context: int
    data_type: DataType


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


class Request(NamedTuple):
    """A request as it arrived: lengths in tokens."""

    number: int
    arrived_ns: int
    prompt: int
    output: int


class Sequence(NamedTuple):
    """A request in the batch. Every decode step of the server gives each one token, so it is described by steps.

    After the server's step number s it has `offset + s` tokens in the cache; its answer is complete after `last_step`.
    """

    request: Request
    offset: int
    last_step: int


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
        self._steps: dict[tuple[str, int, int], StepCost] = {}
        self._waiting: deque[Request] = deque()
        self._admitted: list[Request] = []
        self._running: list[Sequence] = []
        self._launch_ticket: Ticket | None = None
        self._open = False
        self._serving = False
        self._draining = False
        self._decoding = False
        self._step = 0
        self._submitted = self._completed = self._rejected = 0
        self._prompt_tokens = self._generated_tokens = 0
        self._first_token = Durations()
        self._latency = Durations()

    def begin(self, time_ns: int) -> None:
        """Loads the model; requests come once it can serve them."""
        self._runtime.load(time_ns, self._process, self._served.image, self._loaded)

    def reading(self, time_ns: int) -> Workload:
        """The server's counts at `time_ns`; changes nothing."""
        execution = self._runtime.under_way(self._process)
        steps = execution.run.steps_done(time_ns) if execution is not None and self._decoding else 0
        fresh = steps * len(self._running)
        return Workload(
            kind=self.kind,
            submitted=self._submitted,
            completed=self._completed,
            rejected=self._rejected,
            queued=len(self._waiting),
            running=len(self._running) + len(self._admitted),
            prompt_tokens=self._prompt_tokens,
            generated_tokens=self._generated_tokens + fresh,
            cached_tokens=sum(sequence.offset + self._step for sequence in self._running) + fresh,
            cache_capacity_tokens=self._served.batch * self._served.context,
            time_to_first_token=self._first_token.reading(),
            request_latency=self._latency.reading(),
        )

    def account(self, time_ns: int) -> Account:
        """What it is doing at `time_ns`."""
        return Account("serving a language model")

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
        places = self._served.batch - len(self._running) - len(self._admitted)
        if len(self._waiting) >= self._demand.queue_limit + places:
            self._reject(number, time_ns)
            return
        self._waiting.append(self._draw(number, time_ns))
        if self._decoding and len(self._running) < self._served.batch and not self._draining:
            self._runtime.cut(time_ns, self._process)
        self._request_launch(time_ns)

    def _reject(self, number: int, time_ns: int) -> None:
        self._rejected += 1
        following = self._demand.arrivals.after_rejection(number, time_ns)
        if following is not None:
            self._schedule(following, Order.ARRIVAL, self._arrive)

    def _draw(self, number: int, time_ns: int) -> Request:
        entity = self._process.identity.name
        prompt = self._demand.prompt.draw(self._chance, entity, "prompt", number)
        prompt = min(prompt, self._served.context - 1)
        output = self._demand.output.draw(self._chance, entity, "output", number)
        return Request(number, time_ns, prompt, min(output, self._served.context - prompt))

    def _request_launch(self, time_ns: int) -> None:
        idle = self._serving and self._runtime.under_way(self._process) is None
        if idle and self._launch_ticket is None:
            self._launch_ticket = self._schedule(time_ns, Order.LAUNCH, self._launch)

    def _launch(self, time_ns: int) -> None:
        self._launch_ticket = None
        free = self._served.batch - len(self._running)
        if self._waiting and free and not self._draining:
            self._admitted = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            self._prefill(time_ns)
        elif self._running:
            self._decode(time_ns)
        elif self._draining:
            self._unload(time_ns)

    def _prefill(self, time_ns: int) -> None:
        longest = max(request.prompt for request in self._admitted)
        work = self._work("prefill", len(self._admitted), longest)
        self._runtime.execute(time_ns, self._process, (work,), 1, self._prefilled)

    def _prefilled(self, time_ns: int, _: int) -> None:
        """Prefilling yields the first token of each answer."""
        step = self._step
        for request in self._admitted:
            self._first_token.add(time_ns - request.arrived_ns)
            self._prompt_tokens += request.prompt
            self._running.append(Sequence(request, request.prompt + 1 - step, step + request.output - 1))
        self._generated_tokens += len(self._admitted)
        self._admitted = []
        self._finish_answers(time_ns)
        self._request_launch(time_ns)

    def _decode(self, time_ns: int) -> None:
        """Steps until the first answer is complete or the longest sequence outgrows its bucket: all cost the same."""
        longest = max([sequence.offset for sequence in self._running]) + self._step + 1
        remaining = min([sequence.last_step for sequence in self._running]) - self._step
        work = self._work("decode", len(self._running), longest)
        steps = min(remaining, context_bucket(longest) - longest + 1)
        self._decoding = True
        self._runtime.execute(time_ns, self._process, (work,), steps, self._decoded)

    def _decoded(self, time_ns: int, steps: int) -> None:
        self._decoding = False
        self._step += steps
        self._generated_tokens += steps * len(self._running)
        self._finish_answers(time_ns)
        self._request_launch(time_ns)

    def _finish_answers(self, time_ns: int) -> None:
        finished = [sequence.request for sequence in self._running if sequence.last_step == self._step]
        if not finished:
            return
        self._running = [sequence for sequence in self._running if sequence.last_step > self._step]
        for request in finished:
            self._completed += 1
            self._latency.add(time_ns - request.arrived_ns)
            following = self._demand.arrivals.after_completion(request.number, time_ns)
            if following is not None:
                self._schedule(following, Order.ARRIVAL, self._arrive)

    def _work(self, phase: str, sequences: int, tokens: int) -> StepWork:
        """The cost of a step in the graph compiled for it: sizes are powers of two, up to the server's own."""
        served = self._served
        batch = min(served.batch, context_bucket(sequences))
        context = min(served.context, context_bucket(tokens))
        key = (phase, batch, context)
        if key not in self._steps:
            self._steps[key] = (prefill if phase == "prefill" else decode_step)(
                served.shape,
                served.rates,
                served.constants,
                served.tp,
                served.devices,
                batch,
                context,
                served.data_type.weight_bytes,
                served.data_type.element_bytes,
            )
        return self._steps[key].work

    def _drain(self, time_ns: int) -> None:
        self._draining = True
        self._request_launch(time_ns)

    def _unload(self, time_ns: int) -> None:
        self._runtime.unload(self._process)
        self._serving = self._draining = False
        self._schedule(time_ns + self._reloads.pause_ns, Order.PROCESS, self.begin)
