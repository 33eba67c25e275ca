"""What one step of a language model costs one NeuronCore: time, engine activity, FLOPs, memory and collective bytes.

It must not hold state, draw chance or know a clock: every function here is pure.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from device_model.runtime.execution import StepWork
from device_model.workloads.cost.collectives import all_reduce_seconds, traffic_of
from device_model.workloads.cost.engines import (
    ACTIVATION_BYTES,
    PARTITIONS,
    Work,
    all_reduces,
    engine_seconds,
    heads_per_core,
    replicated_elements,
    score_elements,
    step_cost,
    vector_seconds,
    widened_weights,
)
from device_model.workloads.cost.rates import CoreRates as CoreRates
from device_model.workloads.cost.rates import rates_for as rates_for
from device_model.workloads.cost.steps import CostConstants as CostConstants
from device_model.workloads.cost.steps import StepCost as StepCost
from device_model.workloads.cost.steps import StepTerms, TermSeconds
from device_model.workloads.models.families import ModelShape
from neurontools.hardware.instances import lookup

SCORE_BYTES = 4  # attention scores are kept in FP32


@lru_cache(maxsize=4096)
def context_bucket(tokens: int) -> int:
    """The smallest power of two that holds `tokens`: compiled graphs exist for these lengths only."""
    return 1 << max(0, tokens - 1).bit_length()


def weights_bytes_per_core_per_layer(shape: ModelShape, tp: int, weight_bytes_per_parameter: float) -> int:
    """Bytes of one stored layer's matrices on one core; unpadded, as padding them predicts unseen models worse."""
    return math.ceil((shape.attention_parameters + shape.ffn_parameters) * weight_bytes_per_parameter / tp)


def weights_bytes_per_core(shape: ModelShape, tp: int, weight_bytes_per_parameter: float) -> int:
    """Bytes of all parameters on one core, embeddings split like everything else."""
    outer = math.ceil(shape.outer_parameters * weight_bytes_per_parameter / tp)
    return outer + shape.stored_layers * weights_bytes_per_core_per_layer(shape, tp, weight_bytes_per_parameter)


def kv_bytes_per_core_per_layer(
    shape: ModelShape, tp: int, sequences: int, max_length: int, bytes_per_element: int = ACTIVATION_BYTES
) -> int:
    """Bytes of one layer's keys and values on one core: one head per padded query head, whatever `kv_heads` says."""
    return 2 * heads_per_core(shape, tp) * shape.head_dim * sequences * max_length * bytes_per_element


def kv_bytes_per_core(
    shape: ModelShape, tp: int, sequences: int, max_length: int, bytes_per_element: int = ACTIVATION_BYTES
) -> int:
    """Bytes of the whole KV cache on one core, for `sequences` of up to `max_length` tokens."""
    return shape.layers * kv_bytes_per_core_per_layer(shape, tp, sequences, max_length, bytes_per_element)


def streamed_bytes_per_core(shape: ModelShape, tp: int, weight_bytes_per_parameter: float) -> int:
    """Bytes of weights that one step reads on one core: the input tables are looked up, not streamed."""
    return math.ceil(shape.streamed_parameters * weight_bytes_per_parameter / tp)


def decode_terms(
    shape: ModelShape,
    rates: CoreRates,
    tp: int,
    devices: int,
    batch: int,
    context: int,
    weight_bytes_per_parameter: float,
    kv_bytes_per_element: int = ACTIVATION_BYTES,
) -> StepTerms:
    """The ideal parts of one decode step; ValueError for a count below one or devices without a link."""
    check_counts(rates, tp, devices, batch, context)
    bucket = context_bucket(context)
    row_blocks = -(-batch * heads_per_core(shape, tp) // PARTITIONS)
    return StepTerms(
        chip=rates.chip,
        weights=streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter) / rates.hbm_bytes_per_s,
        compute=2 * shape.multiplied_parameters * batch / (tp * rates.peak_flops),
        widening=engine_seconds(widened_weights(shape, tp, weight_bytes_per_parameter), rates.vector_flops),
        attention=kv_bytes_per_core(shape, tp, batch, bucket, kv_bytes_per_element) / rates.hbm_bytes_per_s,
        link=all_reduce_seconds(rates, devices, all_reduces(shape, tp, batch, kv_bytes_per_element)),
        vector=engine_seconds(replicated_elements(shape, batch), rates.vector_flops),
        layers=shape.layers,
        positions=shape.layers * bucket * row_blocks,
    )


