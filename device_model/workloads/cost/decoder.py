"""What one step of a language model costs one NeuronCore: time, engine activity, FLOPs, memory and collective bytes.

It must not hold state, draw chance or know a clock: every function here is pure.
"""

from __future__ import annotations

import math
from functools import lru_cache

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
    tokens = batch * bucket
    return StepTerms(
        chip=rates.chip,
        weights=streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter) / rates.hbm_bytes_per_s,
        compute=2 * shape.multiplied_parameters * tokens / (tp * rates.peak_flops),
        widening=engine_seconds(widened_weights(shape, tp, weight_bytes_per_parameter), rates.vector_flops),
        attention=score_elements(shape, tp, batch, bucket, bucket) * SCORE_BYTES / rates.hbm_bytes_per_s,
        link=all_reduce_seconds(rates, devices, all_reduces(shape, tp, tokens, kv_bytes_per_element)),
        vector=engine_seconds(replicated_elements(shape, tokens), rates.vector_flops),
        layers=shape.layers,
        positions=0,
    )


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
    terms = prefill_terms(
        shape, rates, tp, devices, batch, prompt_tokens, weight_bytes_per_parameter, kv_bytes_per_element
    )
    bucket = context_bucket(prompt_tokens)
    scores = score_elements(shape, tp, batch, bucket, bucket) * SCORE_BYTES
    read = streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter) + scores
    written = kv_bytes_per_core(shape, tp, batch, bucket, kv_bytes_per_element) + scores
    work = Work(shape, tp, batch, bucket, bucket, weight_bytes_per_parameter, kv_bytes_per_element)
    traffic = traffic_of(rates, devices, all_reduces(shape, tp, batch * bucket, kv_bytes_per_element))
    return step_cost(work, rates, constants, prefill_seconds(terms, constants), read, written, traffic)


def check_counts(rates: CoreRates, tp: int, devices: int, batch: int, tokens: int) -> None:
    """ValueError for a count below one, more devices than there are, or devices without a link."""
    if min(tp, devices, batch, tokens) < 1:
        raise ValueError(f"tp {tp}, devices {devices}, batch {batch} and tokens {tokens} must all be at least 1")
    if devices > 1 and rates.link_bytes_per_s <= 0:
        raise ValueError(f"{devices} devices cannot form a replica: this instance has no links between them")
    there = lookup(rates.instance).devices
    if devices > there:
        raise ValueError(f"a replica on {devices} devices does not fit: {rates.instance} has {there}")
