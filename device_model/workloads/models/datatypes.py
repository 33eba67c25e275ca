"""The data types that a model can be stored and computed in: their sizes, and which generation has them."""

from __future__ import annotations

from typing import NamedTuple

from neurontools.hardware.chips import Chip


class DataType(NamedTuple):
    """How a model in one data type runs."""

    name: str
    """As in the chips' peaks, and in scenarios."""
    label: str
    """As data sheets write it; the eight-bit floating-point format has another name on each generation."""
    weight_bytes: int
    element_bytes: int
    """Of an activation, and of a key or value in the cache."""
    multiplied: str
    """The type in which the PE array multiplies: eight-bit weights are widened to BF16 first, as in published runs."""


class PeakRow(NamedTuple):
    """One data type on one chip."""

    label: str
    bytes: int
    peak_flops: int
    """Of the whole chip, dense; OP/s for int8."""


class DataTypeError(ValueError):
    """A data type that does not exist, or that a generation lacks; the text lists those it has."""


DATA_TYPES: dict[str, DataType] = {
    kind.name: kind
    for kind in (
        DataType("fp32", "FP32", 4, 4, "fp32"),
        DataType("tf32", "TF32", 4, 4, "tf32"),
        DataType("bf16", "BF16", 2, 2, "bf16"),
        DataType("fp16", "FP16", 2, 2, "fp16"),
        DataType("fp8", "FP8", 1, 2, "bf16"),
        DataType("int8", "INT8", 1, 2, "bf16"),
    )
}
_SPELLINGS = {
    "float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "cfp8": "fp8", "mxfp8": "fp8",
    "float8": "fp8", "uint8": "int8",
}  # fmt: skip


def data_types_of(chip: Chip) -> tuple[str, ...]:
    """The names of the data types that the chip's tensor engine computes in."""
    return tuple(name for name in DATA_TYPES if name in chip.peak_flops)


def plain_name(name: str) -> str:
    """The name of a data type that is spelled as people do: "fp8" for "cFP8"; of another word that in lower case."""
    folded = name.casefold()
    return _SPELLINGS.get(folded, folded)


def data_type_for(name: str, chip: Chip) -> DataType:
    """The data type of that name or a spelling of it, such as "cFP8"; DataTypeError where the chip lacks it."""
    key = plain_name(name)
    if key not in data_types_of(chip):
        known = ", ".join(label_of(DATA_TYPES[each], chip).lower() for each in data_types_of(chip))
        raise DataTypeError(f"{chip.name} does not compute in {name:.40}, expected one of {known}")
    return DATA_TYPES[key]


def label_of(data_type: DataType, chip: Chip) -> str:
    """The data sheet's name for it on this chip: cFP8 on Inferentia2, MXFP8 on Trainium3."""
    return chip.fp8_format or data_type.label if data_type.name == "fp8" else data_type.label


def peaks(chip: Chip) -> tuple[PeakRow, ...]:
    """Every data type of a chip with its size and peak."""
    rows = (DATA_TYPES[name] for name in data_types_of(chip))
    return tuple(PeakRow(label_of(row, chip), row.weight_bytes, chip.peak_flops[row.name]) for row in rows)
