"""What one batch of an encoder or vision transformer costs one NeuronCore; pure functions, no state, no clock."""

from __future__ import annotations

from device_model.workloads.cost.collectives import all_reduce_seconds, traffic_of
from device_model.workloads.cost.decoder import check_counts, streamed_bytes_per_core
from device_model.workloads.cost.engines import (
    ACTIVATION_BYTES,
    Work,
    all_reduces,
    engine_seconds,
    step_cost,
    vector_elements,
    vector_seconds,
    widened_weights,
)
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost, StepTerms, TermSeconds
from device_model.workloads.models.families import ModelShape


def encoder_terms(
    shape: ModelShape,
    rates: CoreRates,
    tp: int,
    devices: int,
    batch: int,
    tokens: int,
    weight_bytes_per_parameter: float = ACTIVATION_BYTES,
    bytes_per_element: int = ACTIVATION_BYTES,
) -> StepTerms:
    """The ideal parts of one batch of sequences of `tokens` tokens; ValueError for a count below one."""
    check_counts(rates, tp, devices, batch, tokens)
    work = Work(shape, tp, batch, tokens, tokens, weight_bytes_per_parameter, bytes_per_element)
    flops = 2 * shape.multiplied_parameters * work.tokens / tp + work.attention_flops
    reduction = all_reduces(shape, tp, work.tokens, bytes_per_element)
    return StepTerms(
        chip=rates.chip,
        weights=streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter) / rates.hbm_bytes_per_s,
        compute=flops / rates.peak_flops,
        widening=engine_seconds(widened_weights(shape, tp, weight_bytes_per_parameter), rates.vector_flops),
        attention=0.0,
        link=all_reduce_seconds(rates, devices, reduction),
        vector=engine_seconds(vector_elements(work), rates.vector_flops),
        layers=shape.layers if tp > 1 else 0,
        positions=0,
    )


def encoder_seconds(terms: StepTerms, constants: CostConstants) -> TermSeconds:
    """The parts of a batch's duration; the vector engine's work does not overlap (the published rows demand it)."""
    return TermSeconds(
        weights=terms.weights / constants.encoder_weights_efficiency,
        compute=terms.compute / (constants.encoder_compute_efficiency * constants.engine_share(terms.chip)),
        widening=vector_seconds(terms.widening, terms, constants),
        attention=0.0,
        link=terms.link / constants.link_efficiency,
        vector=vector_seconds(terms.vector, terms, constants),
        latency=terms.layers * constants.layer_seconds + constants.encoder_seconds,
    )


def encoder_step(
    shape: ModelShape,
    rates: CoreRates,
    constants: CostConstants,
    tp: int,
    devices: int,
    batch: int,
    tokens: int,
    weight_bytes_per_parameter: float = ACTIVATION_BYTES,
    bytes_per_element: int = ACTIVATION_BYTES,
) -> StepCost:
    """One batch on a replica of `tp` cores; a vision transformer's `tokens` are its shape's `max_context`.

    ValueError for a count below one or devices without a link.
    """
    terms = encoder_terms(shape, rates, tp, devices, batch, tokens, weight_bytes_per_parameter, bytes_per_element)
    work = Work(shape, tp, batch, tokens, tokens, weight_bytes_per_parameter, bytes_per_element)
    edge = work.tokens * shape.width * bytes_per_element
    read = streamed_bytes_per_core(shape, tp, weight_bytes_per_parameter) + edge
    traffic = traffic_of(rates, devices, all_reduces(shape, tp, work.tokens, bytes_per_element))
    return step_cost(work, rates, constants, encoder_seconds(terms, constants), read, edge, traffic)
