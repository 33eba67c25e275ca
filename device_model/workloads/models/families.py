"""The architectures of language models and encoders: layers, widths, heads and the parameter counts that follow."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["decoder", "encoder"]


class ModelShape(NamedTuple):
    """One architecture; counts only, no bytes and no tensor-parallel split.

    `heads` and `kv_heads` are those of the published checkpoint, before any padding; `parameters` is derived from the
    other figures by the family's formula, so it includes embeddings, biases and norms.
    `layers_share_weights` is true where all layers are one stored layer run many times (ALBERT).
    """

    name: str
    kind: Kind
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    gated_ffn: bool
    vocabulary: int
    max_context: int
    parameters: int
    layers_share_weights: bool = False
    rotary: bool = False
    """Positions turn queries and keys, which is work for the vector engine."""

    @property
    def attention_parameters(self) -> int:
        """Weights of one layer's query, key, value and output projections."""
        return 2 * self.width * self.head_dim * (self.heads + self.kv_heads)

    @property
    def ffn_parameters(self) -> int:
        """Weights of one layer's feed-forward block: three matrices when gated, else two."""
        return (3 if self.gated_ffn else 2) * self.width * self.ffn_width

    @property
    def stored_layers(self) -> int:
        """Layers that have weights of their own."""
        return 1 if self.layers_share_weights else self.layers

    @property
    def multiplied_parameters(self) -> int:
        """Weights that a token is multiplied with: every layer's matrices and a decoder's output table."""
        return self.layers * (self.attention_parameters + self.ffn_parameters) + self._output_table

    @property
    def streamed_parameters(self) -> int:
        """Weights that a step reads; of a tied table only the output side is, an input table is looked up."""
        return self.stored_layers * (self.attention_parameters + self.ffn_parameters) + self._output_table

    @property
    def _output_table(self) -> int:
        return self.vocabulary * self.width if self.kind == "decoder" else 0

    @property
    def outer_parameters(self) -> int:
        """Weights outside the layers' matrices: embeddings, output head, norms, biases."""
        return self.parameters - self.stored_layers * (self.attention_parameters + self.ffn_parameters)


def _layer_parameters(width: int, inner: int, kv: int, ffn_width: int, gated: bool, biases: bool, norms: int) -> int:
    """One layer: projections to `inner` and twice `kv` wide, feed-forward block, `norms` vectors of one width each."""
    matrices = 2 * width * (inner + kv) + (3 if gated else 2) * width * ffn_width
    bias = inner + 2 * kv + width + ffn_width + width if biases else 0
    return matrices + bias + norms * width


def llama(
    name: str,
    layers: int,
    width: int,
    heads: int,
    kv_heads: int,
    ffn_width: int,
    vocabulary: int,
    max_context: int,
    *,
    tied: bool = False,
    qkv_biases: bool = False,
    head_dim: int | None = None,
) -> ModelShape:
    """A Llama-family decoder: gated FFN, RMS norms, rotary positions; input and output tables apart unless `tied`."""
    head_dim = head_dim or width // heads
    inner, kv = heads * head_dim, kv_heads * head_dim
    layer = _layer_parameters(width, inner, kv, ffn_width, gated=True, biases=False, norms=2)
    bias = inner + 2 * kv if qkv_biases else 0
    parameters = (1 if tied else 2) * vocabulary * width + layers * (layer + bias) + width
    return ModelShape(
        name, "decoder", layers, width, heads, kv_heads, head_dim, ffn_width, True, vocabulary, max_context, parameters,
        rotary=True,
    )  # fmt: skip


def classic(
    name: str,
    layers: int,
    width: int,
    heads: int,
    vocabulary: int,
    max_context: int,
    *,
    kv_heads: int | None = None,
    tied: bool = True,
    position_rows: int = 0,
    biases: bool = True,
    norms_per_layer: int = 2,
    table_norm: bool = False,
) -> ModelShape:
    """A decoder of GPT's line: FFN of four widths, layer norms; `position_rows` learned positions, or 0 for rotary.

    Falcon has no `biases` and fewer `kv_heads`; GPT-J and Falcon-7B run attention and FFN side by side behind one
    norm (`norms_per_layer`); BLOOM has a norm behind the token table and biases on scores instead of positions.
    """
    head_dim, ffn_width = width // heads, 4 * width
    kv = (kv_heads or heads) * head_dim
    layer = _layer_parameters(width, width, kv, ffn_width, gated=False, biases=biases, norms=2 * norms_per_layer)
    tables = ((1 if tied else 2) * vocabulary + position_rows) * width
    parameters = tables + layers * layer + 2 * width + (2 * width if table_norm else 0)
    return ModelShape(
        name, "decoder", layers, width, heads, kv_heads or heads, head_dim, ffn_width, False, vocabulary, max_context,
        parameters, rotary=not position_rows and not table_norm,
    )  # fmt: skip


_OPT_VOCABULARY = 50272
_OPT_POSITIONS = 2048
_OPT_POSITION_OFFSET = 2  # the published checkpoints reserve two rows of the position table


def opt(name: str, layers: int, width: int, heads: int) -> ModelShape:
    """An OPT decoder: FFN of four widths, biases, layer norms, learned positions, one tied token table."""
    rows = _OPT_POSITIONS + _OPT_POSITION_OFFSET
    return classic(name, layers, width, heads, _OPT_VOCABULARY, _OPT_POSITIONS, position_rows=rows)


def encoder(
    name: str,
    layers: int,
    width: int,
    heads: int,
    vocabulary: int,
    positions: int,
    *,
    max_context: int = 512,
    segments: int = 0,
    pooler: bool = True,
    embedding_width: int | None = None,
    shared: bool = False,
) -> ModelShape:
    """A BERT-family encoder without a task head: FFN of four widths, biases, layer norms, learned positions.

    `embedding_width` (ALBERT) is the width of the tables when a projection lifts them to `width`; `segments` counts the
    rows of the token-type table; `shared` stores one layer for all.
    """
    table_width = embedding_width or width
    layer = _layer_parameters(width, width, width, 4 * width, gated=False, biases=True, norms=4)
    tables = (vocabulary + positions + segments) * table_width + 2 * table_width
    lift = table_width * width + width if embedding_width else 0
    pooling = width * width + width if pooler else 0
    parameters = tables + lift + (1 if shared else layers) * layer + pooling
    return ModelShape(
        name, "encoder", layers, width, heads, heads, width // heads, 4 * width, False, vocabulary, max_context,
        parameters, shared,
    )  # fmt: skip


def vit(
    name: str, layers: int, width: int, heads: int, patch: int, *, side: int = 224, classes: int = 1000
) -> ModelShape:
    """A vision transformer: one token a patch and one for the class; `max_context` is that number."""
    tokens = (side // patch) ** 2 + 1
    layer = _layer_parameters(width, width, width, 4 * width, gated=False, biases=True, norms=4)
    entry = 3 * patch * patch * width + width + (tokens + 1) * width
    parameters = entry + layers * layer + 2 * width + width * classes + classes
    return ModelShape(
        name, "encoder", layers, width, heads, heads, width // heads, 4 * width, False, 0, tokens, parameters
    )
