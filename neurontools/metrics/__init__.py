"""The catalogue: each number of the suite once, and where in an interval it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from neurontools.metrics.cores import CORE_METRICS
from neurontools.metrics.devices import BANK_METRICS, DEVICE_METRICS, LINK_METRICS
from neurontools.metrics.metric import BANK, CORE, DEVICE, LINK, NODE, PROCESS, Metric, Sample, Supply
from neurontools.metrics.nodes import NODE_METRICS
from neurontools.metrics.processes import PROCESS_METRICS
from neurontools.metrics.workloads import WORKLOAD_METRICS
from neurontools.schema.interval import Interval, totals

__all__ = ["BY_NAME", "CATALOGUE", "LABELS", "Metric", "Placed", "Sample", "Supply", "of_scope", "records"]

CATALOGUE: tuple[Metric, ...] = (
    *NODE_METRICS,
    *DEVICE_METRICS,
    *CORE_METRICS,
    *BANK_METRICS,
    *LINK_METRICS,
    *PROCESS_METRICS,
    *WORKLOAD_METRICS,
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}

LABELS: dict[str, tuple[str, ...]] = {
    NODE: (),
    DEVICE: ("device",),
    CORE: ("core", "device"),
    BANK: ("device", "bank"),
    LINK: ("device", "peer"),
    PROCESS: ("pid", "tag"),
}
"""What tells the records of a scope apart; core numbers are logical. A metric's own labels come after."""


class Placed(NamedTuple):
    """A record of some scope with the values of that scope's labels."""

    labels: tuple[str, ...]
    record: object


def of_scope(scope: str) -> tuple[Metric, ...]:
    """The metrics of one scope, in the catalogue's order."""
    return tuple(metric for metric in CATALOGUE if metric.scope == scope)


def records(interval: Interval, scope: str) -> Iterator[Placed]:
    """The records of a scope in an interval, for which the metrics of that scope have values.

    A process without a tag has its pid there, as neuron-monitor writes it. Raises KeyError for an
    unknown scope.
    """
    return _RECORDS[scope](interval)


def _node(interval: Interval) -> Iterator[Placed]:
    yield Placed((), totals(interval))


def _devices(interval: Interval) -> Iterator[Placed]:
    return (Placed((str(device.device),), device) for device in interval.devices)


def _cores(interval: Interval) -> Iterator[Placed]:
    return (Placed((str(core.core), str(core.device)), core) for core in interval.cores)


def _banks(interval: Interval) -> Iterator[Placed]:
    return (Placed((str(device.device), str(bank.bank)), bank) for device in interval.devices for bank in device.banks)


def _links(interval: Interval) -> Iterator[Placed]:
    return (
        Placed((str(device.device), str(link.peer)), link) for device in interval.devices for link in device.links or ()
    )


def _processes(interval: Interval) -> Iterator[Placed]:
    return (Placed((str(process.pid), process.tag or str(process.pid)), process) for process in interval.processes)


_RECORDS: dict[str, Callable[[Interval], Iterator[Placed]]] = {
    NODE: _node,
    DEVICE: _devices,
    CORE: _cores,
    BANK: _banks,
    LINK: _links,
    PROCESS: _processes,
}
