"""What training costs one NeuronCore, in time and in memory; pure functions, no state, no clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from device_model.machine.activity import Pattern
from device_model.machine.collectives import Algorithm
from device_model.runtime.execution import StepWork
from device_model.runtime.loading import Caches, ModelImage, Piece, decoder_image
from device_model.workloads.cost.collectives import (
    Collective,
    algorithms_for,
    choose,
    collective_cost,
    traffic_of,
    transfer,
)
from device_model.workloads.cost.decoder import weights_bytes_per_core, weights_bytes_per_core_per_layer
from device_model.workloads.cost.engines import (
    Reduction,
    Work,
    all_reduces,
    heads_per_core,
    replicated_elements,
    score_elements,
    vector_elements,
)
from device_model.workloads.cost.overlap import EngineWork, Waiting, engine_step
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, Part, StepCost
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape
from neurontools.units import MIB

STATE_BYTES = 4
"""Of each of AdamW's values: two moments and, beside narrower weights, a master copy, all in FP32."""

COPY_BLOCK_BYTES = 16 * MIB
"""What the host reads from or writes to a core at once (assumed)."""

_BACKWARD_PASSES = 2  # gradients of the inputs and of the weights: each as much work as the forward pass
_LOSS_PASSES = 4  # of the vector engine over the logits: the loss is a softmax
_LOGIT_BYTES = 4  # the loss is computed in FP32
_ADAMW_PASSES = 12  # moments 2 and 3, corrections 2, division 1, decay and update 2, casts 2 (assumed)
_GRAPH_CONSTANT_BYTES = 32 * MIB  # position tables and masks in the compiled graph of one core (assumed)