def decode_seconds(terms: StepTerms, constants: CostConstants) -> TermSeconds:
    """The parts of a decode step's duration under the fitted constants."""
    return TermSeconds(
        weights=terms.weights / constants.weights_efficiency,
        compute=terms.compute / (constants.compute_efficiency * constants.engine_share(terms.chip)),
        widening=vector_seconds(terms.widening, terms, constants),
        attention=terms.attention / constants.kv_efficiency + terms.positions * constants.position_seconds,
        link=terms.link / constants.link_efficiency,
        vector=vector_seconds(terms.vector, terms, constants),
        latency=terms.layers * constants.layer_seconds,
    )


def prefill_terms(
    shape: ModelShape,
    rates: CoreRates,
    tp: int,
    devices: int,
    batch: int,
    prompt_tokens: int,
    weight_bytes_per_parameter: float,
    kv_bytes_per_element: int = ACTIVATION_BYTES,
) -> StepTerms:
    """The ideal parts of one prefill; ValueError for a count below one or devices without a link."""
    check_counts(rates, tp, devices, batch, prompt_tokens)
    bucket = context_bucket(prompt_tokens)
    work = Work(shape, tp, batch, bucket, bucket, weight_bytes_per_parameter, kv_bytes_per_element)
    return _prompt_terms(work, rates, devices)


def _prompt_terms(work: Work, rates: CoreRates, devices: int) -> StepTerms:
    """The ideal parts of computing tokens of prompts, which attend to positions of their own prompt."""
    shape, tp = work.shape, work.tp
    return StepTerms(
        chip=rates.chip,
        weights=streamed_bytes_per_core(shape, tp, work.weight_bytes) / rates.hbm_bytes_per_s,
        compute=2 * shape.multiplied_parameters * work.tokens / (tp * rates.peak_flops),
        widening=engine_seconds(widened_weights(shape, tp, work.weight_bytes), rates.vector_flops),
        attention=_score_bytes(work) / rates.hbm_bytes_per_s,
        link=all_reduce_seconds(rates, devices, all_reduces(shape, tp, work.tokens, work.element_bytes)),
        vector=engine_seconds(replicated_elements(shape, work.tokens), rates.vector_flops),
        layers=shape.layers,
        positions=0,
    )


def _score_bytes(work: Work) -> int:
    return score_elements(work.shape, work.tp, work.batch, work.queries, work.keys) * SCORE_BYTES


def prefill_seconds(terms: StepTerms, constants: CostConstants) -> TermSeconds:
    """The parts of a prefill's duration under the fitted constants; its large collectives run at the links' rate.

    A fitted share of that rate came out above one, and predicted unseen models worse.
    """
    return TermSeconds(
        weights=terms.weights / constants.weights_efficiency,
        compute=terms.compute / (constants.prefill_compute_efficiency * constants.engine_share(terms.chip)),
        widening=vector_seconds(terms.widening, terms, constants),
        attention=terms.attention / constants.prefill_score_efficiency,
        link=terms.link,
        vector=vector_seconds(terms.vector, terms, constants),
        latency=terms.layers * constants.layer_seconds + constants.prefill_seconds,
    )


