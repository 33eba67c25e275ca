"""What a served model takes of a core's memory: the same pieces for the planner and for the simulated load."""

from __future__ import annotations

import math

from device_model.runtime.loading import Caches, ModelImage, decoder_image
from device_model.workloads.cost.decoder import context_bucket, kv_bytes_per_core_per_layer, weights_bytes_per_core
from device_model.workloads.cost.pipeline import divided
from device_model.workloads.models.cnns import CnnShape
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape


def serving_image(
    shape: ModelShape, ranks: int, batch: int, context: int, prompt: int, data_type: DataType
) -> ModelImage:
    """The pieces on each of `ranks` cores of a server for `batch` sequences of up to `context` tokens.

    Each sequence has room for its whole context, and prompts of `prompt` tokens are computed for all at once.
    An encoder keeps no keys and values.
    """
    return pooled_image(shape, ranks, batch * context, batch * context_bucket(min(context, prompt)), data_type)


def pooled_image(
    shape: ModelShape, ranks: int, cached_tokens: int, step_tokens: int, data_type: DataType
) -> ModelImage:
    """The pieces on each of `ranks` cores of a server that keeps so many tokens, of whatever sequences, in its cache.

    The cache is one allocation a layer. The scratchpad holds the tokens of the largest step: input, output and the
    wider of the two inner activations.
    """
    width = 2 * shape.width + -(-shape.ffn_width // ranks)
    weights = weights_bytes_per_core(shape, ranks, data_type.weight_bytes)
    cache = kv_bytes_per_core_per_layer(shape, ranks, 1, cached_tokens, data_type.element_bytes)
    caches = Caches(shape.layers, cache) if shape.kind == "decoder" else Caches(0, 0)
    activations = data_type.element_bytes * step_tokens * width
    return decoder_image(shape.name, shape.layers, weights, caches, activations, ranks)


def encoder_image(
    shape: ModelShape, ranks: int, batch: int, tokens: int, data_type: DataType, stages: int = 1
) -> ModelImage:
    """The pieces on each core of an encoder or vision transformer for batches of `batch` sequences of `tokens` tokens.

    Of a pipeline, whose stages have `ranks` cores each, every core takes what the largest stage needs (assumed: one
    size for all); tables are divided evenly. ValueError for more stages than blocks.
    """
    if stages == 1:
        return serving_image(shape, ranks, batch, tokens, tokens, data_type)
    inner = max(stage.parameters for stage in divided(shape, tokens, stages))
    weights = math.ceil((inner + shape.outer_parameters / stages) * data_type.weight_bytes / ranks)
    width = 2 * shape.width + -(-shape.ffn_width // ranks)
    activations = data_type.element_bytes * batch * context_bucket(tokens) * width
    layers = -(-shape.layers // stages)
    return decoder_image(shape.name, layers, weights, Caches(0, 0), activations, ranks)


def cnn_image(shape: CnnShape, batch: int, data_type: DataType) -> ModelImage:
    """The pieces on a core of a convolutional network for `batch` images.

    The scratchpad holds the widest layer's input and output, taken to be alike.
    """
    widest = max(layer.outputs * layer.side * layer.side for layer in shape.all_layers)
    weights = shape.parameters * data_type.weight_bytes
    activations = 2 * batch * widest * data_type.element_bytes
    return decoder_image(shape.name, shape.layers, weights, Caches(0, 0), activations, ranks=1)
