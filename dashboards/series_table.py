"""How many series a host has, by the exporter's page and the instance type: counted on simulated hosts."""

from collections.abc import Iterator
from typing import NamedTuple

from device_model.scenario import NamedScenario, from_document
from device_model.simulation import NS, Simulation
from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.exporters.prometheus.compat import CompatPage, compat_view
from neurontools.schema.interval import between

INSTANCES = ("inf1.xlarge", "inf2.xlarge", "inf2.48xlarge", "trn1.32xlarge", "trn2.3xlarge", "trn2.48xlarge")

_AFTER_S, _PERIOD_S = 125, 5
"""By then power is known, too, which comes once a minute."""


class Count(NamedTuple):
    """Series of one host: of the lean page and of AWS's, without a process and with one on all its cores."""

    instance: str
    cores: int
    lean_idle: int
    lean: int
    official_idle: int
    official: int


def counts() -> Iterator[Count]:
    """A row for each instance type."""
    for instance in INSTANCES:
        idle = _host(instance)
        cores = idle.core_count
        (lean_idle, official_idle), (lean, official) = _series(idle), _series(_host(instance, workers=cores))
        yield Count(instance, cores, lean_idle, lean, official_idle, official)


def _host(instance: str, workers: int = 0) -> Simulation:
    """A host, idle or with one process that classifies images on so many cores."""
    arrivals = {"kind": "poisson", "per_second": 2.0}
    workload = {"kind": "vision", "model": "resnet50", "workers": workers, "batch": 8, "arrivals": arrivals}
    processes = [{"name": "shop", "command": "python serve.py", "workload": workload}] if workers else []
    document = {"description": "series are counted", "instance": instance, "processes": processes}
    return Simulation(NamedScenario("count", from_document(document, "count")))


def _series(model: Simulation) -> tuple[int, int]:
    """How many the lean page has, and AWS's."""
    model.advance(model.epoch_ns + _AFTER_S * NS)
    before = model.snapshot()
    model.advance(model.now_ns + _PERIOD_S * NS)
    interval, inventory = between(before, model.snapshot()), model.inventory()
    official = CompatPage().render(compat_view(interval, inventory), 0.0)
    return _count(render(View.of(interval, inventory), FAMILIES)), _count(official)


def _count(page: str) -> int:
    return sum(not line.startswith("#") for line in page.splitlines())
