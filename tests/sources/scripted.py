"""A source that answers what a test has told it."""

from __future__ import annotations

from collections.abc import Iterable

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import SourceError
from tests.exporters.nodes import SECOND_NS, inventory_for, reading

INSTANCE = INSTANCES["trn1.2xlarge"]


class Scripted:
    """A source that answers what it was told, one instant after the other: (boot, second), or None for a failure."""

    def __init__(self, instants: Iterable[tuple[str, int] | None], pasts: dict[str, int] | None = None) -> None:
        self.instants = list(instants)
        self.pasts = pasts or {}
        self.now: tuple[str, int] | None = None
        self.asked: list[int] = []

    def snapshot(self) -> Snapshot:
        self.now = self.instants.pop(0)
        if self.now is None:
            raise SourceError("away")
        return reading(INSTANCE, self.now[1], self.now[0])

    def past(self, age_ns: int = 0) -> Snapshot | None:
        self.asked.append(age_ns)
        if self.now is None or self.now[0] not in self.pasts:
            return None
        boot, now_s = self.now
        kept_s = self.pasts[boot]
        return reading(INSTANCE, kept_s, boot) if (now_s - kept_s) * SECOND_NS >= age_ns else None

    def inventory(self) -> Inventory:
        return inventory_for(INSTANCE)

    def events(self, since: int = 0) -> Events:
        return Events()

    def allocations(self, device: int) -> Allocations:
        return Allocations(device=device, time_ns=0)

    def close(self) -> None:
        pass
