"""Fits the constants of the cost model to published rows, and scores how well they predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from device_model.workloads.calibration.constants import FITTED_GENERATION
from device_model.workloads.calibration.rows import Row
from device_model.workloads.calibration.rows import load_rows as load_rows
from device_model.workloads.calibration.search import minimise
from device_model.workloads.cost import decoder as cost
from device_model.workloads.cost.cnn import CnnTerms, cnn_seconds, cnn_terms
from device_model.workloads.cost.encoder import encoder_seconds, encoder_terms
from device_model.workloads.cost.steps import CostConstants, StepTerms, TermSeconds
from device_model.workloads.models.cnns import cnn_for
from device_model.workloads.models.shapes import UnknownModelError, shape_for
from neurontools.hardware.instances import chip_of, lookup


class Score(NamedTuple):
    """Relative errors of predictions: how many, their median and 90th percentile, and the share within 15 %."""

    rows: int
    median: float
    p90: float
    within_15_percent: float


class Quantity(NamedTuple):
    """What a kind of row publishes: which figure, the time behind it, the model's formula, and what it fits."""

    name: str
    kind: str
    """Of the rows that publish it."""
    column: str
    published: Callable[[Row], float | None]
    figure: Callable[[Row, float], float]
    """The figure that a time in seconds amounts to, and back: both are a constant times or over it."""
    terms: Callable[[Row], Any]
    formula: Callable[[Any, CostConstants], TermSeconds]
    fitted: tuple[str, ...]

    def predict(self, row: Row, constants: CostConstants) -> float:
        """The figure in the published unit; UnknownModelError, KeyError (instance) or ValueError if there is none."""
        return self.figure(row, self.formula(self.terms(row), constants).total)


