"""What one batch of a convolutional network costs one NeuronCore; pure functions, no state, no clock."""

from __future__ import annotations

import math
from typing import NamedTuple

from device_model.runtime.execution import StepWork
from device_model.workloads.cost.collectives import traffic_of
from device_model.workloads.cost.engines import ACTIVATION_BYTES, PARTITIONS, Reduction, engine_seconds
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost, TermSeconds
from device_model.workloads.models.cnns import IMAGE_SIDE, CnnShape


class LayerTerms(NamedTuple):
    """One layer at data-sheet rates, in seconds: its multiplications on the PE array, its weights from memory."""

    compute: float
    weights: float


class CnnTerms(NamedTuple):
    """A batch at data-sheet rates, in seconds."""

    chip: str
    layers: tuple[LayerTerms, ...]
    vector: float
    """One pass over every value that a layer writes: bias and activation are one instruction."""


def cnn_terms(
    shape: CnnShape, rates: CoreRates, batch: int, weight_bytes_per_parameter: float = ACTIVATION_BYTES
) -> CnnTerms:
    """The ideal parts of one batch; the RGB stem fills 3 of the 128 PE rows. ValueError for a batch below one."""
    if batch < 1:
        raise ValueError(f"batch {batch} must be at least 1")
    layers = []
    for layer in shape.all_layers:
        rows = PARTITIONS / layer.inputs if layer is shape.stem else 1.0
        compute = 2 * batch * layer.multiplications * rows / rates.peak_flops
        layers.append(LayerTerms(compute, layer.weights * weight_bytes_per_parameter / rates.hbm_bytes_per_s))
    return CnnTerms(rates.chip, tuple(layers), engine_seconds(batch * shape.activations, rates.vector_flops))


def cnn_seconds(terms: CnnTerms, constants: CostConstants) -> TermSeconds:
    """The parts of a batch's duration: layer by layer the slower of computing and streaming weights."""
    share = constants.engine_share(terms.chip)
    compute = [layer.compute / (constants.cnn_compute_efficiency * share) for layer in terms.layers]
    weights = [layer.weights / constants.encoder_weights_efficiency for layer in terms.layers]
    streamed = math.fsum(map(max, compute, weights))
    bound_by_weights = math.fsum(weights) > math.fsum(compute)
    return TermSeconds(
        weights=streamed if bound_by_weights else math.fsum(weights),
        compute=math.fsum(compute) if bound_by_weights else streamed,
        widening=0.0,
        attention=0.0,
        link=0.0,
        vector=terms.vector / (constants.vector_efficiency * share),
        latency=constants.cnn_seconds,
    )


def cnn_step(
    shape: CnnShape,
    rates: CoreRates,
    constants: CostConstants,
    batch: int,
    weight_bytes_per_parameter: float = ACTIVATION_BYTES,
) -> StepCost:
    """One batch of images on one core; between layers activations stay in SBUF (assumed). ValueError for no image."""
    terms = cnn_terms(shape, rates, batch, weight_bytes_per_parameter)
    parts = cnn_seconds(terms, constants)
    duration = math.ceil(parts.total * 1e9)
    tensor = math.fsum(layer.compute for layer in terms.layers) / constants.engine_share(terms.chip)
    weights = sum(layer.weights for layer in shape.all_layers)
    work = StepWork(
        duration_ns=duration,
        collectives_ns=0,
        tensor_ns=min(int(tensor * 1e9), duration),
        vector_ns=min(int(parts.vector * 1e9), duration),
        scalar_ns=0,
        gpsimd_ns=0,
        flops=2 * batch * shape.multiplications,
        hbm_read_bytes=math.ceil(weights * weight_bytes_per_parameter) + batch * 3 * IMAGE_SIDE**2 * ACTIVATION_BYTES,
        hbm_written_bytes=batch * shape.body[-1].outputs * ACTIVATION_BYTES,
        traffic=traffic_of(rates, 1, Reduction(0, 0)),
    )
    return StepCost(work, parts.parts, parts.bound)
