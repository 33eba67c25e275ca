"""Sends points with OpenTelemetry's official SDK, by gRPC or HTTP, again and in order while the receiver is away."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from neurontools.exporters.otlp.points import BOUNDS_S, Series
from neurontools.metrics.metric import COUNTER

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

Protocol = Literal["grpc", "http/protobuf"]
PROTOCOLS: tuple[Protocol, ...] = ("grpc", "http/protobuf")

MOST_WAITING = 120
"""Intervals that are kept while the receiver is away, the newest: at a minute each, two hours."""

RETRY_S = 5.0
_LOOK_AGAIN_S = 0.02
_SCOPE = "neurontools"


class SetUpError(Exception):
    """There is nothing to send with; the text says why, in one line."""


class Target(NamedTuple):
    """Where to send and how; what is None or empty is taken from OpenTelemetry's environment variables."""

    protocol: Protocol
    endpoint: str | None
    headers: Mapping[str, str]
    timeout_s: float


def make_exporter(target: Target) -> MetricExporter:
    """The SDK's exporter for a target. Raises SetUpError."""
    try:
        if target.protocol == "grpc":
            # Else gRPC's threads begin anew in every child, and abort it when its descriptors are closed before exec.
            os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Grpc

            headers = dict(target.headers) or None
            return Grpc(endpoint=target.endpoint, headers=headers, timeout=target.timeout_s)
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Http

        return Http(endpoint=_path(target.endpoint), headers=target.headers or None, timeout=target.timeout_s)
    except ImportError:
        raise SetUpError("OpenTelemetry's SDK is missing: pip install 'neurontools[otlp]'") from None
    except (ValueError, RuntimeError) as error:
        raise SetUpError(" ".join(str(error).split())) from None


def _path(endpoint: str | None) -> str | None:
    """The SDK wants the signal's path with an endpoint; people name the receiver."""
    if endpoint is None or endpoint.rstrip("/").endswith("/v1/metrics"):
        return endpoint
    return f"{endpoint.rstrip('/')}/v1/metrics"


def metrics_data(series: Sequence[Series], resource: Mapping[str, Any], time_ns: int, version: str) -> MetricsData:
    """The points as the SDK's exporters take them; sums and distributions are cumulative."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = [_metric(each, time_ns) for each in series]
    scope = ScopeMetrics(InstrumentationScope(_SCOPE, version), metrics, "")
    return MetricsData([ResourceMetrics(Resource(resource), [scope], "")])


def _metric(series: Series, time_ns: int) -> Any:
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Histogram, Metric, Sum

    name = series.name
    data: Gauge | Histogram | Sum
    if series.distributions:
        data = Histogram(_histogram_points(series, time_ns), AggregationTemporality.CUMULATIVE)
    elif series.kind == COUNTER or name.up_down:
        data = Sum(_number_points(series, time_ns), AggregationTemporality.CUMULATIVE, series.kind == COUNTER)
    else:
        data = Gauge(_number_points(series, time_ns))
    return Metric(name.name, series.help, name.unit, data)


def _number_points(series: Series, time_ns: int) -> list[Any]:
    from opentelemetry.sdk.metrics.export import NumberDataPoint

    return [NumberDataPoint(dict(point.attributes), point.start_ns, time_ns, point.value) for point in series.points]


def _histogram_points(series: Series, time_ns: int) -> list[Any]:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    return [
        HistogramDataPoint(
            attributes=dict(each.attributes),
            start_time_unix_nano=each.start_ns,
            time_unix_nano=time_ns,
            count=each.recorded,
            sum=each.total_s,
            bucket_counts=each.buckets,
            explicit_bounds=BOUNDS_S,
            min=each.least_s,
            max=each.most_s,
        )
        for each in series.distributions
    ]


class Sender:
    """Sends what it is given in a thread of its own, in order. An outage is told when it begins and when it is over."""

    def __init__(
        self, exporter: MetricExporter, where: str, say: Callable[[str], None], retry_s: float = RETRY_S
    ) -> None:
        """`where` names the receiver for people."""
        self._exporter = exporter
        self._where = where
        self._say = say
        self._retry_s = retry_s
        self._waiting: deque[MetricsData] = deque()
        self._changed = threading.Condition()
        self._failures = self._dropped = 0
        self._errors = _LastError()
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    def put(self, data: MetricsData) -> None:
        """Data to send; where too many wait, the oldest are dropped, and how many is told when sending goes on."""
        with self._changed:
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(data)
            self._changed.notify()

    def drain(self, most_s: float) -> bool:
        """Waits until everything is sent, at most so long; whether that came about."""
        end_s = time.monotonic() + most_s
        while self._waiting and time.monotonic() < end_s:
            time.sleep(_LOOK_AGAIN_S)
        return not self._waiting

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting[0]
            if self._export(data):
                with self._changed:
                    # Who waits longest may have been dropped meanwhile.
                    if self._waiting and self._waiting[0] is data:
                        self._waiting.popleft()
            else:
                time.sleep(self._retry_s)

    def _export(self, data: MetricsData) -> bool:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        self._errors.text = ""
        if self._exporter.export(data) is not MetricExportResult.SUCCESS:
            if not self._failures:
                why = self._errors.text or "the SDK does not say why"
                self._say(f"cannot export to {self._where}, what is measured meanwhile is sent later: {why}")
            self._failures += 1
            return False
        if self._failures:
            lost = f"; {self._dropped} intervals were dropped meanwhile" if self._dropped else ""
            self._say(f"{self._where} takes data again, after {self._failures} attempts that failed{lost}")
            self._failures = self._dropped = 0
        return True


class _LastError(logging.Handler):
    """The SDK tells why an export failed by its log only; it is kept for our own line, and printed nowhere else.

    Of equal lines within 20 s it logs only the first.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        logger = logging.getLogger("opentelemetry")
        logger.handlers = [self]
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the message of a record, as one line."""
        self.text = " ".join(record.getMessage().split())
