"""The calibration: the fit that gives the shipped constants, and the errors that the project states."""

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration import fit as calibration
from device_model.workloads.calibration.constants import DATA, calibration_for, constants_for
from device_model.workloads.calibration.fit import (
    CNN,
    DECODE,
    ENCODER,
    FIRST_TOKEN,
    QUANTITIES,
    START,
    Quantity,
    errors,
    fit,
    score,
)
from device_model.workloads.calibration.report import BY_MODEL, BY_SIZE, IN_SAMPLE, Report, build, constants_toml
from device_model.workloads.calibration.rows import Row, load_unseen_rows
from device_model.workloads.cost import decoder as cost
from device_model.workloads.models.shapes import shape_for

ROWS = calibration.load_rows()
UNSEEN = [row for row in load_unseen_rows() if calibration.generation_of(row) == "v2"]
DECODE_ROWS = [row for row in ROWS if row.kind == "decode"]
V2 = constants_for("v2")
GENERATIONS = ("v1", "v2", "v3", "v4")
FITTED = tuple(name for quantity in QUANTITIES for name in quantity.fitted)


@cache
def report() -> Report:
    return build(ROWS, refit=True)


def synthetic(row: Row, constants: cost.CostConstants) -> Row:
    """The row as a machine would have published it on which the model is exactly true."""
    if row.kind != "decode":
        quantity = ENCODER if row.kind == "encoder" else CNN
        return row._replace(throughput=quantity.predict(row, constants))
    return row._replace(token_ms=DECODE.predict(row, constants), first_ms=FIRST_TOKEN.predict(row, constants))


def test_the_shipped_constants_are_what_the_fit_returns() -> None:
    fitted = fit(ROWS)
    for name in FITTED:
        assert getattr(V2, name) == pytest.approx(getattr(fitted, name), rel=1e-3), name


@pytest.mark.slow
def test_the_shipped_tables_are_what_the_command_prints() -> None:
    assert constants_toml(report()) in (DATA / "constants.toml").read_text()


def test_the_fit_does_not_depend_on_the_order_of_rows() -> None:
    some = ROWS[::5]
    forward, backward = fit(some), fit(some[::-1])
    assert backward[:-1] == pytest.approx(forward[:-1], rel=1e-4)


def test_the_fit_recovers_the_constants_that_made_the_rows() -> None:
    truth = V2._replace(weights_efficiency=0.5, kv_efficiency=0.45, layer_seconds=180e-6, inferentia2_share=0.8)
    rows = [synthetic(row, truth) for row in ROWS]
    fitted = fit(rows)
    for quantity in (ENCODER, CNN, DECODE):
        assert max(map(abs, errors(rows, fitted, quantity))) < 0.01
    assert fitted.kv_efficiency == pytest.approx(0.45, rel=0.02)
    assert fitted.inferentia2_share == pytest.approx(0.8, rel=0.02)


def test_nothing_to_fit_leaves_the_start() -> None:
    assert fit([]) == START
    assert fit([DECODE_ROWS[0]._replace(model="Llama-9")]) == START


def test_one_chip_alone_does_not_tell_its_share() -> None:
    fitted = fit([row for row in ROWS if row.kind == "encoder" and row.instance == "inf2.xlarge"])
    assert fitted.inferentia2_share == START.inferentia2_share
    assert fitted.encoder_seconds != START.encoder_seconds


@pytest.mark.parametrize(
    ("quantity", "rows", "median", "share"),
    [(DECODE, 66, 0.036, 0.98), (ENCODER, 22, 0.04, 1.0), (CNN, 6, 0.09, 1.0), (FIRST_TOKEN, 58, 0.25, 0.35)],
    ids=lambda value: value.name if isinstance(value, Quantity) else str(value),
)
def test_errors_in_sample_are_as_stated(quantity: Quantity, rows: int, median: float, share: float) -> None:
    reached = score(errors(ROWS, V2, quantity))
    assert reached.rows == rows
    assert reached.median <= median
    assert reached.within_15_percent >= share


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quantity", "median", "share"), [("decode", 0.04, 0.9), ("encoder", 0.06, 0.9), ("cnn", 0.09, 0.9)]
)
def test_rows_of_a_model_that_the_fit_has_not_seen_are_predicted(quantity: str, median: float, share: float) -> None:
    reached = report().totals[quantity]
    assert reached[BY_MODEL].median <= median
    assert reached[BY_MODEL].within_15_percent >= share
    assert reached[BY_SIZE].median <= 0.12
    assert reached[IN_SAMPLE].median <= reached[BY_MODEL].median


@pytest.mark.parametrize(
    ("quantity", "median", "share"),
    [(DECODE, 0.04, 0.9), (ENCODER, 0.02, 1.0), (CNN, 0.04, 1.0), (FIRST_TOKEN, 0.25, 0.3)],
    ids=lambda value: value.name if isinstance(value, Quantity) else str(value),
)
def test_models_that_nothing_was_fitted_to_are_predicted(quantity: Quantity, median: float, share: float) -> None:
    rows = [row for row in UNSEEN if row.kind == quantity.kind]
    reached = score(errors(rows, V2, quantity))
    assert reached.rows == len(rows)
    assert reached.median <= median
    assert reached.within_15_percent >= share


