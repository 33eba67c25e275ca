"""What a step of a transformer asks of one core's engines: FLOPs, passes over elements, collective payload."""

from __future__ import annotations

import math
from typing import NamedTuple

from device_model.runtime.execution import StepWork
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost, StepTerms, TermSeconds
from device_model.workloads.models.families import ModelShape

ACTIVATION_BYTES = 2  # BF16 between layers and in collectives, as in the published runs
PARTITIONS = 128  # rows of the PE array, lanes of the vector and scalar engines
_COLLECTIVES_PER_LAYER = 2  # after attention and after the feed-forward block
_COMPUTE_BYTES = 2  # narrower weights are widened to BF16 on the vector engine: the PE array multiplies equal types

# Passes of an engine over one element. Assumed from the operators' definitions; the published rows time no engine.
_NORM_PASSES = 5  # square, sum, scale, weight, cast
_SOFTMAX_VECTOR_PASSES = 4  # maximum, subtract, sum, scale; the exponential is the scalar engine's
_ROTARY_PASSES = 4
_SAMPLING_PASSES = 3  # scale, maximum, index


class Reduction(NamedTuple):
    """All-reduces of a step: how many, and the payload of each in bytes."""

    times: int
    payload_bytes: int


class Work(NamedTuple):
    """A step's extent: every sequence of the batch brings `queries` tokens that attend to `keys` positions."""

    shape: ModelShape
    tp: int
    batch: int
    queries: int
    keys: int
    weight_bytes: float
    element_bytes: int

    @property
    def tokens(self) -> int:
        """Tokens that go through the layers."""
        return self.batch * self.queries

    @property
    def attention_flops(self) -> int:
        """Scores and weighted values of this core: two multiply-adds per score element and head dimension."""
        return 4 * self.shape.head_dim * score_elements(self.shape, self.tp, self.batch, self.queries, self.keys)


def heads_per_core(shape: ModelShape, tp: int) -> int:
    """Query heads of one core; heads are padded up to a multiple of `tp` (inferred from published runs)."""
    return -(-shape.heads // tp)


def all_reduces(shape: ModelShape, tp: int, tokens: int, bytes_per_element: int = ACTIVATION_BYTES) -> Reduction:
    """The collectives of a step over `tokens` tokens; nothing to reduce on one core."""
    times = _COLLECTIVES_PER_LAYER * shape.layers if tp > 1 else 0
    return Reduction(times, tokens * shape.width * bytes_per_element)


def widened_weights(shape: ModelShape, tp: int, weight_bytes_per_parameter: float) -> float:
    """Weights of one core that the vector engine widens each step."""
    return shape.streamed_parameters / tp if weight_bytes_per_parameter < _COMPUTE_BYTES else 0


def replicated_elements(shape: ModelShape, tokens: int) -> int:
    """Passes over the residual stream: two norms and the additions after the collectives, not split by `tp`."""
    return shape.layers * tokens * (2 * _NORM_PASSES + _COLLECTIVES_PER_LAYER) * shape.width


def score_elements(shape: ModelShape, tp: int, batch: int, queries: int, keys: int) -> int:
    """Attention scores that one core computes in all layers; causal graphs compute the masked half too (assumed)."""
    return shape.layers * heads_per_core(shape, tp) * batch * queries * keys


def step_cost(
    work: Work,
    rates: CoreRates,
    constants: CostConstants,
    parts: TermSeconds,
    read: int,
    written: int,
    traffic: tuple[int, ...],
) -> StepCost:
    """The step as counters show it: the calibrated duration, and engine activity from the passes over its elements."""
    duration = math.ceil(parts.total * 1e9)
    waiting = parts.link + (work.shape.layers * constants.layer_seconds if work.tp > 1 else 0.0)
    share = constants.engine_share(rates.chip)

    def active(amount: float, rate: float) -> int:
        # The engines' pass counts are assumed, so a corner may exceed the calibrated duration; activity never does.
        return min(int(engine_seconds(amount, rate * share) * 1e9), duration)

    step = StepWork(
        duration_ns=duration,
        collectives_ns=min(int(waiting * 1e9), duration),
        tensor_ns=active(_tensor_flops(work), rates.peak_flops),
        vector_ns=active(vector_elements(work), rates.vector_flops * constants.vector_efficiency),
        scalar_ns=active(_scalar_elements(work), rates.scalar_flops * constants.scalar_efficiency),
        gpsimd_ns=active(_gpsimd_operations(work), rates.gpsimd_ops_per_s * constants.gpsimd_efficiency),
        flops=2 * work.shape.multiplied_parameters * work.tokens // work.tp + work.attention_flops,
        hbm_read_bytes=read,
        hbm_written_bytes=written,
        traffic=traffic,
    )
    return StepCost(step, parts.parts, parts.bound)


def engine_seconds(amount: float, rate: float) -> float:
    """Seconds for an amount of work; zero for an engine that the generation lacks."""
    return amount / rate if rate > 0 else 0.0


def vector_seconds(seconds: float, terms: StepTerms, constants: CostConstants) -> float:
    """What `seconds` at the vector engine's data-sheet rate take on this chip."""
    return seconds / (constants.vector_efficiency * constants.engine_share(terms.chip))


def _tensor_flops(work: Work) -> float:
    """Loading a tile of weights takes the PE array 128 cycles, so fewer than 128 rows cost as much as 128 (assumed)."""
    dense = 2 * work.shape.multiplied_parameters * max(work.tokens, PARTITIONS) / work.tp
    attention = work.attention_flops * max(work.queries, PARTITIONS) / work.queries
    return dense + attention


def vector_elements(work: Work) -> int:
    """Norms and residuals on every core; rotary positions, gating, softmax and widening on the core's own share."""
    shape = work.shape
    rotary = _ROTARY_PASSES * heads_per_core(shape, work.tp) * shape.head_dim if shape.rotary else 0
    share = rotary + -(-shape.ffn_width // work.tp)
    softmax = _SOFTMAX_VECTOR_PASSES * score_elements(shape, work.tp, work.batch, work.queries, work.keys)
    own = shape.layers * work.tokens * share + softmax + math.ceil(widened_weights(shape, work.tp, work.weight_bytes))
    return replicated_elements(shape, work.tokens) + own


def _scalar_elements(work: Work) -> int:
    """The exponential of every score and the activation function of the feed-forward block."""
    activations = work.shape.layers * work.tokens * -(-work.shape.ffn_width // work.tp)
    return activations + score_elements(work.shape, work.tp, work.batch, work.queries, work.keys)


def _gpsimd_operations(work: Work) -> int:
    """Sampling one token per sequence over the core's share of the vocabulary."""
    return _SAMPLING_PASSES * work.batch * -(-work.shape.vocabulary // work.tp)
