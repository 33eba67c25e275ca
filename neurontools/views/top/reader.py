"""One reading after the other from a source: each an interval since the one before, or why there is none."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from neurontools.schema.document import Document, narrowed
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Core, Device, Head, Process, Snapshot
from neurontools.schema.source import Source, SourceError, narrow

_LEAST_PERIOD_NS = 1_000_000_000
_UNSHOWN_OF_CORE = ("status", "other_info")
_UNSHOWN_OF_PROCESS = ("latency_device",)
_REGISTERS = "pe_cntrs"


class Reading(NamedTuple):
    """`interval` is None where nothing can be compared yet; with an `error` the source did not answer at all."""

    inventory: Inventory | None = None
    interval: Interval | None = None
    error: str = ""
    hint: str = ""
    waiting: str = ""


class Reader:
    """Remembers the last snapshot of a source. Not to be called from two threads at a time."""

    def __init__(self, source: Source) -> None:
        narrow(source, lean_kind())
        self._source = source
        self._registers = False
        self._inventory: Inventory | None = None
        self._previous: Snapshot | None = None

    def show_registers(self, shown: bool) -> None:
        """Whether what is in the device's registers is looked at from now on, which costs an access to each."""
        if shown != self._registers:
            self._registers = shown
            narrow(self._source, lean_kind(shown))

    def read(self) -> Reading:
        """The source now. After a failure or a reboot the inventory is read anew: it may be another host."""
        try:
            return self._read()
        except SourceError as error:
            self._inventory = None
            return Reading(error=error.reason, hint=error.hint)

    def _read(self) -> Reading:
        current = lean(self._source.snapshot())
        previous = self._previous
        if previous is None or _begins_anew(previous.head, current.head):
            self._inventory = None
            previous = self._past()
        if self._inventory is None:
            self._inventory = self._source.inventory()
        self._previous = current
        if previous is None:
            return Reading(self._inventory, waiting="one more reading is needed before there is a period to show")
        try:
            return Reading(self._inventory, between(previous, current))
        except NoInterval as nothing:
            self._previous = previous
            return Reading(self._inventory, waiting=nothing.reason)

    def _past(self) -> Snapshot | None:
        """The newest kept snapshot that makes a period long enough to mean something, else any older one."""
        past = self._source.past(_LEAST_PERIOD_NS) or self._source.past(1)
        return lean(past) if past is not None else None


def _begins_anew(before: Head, now: Head) -> bool:
    """Whether nothing counted before goes on: after a boot, and where a replay was set back."""
    return now.boot_id != before.boot_id or now.time_ns < before.time_ns


@cache
def lean_kind(registers: bool = False) -> type[Snapshot]:
    """A snapshot of whose text what no page shows is not even read.

    The tensor engine's counters are registers of the device, read only where `registers` says that they are shown.
    """
    process: Any = narrowed(Process, _all_but(Process, *_UNSHOWN_OF_PROCESS))
    unshown = _UNSHOWN_OF_CORE if registers else (*_UNSHOWN_OF_CORE, _REGISTERS)
    core: Any = narrowed(Core, _all_but(Core, *unshown))
    device: Any = narrowed(Device, _all_but(Device, "cores"), cores=tuple[core, ...])
    parts: dict[str, Any] = {"devices": tuple[device, ...], "processes": tuple[process, ...] | None}
    return narrowed(Snapshot, _all_but(Snapshot, *parts), **parts)


def _all_but(kind: type[Document], *names: str) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in names)


def lean(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what no page shows: comparing that too would take a third of the program's time."""
    if isinstance(snapshot, lean_kind() | lean_kind(registers=True)):
        return snapshot
    devices = tuple(
        replace(device, cores=tuple(replace(core, **dict.fromkeys(_UNSHOWN_OF_CORE)) for core in device.cores))
        for device in snapshot.devices
    )
    processes = snapshot.processes
    if processes is not None:
        processes = tuple(replace(process, **dict.fromkeys(_UNSHOWN_OF_PROCESS)) for process in processes)
    return replace(snapshot, devices=devices, processes=processes)
