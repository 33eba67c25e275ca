"""Encoders and vision transformers: a batch within the data sheet, monotone, and split by tensor parallelism."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.encoder import encoder_step, encoder_terms
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.models.shapes import SHAPES, shape_for

ENCODERS = sorted(name for name, shape in SHAPES.items() if shape.kind == "encoder")
V2 = constants_for("v2")
INF2 = rates_for("inf2.48xlarge")


@given(st.sampled_from(ENCODERS), st.sampled_from([1, 2, 4, 24]), st.integers(1, 64), st.integers(1, 512))
def test_a_batch_stays_within_the_data_sheet_and_more_costs_more(name: str, tp: int, batch: int, tokens: int) -> None:
    devices = max(1, tp // 2)
    step = encoder_step(shape_for(name), INF2, V2, tp, devices, batch, tokens)
    seconds = step.work.duration_ns / 1e9
    assert 0 < step.work.flops <= INF2.peak_flops * seconds
    assert step.work.hbm_read_bytes + step.work.hbm_written_bytes <= INF2.hbm_bytes_per_s * seconds
    engines = (
        step.work.tensor_ns,
        step.work.vector_ns,
        step.work.scalar_ns,
        step.work.gpsimd_ns,
        step.work.collectives_ns,
    )
    assert all(0 <= active <= step.work.duration_ns for active in engines)
    larger = encoder_step(shape_for(name), INF2, V2, tp, devices, batch + 1, tokens)
    assert larger.work.duration_ns > step.work.duration_ns


def test_shared_layers_are_read_once_and_computed_every_time() -> None:
    albert, bert = (encoder_terms(shape_for(n), INF2, 1, 1, 1, 128) for n in ("albert-base-v2", "bert-base-uncased"))
    assert albert.compute == bert.compute
    assert bert.weights == pytest.approx(12 * albert.weights)


def test_a_billion_parameters_take_single_digit_milliseconds_on_one_core() -> None:
    step = encoder_step(shape_for("encoder-1b"), INF2, V2, 1, 1, 1, 128)
    assert 1e6 < step.work.duration_ns < 10e6
    assert step.work.traffic == (0,)
    assert step.work.collectives_ns == 0


def test_a_split_encoder_reduces_twice_a_layer() -> None:
    shape = shape_for("bert-large-uncased")
    step = encoder_step(shape, INF2, V2, 2, 1, 4, 128)
    assert sum(step.work.traffic) == 2 * shape.layers * 4 * 128 * shape.width * 2
    assert step.work.collectives_ns == pytest.approx(shape.layers * V2.layer_seconds * 1e9, abs=1)


def test_devices_without_links_cannot_share_an_encoder() -> None:
    with pytest.raises(ValueError, match="no links"):
        encoder_step(shape_for("bert-base-uncased"), rates_for("inf2.xlarge"), V2, 4, 2, 1, 128)
