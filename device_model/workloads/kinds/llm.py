"""The table of a language model server: the model, how its cache and its batches are made, and who asks for what."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.workloads.batching import Rules
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.decoder import context_bucket
from device_model.workloads.cost.footprint import pooled_image
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.kinds.program import SpecError, WorkloadSpec
from device_model.workloads.kv_cache import KvCache
from device_model.workloads.llm_server import Demand, LlmServer, Reloads, Served
from device_model.workloads.models.datatypes import DataTypeError, data_type_for
from device_model.workloads.models.lookup import UnknownModelError
from device_model.workloads.models.shapes import shape_for
from device_model.workloads.spec import MAX_TOKENS, ArrivalSpec, DataTypeName, Duration, LengthSpec, LongDuration, Part
from neurontools.hardware.chips import Chip
from neurontools.units import parse_duration_ns

BLOCK_TOKENS = 32
"""Tokens of a block of a paged cache, unless the table says otherwise: the larger of vLLM's usual 16 and 32."""


class Continuous(Part):
    """Requests join the batch as soon as there is room.

    With `chunk` their prompts are computed so many tokens a step beside the decoded sequences, without it in steps of
    their own, for which those sequences wait.
    """

    kind: Literal["continuous"]
    chunk: int | None = Field(default=None, ge=1, le=MAX_TOKENS)


class Static(Part):
    """A batch begins when it is full or its oldest request has waited for `wait`; it ends with its longest answer."""

    kind: Literal["static"]
    wait: Duration


class Slots(Part):
    """Every place of the batch has memory for a whole context."""

    kind: Literal["slots"]


class Paged(Part):
    """Sequences take blocks of `block` tokens from a pool of `blocks`; by default as many as all contexts need."""

    kind: Literal["paged"]
    block: int = Field(default=BLOCK_TOKENS, ge=1, le=MAX_TOKENS)
    blocks: int | None = Field(default=None, ge=1, le=1 << 30)


class Reload(Part):
    """The server drains, unloads its model, waits, and loads it again."""

    every: LongDuration
    pause: Duration = "10s"


class Llm(WorkloadSpec):
    """A language model server: one replica on `tp` logical NeuronCores."""

    kind: Literal["llm"]
    model: str
    tp: int = Field(ge=1, le=4096)
    batch: int = Field(default=8, ge=1, le=4096)
    context: int = Field(default=2048, ge=16, le=MAX_TOKENS)
    batching: Annotated[Continuous | Static, Field(discriminator="kind")] = Continuous(kind="continuous")
    cache: Annotated[Slots | Paged, Field(discriminator="kind")] = Slots(kind="slots")
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
        """Refuses a data type that the chip lacks, and a context that the model, its cache or its chunk cannot have."""
        try:
            data_type_for(self.data_type, chip)
        except DataTypeError as error:
            raise SpecError("data_type", str(error)) from None
        shape = shape_for(self.model)
        if self.context > shape.max_context and not shape.rotary:
            raise SpecError("context", f"{shape.name} has positions for {shape.max_context} tokens, not {self.context}")
        cache, chunk = self._kv_cache(), self._rules().chunk
        if not cache.holds(1, self.context):
            needed = f"{cache.blocks_of(self.context)} blocks of {cache.block_tokens} tokens"
            raise SpecError("cache.blocks", f"one context of {self.context} needs {needed}, found {cache.blocks}")
        if chunk > self.context:
            raise SpecError("batching.chunk", f"expected at most context ({self.context}), found {chunk}")

    def program(self, runtime: Runtime, process: Process) -> LlmServer:
        """The server in its process."""
        arrivals = self.arrivals.made(runtime.chance, process.identity.name)
        demand = Demand(arrivals, self.prompt.made(), self.output.made(), self.queue_limit)
        reloads = Reloads()
        if self.reload is not None:
            reloads = Reloads(parse_duration_ns(self.reload.every), parse_duration_ns(self.reload.pause))
        return LlmServer(runtime, process, self._served(runtime, process), demand, reloads)

    def _served(self, runtime: Runtime, process: Process) -> Served:
        tp, rules, cache = len(process.cores), self._rules(), self._kv_cache()
        shape, data_type = shape_for(self.model), data_type_for(self.data_type, runtime.node.chip)
        rates = rates_for(runtime.node.instance.name, data_type.multiplied)
        whole_prompts = self.batch * context_bucket(min(self.context, round(self.prompt.mean)))
        step_tokens = self.batch + rules.chunk if rules.chunk else whole_prompts
        return Served(
            shape=shape,
            image=pooled_image(shape, tp, cache.capacity_tokens, step_tokens, data_type),
            rates=rates,
            constants=constants_for(rates.generation),
            tp=tp,
            devices=len(process.devices),
            data_type=data_type,
            rules=rules,
            cache=cache,
        )

    def _rules(self) -> Rules:
        if isinstance(self.batching, Static):
            return Rules(self.batch, self.context, wait_ns=parse_duration_ns(self.batching.wait))
        return Rules(self.batch, self.context, chunk=self.batching.chunk or 0)

    def _kv_cache(self) -> KvCache:
        if isinstance(self.cache, Slots):
            return KvCache(self.context, self.batch)
        blocks = self.cache.blocks or self.batch * -(-self.context // self.cache.block)
        return KvCache(self.cache.block, blocks)
