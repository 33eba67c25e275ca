"""What a pipeline of cores costs: an encoder's blocks divided over its stages, which all work in one beat.

Weights are streamed from device memory in every beat. On Inferentia the compiler of such a pipeline keeps them in the
cores' on-chip memory where they fit (AWS docs: neuroncore-pipeline), but how large that is was never published, so it
is not modelled: a real pipeline of small stages has a shorter beat.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from device_model.machine.activity import Pattern
from device_model.runtime.execution import StepWork
from device_model.workloads.cost.decoder import streamed_bytes_per_core
from device_model.workloads.cost.encoder import encoder_seconds, encoder_step, encoder_terms
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost, TermSeconds
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape
from neurontools.hardware.topology import Adjacency, route


class Stage(NamedTuple):
    """Neighbouring blocks of a model: their weights, and the multiply-adds that a token takes in them."""

    parameters: int
    multiplications: int


class Beat(NamedTuple):
    """What a batch costs each stage that it goes through, and what a stage costs that holds none.

    All last as long as the slowest stage needs; `idle_ns` of a stage's work is what it needs less.
    """

    stages: tuple[StepCost, ...]
    empty: tuple[StepWork, ...]

    @property
    def duration_ns(self) -> int:
        """From one batch leaving a stage to the next."""
        return self.stages[0].work.duration_ns

    @property
    def slowest(self) -> int:
        """The position of the stage that decides the beat."""
        return min(range(len(self.stages)), key=lambda position: self.stages[position].work.idle_ns)


class Line(NamedTuple):
    """The cores that a batch goes through: `tp` physical cores on `devices` devices for each stage.

    `crossings` says for every stage but the last whether the next one is on another device.
    """

    rates: CoreRates
    constants: CostConstants
    tp: int
    devices: int
    crossings: tuple[bool, ...]


def one_stage(cost: StepCost) -> Beat:
    """The beat of a model that is not divided."""
    return Beat((cost,), (_resting(cost.work),))


def handover(neighbours: Adjacency, sender: int, receiver: int) -> Pattern:
    """The way of activations from a stage on device `sender` to the next on `receiver`: a shortest one over links."""
    way = route(neighbours, sender, receiver)
    return Pattern("next stage", tuple((edge, 1) for edge in pairwise(way)))


@lru_cache(maxsize=256)
def divided(shape: ModelShape, tokens: int, stages: int) -> tuple[Stage, ...]:
    """The model's blocks divided into stages, the largest of which has as little to multiply as can be.

    Work is counted for sequences of `tokens` tokens. ValueError where there are fewer blocks than stages.
    """
    blocks = _blocks(shape, tokens) * shape.layers
    if not 1 <= stages <= len(blocks):
        raise ValueError(f"{shape.name} can be divided into 1 to {len(blocks)} stages, not {stages}")
    low = max(block.multiplications for block in blocks)
    high = sum(block.multiplications for block in blocks)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_filled(blocks, middle, 1)) <= stages else (middle + 1, high)
    return tuple(_stage(shape, part) for part in _filled(blocks, low, stages))


def _blocks(shape: ModelShape, tokens: int) -> tuple[Stage, ...]:
    """One layer, which can be cut around its attention and between the halves of its feed-forward block (assumed).

    Every token is scored against all tokens of its sequence and then weighs their values.
    """
    queries, keys = (shape.head_dim * heads for heads in (shape.heads, shape.kv_heads))
    projections = shape.width * (queries + 2 * keys)
    output = queries * shape.width
    narrow = shape.ffn_width * shape.width
    wide = shape.ffn_parameters - narrow
    return (
        Stage(projections, projections),
        Stage(output, output + 2 * tokens * queries),
        Stage(wide, wide),
        Stage(narrow, narrow),
    )


def _filled(blocks: tuple[Stage, ...], most: int, least_parts: int) -> list[list[Stage]]:
    """Consecutive blocks, as many in each part as stay within `most` multiply-adds and leave one for the parts due."""
    parts: list[list[Stage]] = []
    room = -1
    for position, block in enumerate(blocks):
        if block.multiplications > room or len(blocks) - position <= least_parts - len(parts):
            parts.append([])
            room = most
        parts[-1].append(block)
        room -= block.multiplications
    return parts


def _stage(shape: ModelShape, blocks: list[Stage]) -> Stage:
    """Where all layers are one stored layer, a stage has each of its blocks once."""
    parameters = sum(block.parameters for block in blocks)
    if shape.layers_share_weights:
        parameters = min(parameters, shape.streamed_parameters)
    return Stage(parameters, sum(block.multiplications for block in blocks))


def pipeline_beat(shape: ModelShape, line: Line, batch: int, tokens: int, data_type: DataType) -> Beat:
    """A batch of `batch` sequences of `tokens` tokens in every stage of a line; one stage is a model that is whole.

    Each stage takes its share of the whole model's time and the fixed part of a batch (assumed: a stage is a graph of
    its own), then sends the activations on. Over a link they go at its data-sheet rate, as large collectives do, and
    this time counts as collectives (assumed: nothing overlaps it); within a device they go through its memory only.
    ValueError for a count below one, more stages than blocks, or devices without a link.
    """
    sizes = (line.tp, line.devices, batch, tokens, data_type.weight_bytes, data_type.element_bytes)
    whole = encoder_step(shape, line.rates, line.constants, *sizes)
    if not line.crossings:
        return one_stage(whole)
    seconds = encoder_seconds(encoder_terms(shape, line.rates, *sizes), line.constants)
    streamed = streamed_bytes_per_core(shape, line.tp, data_type.weight_bytes)
    sent = batch * tokens * shape.width * data_type.element_bytes
    shares = divided(shape, tokens, len(line.crossings) + 1)
    total = sum(share.multiplications for share in shares)
    stages = []
    for share, crosses in zip(shares, (*line.crossings, False), strict=True):
        weights = share.parameters / shape.streamed_parameters
        work = share.multiplications / total
        crossing = sent / line.rates.link_bytes_per_s if crosses else 0.0
        parts = _of_stage(seconds, line.constants.encoder_seconds, weights, work, crossing)
        activity = _activity(whole.work, parts, work, crossing, int(streamed * weights))
        stages.append(StepCost(activity, parts.parts, parts.bound))
    return _in_one_beat(stages, sent)


def _of_stage(seconds: TermSeconds, fixed: float, weights: float, work: float, crossing: float) -> TermSeconds:
    """A stage with the given shares of the model's weights and of its work; times in seconds."""
    return TermSeconds(
        weights=seconds.weights * weights,
        compute=seconds.compute * work,
        widening=seconds.widening * weights,
        attention=seconds.attention * work,
        link=seconds.link * work + crossing,
        vector=seconds.vector * work,
        latency=(seconds.latency - fixed) * work + fixed,
    )


