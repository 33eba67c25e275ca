"""The data types: six on Inferentia2 with their sizes and peaks, and a list for a type that a chip lacks."""

import pytest

from device_model.workloads.models.datatypes import (
    DATA_TYPES,
    DataTypeError,
    PeakRow,
    data_type_for,
    data_types_of,
    peaks,
)
from neurontools.hardware.chips import CHIPS, Chip

SIX = (
    PeakRow("FP32", 4, 47_500_000_000_000),
    PeakRow("TF32", 4, 190_000_000_000_000),
    PeakRow("BF16", 2, 190_000_000_000_000),
    PeakRow("FP16", 2, 190_000_000_000_000),
    PeakRow("cFP8", 1, 190_000_000_000_000),
    PeakRow("INT8", 1, 380_000_000_000_000),
)


def test_inferentia2_has_six() -> None:
    assert peaks(CHIPS["Inferentia2"]) == SIX


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_every_peak_of_a_chip_has_a_data_type_that_it_can_multiply(chip: Chip) -> None:
    assert set(data_types_of(chip)) == set(chip.peak_flops)
    assert all(DATA_TYPES[name].multiplied in chip.peak_flops for name in data_types_of(chip))


@pytest.mark.parametrize(
    ("chip", "name", "has"),
    [("Trainium2", "int8", "fp32, bf16, fp16, fp8"), ("Inferentia", "FP32", "bf16, fp16, int8"),
     ("Inferentia2", "fp4", "fp32, tf32, bf16, fp16, cfp8, int8")],
)  # fmt: skip
def test_what_a_chip_lacks_is_refused_with_what_it_has(chip: str, name: str, has: str) -> None:
    with pytest.raises(DataTypeError) as refusal:
        data_type_for(name, CHIPS[chip])
    assert str(refusal.value) == f"{chip} does not compute in {name}, expected one of {has}"


@pytest.mark.parametrize(("spelling", "name"), [("cFP8", "fp8"), ("BFloat16", "bf16"), ("FP32", "fp32")])
def test_other_spellings_are_known(spelling: str, name: str) -> None:
    assert data_type_for(spelling, CHIPS["Inferentia2"]).name == name
