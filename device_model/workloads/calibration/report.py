"""What the calibration says about every published row: prediction, error, and totals by what the fit had seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from device_model.workloads.calibration.constants import FITTED_GENERATION, calibration_for, constants_for
from device_model.workloads.calibration.fit import (
    FIRST_TOKEN,
    QUANTITIES,
    START,
    Quantity,
    Score,
    error_of,
    fit,
    generation_of,
    leave_one_out,
    problem,
    score,
    size_class,
)
from device_model.workloads.calibration.fit import errors as errors_of
from device_model.workloads.calibration.rows import KINDS, Row
from device_model.workloads.cost.steps import CostConstants

IN_SAMPLE, BY_MODEL, BY_SIZE = "in_sample", "leave_one_model_out", "leave_one_size_class_out"
GIVEN, UNSEEN, EXTRAPOLATED = "given_constants", "unseen_models", "extrapolated"


class Prediction(NamedTuple):
    """One quantity of one row; `predicted` is None where the model has no shape or instance for it."""

    row: Row
    quantity: Quantity
    published: float | None
    predicted: float | None
    left_out: float | None
    """Predicted by constants that saw no row of the same model; None where that was not asked or cannot be."""
    problem: str | None
    extrapolated: bool

    @property
    def error(self) -> float | None:
        """Relative error, predicted / published - 1."""
        if self.predicted is None or self.published is None:
            return None
        return self.predicted / self.published - 1


class Report(NamedTuple):
    """Predictions with the constants used for them, and the scores: quantity -> what was left out -> score."""

    constants: CostConstants
    predictions: tuple[Prediction, ...]
    unseen: tuple[Prediction, ...]
    """Of the rows that nothing was fitted to."""
    totals: Mapping[str, Mapping[str, Score]]


def _ignore() -> None:
    """Nobody wants to know how far it has come."""


def build(
    rows: Sequence[Row], refit: bool, unseen: Sequence[Row] = (), progress: Callable[[], None] = _ignore
) -> Report:
    """Predicts every row with the shipped constants, or with `refit` ones fitted to these rows: a few seconds.

    `unseen` rows are predicted with the same constants, and never fitted to; `progress` is called after each fit.

    Totals: `given_constants` of the predictions shown; `in_sample` with constants fitted to these rows;
    `leave_one_model_out` and `leave_one_size_class_out` with constants that saw none of the model or class;
    `unseen_models` of the unseen rows; `extrapolated` of all rows of other generations than the fitted one. Rows
    that cannot be predicted are in none of them.
    """
    fitted = fit(rows)
    used = fitted if refit else constants_for(FITTED_GENERATION)
    by_model = _left_out(rows, lambda row: row.model, fitted, progress)
    by_size = _left_out(rows, size_class, fitted, progress)
    predictions: list[Prediction] = []
    of_unseen: list[Prediction] = []
    totals: dict[str, dict[str, Score]] = {}
    for quantity in QUANTITIES:
        shown = _predictions(rows, quantity, used, {id(row): value for row, value in by_model[quantity.name]})
        never_fitted = _predictions(unseen, quantity, used, {})
        predictions += shown
        of_unseen += never_fitted
        errors = {
            GIVEN: [p.error for p in shown if p.error is not None and not p.extrapolated],
            IN_SAMPLE: errors_of(rows, fitted, quantity),
            BY_MODEL: [error_of(row, value, quantity) for row, value in by_model[quantity.name]],
            BY_SIZE: [error_of(row, value, quantity) for row, value in by_size[quantity.name]],
            UNSEEN: [p.error for p in never_fitted if p.error is not None and not p.extrapolated],
            EXTRAPOLATED: [p.error for p in (*shown, *never_fitted) if p.error is not None and p.extrapolated],
        }
        if any(errors.values()):
            totals[quantity.name] = {name: score(found) for name, found in errors.items() if found}
    return Report(used, tuple(predictions), tuple(of_unseen), totals)


def _left_out(
    rows: Sequence[Row], key: Callable[[Row], str], fitted: CostConstants, progress: Callable[[], None]
) -> dict[str, list[tuple[Row, float]]]:
    """Quantity -> predictions that left the row's group out, of all kinds."""
    parts = (leave_one_out(rows, key, kind, fitted, progress) for kind in KINDS)
    return {name: found for part in parts for name, found in part.items()}


def _predictions(
    rows: Sequence[Row], quantity: Quantity, constants: CostConstants, left_out: Mapping[int, float]
) -> list[Prediction]:
    found = []
    for row in rows:
        published = quantity.published(row)
        if row.kind != quantity.kind:
            continue
        if published is None:
            if quantity is not FIRST_TOKEN:
                found.append(Prediction(row, quantity, None, None, None, f"no {quantity.column}", False))
            continue
        why = problem(row, quantity)
        if why is not None:
            found.append(Prediction(row, quantity, published, None, None, why, False))
            continue
        generation = generation_of(row)
        foreign = generation != FITTED_GENERATION
        predicted = quantity.predict(row, constants_for(generation) if foreign else constants)
        found.append(Prediction(row, quantity, published, predicted, left_out.get(id(row)), None, foreign))
    return found


def constants_toml(report: Report, origin: str | None = None) -> str:
    """The fitted generation's constants and residuals in the format of the shipped file, without the others' tables.

    `origin` says what they were fitted to, None for the shipped rows.
    """
    origin = calibration_for(FITTED_GENERATION).origin if origin is None else origin
    fitted = (name for quantity in QUANTITIES for name in quantity.fitted)
    untold = [name for name in fitted if getattr(report.constants, name) == getattr(START, name)]
    counts = {name: scores[IN_SAMPLE].rows for name, scores in report.totals.items() if IN_SAMPLE in scores}
    rows = ", ".join(f"{count} {name}" for name, count in counts.items())
    lines = [
        f"[{FITTED_GENERATION}]",
        f"origin = {json.dumps(origin, ensure_ascii=False)}",
        f'fitted_on = "{rows}"',
        *([f"# No row tells these, they are guesses: {', '.join(untold)}."] if untold else []),
        *(f"{name} = {_figure(value)}" for name, value in report.constants._asdict().items()),
        "",
        "# Relative errors: median, 90th percentile, and the share of rows within 15 %.",
        f"[{FITTED_GENERATION}.residuals]",
    ]
    for name, scores in report.totals.items():
        for kind in (IN_SAMPLE, BY_MODEL, BY_SIZE):
            if kind in scores:
                found = scores[kind]
                figures = f"median = {found.median:.4f}, p90 = {found.p90:.4f}"
                lines.append(f"{name}_{kind} = {{ {figures}, within_15_percent = {found.within_15_percent:.4f} }}")
    return "\n".join(lines) + "\n"


def _figure(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}" if value < 1 else f"{value:.1f}"
