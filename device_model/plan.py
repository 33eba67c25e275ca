"""Answers, for a model on an instance: will it fit, how fast will it be, what bounds it, and how far to trust that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.machine.hbm import PAGE_BYTES, RESERVED_BYTES, Bank, OutOfMemory, Owner
from device_model.machine.node import Node
from device_model.runtime.loading import ModelImage, Piece, base_pieces
from device_model.runtime.placement import degrees
from device_model.workloads.calibration.constants import calibration_for
from device_model.workloads.calibration.trust import Run, Trust, trust_in
from device_model.workloads.cost.cnn import cnn_seconds, cnn_terms
from device_model.workloads.cost.decoder import (
    context_bucket,
    decode_seconds,
    decode_terms,
    prefill_seconds,
    prefill_terms,
)
from device_model.workloads.cost.encoder import encoder_seconds, encoder_terms
from device_model.workloads.cost.footprint import cnn_image, encoder_image, serving_image
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import CostConstants, TermSeconds
from device_model.workloads.models.cnns import CnnShape
from device_model.workloads.models.datatypes import DataType, label_of
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

Shape = ModelShape | CnnShape
"""What can be planned."""


class Question(NamedTuple):
    """One row of a plan: lengths in tokens; an encoder's `context` is the length of its sequences, `prompt` too.

    A vision transformer's lengths are its own, and a convolutional network has none: there both are not looked at.
    """

    shape: Shape
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
    """Decoder: mean time per token from the prompt's end to the context's. Others: one batch."""
    first_token_seconds: float | None
    per_second: float
    """Tokens, sequences or images of all replicas, see `unit_of`."""
    bound: str


class Answer(NamedTuple):
    """One row of a plan."""

    question: Question
    memory: Memory
    speed: Speed
    trust: Trust


class DegreeError(ValueError):
    """A tensor-parallel degree that the instance or the model cannot have; the text lists those it can."""


def unit_of(shape: Shape) -> str:
    """What a model's speed counts: "tokens" that it generates, or "sequences" or "images" that it is fed."""
    if isinstance(shape, CnnShape) or not shape.vocabulary:
        return "images"
    return "tokens" if shape.kind == "decoder" else "sequences"


def tokens_of(shape: ModelShape, context: int) -> int:
    """Tokens of the longest sequence: at most what the model takes; a vision transformer has always as many."""
    return min(context, shape.max_context) if shape.vocabulary else shape.max_context


def valid_degrees(instance: Instance) -> list[int]:
    """The degrees that the simulated runtime places on an instance, in logical NeuronCores."""
    return degrees(Node(instance, Chance(0), 0, chip_of(instance).default_lnc))


def check_degree(degree: int, shape: Shape, instance: Instance) -> None:
    """Raises DegreeError for a degree that the instance cannot hold, or that the model cannot be split over."""
    if isinstance(shape, CnnShape) and degree != 1:
        raise DegreeError(
            f"tp = {degree}: {shape.name} is a convolutional network and runs on one NeuronCore, expected 1"
        )
    known = valid_degrees(instance)
    if degree not in known:
        listed = ", ".join(map(str, known))
        raise DegreeError(f"tp = {degree} does not fit on {instance.name}: expected one of {listed}")


def answer(question: Question) -> Answer:
    """Memory, speed and trust; ValueError for counts below one, DegreeError for a degree that does not exist."""
    check_degree(question.degree, question.shape, question.instance)
    if min(question.batch, question.context, question.prompt) < 1:
        raise ValueError("batch, context and prompt must be at least 1")
    return Answer(question, memory(question), speed(question), trust(question))


def auto_degrees(question: Question) -> tuple[int, ...]:
    """The smallest degree at which the model fits, and the largest of the instance; 1 for a convolutional network."""
    if isinstance(question.shape, CnnShape):
        return (1,)
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
    shape, batch, data_type = question.shape, question.batch, question.data_type
    if isinstance(shape, CnnShape):
        return cnn_image(shape, _images_per_core(question), data_type)
    if shape.kind == "encoder":
        return encoder_image(shape, ranks_of(question), batch, tokens_of(shape, question.context), data_type)
    return serving_image(shape, ranks_of(question), batch, question.context, question.prompt, data_type)


def _images_per_core(question: Question) -> int:
    """The physical cores of a logical one divide a batch among them, as in the simulated server."""
    return -(-question.batch // ranks_of(question))


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
    shape = question.shape
    replicas = core_count(question.instance) // ranks_of(question)
    rates = rates_for(question.instance.name, question.data_type.multiplied)
    constants = calibration_for(rates.generation).constants
    if isinstance(shape, CnnShape):
        images = _images_per_core(question)
        parts = cnn_seconds(cnn_terms(shape, rates, images, question.data_type.weight_bytes), constants)
    elif shape.kind == "encoder":
        parts = _encoder_seconds(question, shape, rates, constants)
    else:
        return _decoder_speed(question, shape, rates, constants, replicas)
    return Speed(replicas, parts.total, None, replicas * question.batch / parts.total, parts.bound)


def _encoder_seconds(question: Question, shape: ModelShape, rates: CoreRates, constants: CostConstants) -> TermSeconds:
    terms = encoder_terms(
        shape, rates, ranks_of(question), _devices(question), question.batch, tokens_of(shape, question.context),
        question.data_type.weight_bytes, question.data_type.element_bytes,
    )  # fmt: skip
    return encoder_seconds(terms, constants)


def _decoder_speed(
    question: Question, shape: ModelShape, rates: CoreRates, constants: CostConstants, replicas: int
) -> Speed:
    common = (shape, rates, ranks_of(question), _devices(question), question.batch)
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


def trust(question: Question) -> Trust:
    """Calibrated where published rows are alike, extrapolated, with the reasons, where none is."""
    shape, generation = question.shape, chip_of(question.instance).core.version
    if isinstance(shape, CnnShape):
        tokens = None
    else:
        tokens = question.context if shape.kind == "decoder" else tokens_of(shape, question.context)
    kind = question.data_type._replace(label=label_of(question.data_type, chip_of(question.instance)))
    return trust_in(Run(generation, shape, False, question.degree, question.batch, tokens, kind))


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