@pytest.mark.parametrize("generation", GENERATIONS)
def test_constants_are_plausible_and_say_where_they_come_from(generation: str) -> None:
    found = calibration_for(generation)
    shares = {k: v for k, v in found.constants._asdict().items() if k.endswith(("efficiency", "share"))}
    assert all(0 < value <= 1 for value in shares.values())
    assert 80e-6 <= found.constants.layer_seconds <= 200e-6
    assert found.origin
    assert found.constants.extrapolated is (generation != "v2")
    assert bool(found.residuals) is bool(found.fitted_on) is (generation == "v2")


def test_an_unknown_generation_is_refused() -> None:
    with pytest.raises(KeyError):
        constants_for("v9")


def test_published_tables_obey_littles_law() -> None:
    """One batch a core: two for BERT's family, one for images one by one; batches of images wait, two a core."""
    for row in (*ROWS, *UNSEEN):
        found = calibration.in_flight(row)
        if row.kind == "decode" or found is None:
            continue
        expected = float(row.replicas if row.sequence or row.batch == 1 else 2 * row.replicas)
        assert found == pytest.approx(expected, rel=0.03), row
    bert = [calibration.in_flight(row) for row in ROWS if row.kind == "encoder" and row.sequence]
    assert bert == pytest.approx([2.0] * 20, rel=0.02)


@pytest.mark.parametrize(
    ("model", "replicas", "tp", "claimed"), [("opt-30b", 3, 8, 573), ("opt-66b", 1, 24, 248)], ids=["30B", "66B"]
)
def test_the_launch_talks_token_rates_follow_under_the_assumed_set_up(
    model: str, replicas: int, tp: int, claimed: float
) -> None:
    """The talk did not publish its set-up: batch 8, FP16, 1 to 2048 tokens is a hypothesis."""
    batch, length = 8, 2048
    core = cost.rates_for("inf2.48xlarge")

    def step_ns(context: int) -> int:
        shape = shape_for(model)
        return cost.decode_step(shape, core, V2, tp, tp // 2, batch, context, 2).work.duration_ns

    seconds = sum(step_ns(context) for context in range(1, length + 1)) / 1e9
    assert replicas * batch * length / seconds == pytest.approx(claimed, rel=0.15)


def test_a_bare_weights_roofline_is_several_times_too_fast() -> None:
    ratios = sorted((row.token_ms or math.nan) / 1e3 / DECODE.terms(row).weights for row in DECODE_ROWS)
    assert 3 < ratios[len(ratios) // 2] < 10


@pytest.mark.parametrize(
    ("model", "kind", "expected"),
    [
        ("Llama-3-8B", "decode", "7-8B"), ("CodeLlama-13b-hf", "decode", "13B"), ("opt-30b", "decode", "30B"),
        ("opt-66b", "decode", "66-70B"), ("bert-base-uncased", "encoder", "base"),
        ("bert-large-uncased", "encoder", "large"), ("resnet152", "cnn", "50M up"),
    ],
)  # fmt: skip
def test_size_classes_follow_the_parameters(model: str, kind: str, expected: str) -> None:
    assert calibration.size_class(DECODE_ROWS[0]._replace(model=model, kind=kind)) == expected


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "Llama-9"}, "no shape: no model is called 'Llama-9'; did you mean"),
        ({"instance": "inf2.49xlarge"}, "unknown instance type 'inf2.49xlarge'"),
        ({"prompt": None}, "lacks inp"),
        ({"instance": "inf2.xlarge"}, "no links"),
    ],
)
def test_rows_that_the_model_cannot_predict_say_why_and_count_nowhere(changes: dict[str, object], why: str) -> None:
    row = DECODE_ROWS[0]._replace(**changes)  # type: ignore[arg-type]
    assert why in (calibration.problem(row, DECODE) or "")
    assert calibration.usable([row], DECODE) == []
    found = build([row, *DECODE_ROWS[1:12:5]], refit=False)
    assert found.totals["decode"]["given_constants"].rows == 3
    assert found.predictions[0].predicted is None
    assert why in (found.predictions[0].problem or "")


def test_another_generation_is_predicted_apart_as_extrapolated() -> None:
    """Rows count logical cores: 64 of Trainium2 are 128 physical ones."""
    row = DECODE_ROWS[0]._replace(model="Llama-3.1-70B", instance="trn2.48xlarge", tp=64, weight_bytes=2.0)
    found = build([row], refit=False)
    (token, first) = found.predictions
    assert token.extrapolated and first.extrapolated
    assert set(found.totals["decode"]) == {"extrapolated"}
    assert (token.predicted or 0) > 5


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=50))
def test_a_score_is_ordered_and_ignores_signs(found: list[float]) -> None:
    summary = score(found)
    assert summary == score([-error for error in found])
    assert min(map(abs, found)) <= summary.median <= summary.p90 <= max(map(abs, found))
    assert summary.within_15_percent == sum(abs(error) <= 0.15 for error in found) / len(found)


def test_a_score_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no errors"):
        score([])
