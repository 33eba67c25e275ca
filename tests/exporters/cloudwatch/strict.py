"""A CloudWatch that refuses what the service refuses, and keeps what it takes; moto's server checks no limit."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

UNITS = {"Percent", "Count", "Count/Second", "Bytes", "Bytes/Second", "Seconds", "None"}


def refusal(code: str, message: str = "refused") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutMetricData")


class Strict:
    """The one call that the exporter makes. `troubles` are raised first, one a call; None lets the call through."""

    def __init__(self, troubles: list[Exception | None] | None = None) -> None:
        self.troubles = troubles or []
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.calls = 0

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803 (boto3's)
        self.calls += 1
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        check(Namespace, MetricData)
        self.taken += [(Namespace, member) for member in MetricData]


def check(namespace: str, members: list[dict[str, Any]]) -> None:
    """Raises what the service answers to a request beyond its documented limits."""
    _demand(1 <= len(namespace) <= 255 and not namespace.startswith((":", "AWS/")), "namespace")
    _demand(1 <= len(members) <= 1000, "number of metrics")
    # The JSON protocol's size: what is sent is CBOR, which is smaller, and often gzip besides.
    _demand(len(json.dumps(members, default=str)) <= 1_000_000, "size")
    for member in members:
        _check_member(member)


def _check_member(member: dict[str, Any]) -> None:
    _demand(1 <= len(member["MetricName"]) <= 255, "metric name")
    _demand(member["Unit"] in UNITS, "unit")
    _demand(member["StorageResolution"] in (1, 60), "resolution")
    dimensions = member["Dimensions"]
    _demand(len(dimensions) <= 30, "number of dimensions")
    _demand(len({each["Name"] for each in dimensions}) == len(dimensions), "dimension twice")
    for each in dimensions:
        _demand(1 <= len(each["Name"]) <= 255 and not each["Name"].startswith(":"), "dimension name")
        _demand(len(each["Value"].strip()) >= 1 and len(each["Value"]) <= 1024, "dimension value")
        _demand(each["Value"].isascii() and each["Value"].isprintable(), "dimension characters")
    now = datetime.now(UTC)
    _demand(now - timedelta(weeks=2) <= member["Timestamp"] <= now + timedelta(hours=2), "timestamp")
    _demand(("Value" in member) != ("StatisticValues" in member), "one kind of value")
    numbers = [member["Value"]] if "Value" in member else list(member["StatisticValues"].values())
    _demand(all(math.isfinite(number) and abs(number) <= 2.0**360 for number in numbers), "finite values")


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise refusal("InvalidParameterValue", what)


def outage() -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="http://nowhere")
