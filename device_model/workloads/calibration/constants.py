"""The shipped constants of the cost model, one set per NeuronCore generation, with their origin."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from device_model.workloads.cost.steps import CostConstants

DATA = files("device_model.workloads.calibration") / "data"

FITTED_GENERATION = "v2"
"""The NeuronCore generation of the bundled rows; others are extrapolated from it."""


class Calibration(NamedTuple):
    """One generation's constants and where they come from; `residuals` is empty where nothing was fitted."""

    constants: CostConstants
    origin: str
    fitted_on: str | None
    residuals: Mapping[str, Mapping[str, float]]


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads((DATA / "constants.toml").read_text(encoding="utf-8"))


@cache
def calibration_for(generation: str) -> Calibration:
    """The shipped constants of "v1" .. "v4" with their origin; KeyError for another generation.

    A generation without a fit names the one it is `like` and states only what differs.
    """
    entry = _document()[generation]
    values = {**_document().get(entry.get("like"), {}), **entry}
    constants = CostConstants(**{name: values[name] for name in CostConstants._fields})
    return Calibration(constants, entry["origin"], entry.get("fitted_on"), entry.get("residuals", {}))


def constants_for(generation: str) -> CostConstants:
    """The shipped constants of one NeuronCore generation, "v1" .. "v4"; KeyError for another."""
    return calibration_for(generation).constants
