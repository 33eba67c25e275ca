"""Data as PutMetricData requests that keep the service's limits, so that no datum spoils the others' request.

Limits as AWS documents them for PutMetricData and MetricDatum (CloudWatch API reference): 1,000 metrics and 1 MB a
request, 30 dimensions a metric, finite values of at most 2^360, names of at most 255 ASCII characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet

MOST_METRICS = 1000
MOST_BYTES = 1_000_000
MOST_DIMENSIONS = 30
MOST_NAME = 255
MOST_DIMENSION_VALUE = 1024
MOST_VALUE = 2.0**360
OLDEST_S = 14 * 86400
NEWEST_S = 2 * 3600
"""Data older than two weeks, or more than two hours ahead, are refused by the service."""

_FIXED_BYTES = 500
_DIMENSION_BYTES = 90
_ESCAPED = 3
"""What a character takes at most in a form-encoded request, and what the rest of a datum or dimension takes."""


def problem_of(datum: Datum, now_s: int) -> str:
    """Why the service would refuse a datum; empty where it would not."""
    numbers = (datum.values.count, datum.values.total, datum.values.minimum, datum.values.maximum)
    if not all(math.isfinite(number) and abs(number) <= MOST_VALUE for number in numbers):
        return "a value is not finite"
    if len(datum.dimensions) > MOST_DIMENSIONS:
        return f"it has {len(datum.dimensions)} dimensions, at most {MOST_DIMENSIONS} are allowed"
    if not 1 <= len(datum.name) <= MOST_NAME:
        return f"its name has {len(datum.name)} characters"
    if now_s - datum.time_s > OLDEST_S:
        return "it is more than two weeks old"
    if datum.time_s - now_s > NEWEST_S:
        return "it is more than two hours ahead"
    return next(
        (f"the dimension {name} has the value {value!r}" for name, value in datum.dimensions if not _sendable(value)),
        "",
    )


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable() and bool(value.strip()) and len(value) <= MOST_DIMENSION_VALUE


def packed(data: Iterable[Datum]) -> Iterator[list[Datum]]:
    """The data in order, as many in each request as the limits allow."""
    batch: list[Datum] = []
    size = 0
    for datum in data:
        own = size_of(datum)
        if batch and (len(batch) == MOST_METRICS or size + own > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(datum)
        size += own
    if batch:
        yield batch


def size_of(datum: Datum) -> int:
    """Bytes that a datum takes in a request at most, in the service's most verbose protocol."""
    names = sum(_DIMENSION_BYTES + _ESCAPED * (len(name) + len(value)) for name, value in datum.dimensions)
    return _FIXED_BYTES + _ESCAPED * len(datum.name) + names


def member(datum: Datum) -> dict[str, Any]:
    """The datum as an element of PutMetricData's MetricData. A single value goes as such, so that percentiles work."""
    values = datum.values
    single = values.count == 1
    return {
        "MetricName": datum.name,
        "Unit": datum.unit,
        "Dimensions": [{"Name": name, "Value": value} for name, value in datum.dimensions],
        "Timestamp": datetime.fromtimestamp(datum.time_s, UTC),
        "StorageResolution": datum.resolution_s,
        **({"Value": values.total} if single else {"StatisticValues": _statistics(values)}),
    }


def _statistics(values: StatisticSet) -> dict[str, float]:
    return {
        "SampleCount": values.count,
        "Sum": values.total,
        "Minimum": values.minimum,
        "Maximum": values.maximum,
    }
