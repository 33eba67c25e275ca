"""Trust: calibrated within what the bundled rows cover, extrapolated with every reason beyond it."""

import pytest

from device_model.workloads.calibration.rows import load_rows
from device_model.workloads.calibration.trust import COLLECTIVES, Run, trust_in
from device_model.workloads.models.cnns import CNNS, CnnShape
from device_model.workloads.models.datatypes import DATA_TYPES
from device_model.workloads.models.families import ModelShape
from device_model.workloads.models.lookup import find
from device_model.workloads.models.shapes import SHAPES, shape_for
from neurontools.hardware.instances import chip_of, lookup

SHAPE_OF: dict[str, ModelShape | CnnShape] = {**SHAPES, **CNNS}


def test_every_bundled_row_that_can_be_predicted_is_calibrated() -> None:
    seen = set()
    for row in load_rows():
        shape, version = find(row.model, SHAPE_OF), chip_of(lookup(row.instance)).core.version
        if shape is None:
            continue
        tokens = row.sequence or (None if isinstance(shape, CnnShape) else shape.max_context)
        run = Run(
            version, shape, False, row.tp, row.batch, tokens, DATA_TYPES["int8" if row.weight_bytes < 2 else "bf16"]
        )
        found = trust_in(run)
        assert (found.extrapolated, found.reasons, found.rows) == (False, (), row.kind), row
        assert 0 < (found.median or 0) < (found.p90 or 0) < 0.2
        seen.add(row.kind)
    assert seen == {"decode", "encoder", "cnn"}


@pytest.mark.parametrize(
    ("run", "reasons"),
    [
        (Run("v2", shape_for("opt-125m"), degree=8), ["published language models have 6.7 to 69 billion parameters"]),
        (Run("v2", shape_for("opt-30b"), degree=2), ["published degrees are 8 to 32"]),
        (Run("v2", shape_for("opt-30b"), degree=8, batch=257), ["published batches end at 256"]),
        (Run("v2", shape_for("opt-30b"), context=16385), ["published contexts end at 16384"]),
        (Run("v2", shape_for("opt-30b"), data_type=DATA_TYPES["fp32"]), ["no published run in FP32"]),
        (Run("v2", shape_for("encoder-1b")), ["published encoders have 12 to 335 million parameters"]),
        (Run("v2", shape_for("roberta-base"), degree=2), ["published encoders run on one NeuronCore each"]),
        (
            Run("v2", shape_for("roberta-base"), context=512),
            ["published sequences have 128 tokens, those of images 197"],
        ),
        (Run("v2", CNNS["vgg16"]), ["published convolutional networks have 12 to 60 million parameters"]),
        (Run("v2", CNNS["resnet50"], batch=65), ["published batches end at 64"]),
        (Run("v3", CNNS["resnet50"]), ["no published run on NeuronCore-v3 was fitted"]),
        (Run("v2"), ["no published run of this kind of work was fitted"]),
        (Run("v2", collectives_alone=True), []),
        (Run("v4", collectives_alone=True), ["no published run on NeuronCore-v4 was fitted"]),
        (
            Run("v1", shape_for("opt-125m"), degree=1),
            [
                "no published run on NeuronCore-v1 was fitted",
                "published language models have 6.7 to 69 billion parameters",
                "published degrees are 8 to 32",
            ],
        ),
    ],
)
def test_every_reason_to_doubt_is_named(run: Run, reasons: list[str]) -> None:
    found = trust_in(run)
    assert found.reasons == tuple(reasons)
    assert found.extrapolated is bool(reasons)
    assert (found.median is None) is (found.rows in (None, COLLECTIVES))