def decode_step(
    shape: ModelShape,
    rates: CoreRates,
    constants: CostConstants,
    tp: int,
    devices: int,
    batch: int,
    context: int,
    weight_bytes_per_parameter: float,
    kv_bytes_per_element: int = ACTIVATION_BYTES,
) -> StepCost:
    """One token for each of `batch` sequences on a replica of `tp` cores over `devices` devices.

    `context` is the longest sequence in tokens, the new one included; the KV read covers its power-of-two bucket.
    ValueError for a count below one or devices without a link.
    """
    terms = decode_terms(shape, rates, tp, devices, batch, context, weight_bytes_per_parameter, kv_bytes_per_element)
    keys = context_bucket(context)
    read = streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter)
    read += kv_bytes_per_core(shape, tp, batch, keys, kv_bytes_per_element)
    written = kv_bytes_per_core(shape, tp, batch, 1, kv_bytes_per_element)
    work = Work(shape, tp, batch, 1, keys, weight_bytes_per_parameter, kv_bytes_per_element)
    traffic = traffic_of(rates, devices, all_reduces(shape, tp, batch, kv_bytes_per_element))
    return step_cost(work, rates, constants, decode_seconds(terms, constants), read, written, traffic)


def prefill(
    shape: ModelShape,
    rates: CoreRates,
    constants: CostConstants,
    tp: int,
    devices: int,
    batch: int,
    prompt_tokens: int,
    weight_bytes_per_parameter: float,
    kv_bytes_per_element: int = ACTIVATION_BYTES,
) -> StepCost:
    """The first token of `batch` prompts of up to `prompt_tokens` tokens, computed over the power-of-two bucket.

    The attention scores go to HBM and back once (assumed). Predicts a time to first token to about 30-40 % only.
    ValueError for a count below one or devices without a link.
    """
    check_counts(rates, tp, devices, batch, prompt_tokens)
    bucket = context_bucket(prompt_tokens)
    work = Work(shape, tp, batch, bucket, bucket, weight_bytes_per_parameter, kv_bytes_per_element)
    return step_cost(work, rates, constants, *_prompt_costs(work, rates, constants, devices))


class Chunk(NamedTuple):
    """`tokens` of prompts that one step computes; each attends to `keys` positions, those of the chunk among them.

    Both are what the graph was compiled for, so padding is included.
    """

    tokens: int
    keys: int


def mixed_step(
    shape: ModelShape,
    rates: CoreRates,
    constants: CostConstants,
    tp: int,
    devices: int,
    batch: int,
    context: int,
    chunk: Chunk,
    weight_bytes_per_parameter: float,
    kv_bytes_per_element: int = ACTIVATION_BYTES,
) -> StepCost:
    """One token for each of `batch` sequences, as in decode_step, and a chunk of prompts, in one step.

    Weights are streamed and the layers' latency is paid once. Compute, attention, collectives and vector work are the
    sums of both parts, each at the rate fitted to it, and a prefill's fixed part is paid by every chunk. No published
    run mixes the two, so all of this is assumed. Without a chunk (of no tokens) it is a decode step; without sequences
    a chunk of a whole bucket that attends to itself is the prefill of a prompt.
    ValueError for a count below one, fewer keys than tokens in the chunk, or devices without a link.
    """
    sizes = (weight_bytes_per_parameter, kv_bytes_per_element)
    if not chunk.tokens:
        return decode_step(shape, rates, constants, tp, devices, batch, context, *sizes)
    check_counts(rates, tp, devices, batch or 1, chunk.tokens)
    if chunk.keys < chunk.tokens:
        raise ValueError(f"a chunk of {chunk.tokens} tokens attends to at least as many, not to {chunk.keys}")
    prompts = Work(shape, tp, 1, chunk.tokens, chunk.keys, *sizes)
    parts, read, written, traffic = _prompt_costs(prompts, rates, constants, devices)
    if not batch:
        return step_cost(prompts, rates, constants, parts, read, written, traffic)
    sequences = Work(shape, tp, batch, 1, context_bucket(context), *sizes)
    reduction = all_reduces(shape, tp, batch + chunk.tokens, kv_bytes_per_element)
    terms = decode_terms(shape, rates, tp, devices, batch, context, *sizes)
    link = all_reduce_seconds(rates, devices, reduction) - terms.link
    parts = _sum_of_parts(decode_seconds(terms, constants), parts._replace(link=link))
    read += kv_bytes_per_core(shape, tp, batch, sequences.keys, kv_bytes_per_element)
    written += kv_bytes_per_core(shape, tp, batch, 1, kv_bytes_per_element)
    bytes_moved = (read, written, traffic_of(rates, devices, reduction))
    cost, decode = (step_cost(work, rates, constants, parts, *bytes_moved) for work in (prompts, sequences))
    spared = _counted_twice(prompts, sequences, rates, constants)
    return cost._replace(work=_sum_of_engines(cost.work, decode.work, spared))


