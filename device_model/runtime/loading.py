"""What a loaded model takes of device memory, and how long it takes to get there."""

from typing import NamedTuple

from neurontools.units import KIB, MIB

MICROCODE_BYTES = 96 * MIB
"""Once per physical core, when a process first loads a model there."""

SCRATCHPAD_STEP_BYTES = 64 * MIB
"""The shared scratchpad is rounded up to this."""

LOAD_BYTES_PER_S = 2_000_000_000
"""Weights that reach one device in a second (assumed: bound by reading and unpacking them on the host)."""

LOAD_USER_SHARE, LOAD_SYSTEM_SHARE = 0.6, 0.3
"""vCPU time of the loading thread, as shares of the load's duration (assumed)."""


class Piece(NamedTuple):
    """One allocation of a model on every one of its cores: the driver's category and the runtime log's word for it."""

    category: str
    usage: str
    size: int
    from_top: bool = False


class ModelImage(NamedTuple):
    """A compiled model as one core sees it. Bytes are per physical core.

    `fixed` is there before the first weight arrives, then `layers` times one block of weights of
    `layer_bytes`, then `last`, among them the cache of keys and values.
    """

    name: str
    layers: int
    layer_bytes: int
    fixed: tuple[Piece, ...]
    last: tuple[Piece, ...]

    @property
    def layer(self) -> Piece:
        """The block of weights of one layer."""
        return Piece("constants", "model constants", self.layer_bytes)

    def device_bytes(self) -> dict[str, int]:
        """Requested bytes by category on each core once loaded."""
        total = {"constants": self.layers * self.layer_bytes}
        for piece in (*self.fixed, *self.last):
            total[piece.category] = total.get(piece.category, 0) + piece.size
        return total


class Caches(NamedTuple):
    """The per-layer bytes per core that a decoder keeps for keys and values of all its sequences."""

    layers: int
    layer_bytes: int


# Sizes of the runtime's own blocks per core. Model code beside the micro-code, rings and buffers were
# seen in captures (100,752,896 bytes of code on an almost empty core, 8 MiB of rings) or are assumed.
_BASE = (Piece("model_code", "model code", MICROCODE_BYTES), Piece("runtime_memory", "runtime", 2 * MIB))
_PER_MODEL = (
    Piece("notifications", "runtime", 4 * MIB),
    Piece("dma_rings", "dma rings io", 6 * MIB),
    Piece("dma_rings", "dma rings runtime", 2 * MIB),
)
_COLLECTIVES = (
    Piece("collectives", "collectives", 64 * MIB),
    Piece("dma_rings", "dma rings collectives", 4 * MIB),
)
CODE_BYTES_PER_LAYER = 512 * KIB
"""Instructions of one layer in one context bucket (assumed)."""


def base_pieces() -> tuple[Piece, ...]:
    """What the runtime itself takes on each core, for as long as the process lives."""
    return _BASE


def decoder_image(
    name: str, layers: int, weight_bytes: int, caches: Caches, activation_bytes: int, ranks: int
) -> ModelImage:
    """The image of a language model on each of `ranks` cores.

    `weight_bytes` are this core's weights, `activation_bytes` what one step needs beside them.
    """
    scratchpad = -(-activation_bytes // SCRATCHPAD_STEP_BYTES) * SCRATCHPAD_STEP_BYTES
    layer_bytes, outer_bytes = divmod(weight_bytes, layers)
    fixed = (
        Piece("model_code", "model code", layers * CODE_BYTES_PER_LAYER),
        *_PER_MODEL,
        *(_COLLECTIVES if ranks > 1 else ()),
    )
    last = (
        *([Piece("constants", "model constants", outer_bytes)] if outer_bytes else []),
        Piece("model_shared_scratchpad", "shared scratchpad", scratchpad, from_top=True),
        *[Piece("tensors", "tensors", caches.layer_bytes)] * caches.layers,
    )
    return ModelImage(name, layers, layer_bytes, fixed, last)
