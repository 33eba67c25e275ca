"""Answers, for a model on an instance: will it fit, how fast will it be, what bounds it, and how far to trust that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.machine.hbm import PAGE_BYTES, RESERVED_BYTES, Bank, OutOfMemory, Owner
from device_model.machine.node import Node
from device_model.runtime.loading import ModelImage, Piece, base_pieces
from device_model.runtime.placement import degrees
from device_model.workloads.calibration.constants import FITTED_GENERATION, calibration_for
from device_model.workloads.cost.decoder import (
    context_bucket,
    decode_seconds,
    decode_terms,
    prefill_seconds,
    prefill_terms,
)
from device_model.workloads.cost.encoder import encoder_seconds, encoder_terms
from device_model.workloads.cost.footprint import serving_image
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import CostConstants
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape
from neurontools.hardware.chips import cores_of_bank
from neurontools.hardware.instances import Instance, chip_of, core_count

GROUPS: dict[str, str] = {
    "constants": "constants",
    "tensors": "kv_tensors",
    "model_shared_scratchpad": "scratchpad",
    "model_code": "code",
}
"""The driver's categories as the planner shows them; all others are the runtime's."""
RUNTIME = "runtime"

# What the published decode rows cover; outside it a prediction is extrapolated.
_ROWS_PARAMETERS = (6.6e9, 71e9)
_ROWS_CORES = (8, 32)
_ROWS_BATCH = 256
_ROWS_CONTEXT = 16384
_ROWS_TYPES = ("bf16", "fp16", "int8")
_ROWS_ENCODER_PARAMETERS = (11e6, 340e6)


class Question(NamedTuple):
    """One row of a plan: lengths in tokens; an encoder's `context` is the length of its sequences, `prompt` too."""

    shape: ModelShape
    instance: Instance
    data_type: DataType
    degree: int
    """Logical NeuronCores of one replica."""
    batch: int
    context: int
    prompt: int


class Memory(NamedTuple):
    """The fullest bank of a replica, in bytes."""

    per_core: Mapping[str, int]
    """Group -> bytes on each physical core."""
    cores_per_bank: int
    """Physical cores of the replica on this bank."""
    needed_bytes: int
    bank_bytes: int
    fits: bool
    spare_bytes: int
    """Free bytes; below zero, what is missing."""


class Speed(NamedTuple):
    """Of a replica whose batch is always full; times in seconds."""

    replicas: int
    """That the instance has room for side by side."""
    step_seconds: float
    """Decoder: mean time per token from the prompt's end to the context's. Encoder: one batch."""
    first_token_seconds: float | None
    per_second: float
    """Tokens (an encoder's sequences) of all replicas."""
    bound: str


class Trust(NamedTuple):
    """How far to trust the speed: `median` and `p90` of relative errors, leaving out the model, of the rows alike."""

    extrapolated: bool
    reasons: tuple[str, ...]
    median: float
    p90: float


class Answer(NamedTuple):
    """One row of a plan."""

    question: Question
    memory: Memory
    speed: Speed
    trust: Trust


class DegreeError(ValueError):
    """A tensor-parallel degree that the instance cannot hold; the text lists those it can."""


def valid_degrees(instance: Instance) -> list[int]:
    """The degrees that the simulated runtime places on an instance, in logical NeuronCores."""
    return degrees(Node(instance, Chance(0), 0, chip_of(instance).default_lnc))


def check_degree(degree: int, instance: Instance) -> None:
    """Raises DegreeError for a degree that the instance cannot hold."""
    known = valid_degrees(instance)
    if degree not in known:
        listed = ", ".join(map(str, known))
        raise DegreeError(f"tp = {degree} does not fit on {instance.name}: expected one of {listed}")


def answer(question: Question) -> Answer:
    """Memory, speed and trust; ValueError for counts below one, DegreeError for a degree that does not exist."""
    check_degree(question.degree, question.instance)
    if min(question.batch, question.context, question.prompt) < 1:
        raise ValueError("batch, context and prompt must be at least 1")
    return Answer(question, memory(question), speed(question), trust(question))


def auto_degrees(question: Question) -> tuple[int, ...]:
    """The smallest degree at which the model fits, and the largest of the instance."""
    known = valid_degrees(question.instance)
    fitting = (degree for degree in known if memory(question._replace(degree=degree)).fits)
    return tuple(sorted({next(fitting, known[-1]), known[-1]}))


def ranks_of(question: Question) -> int:
    """Physical cores of one replica."""
    return question.degree * chip_of(question.instance).default_lnc


