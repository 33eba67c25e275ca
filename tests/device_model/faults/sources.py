"""A simulated host as the tools read it, in this process: what each tool prints one period later."""

import json
from typing import Any

from device_model.simulation import NS, Simulation
from neurontools.commands.monitor_collect import Collector
from neurontools.commands.monitor_plan import Plan, default_plan
from neurontools.exporters.report import encode
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.views.ls import documents
from neurontools.views.top import text
from neurontools.views.top.reader import Reader


class Direct:
    """A Source over a simulation; its time moves only when a test moves it."""

    def __init__(self, model: Simulation) -> None:
        self.model = model

    def inventory(self) -> Inventory:
        return self.model.inventory()

    def snapshot(self) -> Snapshot:
        return self.model.snapshot()

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return self.model.past(age_ns)

    def events(self, since: int = 0) -> Events:
        return self.model.events(since)

    def allocations(self, device: int) -> Allocations:
        return self.model.allocations(device)

    def close(self) -> None:
        pass


class Tools:
    """neuron-monitor and neuron-top that have been running on a host, each at its own period, and neuron-ls."""

    def __init__(self, model: Simulation) -> None:
        self._model = model
        self._plan: Plan = default_plan()._replace(extended=True)
        self._collector = Collector(Direct(model), self._plan, lambda level, line: None)
        self._reader = Reader(Direct(model))
        self.monitor()
        self.top()

    def monitor(self, seconds: float = 0) -> Any:
        """neuron-monitor's next document, with its extended key."""
        self._model.advance(self._model.now_ns + round(seconds * NS))
        return json.loads(encode(self._collector.collect(list(self._plan.periods()))))

    def top(self, seconds: float = 0) -> str:
        """neuron-top's sections as text; why there are none where there are none."""
        self._model.advance(self._model.now_ns + round(seconds * NS))
        reading = self._reader.read()
        if reading.interval is None or reading.inventory is None:
            return reading.error or reading.waiting
        return text.render(reading.interval, reading.inventory, "0")

    def ls(self) -> Any:
        """neuron-ls's JSON."""
        return json.loads(documents.render(self._model.inventory()))
