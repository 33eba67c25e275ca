"""Intervals as rows of CSV: an instant, a metric of the catalogue, what tells its numbers apart, and the number."""

from __future__ import annotations

import csv
from io import StringIO

from neurontools.metrics import LABELS, of_scope, records
from neurontools.metrics.metric import HISTOGRAM, SCOPES
from neurontools.schema.interval_records import Interval
from neurontools.units import format_time_ns

HEADER = "time,metric,labels,value\n"

_SPECIAL = str.maketrans({"\\": "\\\\", ";": "\\;", "=": "\\="})


def rows(interval: Interval) -> str:
    """The rows of an interval; what is unknown has none, nor has a distribution, whose percentiles have.

    Labels are `name=value`, with `;` between them; `\\` stands before one of these three in a value.
    """
    time = format_time_ns(interval.head.time_ns)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for scope in SCOPES:
        metrics = [metric for metric in of_scope(scope) if metric.kind != HISTOGRAM]
        for placed in records(interval, scope):
            for metric in metrics:
                names = (*LABELS[scope], *metric.labels)
                writer.writerows(
                    (time, metric.name, _labels(names, (*placed.labels, *keys)), number)
                    for keys, number in metric.samples(placed.record)
                )
    return text.getvalue()


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    return ";".join([f"{name}={value.translate(_SPECIAL)}" for name, value in zip(names, values, strict=True)])
