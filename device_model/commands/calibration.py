"""`neuron-model calibration`: what the cost model says about published benchmark rows, and new constants for them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device_model.commands.failure import USAGE, Failure, of_system
from device_model.commands.progress import Progress
from device_model.workloads.calibration.report import IN_SAMPLE, Prediction, Report, build, constants_toml
from device_model.workloads.calibration.rows import RowError, load_rows, load_unseen_rows

UNKNOWN = "–"
_COLUMNS = (
    "columns: kind, model, inst, tp, dp, batch; and seq, inp, out, wbytes, tpot_ms, ttft_ms, thr, sdk, src as known"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--rows", metavar="FILE", help="a CSV of published rows instead of the bundled ones")
    parser.add_argument("--fit", action="store_true", help="fit the constants to these rows and print them as TOML")
    parser.add_argument("--json", action="store_true", help="rows, totals and constants as JSON")


def calibration(options: Any) -> int:
    """Predicts every row; prints published, predicted and error, then totals. Raises Failure."""
    try:
        rows = load_rows(None if options.rows is None else Path(options.rows))
    except RowError as error:
        raise Failure(str(error), _COLUMNS, USAGE) from None
    except OSError as error:
        raise of_system("cannot read", options.rows, error) from None
    if not rows:
        raise Failure(f"{options.rows}: there are no rows under the header", "", USAGE)
    progress = Progress(lambda: "fitting without one model after the other")
    report = build(rows, options.fit, load_unseen_rows() if options.rows is None else (), progress)
    progress.end()
    if options.json:
        print(json.dumps(_document(report, options.fit), indent=1))
    elif options.fit:
        _print_fit(report, options.rows)
    else:
        _print_rows(report.predictions)
        if report.unseen:
            print("\nPublished runs of models to which nothing was fitted:\n")
            _print_rows(report.unseen)
        _print_totals(report)
    return 0


def _print_fit(report: Report, path: str | None) -> None:
    if not any(IN_SAMPLE in scores for scores in report.totals.values()):
        raise Failure(
            f"{path}: nothing can be fitted to these rows, they say nothing of Inferentia2 and Trainium1",
            f"see what becomes of each with: neuron-model calibration --rows {path}",
            USAGE,
        )
    print(constants_toml(report, None if path is None else f"fit of {path}"), end="")


def _document(report: Report, refit: bool) -> dict[str, Any]:
    """`rows` holds one quantity per published row; times to first token are apart."""
    return {
        "constants_from": "these rows" if refit else "the package",
        **_rows(report.predictions),
        **_rows(report.unseen, "unseen_"),
        "totals": {
            quantity: {name: found._asdict() for name, found in scores.items()}
            for quantity, scores in report.totals.items()
        },
        "constants": report.constants._asdict(),
    }


def _rows(predictions: Sequence[Prediction], which: str = "") -> dict[str, Any]:
    return {
        f"{which}rows": [_row(p) for p in predictions if p.quantity.name != "first_token"],
        f"{which}first_tokens": [_row(p) for p in predictions if p.quantity.name == "first_token"],
    }


def _row(prediction: Prediction) -> dict[str, Any]:
    row = prediction.row
    return {
        "model": row.model, "kind": row.kind, "inst": row.instance, "tp": row.tp, "dp": row.replicas,
        "batch": row.batch, "seq": row.sequence, "inp": row.prompt, "out": row.output, "wbytes": row.weight_bytes,
        "sdk": row.sdk, "src": row.source, "line": row.line, "quantity": prediction.quantity.column,
        "published": prediction.published, "predicted": prediction.predicted, "error": prediction.error,
        "predicted_leaving_model_out": prediction.left_out, "extrapolated": prediction.extrapolated,
        "problem": prediction.problem,
    }  # fmt: skip


def _print_rows(predictions: Sequence[Prediction]) -> None:
    width = max((len(p.row.model) for p in predictions), default=5)
    print(
        f"{'KIND':<11} {'MODEL':<{width}} {'INSTANCE':<14} {'TP':>3} {'BATCH':>5} {'SEQ':>6} {'FIGURE':<8} "
        f"{'PUBLISHED':>10} {'PREDICTED':>10} {'ERROR':>8}"
    )
    for prediction in predictions:
        row = prediction.row
        sequence = UNKNOWN if row.sequence is None else str(row.sequence)
        published = UNKNOWN if prediction.published is None else f"{prediction.published:.2f}"
        print(
            f"{prediction.quantity.name:<11} {row.model:<{width}} {row.instance:<14} {row.tp:>3} {row.batch:>5} "
            f"{sequence:>6} {prediction.quantity.column:<8} {published:>10} {_outcome(prediction)}"
        )


def _outcome(prediction: Prediction) -> str:
    if prediction.predicted is None or prediction.error is None:
        return f"{UNKNOWN:>10} {UNKNOWN:>8}  {prediction.problem}"
    mark = "  extrapolated" if prediction.extrapolated else ""
    return f"{prediction.predicted:>10.2f} {100 * prediction.error:>+7.1f}%{mark}"


def _print_totals(report: Report) -> None:
    print(f"\n{'KIND':<11} {'CONSTANTS':<26} {'ROWS':>4} {'MEDIAN':>7} {'P90':>7} {'WITHIN 15%':>10}")
    for quantity, scores in report.totals.items():
        for name, found in scores.items():
            print(
                f"{quantity:<11} {name.replace('_', ' '):<26} {found.rows:>4} {100 * found.median:>6.1f}% "
                f"{100 * found.p90:>6.1f}% {100 * found.within_15_percent:>9.0f}%"
            )
    left = sum(p.predicted is None for p in report.predictions)
    if left:
        rows = "1 row has no prediction and counts" if left == 1 else f"{left} rows have no prediction and count"
        print(f"\n{rows} in no total")
    print(
        "\ntpot_ms: median time per output token; ttft_ms: time to first token; thr: sequences or images per second."
        "\nGiven constants are those shown against; in sample, they are fitted to these rows; left out, to the others."
        + ("\nUnseen models are in none of the rows that the constants are fitted to." if report.unseen else "")
    )
