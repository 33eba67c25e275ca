"""The Source that reads a host's files; msgspec is loaded with the first reading only, as an inventory needs none."""

from typing import TYPE_CHECKING, NoReturn

from neurontools.schema.inventory import Inventory
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.inventories import Inventories
from neurontools.sources.sysfs.options import DEFAULTS, Options
from neurontools.sources.sysfs.people import People
from neurontools.sources.sysfs.watch import Watch

if TYPE_CHECKING:
    from neurontools.schema.allocations import Allocations
    from neurontools.schema.events import Events
    from neurontools.schema.snapshot import Snapshot
    from neurontools.sources.sysfs.events import HostEvents
    from neurontools.sources.sysfs.snapshots import Snapshots

_NO_ADDRESSES = "no addresses are published: the driver counts memory by core and category"
_NO_ADDRESSES_HINT = "what the driver counts is in neuron-top's memory tree; a device model knows addresses, too"
_ROOT_HINT = "name the directory that holds sys, proc and dev of a host"


class SysfsSource:
    """A Source over sys, proc and dev below `root`; it never writes, and never opens a device node."""

    def __init__(self, root: str = "/", options: Options = DEFAULTS) -> None:
        self._root = Root(root)
        self._options = options
        self._watch = Watch(self._root)
        self._people = People(self._root)
        self._inventories = Inventories(self._root, options, self._watch, self._people)
        self._snapshots: Snapshots | None = None
        self._events: HostEvents | None = None

    def inventory(self) -> Inventory:
        """What is installed, and who holds it; on a host without devices it says why there are none."""
        self._exists()
        return self._inventories.take()

    def snapshot(self) -> "Snapshot":
        """What has been counted. What cannot be read is None, and the head's gaps say why."""
        self._exists()
        log = self._events.reason if self._events is not None else None
        return self._reader().take({"kernel_log": log} if log is not None else {})

    def narrow(self, kind: "type[Snapshot]") -> None:
        """From now on only that is read which this kind of snapshot looks at, see schema.document.narrowed."""
        self._reader().narrow(kind)

    def past(self, age_ns: int = 0) -> "Snapshot | None":
        """None: the driver keeps no past."""
        return None

    def events(self, since: int = 0) -> "Events":
        """Events with a number greater than `since`: the driver's lines in the kernel's log, and processes that came
        and went between two calls."""
        from neurontools.sources.sysfs.events import HostEvents

        self._exists()
        if self._events is None:
            self._events = HostEvents(self._root)
        return self._events.since(since)

    def allocations(self, device: int) -> "Allocations":
        """Raises SourceError: there is no such thing."""
        self._fail(_NO_ADDRESSES, _NO_ADDRESSES_HINT)

    def close(self) -> None:
        """Lets go of all files; safe to call twice."""
        if self._snapshots is not None:
            self._snapshots.forget()
        if self._events is not None:
            self._events.close()

    def _reader(self) -> "Snapshots":
        if self._snapshots is None:
            from neurontools.sources.sysfs.snapshots import Snapshots

            self._snapshots = Snapshots(self._root, self._options, self._watch, self._people)
        return self._snapshots

    def _exists(self) -> None:
        if not self._root.exists():
            self._fail(f"cannot read {self._root.path}: there is no such directory", _ROOT_HINT)

    def _fail(self, reason: str, hint: str) -> NoReturn:
        from neurontools.schema.source import SourceError

        raise SourceError(reason, hint)
