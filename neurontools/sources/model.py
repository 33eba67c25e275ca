"""The source that reads a device model through its socket.

Loads msgspec only with the first reading, not for an inventory: neuron-ls needs no more than that.
"""

from typing import TYPE_CHECKING, TypeVar

from neurontools import wire
from neurontools.schema.inventory import Inventory, InventoryError, from_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from neurontools.schema.allocations import Allocations
    from neurontools.schema.document import Document
    from neurontools.schema.events import Events
    from neurontools.schema.snapshot import Snapshot
    from neurontools.schema.source import SourceError
    from neurontools.sources.answers import SnapshotReader

D = TypeVar("D", bound="Document")
T = TypeVar("T")


class ModelSource:
    """A Source over a device model's socket at `path`; every failure is a SourceError."""

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self._client = wire.Client(path, timeout_s)
        self._snapshots: dict[type[Snapshot] | None, SnapshotReader] = {}
        self._kind: type[Snapshot] | None = None

    def inventory(self) -> Inventory:
        """What the model claims to have installed."""
        try:
            return from_document(self._client.call("inventory"))
        except wire.WireError as error:
            raise _source_error(error) from None
        except InventoryError as error:
            raise _source_error(self._misunderstood(error)) from None
        except AttributeError:
            # A list or a number where an object belongs.
            raise _source_error(self._misunderstood("not a readable inventory")) from None

    def snapshot(self) -> "Snapshot":
        """The model's counters at one instant of its time."""
        snapshot = self._snapshot("snapshot")
        if snapshot is None:
            raise _source_error(self._misunderstood("no snapshot"))
        return snapshot

    def narrow(self, kind: "type[Snapshot]") -> None:
        """From now on readings are of this kind, which looks at less of an answer: see schema.document.narrowed."""
        self._kind = kind

    def past(self, age_ns: int = 0) -> "Snapshot | None":
        """The newest kept snapshot that is at least `age_ns` older than the model's now; None if none is kept."""
        return self._snapshot("past", age_ns=age_ns)

    def events(self, since: int = 0) -> "Events":
        """Events with a number greater than `since`."""
        from neurontools.schema.events import Events

        return self._required(Events, "events", since=since)

    def allocations(self, device: int) -> "Allocations":
        """The bank map of one device."""
        from neurontools.schema.allocations import Allocations

        return self._required(Allocations, "allocations", device=device)

    def signal(self, pid: int, number: int) -> None:
        """Sends a signal to one of the model's processes; its pids mean nothing to this machine."""
        try:
            self._client.call("signal", pid=pid, number=number)
        except wire.WireError as error:
            raise _source_error(error) from None

    def close(self) -> None:
        """Ends the connection; safe to call twice."""
        self._client.close()

    def _snapshot(self, call: str, **args: int) -> "Snapshot | None":
        from neurontools.schema.snapshot import Snapshot
        from neurontools.sources.answers import SnapshotReader

        reader = self._snapshots.get(self._kind)
        if reader is None:
            reader = self._snapshots[self._kind] = SnapshotReader(self._client, self._kind or Snapshot)
        return self._understood(lambda: reader.read(call, args))

    def _required(self, kind: type[D], call: str, **args: int) -> D:
        from neurontools.sources.answers import read_answer

        document = self._understood(lambda: read_answer(self._client, kind, call, args))
        if document is None:
            raise _source_error(self._misunderstood(f"no {call}"))
        return document

    def _understood(self, read: "Callable[[], T]") -> "T":
        from neurontools.schema.document import SchemaError

        try:
            return read()
        except wire.WireError as error:
            raise _source_error(error) from None
        except SchemaError as error:
            raise _source_error(self._misunderstood(error)) from None

    def _misunderstood(self, why: object) -> wire.WireError:
        return wire.WireError("garbage", f"cannot read the device model at {self._client.path}: {why}")


def _source_error(error: wire.WireError) -> "SourceError":
    # Imported where it is raised: it brings msgspec, and a neuron-ls that succeeds never needs it.
    from neurontools.schema.source import SourceError

    return SourceError(error.message, error.hint)