def _devices(question: Question) -> int:
    return -(-ranks_of(question) // chip_of(question.instance).cores)


def image_of(question: Question) -> ModelImage:
    """What the model takes on each core."""
    return serving_image(
        question.shape, ranks_of(question), question.batch, question.context, question.prompt, question.data_type
    )


def memory(question: Question) -> Memory:
    """Loads the model's pieces into an empty bank of the replica, with the allocator of the simulated device."""
    chip = chip_of(question.instance)
    image = image_of(question)
    cores = min(ranks_of(question), len(cores_of_bank(chip, 0)))
    groups = dict.fromkeys((*GROUPS.values(), RUNTIME), 0)
    for piece in _pieces(image):
        groups[GROUPS.get(piece.category, RUNTIME)] += -(-piece.size // PAGE_BYTES) * PAGE_BYTES
    needed = RESERVED_BYTES + cores * sum(groups.values())
    refusal = _load(image, cores, chip.bank_bytes)
    spare = chip.bank_bytes - needed
    if refusal is not None and spare >= 0:
        # The sum would fit, the pieces do not: what is missing is room in one stretch.
        spare = refusal.largest_free - refusal.requested
    return Memory(groups, cores, needed, chip.bank_bytes, refusal is None, spare)


def _pieces(image: ModelImage) -> Iterator[Piece]:
    """In the order in which the runtime takes them."""
    yield from base_pieces()
    yield from image.fixed
    for _ in range(image.layers):
        yield image.layer
    yield from image.last


def _load(image: ModelImage, cores: int, bank_bytes: int) -> OutOfMemory | None:
    bank = Bank(0, bank_bytes)
    try:
        for piece in _pieces(image):
            for core in range(cores):
                bank.allocate(piece.size, Owner(1, core, piece.category, image.name, piece.usage), piece.from_top)
    except OutOfMemory as refusal:
        return refusal
    return None


def speed(question: Question) -> Speed:
    """The calibrated cost model's answer for one replica, and for as many as the instance holds."""
    replicas = core_count(question.instance) // ranks_of(question)
    rates = rates_for(question.instance.name, question.data_type.multiplied)
    constants = calibration_for(rates.generation).constants
    if question.shape.kind == "encoder":
        return _encoder_speed(question, rates, constants, replicas)
    common = (question.shape, rates, ranks_of(question), _devices(question), question.batch)
    sizes = (question.data_type.weight_bytes, question.data_type.element_bytes)
    first = prefill_seconds(prefill_terms(*common, question.prompt, *sizes), constants)
    total, count, bound = 0.0, 0, ""
    for bucket, steps in _buckets(question.prompt, question.context):
        parts = decode_seconds(decode_terms(*common, bucket, *sizes), constants)
        total, count, bound = total + steps * parts.total, count + steps, parts.bound
    return Speed(replicas, total / count, first.total, replicas * question.batch * count / total, bound)


def _buckets(prompt: int, context: int) -> Iterator[tuple[int, int]]:
    """Each context bucket between the two lengths with its number of steps; steps of a bucket cost the same."""
    length = min(prompt + 1, context)
    while length <= context:
        edge = min(context, context_bucket(length))
        yield edge, edge - length + 1
        length = edge + 1


def _encoder_speed(question: Question, rates: CoreRates, constants: CostConstants, replicas: int) -> Speed:
    tokens = min(question.context, question.shape.max_context)
    terms = encoder_terms(
        question.shape, rates, ranks_of(question), _devices(question), question.batch, tokens,
        question.data_type.weight_bytes, question.data_type.element_bytes,
    )  # fmt: skip
    parts = encoder_seconds(terms, constants)
    return Speed(replicas, parts.total, None, replicas * question.batch / parts.total, parts.bound)


def trust(question: Question) -> Trust:
    """Calibrated where published rows are alike, extrapolated, with the reasons, where none is."""
    generation = chip_of(question.instance).core.version
    encoder = question.shape.kind == "encoder"
    reasons = tuple(_encoder_reasons(question) if encoder else _decoder_reasons(question))
    if calibration_for(generation).constants.extrapolated:
        reasons = (f"no published run on NeuronCore-{generation} was fitted", *reasons)
    rows = "encoder" if encoder else "decode"
    residuals = calibration_for(FITTED_GENERATION).residuals[f"{rows}_leave_one_model_out"]
    return Trust(bool(reasons), reasons, residuals["median"], residuals["p90"])


def _decoder_reasons(question: Question) -> Iterator[str]:
    low, high = _ROWS_PARAMETERS
    if not low <= question.shape.parameters <= high:
        yield "published models have 6.7 to 70.6 billion parameters"
    if not _ROWS_CORES[0] <= ranks_of(question) <= _ROWS_CORES[1]:
        yield f"published degrees are {_ROWS_CORES[0]} to {_ROWS_CORES[1]}"
    if question.batch > _ROWS_BATCH:
        yield f"published batches end at {_ROWS_BATCH}"
    if question.context > _ROWS_CONTEXT:
        yield f"published contexts end at {_ROWS_CONTEXT}"
    if question.data_type.name not in _ROWS_TYPES:
        yield f"no published run in {question.data_type.label}"


def _encoder_reasons(question: Question) -> Iterator[str]:
    low, high = _ROWS_ENCODER_PARAMETERS
    if not low <= question.shape.parameters <= high:
        yield "published encoders have 12 to 335 million parameters"
    if question.degree > 1:
        yield "published encoders run on one NeuronCore each"
    if question.data_type.multiplied not in ("bf16", "fp16") or question.data_type.weight_bytes != 2:
        yield f"no published run in {question.data_type.label}"


def plan(
    question: Question, data_types: Sequence[DataType], tps: Sequence[int] | None, batches: Sequence[int]
) -> list[Answer]:
    """An answer for every data type, degree (None: automatic) and batch; the other figures are `question`'s."""
    answers = []
    for data_type in data_types:
        for batch in batches:
            asked = question._replace(data_type=data_type, batch=batch)
            chosen = auto_degrees(asked) if tps is None else tuple(tps)
            answers += [answer(asked._replace(degree=degree)) for degree in chosen]
    return answers