class Trained(NamedTuple):
    """What is trained, and how it is divided.

    A replica is `tp` physical cores on `devices` devices, `cores_per_rank` of them to a logical core; `dp` replicas
    each compute `micro_batch` sequences of `sequence` tokens at a time. `recompute`: only the layers' inputs are kept,
    and the forward pass is done again. `sequence_parallel`: norms, residuals and what they keep are divided among a
    replica's cores by tokens, else every core has them whole.
    """

    shape: ModelShape
    data_type: DataType
    tp: int
    devices: int
    dp: int
    micro_batch: int
    sequence: int
    recompute: bool = False
    shard_optimizer: bool = True
    sequence_parallel: bool = True
    cores_per_rank: int = 1

    @property
    def tokens(self) -> int:
        """Tokens of one micro-step of one replica."""
        return self.micro_batch * self.sequence

    @property
    def sweeps(self) -> int:
        """How often a micro-step goes through the layers: forward, backward, and forward again to recompute."""
        return 3 if self.recompute else 2

    @property
    def token_parts(self) -> int:
        """Among how many cores norms and residuals are divided."""
        return self.tp if self.sequence_parallel else 1

    @property
    def weights_bytes(self) -> int:
        """Of one core; its gradients take as much, in the weights' data type."""
        return weights_bytes_per_core(self.shape, self.tp, self.data_type.weight_bytes)

    @property
    def state_values(self) -> int:
        """What AdamW keeps of each parameter: two moments, and a master copy unless the weights are FP32."""
        return 2 if self.data_type.weight_bytes == STATE_BYTES else 3

    @property
    def parameters(self) -> int:
        """Of one core."""
        return -(-self.shape.parameters // self.tp)

    @property
    def updated_parameters(self) -> int:
        """Those of a core's parameters that it updates, and whose states it holds: ZeRO-1 shares them out."""
        return -(-self.parameters // self.dp) if self.shard_optimizer else self.parameters

    @property
    def checkpoint_bytes(self) -> int:
        """Weights and optimizer states of the model, each once."""
        return self.shape.parameters * (self.data_type.weight_bytes + self.state_values * STATE_BYTES)


class HostCopy(NamedTuple):
    """Bytes between the host and all cores, block by block; the cores are not busy meanwhile."""

    work: StepWork
    blocks: int
    total_bytes: int


def micro_step(trained: Trained, rates: CoreRates, constants: CostConstants) -> StepCost:
    """Forward and backward pass of one micro-batch, and one launch.

    The tensor engine reaches the encoders' share of its peak: they too multiply many rows with each tile of weights.
    That share was fitted with vector and scalar work coming after the multiplications, so it comes after them here.
    Each sweep reads the weights once, and writes and reads what the layers compute once (assumed: nothing is fused).
    Collectives take their transfer, as fitted to nccom-test's runs, and the fitted latency of each layer; no
    multiplication hides them (assumed).
    Of four published runs three come out 15 to 19 % too slow and one 41 % too fast: the tests have them.
    ValueError for an engine without a published speed.
    """
    matrices = EngineWork(
        tensor_flops=_flops(trained), hbm_read_bytes=_read(trained), hbm_written_bytes=_moved(trained)
    )
    logits, passes = _logits(trained), _passes(trained)
    scalar = trained.shape.layers * trained.tokens * -(-trained.shape.ffn_width // trained.tp)
    scalar += score_elements(trained.shape, trained.tp, trained.micro_batch, trained.sequence, trained.sequence)
    elements = EngineWork(
        # The last term adds this micro-step's gradients to those of the others.
        vector_elements=passes * (_vector_elements(trained) + _LOSS_PASSES * logits) + trained.parameters,
        scalar_elements=passes * (scalar + logits),
    )
    efficiency = constants.encoder_compute_efficiency
    steps = (
        engine_step(matrices, rates, constants, efficiency, Waiting(fixed=constants.encoder_seconds)),
        engine_step(elements, rates, constants, efficiency),
        _collectives(trained, rates, constants),
    )
    return _in_turn(steps, (*traffic_of(rates, trained.devices, _reduction(trained)), 0))


def update_step(trained: Trained, rates: CoreRates, constants: CostConstants, gradients: Pattern) -> StepCost:
    """The reduction of the gradients and the optimizer's step, which follow the last micro-step (no overlap, assumed).

    Shared out or not, as many bytes cross the links: gradients scattered and weights gathered are an all-reduce.
    `gradients` are the links that they cross, for each byte of one core's gradients.
    ValueError for an engine without a published speed.
    """
    updated = trained.updated_parameters
    # States, and the gradients that become weights.
    moved = updated * (trained.state_values * STATE_BYTES + trained.data_type.weight_bytes)
    work = EngineWork(
        vector_elements=_ADAMW_PASSES * updated,
        scalar_elements=updated,  # the square root
        hbm_read_bytes=moved,
        hbm_written_bytes=moved,
    )
    waiting = Waiting(fixed=constants.encoder_seconds)
    optimizer = engine_step(work, rates, constants, constants.encoder_compute_efficiency, waiting)
    untouched = traffic_of(rates, trained.devices, Reduction(0, 0))
    if trained.dp == 1:
        return optimizer._replace(work=optimizer.work._replace(traffic=(*untouched, 0)))
    payload = Collective("all-reduce", trained.weights_bytes, ranks=trained.dp, cores_per_rank=1)
    ring = Algorithm(gradients, 2 * (trained.dp - 1))
    reduction = collective_cost(rates, (ring,), payload).step
    return _in_turn((reduction, optimizer), (*untouched, *reduction.work.traffic))


def host_copy(total_bytes: int, cores: int, bytes_per_s: float, patterns: int, *, to_host: bool) -> HostCopy:
    """A copy of `total_bytes`, an even part of them from or to each core, whose group has `patterns` patterns."""
    blocks = -(-total_bytes // (cores * COPY_BLOCK_BYTES))
    block_bytes = total_bytes // (cores * blocks)
    duration_ns = max(1, math.ceil(total_bytes / bytes_per_s / blocks * 1e9))
    idle = StepWork(duration_ns, 0, 0, 0, 0, 0, 0, 0, 0, traffic=(0,) * patterns, idle_ns=duration_ns)
    copied = idle._replace(hbm_read_bytes=block_bytes) if to_host else idle._replace(hbm_written_bytes=block_bytes)
    return HostCopy(copied, blocks, total_bytes)


def training_image(trained: Trained) -> ModelImage:
    """The pieces on each core: weights, gradients and states are tensors, what the passes compute is scratchpad.

    Kept for the backward pass: what every layer computes, or only its input and, while it is recomputed, one layer.
    """
    shape, layer = trained.shape, _layer_bytes(trained)
    inputs = trained.tokens * -(-shape.width // trained.token_parts) * trained.data_type.element_bytes
    kept = shape.layers * inputs + layer if trained.recompute else shape.layers * layer
    scratch = kept + _logits(trained) * _LOGIT_BYTES
    ranks = trained.tp * trained.dp
    image = decoder_image(shape.name, shape.layers, _GRAPH_CONSTANT_BYTES, Caches(0, 0), scratch, ranks)
    stored = weights_bytes_per_core_per_layer(shape, trained.tp, trained.data_type.weight_bytes)
    outer = trained.weights_bytes - shape.stored_layers * stored
    states = trained.updated_parameters * STATE_BYTES
    sizes = [stored] * shape.stored_layers + [outer, trained.weights_bytes] + [states] * trained.state_values
    return image._replace(last=(*image.last, *[Piece("tensors", "tensors", size) for size in sizes if size]))


def _forward(trained: Trained) -> Work:
    element, weight = trained.data_type.element_bytes, trained.data_type.weight_bytes
    return Work(trained.shape, trained.tp, trained.micro_batch, trained.sequence, trained.sequence, weight, element)


def _passes(trained: Trained) -> int:
    return (2 if trained.recompute else 1) + _BACKWARD_PASSES


def _flops(trained: Trained) -> int:
    forward = _forward(trained)
    dense = 2 * trained.shape.multiplied_parameters * trained.tokens // trained.tp
    return _passes(trained) * (dense + forward.attention_flops)


def _logits(trained: Trained) -> int:
    """Those of one core; an encoder is trained without a head over the vocabulary (assumed)."""
    shape = trained.shape
    return trained.tokens * -(-shape.vocabulary // trained.tp) if shape.kind == "decoder" else 0


def _vector_elements(trained: Trained) -> int:
    """Of the forward pass on one core."""
    replicated = replicated_elements(trained.shape, trained.tokens)
    return vector_elements(_forward(trained)) - replicated + -(-replicated // trained.token_parts)


def _reduction(trained: Trained) -> Reduction:
    """Every sweep reduces as often as the forward pass.

    Where tokens are divided, an all-reduce is a reduce-scatter and, later, an all-gather, and the backward pass gathers
    the inputs of every block once more (as Megatron-LM does): two all-gathers count as an all-reduce.
    """
    once = all_reduces(trained.shape, trained.tp, trained.tokens, trained.data_type.element_bytes)
    gathered_again = once.times // 2 if trained.sequence_parallel else 0
    return once._replace(times=trained.sweeps * once.times + gathered_again)


def _collectives(trained: Trained, rates: CoreRates, constants: CostConstants) -> StepCost:
    """Those of a micro-step among the cores of a replica."""
    times, payload_bytes = _reduction(trained)
    algorithms = algorithms_for(rates.instance, trained.devices)
    ranks = trained.tp // trained.cores_per_rank
    collective = Collective("all-reduce", payload_bytes, ranks, trained.cores_per_rank)
    moved = transfer(rates, algorithms[choose(algorithms, payload_bytes)], collective)
    synchronised = trained.sweeps * trained.shape.layers * constants.layer_seconds if times else 0.0
    seconds = times * moved.seconds + synchronised
    duration_ns = math.ceil(seconds * 1e9)
    read_bytes, written_bytes = times * moved.read_bytes, times * moved.written_bytes
    work = StepWork(duration_ns, duration_ns, 0, 0, 0, 0, 0, read_bytes, written_bytes)
    return StepCost(work, (Part("collectives", seconds),) if times else (), "collectives")


def _layer_bytes(trained: Trained) -> int:
    """What one layer computes: the inputs and outputs of its blocks and norms; always divided among the cores queries,
    keys, values, scores, their weighted values, and the feed-forward block's inner values."""
    shape, tp = trained.shape, trained.tp
    whole = -(-4 * shape.width // trained.token_parts)
    heads = heads_per_core(shape, tp) * (4 * shape.head_dim + trained.sequence)
    inner = (3 if shape.gated_ffn else 2) * -(-shape.ffn_width // tp)
    return trained.tokens * (whole + heads + inner) * trained.data_type.element_bytes


def _moved(trained: Trained) -> int:
    """Bytes of a micro-step that are written: the layers' values on every sweep, and the summed gradients."""
    return trained.sweeps * trained.shape.layers * _layer_bytes(trained) + trained.weights_bytes


def _read(trained: Trained) -> int:
    """What is written is read too; on every sweep the weights are."""
    streamed = math.ceil(trained.shape.streamed_parameters * trained.data_type.weight_bytes / trained.tp)
    return _moved(trained) + trained.sweeps * streamed


def _in_turn(steps: Sequence[StepCost], traffic: tuple[int, ...]) -> StepCost:
    """One after the other, as one step."""
    counts = [name for name in StepWork._fields if name != "traffic"]
    sums = {name: sum(getattr(step.work, name) for step in steps) for name in counts}
    parts = tuple(part for step in steps for part in step.parts)
    return StepCost(StepWork(**sums, traffic=traffic), parts, max(parts, key=lambda part: part.seconds).name)
