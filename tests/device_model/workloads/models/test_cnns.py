"""Convolutional networks: counts against the published ones, and what a batch costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.cnn import cnn_seconds, cnn_step, cnn_terms
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.models.cnns import CNNS, cnn_for
from device_model.workloads.models.lookup import UnknownModelError

PUBLISHED = {
    "resnet18": (11.69, 1.81), "resnet34": (21.80, 3.66), "resnet50": (25.56, 4.09), "resnet101": (44.55, 7.80),
    "resnet152": (60.19, 11.51), "vgg11": (132.86, 7.61), "vgg13": (133.05, 11.31), "vgg16": (138.36, 15.47),
    "vgg19": (143.67, 19.63),
}  # fmt: skip
V2 = constants_for("v2")
INF2 = rates_for("inf2.xlarge")


@pytest.mark.parametrize("name", CNNS)
def test_parameters_and_multiplications_are_the_published_ones(name: str) -> None:
    millions, billions = PUBLISHED[name]
    shape = cnn_for(name)
    assert shape.parameters / 1e6 == pytest.approx(millions, rel=0.02)
    assert shape.multiplications / 1e9 == pytest.approx(billions, rel=0.02)


def test_a_network_is_found_by_other_spellings_and_an_unknown_one_refused() -> None:
    assert cnn_for("microsoft/ResNet-50").name == "resnet50"
    with pytest.raises(UnknownModelError, match="did you mean 'resnet50'"):
        cnn_for("resnet51")


@given(st.sampled_from(sorted(CNNS)), st.integers(1, 256))
def test_a_batch_stays_within_the_data_sheet(name: str, batch: int) -> None:
    step = cnn_step(cnn_for(name), INF2, V2, batch)
    seconds = step.work.duration_ns / 1e9
    assert 0 < step.work.flops <= INF2.peak_flops * seconds
    assert step.work.hbm_read_bytes + step.work.hbm_written_bytes <= INF2.hbm_bytes_per_s * seconds
    assert 0 < step.work.tensor_ns <= step.work.duration_ns
    assert 0 < step.work.vector_ns <= step.work.duration_ns
    larger = cnn_step(cnn_for(name), INF2, V2, batch + 1)
    assert larger.work.duration_ns > step.work.duration_ns
    assert larger.work.duration_ns * batch <= step.work.duration_ns * (batch + 1)


def test_the_stem_fills_three_of_128_rows() -> None:
    shape = cnn_for("resnet50")
    stem, *body = cnn_terms(shape, INF2, 1).layers
    assert stem.compute * INF2.peak_flops == pytest.approx(2 * shape.stem.multiplications * 128 / 3)
    rest = sum(layer.compute for layer in body) * INF2.peak_flops
    assert rest == pytest.approx(2 * (shape.multiplications - shape.stem.multiplications))


def test_a_single_image_waits_for_weights_and_a_batch_for_the_pe_array() -> None:
    assert cnn_seconds(cnn_terms(cnn_for("vgg16"), INF2, 1), V2).bound == "weights"
    assert cnn_seconds(cnn_terms(cnn_for("vgg16"), INF2, 64), V2).bound == "compute"


def test_a_batch_without_images_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        cnn_terms(cnn_for("vgg16"), INF2, 0)
