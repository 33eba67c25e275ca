"""How far to trust a prediction: whether published runs are alike, and how well models left out of the fit are met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from device_model.workloads.calibration.constants import FITTED_GENERATION, calibration_for
from device_model.workloads.models.cnns import CnnShape
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape


class Trust(NamedTuple):
    """Whether and why a prediction is extrapolated, and the errors of the fitted rows alike, leaving out the model."""

    extrapolated: bool
    reasons: tuple[str, ...]
    rows: str | None
    """The runs that are alike: "decode", "encoder", "cnn" or "collectives"; None where no kind of published run is."""
    median: float | None
    p90: float | None
    """Relative errors of those rows; None where the fit left no model out."""


class Run(NamedTuple):
    """What is predicted; None where it is not known, and then no reason to doubt."""

    generation: str
    """Of the NeuronCores, "v1" .. "v4"."""
    shape: ModelShape | CnnShape | None = None
    collectives_alone: bool = False
    """A benchmark of collectives, without a model."""
    degree: int | None = None
    """Logical NeuronCores of one replica."""
    batch: int | None = None
    context: int | None = None
    """Longest sequence in tokens."""
    data_type: DataType | None = None


class _Published(NamedTuple):
    """What the published rows of a kind cover: the most of each, and the words for who goes beyond it."""

    rows: str
    parameters: tuple[float, float]
    sizes: str
    degrees: tuple[int, int]
    cores: str
    batch: int
    context: int
    contexts: str
    types: tuple[str, ...]


_DECODE = _Published(
    "decode",
    (6.6e9, 71e9), "published language models have 6.7 to 69 billion parameters",
    (8, 32), "published degrees are 8 to 32",
    256, 16384, "published contexts end at 16384",
    ("bf16", "fp16", "int8"),
)  # fmt: skip
_ENCODER = _Published(
    "encoder",
    (11e6, 340e6), "published encoders have 12 to 335 million parameters",
    (1, 1), "published encoders run on one NeuronCore each",
    16, 197, "published sequences have 128 tokens, those of images 197",
    ("bf16", "fp16"),
)  # fmt: skip
_CNN = _Published(
    "cnn",
    (11e6, 61e6), "published convolutional networks have 12 to 60 million parameters",
    (1, 1), "published convolutional networks run on one NeuronCore each",
    64, 0, "",
    ("bf16", "fp16"),
)  # fmt: skip

COLLECTIVES = "collectives"

_NOT_ALIKE = "no published run of this kind of work was fitted"


def trust_in(run: Run) -> Trust:
    """Calibrated where published rows are alike, extrapolated, with the reasons, where none is."""
    published = _published(run.shape)
    reasons = [] if published is None else list(_reasons(run, published))
    if published is None and not run.collectives_alone:
        reasons.append(_NOT_ALIKE)
    if calibration_for(run.generation).constants.extrapolated:
        reasons.insert(0, f"no published run on NeuronCore-{run.generation} was fitted")
    if published is None:
        return Trust(bool(reasons), tuple(reasons), COLLECTIVES if run.collectives_alone else None, None, None)
    residuals = calibration_for(FITTED_GENERATION).residuals[f"{published.rows}_leave_one_model_out"]
    return Trust(bool(reasons), tuple(reasons), published.rows, residuals["median"], residuals["p90"])


def _published(shape: ModelShape | CnnShape | None) -> _Published | None:
    if isinstance(shape, CnnShape):
        return _CNN
    return None if shape is None else _ENCODER if shape.kind == "encoder" else _DECODE


def _reasons(run: Run, published: _Published) -> Iterator[str]:
    if run.shape is not None and not _within(run.shape.parameters, published.parameters):
        yield published.sizes
    if run.degree is not None and not _within(run.degree, published.degrees):
        yield published.cores
    if run.batch is not None and run.batch > published.batch:
        yield f"published batches end at {published.batch}"
    if published.context and run.context is not None and run.context > published.context:
        yield published.contexts
    if run.data_type is not None and run.data_type.name not in published.types:
        yield f"no published run in {run.data_type.label}"


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
