"""Hosts for neuron-top's tests: a stepped simulation read in-process, which fails, stalls and changes as told."""

from __future__ import annotations

from functools import lru_cache
from threading import Event

from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import SourceError
from neurontools.views.top.reader import Reader

NS = 1_000_000_000
WARM_S = 120
VERSION = "0.1.0"
WAIT_S = 60.0


class Host:
    """A Source whose time stands still between readings unless `step_s` says how far each one moves it."""

    def __init__(self, scenario: str = "two-tenants", instance: str | None = None, step_s: int = 0) -> None:
        self.simulation = _warm(scenario, instance)
        self.step_s = step_s
        self.failure = ""
        self.inventories = 0
        self.go_on = Event()
        self.go_on.set()

    def become(self, scenario: str, instance: str) -> None:
        """Another host answers from now on."""
        self.simulation = _warm(scenario, instance)

    def inventory(self) -> Inventory:
        self._check()
        self.inventories += 1
        return self.simulation.inventory()

    def snapshot(self) -> Snapshot:
        self._check()
        if self.step_s:
            self.simulation.advance(self.simulation.now_ns + self.step_s * NS)
        return self.simulation.snapshot()

    def past(self, age_ns: int = 0) -> Snapshot | None:
        self._check()
        return self.simulation.past(age_ns)

    def events(self, since: int = 0) -> Events:
        return self.simulation.events(since)

    def allocations(self, device: int) -> Allocations:
        return self.simulation.allocations(device)

    def close(self) -> None:
        pass

    def _check(self) -> None:
        self.go_on.wait(WAIT_S)
        if self.failure:
            raise SourceError(self.failure)


def _warm(scenario: str, instance: str | None) -> Simulation:
    simulation = Simulation(load(scenario), instance)
    simulation.advance(simulation.epoch_ns + WARM_S * NS)
    return simulation


@lru_cache
def shown(scenario: str = "two-tenants", instance: str | None = None) -> tuple[Interval, Inventory]:
    """What a first reading of such a host gives."""
    reading = Reader(Host(scenario, instance)).read()
    assert reading.interval is not None
    assert reading.inventory is not None
    return reading.interval, reading.inventory
