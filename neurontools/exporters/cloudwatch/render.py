"""An interval as CloudWatch data: a host's own series, and those of its parts that somebody asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os.path import basename
from typing import NamedTuple

from neurontools.exporters.cloudwatch.datum import Datum, Dimensions, StatisticSet
from neurontools.exporters.cloudwatch.table import ROWS, SOURCE_UP, WORST_FINDING, Row
from neurontools.metrics import BY_NAME, LABELS, Placed, records
from neurontools.metrics.metric import CORE, COUNTER, DEVICE, PROCESS, Metric
from neurontools.schema.finding import SEVERITIES, Diagnosis
from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.schema.inventory import Inventory
from neurontools.units import NS_PER_S

OF_HOST: dict[str, Callable[[Inventory], str]] = {
    "InstanceId": lambda inventory: inventory.instance_id,
    "InstanceType": lambda inventory: inventory.instance_type,
    "InstanceName": lambda inventory: inventory.instance_name,
    "Region": lambda inventory: inventory.region,
    "AvailabilityZone": lambda inventory: inventory.availability_zone,
}
"""Dimensions of every series, and what a host says of them."""

_PARTS: dict[str, tuple[str, ...]] = {"NeuronDevice": (DEVICE, CORE), "NeuronCore": (CORE,), "RuntimeTag": (PROCESS,)}
"""Dimensions that a metric's further series have, by the scopes of the metrics that can be told apart by them."""

_LABEL = {"NeuronDevice": "device", "NeuronCore": "core"}

DIMENSIONS = (*OF_HOST, *_PARTS)
DEFAULT_DIMENSIONS = ("InstanceId",)

HIGH_RESOLUTION_S, STANDARD_RESOLUTION_S = 1, 60


class Layout(NamedTuple):
    """How series are told apart: by the host's dimensions, and for each of `parts` once more by that."""

    host: Dimensions
    parts: tuple[str, ...] = ()
    resolution_s: int = STANDARD_RESOLUTION_S


def layout_of(names: Iterable[str], inventory: Inventory, resolution_s: int = STANDARD_RESOLUTION_S) -> Layout:
    """The layout that dimensions make for a host; what the host does not say is left out, it can not be sent empty.

    Raises KeyError for a name that is no dimension.
    """
    chosen = list(names)
    host = [(name, OF_HOST[name](inventory)) for name in chosen if name not in _PARTS]
    known = tuple((name, value) for name, value in host if value)
    return Layout(known, tuple(name for name in _PARTS if name in chosen), resolution_s)


def render(interval: Interval, layout: Layout, diagnosis: Diagnosis | None = None) -> list[Datum]:
    """The data of an interval; what the source does not know is not there."""
    time_s = interval.head.time_ns // NS_PER_S
    placed = {scope: list(records(interval, scope)) for scope in LABELS}
    data = [_datum(SOURCE_UP, "Count", layout.host, (1,), time_s, layout)]
    for row in ROWS:
        metric = BY_NAME[row.metric]
        for dimensions, values in _series(row, metric, placed[metric.scope], layout):
            data.append(_datum(row.name, row.unit, dimensions, values, time_s, layout))
    if diagnosis is not None and diagnosis.checked:
        worst = max((SEVERITIES.index(finding.severity) for finding in diagnosis.findings), default=0)
        data.append(_datum(WORST_FINDING, "None", layout.host, (worst,), time_s, layout))
    return data


def lost(time_s: int, layout: Layout) -> list[Datum]:
    """What there is to say of a host that could not be read."""
    return [_datum(SOURCE_UP, "Count", layout.host, (0,), time_s, layout)]


def _series(
    row: Row, metric: Metric, placed: list[Placed], layout: Layout
) -> Iterator[tuple[Dimensions, tuple[float, ...]]]:
    """The host's series of a row, then one for each part, each with its values; one without any is left out."""
    groups: dict[Dimensions, list[Placed]] = {layout.host: placed}
    for part in layout.parts:
        if metric.scope in _PARTS[part]:
            for each in placed:
                groups.setdefault((*layout.host, (part, _part_of(part, metric, each))), []).append(each)
    for dimensions, members in groups.items():
        values = [value for member in members for value in _values(row, metric, member.record)]
        if values:
            yield dimensions, (sum(values),) if row.how == "sum" else tuple(values)


def _values(row: Row, metric: Metric, record: object) -> list[float]:
    samples = metric.period_samples(record) if metric.kind == COUNTER else metric.samples(record)
    return [float(value) for keys, value in samples if not row.keys or keys[0] in row.keys]


def _part_of(part: str, metric: Metric, placed: Placed) -> str:
    if isinstance(placed.record, ProcessInterval):
        return runtime_name(placed.record)
    return placed.labels[LABELS[metric.scope].index(_LABEL[part])]


def runtime_name(process: ProcessInterval) -> str:
    """What a process is called where a number that changes with every start would make a series each: never its pid."""
    words = (process.command or "").split()
    return process.tag or (basename(words[0]) if words else "") or "unnamed"


def _datum(
    name: str, unit: str, dimensions: Dimensions, values: tuple[float, ...], time_s: int, layout: Layout
) -> Datum:
    return Datum(name, unit, dimensions, StatisticSet.of(values), time_s, layout.resolution_s)
