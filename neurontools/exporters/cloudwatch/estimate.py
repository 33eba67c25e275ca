"""What series cost: CloudWatch bills every one, every month in which it gets data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from neurontools.exporters.cloudwatch.datum import Datum, Dimensions

TIERS = ((10_000, 0.30), (250_000, 0.10), (1_000_000, 0.05), (float("inf"), 0.02))
"""Up to how many series, and US dollars a month for each: AWS's list price for us-east-1. Other regions and
agreements differ, and the first ten are free."""

REQUESTS_USD = 0.01 / 1000
"""For each PutMetricData request, the same list."""

_SECONDS_A_MONTH = 730 * 3600


class Estimate(NamedTuple):
    """Series by metric, and what they and their requests cost a host a month in US dollars."""

    series: dict[str, int]
    series_usd: float
    requests_usd: float


def estimate(data: Iterable[Datum], period_s: float, requests: int) -> Estimate:
    """What it costs to publish these data every `period_s` seconds in so many requests, for a first host."""
    names: dict[tuple[str, Dimensions], str] = {datum.series: datum.name for datum in data}
    series: dict[str, int] = {}
    for name in names.values():
        series[name] = series.get(name, 0) + 1
    return Estimate(series, price(len(names)), requests * _SECONDS_A_MONTH / period_s * REQUESTS_USD)


def price(series: int) -> float:
    """US dollars a month for so many series."""
    total, below = 0.0, 0.0
    for up_to, usd in TIERS:
        total += max(0.0, min(series, up_to) - below) * usd
        below = up_to
    return total


def text_of(found: Estimate) -> str:
    """The estimate as a table for people."""
    rows = [(name, str(count)) for name, count in found.series.items()]
    width = max(len(name) for name, _ in [*rows, ("METRIC", "")])
    lines = [f"{'METRIC':<{width}}  SERIES", *(f"{name:<{width}}  {count:>6}" for name, count in rows)]
    total, series = found.series_usd + found.requests_usd, sum(found.series.values())
    return "\n".join(
        [
            *lines,
            "",
            f"{series} series: {found.series_usd:.2f} USD a month; requests: {found.requests_usd:.2f} USD; "
            f"together {total:.2f} USD a host and month.",
            "List price of us-east-1 for a first host, without the free tier; see AWS's price list for yours.",
        ]
    )
