"""Draws the pictures of this directory: the program's own export of a stepped model at a fixed instant."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.commands.version import version
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.views.top.app import TopApp
from neurontools.views.top.reader import Reader
from neurontools.views.top.settings import Keeper, Settings

SCENARIO = "opt-30b"
AFTER_S = 120
READINGS = 20
SIZE = (120, 40)
KEYS = ("down", "enter")
TARGET = Path(__file__).with_name("neuron-top.svg")


class Still:
    """A source that is a simulation at one instant."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def inventory(self) -> Inventory:
        return self.simulation.inventory()

    def snapshot(self) -> Snapshot:
        return self.simulation.snapshot()

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return self.simulation.past(age_ns)

    def events(self, since: int = 0) -> Events:
        return self.simulation.events(since)


async def picture() -> str:
    """neuron-top as SVG, the same bytes on every run."""
    simulation = Simulation(load(SCENARIO))
    simulation.advance(simulation.epoch_ns + AFTER_S * 1_000_000_000)
    reader = Reader(Still(simulation))  # type: ignore[arg-type]
    app = TopApp(reader, reader.read(), version(), Keeper(Settings(refresh_s=3600.0)))
    reader.remember()
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(READINGS):
            simulation.advance(simulation.now_ns + 1_000_000_000)
            app.session.take(reader.read())
        app.page.update()
        await pilot.press(*KEYS)
        await pilot.pause()
        svg = app.export_screenshot(simplify=True)
    return re.sub(r"terminal-\d+", "terminal", svg)


if __name__ == "__main__":
    TARGET.write_text(asyncio.run(picture()))
    print(f"wrote {TARGET}")