def _prompt_costs(
    work: Work, rates: CoreRates, constants: CostConstants, devices: int
) -> tuple[TermSeconds, int, int, tuple[int, ...]]:
    """Of computing tokens of prompts: the parts of its time, the bytes read and written, and the traffic.

    Keys and values of tokens that were computed before are read from the cache.
    """
    shape, tp = work.shape, work.tp
    parts = prefill_seconds(_prompt_terms(work, rates, devices), constants)
    earlier = kv_bytes_per_core(shape, tp, work.batch, work.keys - work.queries, work.element_bytes)
    attention = parts.attention + earlier / rates.hbm_bytes_per_s / constants.kv_efficiency
    read = streamed_bytes_per_core(shape, tp, work.weight_bytes) + _score_bytes(work) + earlier
    written = kv_bytes_per_core(shape, tp, work.batch, work.queries, work.element_bytes) + _score_bytes(work)
    traffic = traffic_of(rates, devices, all_reduces(shape, tp, work.tokens, work.element_bytes))
    return parts._replace(attention=attention), read, written, traffic


def _sum_of_parts(decode: TermSeconds, prompts: TermSeconds) -> TermSeconds:
    """The parts of a step that does both; weights, their widening and the latency serve both."""
    return TermSeconds(
        weights=prompts.weights,
        compute=decode.compute + prompts.compute,
        widening=prompts.widening,
        attention=decode.attention + prompts.attention,
        link=decode.link + prompts.link,
        vector=decode.vector + prompts.vector,
        latency=prompts.latency,
    )


def _counted_twice(prompts: Work, sequences: Work, rates: CoreRates, constants: CostConstants) -> tuple[int, int]:
    """Nanoseconds of the tensor and the vector engine for the weights that both parts count but the step needs once."""
    shape, tp, share = prompts.shape, prompts.tp, constants.engine_share(rates.chip)
    rows = [max(tokens, PARTITIONS) for tokens in (prompts.tokens, sequences.tokens, prompts.tokens + sequences.tokens)]
    dense = 2 * shape.multiplied_parameters * (rows[0] + rows[1] - rows[2]) / tp
    widened = widened_weights(shape, tp, prompts.weight_bytes)
    vector = engine_seconds(widened, rates.vector_flops * constants.vector_efficiency * share)
    return int(engine_seconds(dense, rates.peak_flops * share) * 1e9), int(vector * 1e9)


def _sum_of_engines(prompts: StepWork, decode: StepWork, spared: tuple[int, int]) -> StepWork:
    """What the engines do in a step of both parts, of which each says all but its engines and FLOPs alike."""
    longest = prompts.duration_ns
    return prompts._replace(
        tensor_ns=max(0, min(prompts.tensor_ns + decode.tensor_ns - spared[0], longest)),
        vector_ns=max(0, min(prompts.vector_ns + decode.vector_ns - spared[1], longest)),
        scalar_ns=min(prompts.scalar_ns + decode.scalar_ns, longest),
        gpsimd_ns=min(prompts.gpsimd_ns + decode.gpsimd_ns, longest),
        flops=prompts.flops + decode.flops,
    )


def check_counts(rates: CoreRates, tp: int, devices: int, batch: int, tokens: int) -> None:
    """ValueError for a count below one, more devices than there are, or devices without a link."""
    if min(tp, devices, batch, tokens) < 1:
        raise ValueError(f"tp {tp}, devices {devices}, batch {batch} and tokens {tokens} must all be at least 1")
    if devices > 1 and rates.link_bytes_per_s <= 0:
        raise ValueError(f"{devices} devices cannot form a replica: this instance has no links between them")
    there = lookup(rates.instance).devices
    if devices > there:
        raise ValueError(f"a replica on {devices} devices does not fit: {rates.instance} has {there}")
