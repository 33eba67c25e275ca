"""The image of a decoder: every byte of weights and caches, once, under the driver's categories."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.runtime.loading import SCRATCHPAD_STEP_BYTES, Caches, base_pieces, decoder_image
from device_model.runtime.log import COLUMNS
from neurontools.hardware.driver import CORE_MEMORY

sizes = st.integers(1, 10**12)


@given(st.integers(1, 100), sizes, sizes, st.integers(1, 10**10), st.integers(1, 64))
def test_all_weights_and_caches_are_allocated_once(
    layers: int, weights: int, cache: int, activations: int, ranks: int
) -> None:
    image = decoder_image("m", layers, weights + layers, Caches(layers, cache), activations, ranks)
    held = image.device_bytes()
    assert held["constants"] == weights + layers
    assert held["tensors"] == layers * cache
    assert 0 <= held["model_shared_scratchpad"] - activations < SCRATCHPAD_STEP_BYTES
    assert held["model_shared_scratchpad"] % SCRATCHPAD_STEP_BYTES == 0
    assert ("collectives" in held) == (ranks > 1)
    assert image.layer_bytes > 0


def test_pieces_go_by_the_words_of_the_driver_and_of_the_log() -> None:
    image = decoder_image("m", 3, 1000, Caches(3, 10), 5, 2)
    for piece in (*base_pieces(), *image.fixed, image.layer, *image.last):
        assert piece.category in CORE_MEMORY
        assert piece.usage in [column.usage for column in COLUMNS]
        assert piece.size > 0
