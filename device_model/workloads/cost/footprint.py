"""What a served model takes of a core's memory: the same pieces for the planner and for the simulated load."""

from __future__ import annotations

from device_model.runtime.loading import Caches, ModelImage, decoder_image
from device_model.workloads.cost.decoder import context_bucket, kv_bytes_per_core_per_layer, weights_bytes_per_core
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape


def serving_image(
    shape: ModelShape, ranks: int, batch: int, context: int, prompt: int, data_type: DataType
) -> ModelImage:
    """The pieces on each of `ranks` cores of a server for `batch` sequences of up to `context` tokens.

    The scratchpad holds one prompt of every sequence: input, output and the wider of the two inner activations.
    An encoder keeps no keys and values.
    """
    width = 2 * shape.width + -(-shape.ffn_width // ranks)
    activations = data_type.element_bytes * batch * context_bucket(min(context, prompt)) * width
    weights = weights_bytes_per_core(shape, ranks, data_type.weight_bytes)
    cache = kv_bytes_per_core_per_layer(shape, ranks, batch, context, data_type.element_bytes)
    caches = Caches(shape.layers, cache) if shape.kind == "decoder" else Caches(0, 0)
    return decoder_image(shape.name, shape.layers, weights, caches, activations, ranks)