def _activity(whole: StepWork, parts: TermSeconds, work: float, crossing: float, streamed: int) -> StepWork:
    """A stage's part of what the whole model does; every stage reads a batch's activations and writes them."""
    duration = math.ceil(parts.total * 1e9)
    edge = whole.hbm_written_bytes
    return StepWork(
        duration_ns=duration,
        collectives_ns=min(duration, int(whole.collectives_ns * work + crossing * 1e9)),
        tensor_ns=min(duration, int(whole.tensor_ns * work)),
        vector_ns=min(duration, int(whole.vector_ns * work)),
        scalar_ns=min(duration, int(whole.scalar_ns * work)),
        gpsimd_ns=min(duration, int(whole.gpsimd_ns * work)),
        flops=int(whole.flops * work),
        hbm_read_bytes=streamed + edge,
        hbm_written_bytes=edge,
        traffic=tuple(int(payload * work) for payload in whole.traffic),
    )


def _in_one_beat(stages: list[StepCost], sent_bytes: int) -> Beat:
    """All stages as long as the slowest; each but the last sends its activations the way of one more pattern."""
    beat_ns = max(stage.work.duration_ns for stage in stages)
    filled = []
    for position, stage in enumerate(stages):
        traffic = stage.work.traffic if position == len(stages) - 1 else (*stage.work.traffic, sent_bytes)
        idle_ns = beat_ns - stage.work.duration_ns
        filled.append(stage._replace(work=stage.work._replace(duration_ns=beat_ns, traffic=traffic, idle_ns=idle_ns)))
    return Beat(tuple(filled), tuple(_resting(stage.work) for stage in filled))


def _resting(work: StepWork) -> StepWork:
    """Nothing, for as long as `work`."""
    return StepWork(
        duration_ns=work.duration_ns,
        collectives_ns=0,
        tensor_ns=0,
        vector_ns=0,
        scalar_ns=0,
        gpsimd_ns=0,
        flops=0,
        hbm_read_bytes=0,
        hbm_written_bytes=0,
        traffic=(0,) * len(work.traffic),
        idle_ns=work.duration_ns,
    )
