"""One simulated host as each source shows it, in simulated time: over the socket, as files, as AWS's lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from device_model.publish.calls import CALLS
from device_model.simulation import NS, Simulation
from neurontools.commands.doctor_look import Visit
from neurontools.schema.allocations import Allocations
from neurontools.schema.document import decode
from neurontools.schema.events import Events
from neurontools.schema.interval import NoInterval, between
from neurontools.schema.inventory import Inventory, from_document
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import Source, SourceError
from neurontools.sources.aws.stream import Stream
from neurontools.sources.host_facts import FactsReader
from neurontools.sources.merged import MergedSource
from neurontools.sources.sysfs.source import SysfsSource
from tests.device_model.publish.tree.trees import published
from tests.sources.aws.feeds import line_of

SOCKET, NEW, OLD, AWS, BOTH = "socket", "sysfs 2.30.2", "sysfs 2.24", "AWS's lines", "sysfs 2.24 + AWS's lines"
SOURCES = (SOCKET, NEW, OLD, AWS, BOTH)

PERIOD_S = {SOCKET: 1.0, NEW: 2.0, OLD: 2.0, AWS: 5.0, BOTH: 5.0}
"""How often each is read; 5 s is neuron-monitor's own period."""

_DRIVERS = {NEW: "2.30.2", OLD: "2.24", BOTH: "2.24"}


class OverSocket:
    """What the model answers to each call of its socket, byte for byte."""

    def __init__(self, model: Simulation) -> None:
        self._model = model

    def inventory(self) -> Inventory:
        return from_document(msgspec.json.decode(CALLS["inventory"](self._model, {})))

    def snapshot(self) -> Snapshot:
        return decode(Snapshot, CALLS["snapshot"](self._model, {}))

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return None

    def events(self, since: int = 0) -> Events:
        return decode(Events, CALLS["events"](self._model, {"since": since}))

    def allocations(self, device: int) -> Allocations:
        return decode(Allocations, CALLS["allocations"](self._model, {"device": device}))

    def close(self) -> None:
        pass


class AsLines:
    """Lines as AWS's neuron-monitor prints them, one from each reading to the next."""

    def __init__(self, model: Simulation) -> None:
        self._model = model
        self._stream = Stream(live=False, detail="proof", boot_id="proof")
        self._previous = model.snapshot()
        self._made: Snapshot | None = None

    def inventory(self) -> Inventory:
        return self._stream.inventory()

    def snapshot(self) -> Snapshot:
        current = self._model.snapshot()
        if not current.devices:
            # AWS's tool needs the driver: it ends with a message, and no line comes.
            raise SourceError("AWS's neuron-monitor has ended: failed to discover Neuron devices")
        with suppress(NoInterval):
            interval = between(self._previous, current)
            self._stream.add([line_of(self._model.inventory(), interval)], self._model.now_ns)
            self._previous = current
        return self._stream.snapshot()

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return None

    def events(self, since: int = 0) -> Events:
        return self._stream.events(since)

    def allocations(self, device: int) -> Allocations:
        raise SourceError("no addresses are printed")

    def close(self) -> None:
        pass


@contextmanager
def visiting(model: Simulation, source: str) -> Iterator[Callable[[], Visit]]:
    """A function that gives the visit of a doctor to the host as a source shows it, renewed for the present instant."""

    def clock() -> float:
        return model.now_ns / NS

    if source in _DRIVERS:
        with published(model, _DRIVERS[source]) as (root, publisher):
            files: Source = SysfsSource(str(root))
            if source == BOTH:
                lines = AsLines(model)
                files = MergedSource(files, lambda: lines)
                model.advance(model.now_ns + NS)
            visit = Visit(files, FactsReader(str(root), imds=False), clock)

            def renewed() -> Visit:
                publisher.refresh()
                return visit

            try:
                yield renewed
            finally:
                files.close()
        return
    if source == AWS:
        model.advance(model.now_ns + NS)
    visit = Visit(OverSocket(model) if source == SOCKET else AsLines(model), None, clock)
    if source == AWS:
        model.advance(model.now_ns + NS)
    yield lambda: visit
