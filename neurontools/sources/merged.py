"""The source of a real host: two sources, one for its hardware and one for its Neuron runtimes, read as one.

Loads msgspec only with the first reading, not for an inventory: neuron-ls needs no more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neurontools.schema.source import Source, SourceError, narrow, pace

if TYPE_CHECKING:
    from neurontools.schema.allocations import Allocations
    from neurontools.schema.events import Events
    from neurontools.schema.inventory import Inventory
    from neurontools.schema.snapshot import Snapshot


class MergedSource:
    """A Source of `hardware` for devices, cores, memory and power, and of the runtimes for what processes execute.

    `runtimes` makes their source when they are asked for the first time. Where they cannot be read the hardware goes
    on, and the gap `process` says why. What they count is divided by the time between their own readings: every record
    of them carries it.
    """

    def __init__(self, hardware: Source, runtimes: Callable[[], Source]) -> None:
        self._hardware = hardware
        self._make_runtimes = runtimes
        self._runtimes: Source | None = None
        self._last: Snapshot | None = None
        self._period_ns: int | None = None

    def inventory(self) -> Inventory:
        """The hardware's, with what the runtimes have told by now: nothing waits for them."""
        inventory = self._hardware.inventory()
        if self._last is None:
            return inventory
        from neurontools.sources.merging import with_runtimes

        return with_runtimes(inventory, self._last)

    def snapshot(self) -> Snapshot:
        """Both, the hardware at once after the runtimes: these may have to be waited for."""
        from neurontools.sources.merging import merged, without_runtimes

        before = self._last
        try:
            told = self._last = self._source_of_runtimes().snapshot()
        except SourceError as error:
            self._last = None
            return without_runtimes(self._hardware.snapshot(), error)
        anew = before is not None and before.head.boot_id != told.head.boot_id
        return merged(self._hardware.snapshot(), told, counters_fit=not anew)

    def past(self, age_ns: int = 0) -> Snapshot | None:
        """The past of both; None where one has none."""
        hardware = self._hardware.past(age_ns)
        if hardware is None:
            return None
        from neurontools.sources.merging import merged, without_runtimes

        try:
            told = self._source_of_runtimes().past(age_ns)
        except SourceError as error:
            return without_runtimes(hardware, error)
        return None if told is None else merged(hardware, told)

    def events(self, since: int = 0) -> Events:
        """The hardware's."""
        return self._hardware.events(since)

    def allocations(self, device: int) -> Allocations:
        """The hardware's."""
        return self._hardware.allocations(device)

    def close(self) -> None:
        """Closes both; safe to call twice."""
        try:
            self._hardware.close()
        finally:
            if self._runtimes is not None:
                self._runtimes.close()

    def narrow(self, kind: type[Snapshot]) -> None:
        """Narrows the hardware, see schema.document.narrowed."""
        narrow(self._hardware, kind)

    def pace(self, period_ns: int) -> None:
        """Tells both how often they will be read."""
        self._period_ns = period_ns
        pace(self._hardware, period_ns)

    def _source_of_runtimes(self) -> Source:
        if self._runtimes is None:
            self._runtimes = self._make_runtimes()
            if self._period_ns is not None:
                pace(self._runtimes, self._period_ns)
        return self._runtimes
