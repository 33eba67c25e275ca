"""An interval as points: numbers with attributes and the time since when they count, before any SDK is involved."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from neurontools.exporters.otlp.naming import FINDING, FINDING_HELP, PREFIX, Name, published
from neurontools.metrics import BY_NAME, LABELS, Placed, records
from neurontools.metrics.metric import COUNTER, GAUGE, HISTOGRAM, Metric
from neurontools.schema.finding import SEVERITIES, Diagnosis
from neurontools.schema.histogram import Histogram, middle_of
from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.schema.inventory import Inventory
from neurontools.units import NS_PER_S

Attributes = tuple[tuple[str, str | int], ...]

BOUNDS_S = tuple(step * 10.0**power for power in range(-4, 3) for step in (1, 2, 5))
"""Upper edges of the buckets in which latencies are published: 0.1 ms to 500 s, three a decade."""


class Point(NamedTuple):
    """A gauge's number, or what a sum has counted since `start_ns`."""

    attributes: Attributes
    value: int | float
    start_ns: int


class Distribution(NamedTuple):
    """Durations since `start_ns`, in s: how many, their sum, the shortest and the longest (within 1 %; 0 where there is
    none), and how many in each bucket up to a bound of BOUNDS_S."""

    attributes: Attributes
    recorded: int
    total_s: float
    least_s: float
    most_s: float
    buckets: tuple[int, ...]
    start_ns: int


class Series(NamedTuple):
    """All points of one metric. `kind` is that of the catalogue."""

    name: Name
    kind: str
    help: str
    points: tuple[Point, ...]
    distributions: tuple[Distribution, ...]


class Points:
    """Points of one interval after another. Sums count from the first interval on, a process's from its own first."""

    def __init__(self) -> None:
        self._names = published()
        self._sums: dict[tuple[str, Attributes], tuple[int | float, int]] = {}

    def of(self, interval: Interval, diagnosis: Diagnosis | None = None) -> list[Series]:
        """What the interval adds, and what is wrong at its end; a metric without a known number is not there.

        What is no longer seen is forgotten, so that the series of a process that ended, ends.
        """
        placed = {scope: list(records(interval, scope)) for scope in LABELS}
        before, self._sums = self._sums, {}
        since_ns = interval.head.time_ns - interval.duration_ns
        found: dict[str, Series] = {}
        for key, name in self._names.items():
            metric = BY_NAME[key]
            points = tuple(self._points(metric, name, placed[metric.scope], before, since_ns))
            distributions = tuple(_distributions(metric, name, placed[metric.scope]))
            if points or distributions:
                first = found.get(name.name, Series(name, metric.kind, metric.help, (), ()))
                # Directions and modes are metrics of their own in the catalogue, and attributes of one here.
                found[name.name] = first._replace(
                    points=first.points + points, distributions=first.distributions + distributions
                )
        return [*found.values(), *_findings(diagnosis, since_ns)]

    def _points(
        self,
        metric: Metric,
        name: Name,
        placed: Iterable[Placed],
        before: Mapping[tuple[str, Attributes], tuple[int | float, int]],
        since_ns: int,
    ) -> Iterator[Point]:
        if metric.kind == HISTOGRAM:
            return
        for each in placed:
            samples = metric.period_samples(each.record) if metric.kind == COUNTER else metric.samples(each.record)
            for keys, value in samples:
                attributes = _attributes(name, each, keys)
                if metric.kind != COUNTER:
                    yield Point(attributes, _scaled(value, name), since_ns)
                    continue
                counted, start_ns = before.get((metric.name, attributes), (0, since_ns))
                self._sums[metric.name, attributes] = (counted + value, start_ns)
                yield Point(attributes, _scaled(counted + value, name), start_ns)


def _findings(diagnosis: Diagnosis | None, since_ns: int) -> Iterator[Series]:
    """How bad the worst is of each rule and place; nothing where nothing was found."""
    worst: dict[Attributes, int] = {}
    for finding in diagnosis.findings if diagnosis is not None else ():
        place = ((f"{PREFIX}.device", finding.scope.device), (f"{PREFIX}.core", finding.scope.core))
        known = [(name, str(number)) for name, number in place if number is not None]
        attributes = ((f"{PREFIX}.rule", finding.rule), *known)
        worst[attributes] = max(worst.get(attributes, 0), SEVERITIES.index(finding.severity))
    if worst:
        points = tuple(Point(attributes, severity, since_ns) for attributes, severity in worst.items())
        yield Series(FINDING, GAUGE, FINDING_HELP, points, ())


def resource_of(interval: Interval, inventory: Inventory) -> dict[str, str | bool]:
    """What is said of the host, by OpenTelemetry's names; what is not known is not there."""
    origin = interval.head.origin
    known = {
        "service.name": "neurontools",
        "cloud.provider": "aws",
        "cloud.platform": "aws_ec2",
        "cloud.region": inventory.region,
        "cloud.availability_zone": inventory.availability_zone,
        "host.id": inventory.instance_id,
        "host.name": inventory.instance_name,
        "host.type": inventory.instance_type,
        "aws.neuron.origin": origin.kind,
        "aws.neuron.scenario": origin.scenario or "",
    }
    simulated: dict[str, str | bool] = {"aws.neuron.simulated": True} if origin.simulated else {}
    return {name: value for name, value in known.items() if value} | simulated


def _scaled(value: int | float, name: Name) -> int | float:
    return value if name.scale is None else value * name.scale


def _attributes(name: Name, placed: Placed, keys: tuple[str, ...]) -> Attributes:
    values = (*placed.labels, *keys)
    pairs = [
        (key, int(value) if key == "process.pid" else value) for key, value in zip(name.attributes, values, strict=True)
    ]
    own = [("hw.id", _hardware_id(placed.labels))] if "hw.type" in name.fixed else []
    return (*own, *name.fixed.items(), *pairs)


def _hardware_id(labels: tuple[str, ...]) -> str:
    return "-".join(f"neuron{label}" for label in labels)


def _distributions(metric: Metric, name: Name, placed: Iterable[Placed]) -> Iterator[Distribution]:
    if metric.kind != HISTOGRAM:
        return
    for each in placed:
        histogram = metric.histogram(each.record)
        if histogram is not None and isinstance(each.record, ProcessInterval):
            yield _distribution(_attributes(name, each, ()), histogram, each.record.started_ns)


def _distribution(attributes: Attributes, histogram: Histogram, start_ns: int) -> Distribution:
    least_ns, most_ns = histogram.percentiles_ns((0, 100)) or (0, 0)
    return Distribution(
        attributes=attributes,
        recorded=histogram.count,
        total_s=histogram.sum_ns / NS_PER_S,
        least_s=least_ns / NS_PER_S,
        most_s=most_ns / NS_PER_S,
        buckets=buckets_of(histogram),
        start_ns=start_ns,
    )


def buckets_of(histogram: Histogram) -> tuple[int, ...]:
    """Counts up to each bound and beyond the last; a fine bucket goes where its middle is."""
    counts = [0] * (len(BOUNDS_S) + 1)
    for index, count in histogram.counts.items():
        counts[bisect_left(BOUNDS_S, middle_of(index) / NS_PER_S)] += count
    return tuple(counts)
