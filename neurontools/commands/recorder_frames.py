"""What a recorder takes of a source at each instant: the reading, and beside it what else is worth keeping then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from neurontools.recording import Frame
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import Source, SourceError

_OUT_OF_MEMORY = "resource_error"
"""The status counter, by the driver's name, of what ended for want of device memory."""

_INVENTORY_FRAMES = 30
"""An inventory is read again after so many frames at the latest: as often as a block begins anyway."""


class Frames:
    """Frames of a source, one for each instant of the host."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._last: Snapshot | None = None
        self._inventory: Inventory | None = None
        self._inventory_left = 0
        self._seen = 0

    def take(self) -> Frame | None:
        """The host now; None where its time has not moved on. Raises SourceError."""
        snapshot, last = self._source.snapshot(), self._last
        if last is not None and snapshot.head.boot_id == last.head.boot_id:
            if snapshot.head.time_ns == last.head.time_ns:
                return None
        elif last is not None:
            self._seen, self._inventory = 0, None
        events = self._source.events(self._seen)
        frame = Frame(
            snapshot,
            self._installed(snapshot),
            # Those before the first frame are told by it only if the source still has them; they are not lost.
            events if last is not None else Events(events=events.events),
            tuple(self._maps(snapshot)),
        )
        self._seen = max([self._seen, *(event.seq for event in events.events)])
        self._last = snapshot
        return frame

    def _installed(self, snapshot: Snapshot) -> Inventory:
        """The inventory, which also says who holds the devices: read anew where processes came or went."""
        if self._inventory is None or not self._inventory_left or _who(snapshot) != _who(self._last):
            self._inventory = self._source.inventory()
            self._inventory_left = _INVENTORY_FRAMES
        self._inventory_left -= 1
        return self._inventory

    def _maps(self, snapshot: Snapshot) -> Iterator[Allocations]:
        """The bank maps of devices on which memory ran out since the frame before."""
        before = _failures(self._last) if self._last is not None else {}
        for device, count in _failures(snapshot).items():
            if count > before.get(device, count):
                # Only a device model knows addresses.
                with suppress(SourceError):
                    yield self._source.allocations(device)


def _who(snapshot: Snapshot | None) -> set[tuple[int, int]] | None:
    if snapshot is None or snapshot.processes is None:
        return None
    return {(process.pid, process.started_ns) for process in snapshot.processes}


def _failures(snapshot: Snapshot) -> dict[int, int]:
    """How often memory ran out on each device, where that is counted."""
    found: dict[int, int] = {}
    for device in snapshot.devices:
        for core in device.cores:
            if core.status and _OUT_OF_MEMORY in core.status:
                found[device.index] = found.get(device.index, 0) + core.status[_OUT_OF_MEMORY].total
    return found
