"""A CloudWatch dashboard and alarms over the published metrics, as the documents that CloudWatch's API takes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from neurontools.exporters.cloudwatch.render import DEFAULT_DIMENSIONS
from neurontools.exporters.cloudwatch.table import ROWS, SOURCE_UP, WORST_FINDING, Row

_PERIOD_S = 60
_WIDTH, _HEIGHT, _COLUMNS = 8, 6, 3
_BY_HOST = ",".join(DEFAULT_DIMENSIONS)


class Alarm(NamedTuple):
    """A condition on any host's metric. `missing` is what CloudWatch makes of a period without data."""

    name: str
    metric: str
    statistic: str
    comparison: str
    threshold: float
    periods: int
    missing: str
    description: str


ALARMS = (
    Alarm(
        "neuron-source-down",
        SOURCE_UP,
        "MIN",
        "LessThanThreshold",
        1,
        3,
        "breaching",
        "For three minutes a host's Neuron devices could not be read, or nothing came from any host. "
        "Look at the driver (neuron-ls) and at the publisher's log.",
    ),
    Alarm(
        "neuron-uncorrected-memory-error",
        "EccUncorrected",
        "SUM",
        "GreaterThanThreshold",
        0,
        1,
        "notBreaching",
        "A device counted a memory error that cannot be corrected. Stop using the device; stop and start, "
        "or replace, the instance. The driver before 2.14 and Inferentia1 do not count these.",
    ),
    Alarm(
        "neuron-host-degraded",
        WORST_FINDING,
        "MAX",
        "GreaterThanOrEqualToThreshold",
        2,
        2,
        "notBreaching",
        "neuron-doctor's rules find that a host is degraded (2) or should be replaced (3). neuron-doctor on the host "
        "says which rule, why, and what to do; what the host's sources do not give cannot be found.",
    ),
    Alarm(
        "neuron-executions-failed",
        "ExecutionsFailed",
        "SUM",
        "GreaterThanThreshold",
        0,
        5,
        "notBreaching",
        "For five minutes in a row executions timed out or were refused. Needs AWS's neuron-monitor on the host: "
        "the driver's files alone do not tell processes' executions.",
    ),
)


def dashboard(namespace: str, region: str) -> dict[str, Any]:
    """The body of a dashboard: a graph for each metric, a line for each host."""
    titles = [
        (SOURCE_UP, "Hosts that could be read", "Minimum"),
        *((row.name, row.title, _statistic(row)) for row in ROWS),
        (WORST_FINDING, "Worst finding: 1 warning, 2 degraded, 3 replace", "Maximum"),
    ]
    return {
        "widgets": [
            {
                "type": "metric",
                "x": i % _COLUMNS * _WIDTH,
                "y": i // _COLUMNS * _HEIGHT,
                "width": _WIDTH,
                "height": _HEIGHT,
                "properties": {
                    "view": "timeSeries",
                    "region": region,
                    "title": title,
                    "period": _PERIOD_S,
                    "metrics": [[{"expression": _search(namespace, name, statistic), "id": f"e{i}"}]],
                },
            }
            for i, (name, title, statistic) in enumerate(titles)
        ]
    }


def alarms(namespace: str) -> list[dict[str, Any]]:
    """Arguments of PutMetricAlarm, an alarm each; who is told is for the caller to add (AlarmActions)."""
    return [
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "Metrics": [{"Id": "q1", "Expression": _query(namespace, alarm), "Period": _PERIOD_S, "ReturnData": True}],
            "ComparisonOperator": alarm.comparison,
            "Threshold": alarm.threshold,
            "EvaluationPeriods": alarm.periods,
            "TreatMissingData": alarm.missing,
        }
        for alarm in ALARMS
    ]


def dashboard_text(namespace: str, region: str) -> str:
    """The dashboard as `aws cloudwatch put-dashboard --dashboard-body` takes it."""
    return json.dumps(dashboard(namespace, region), indent=2) + "\n"


def alarms_text(namespace: str) -> str:
    """The alarms, one a line, as `aws cloudwatch put-metric-alarm --cli-input-json` takes each."""
    return "".join(json.dumps(alarm) + "\n" for alarm in alarms(namespace))


def _statistic(row: Row) -> str:
    return "Sum" if row.how == "sum" and row.unit == "Count" else "Average"


def _search(namespace: str, name: str, statistic: str) -> str:
    return f"SEARCH('{{\"{namespace}\",{_BY_HOST}}} MetricName=\"{name}\"', '{statistic}', {_PERIOD_S})"


def _query(namespace: str, alarm: Alarm) -> str:
    return f'SELECT {alarm.statistic}({alarm.metric}) FROM SCHEMA("{namespace}", {_BY_HOST})'