def _ranks(row: Row) -> tuple[int, int]:
    """Physical cores and devices of one replica; rows count logical cores."""
    chip = chip_of(lookup(row.instance))
    ranks = row.tp * chip.default_lnc
    return ranks, -(-ranks // chip.cores)


@cache
def _decode_terms(row: Row) -> StepTerms:
    """The published time per token is a median, so it is the middle step's, which adds its own token."""
    if row.prompt is None or row.output is None:
        raise ValueError(f"the row of {row.model} in line {row.line} lacks inp and out, the prompt and output lengths")
    context = row.prompt + row.output // 2 + 1
    rates = cost.rates_for(row.instance)
    return cost.decode_terms(shape_for(row.model), rates, *_ranks(row), row.batch, context, row.weight_bytes)


@cache
def _prefill_terms(row: Row) -> StepTerms:
    if row.prompt is None:
        raise ValueError(f"the row of {row.model} in line {row.line} lacks inp, the prompt length")
    rates = cost.rates_for(row.instance)
    return cost.prefill_terms(shape_for(row.model), rates, *_ranks(row), row.batch, row.prompt, row.weight_bytes)


@cache
def _encoder_terms(row: Row) -> StepTerms:
    shape = shape_for(row.model)
    rates = cost.rates_for(row.instance)
    tokens = row.sequence or shape.max_context
    return encoder_terms(shape, rates, *_ranks(row), row.batch, tokens, row.weight_bytes)


@cache
def _cnn_terms(row: Row) -> CnnTerms:
    return cnn_terms(cnn_for(row.model), cost.rates_for(row.instance), row.batch, row.weight_bytes)


def _milliseconds(row: Row, value: float) -> float:
    return value * 1e3


def _per_second(row: Row, value: float) -> float:
    """Every replica works on a batch of its own."""
    return row.replicas * row.batch / value


DECODE = Quantity(
    "decode", "decode", "tpot_ms", lambda row: row.token_ms, _milliseconds, _decode_terms, cost.decode_seconds,
    ("weights_efficiency", "compute_efficiency", "kv_efficiency", "link_efficiency", "layer_seconds",
     "position_seconds"),
)  # fmt: skip
FIRST_TOKEN = Quantity(
    "first_token", "decode", "ttft_ms", lambda row: row.first_ms, _milliseconds, _prefill_terms, cost.prefill_seconds,
    ("prefill_compute_efficiency", "prefill_score_efficiency", "prefill_seconds"),
)  # fmt: skip
ENCODER = Quantity(
    "encoder", "encoder", "thr", lambda row: row.throughput, _per_second, _encoder_terms, encoder_seconds,
    ("inferentia2_share", "encoder_weights_efficiency", "encoder_compute_efficiency", "encoder_seconds"),
)  # fmt: skip
CNN = Quantity(
    "cnn", "cnn", "thr", lambda row: row.throughput, _per_second, _cnn_terms, cnn_seconds,
    ("cnn_compute_efficiency", "cnn_seconds"),
)  # fmt: skip

QUANTITIES = (ENCODER, CNN, DECODE, FIRST_TOKEN)
"""In the order of their fits: encoders give the engines' share and the weights' efficiency that others use."""

# Where the search starts: the middle of what is plausible. The engines' efficiencies are not fitted, no row times them:
# one element per lane and cycle, against data sheets that count 16 FLOPs per lane and cycle on v2.
START = CostConstants(
    inferentia2_share=0.9,
    weights_efficiency=0.6, compute_efficiency=0.5, kv_efficiency=0.55, link_efficiency=0.2,
    layer_seconds=120e-6, position_seconds=3e-9,
    prefill_compute_efficiency=0.4, prefill_score_efficiency=0.15, prefill_seconds=10e-3,
    encoder_weights_efficiency=0.7, encoder_compute_efficiency=0.6, encoder_seconds=0.2e-3,
    cnn_compute_efficiency=0.6, cnn_seconds=0.3e-3,
    vector_efficiency=0.0625, scalar_efficiency=0.0625, gpsimd_efficiency=1.0,
    extrapolated=False,
)  # fmt: skip


def generation_of(row: Row) -> str:
    """The NeuronCore generation of the row's instance; KeyError for an instance type that is not known."""
    return chip_of(lookup(row.instance)).core.version


def problem(row: Row, quantity: Quantity) -> str | None:
    """Why the model cannot predict a quantity of a row, in one line; None where it can."""
    try:
        quantity.terms(row)
    except UnknownModelError as error:
        return f"no shape: {error}"
    except (KeyError, ValueError) as error:
        return str(error.args[0])
    return None


def usable(rows: Sequence[Row], quantity: Quantity) -> list[Row]:
    """The rows that publish a quantity on the fitted generation and that the model can predict."""
    published = (row for row in rows if row.kind == quantity.kind and quantity.published(row) is not None)
    return [row for row in published if problem(row, quantity) is None and generation_of(row) == FITTED_GENERATION]


def fit(rows: Sequence[Row], start: CostConstants = START) -> CostConstants:
    """The constants that predict the rows best; the same rows give the same answer.

    Rows of other generations or of unknown models are passed over, and constants that no row tells stay as in `start`.
    """
    for quantity in QUANTITIES:
        start = fit_quantity(quantity, rows, start)
    return start


def fit_quantity(quantity: Quantity, rows: Sequence[Row], start: CostConstants) -> CostConstants:
    """`start` with the constants that one quantity fits, the others taken as they are."""
    chosen = usable(rows, quantity)
    if not chosen:
        return start
    targets = [(quantity.terms(row), quantity.figure(row, 1.0), row) for row in chosen]
    aims = [quantity.published(row) or math.nan for row in chosen]
    chips = {terms.chip for terms, _, _ in targets}
    # One chip alone cannot tell its share from the efficiency.
    names = [name for name in quantity.fitted if name != "inferentia2_share" or len(chips) > 1]

    def constants_at(point: Sequence[float]) -> CostConstants:
        values = dict(zip(names, map(math.exp, point), strict=True))
        return CostConstants(**{**start._asdict(), **values})

    def loss(point: Sequence[float]) -> float:
        # Between least absolute and least squares: smooth enough to search, yet no single odd row decides.
        constants = constants_at(point)
        ratios = (
            quantity.figure(row, quantity.formula(terms, constants).total) / aim
            for (terms, _, row), aim in zip(targets, aims, strict=True)
        )
        return math.fsum(abs(math.log(ratio)) ** 1.5 for ratio in ratios) / len(targets)

    return constants_at(minimise(loss, [math.log(getattr(start, name)) for name in names]))


def size_class(row: Row) -> str:
    """The row's model by parameter count: the classes of the published tables, one for all encoders and CNNs each."""
    if row.kind == CNN.kind:
        parameters = float(cnn_for(row.model).parameters)
        limits: tuple[tuple[float, str], ...] = ((20e6, "below 20M"), (50e6, "20-50M"), (math.inf, "50M up"))
    else:
        parameters = float(shape_for(row.model).parameters)
        limits = (
            (90e6, "below 90M"), (200e6, "base"), (1e9, "large"), (10e9, "7-8B"), (20e9, "13B"), (50e9, "30B"),
            (100e9, "66-70B"), (math.inf, "above 100B"),
        )  # fmt: skip
    return next(name for limit, name in limits if parameters < limit)


def score(errors: Sequence[float]) -> Score:
    """The summary of relative errors, signs ignored; ValueError when there are none."""
    if not errors:
        raise ValueError("no errors to summarise")
    ordered = sorted(abs(error) for error in errors)
    count = len(ordered)
    within = sum(error <= 0.15 for error in ordered) / count
    return Score(count, _quantile(ordered, 0.5), _quantile(ordered, 0.9), within)


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def errors(rows: Sequence[Row], constants: CostConstants, quantity: Quantity = DECODE) -> list[float]:
    """Relative errors, predicted / published - 1, of the usable rows that publish the quantity."""
    return [error_of(row, quantity.predict(row, constants), quantity) for row in usable(rows, quantity)]


def error_of(row: Row, predicted: float, quantity: Quantity) -> float:
    """The relative error of one prediction; NaN where nothing is published."""
    return predicted / (quantity.published(row) or math.nan) - 1


def leave_one_out(
    rows: Sequence[Row], key: Callable[[Row], str], kind: str, full: CostConstants, progress: Callable[[], None]
) -> dict[str, list[tuple[Row, float]]]:
    """Quantity -> each usable row of a kind with its prediction by constants that saw no row of the same `key`.

    The constants that rows of this kind fit begin anew, at START; those that other kinds fitted are `full`'s. Where all
    rows have the same `key` there is nothing to learn from, and none is predicted. `progress` is called after each fit.
    """
    chain = {quantity: usable(rows, quantity) for quantity in QUANTITIES if quantity.kind == kind}
    anew = {name: getattr(START, name) for quantity in chain for name in quantity.fitted}
    predictions: dict[str, list[tuple[Row, float]]] = {quantity.name: [] for quantity in chain}
    for name in sorted({key(row) for known in chain.values() for row in known}):
        constants = CostConstants(**{**full._asdict(), **anew})
        for quantity, known in chain.items():
            others = [row for row in known if key(row) != name]
            constants = fit_quantity(quantity, others, constants)
            left = [row for row in known if key(row) == name] if others else []
            predictions[quantity.name] += [(row, quantity.predict(row, constants)) for row in left]
            progress()
    return predictions


def in_flight(row: Row) -> float | None:
    """Batches that were under way at once by Little's law: throughput × latency / batch; None without both."""
    if row.throughput is None or row.first_ms is None:
        return None
    return row.throughput * row.first_ms / 1e3 / row.batch
