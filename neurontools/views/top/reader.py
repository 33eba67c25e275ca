"""One reading after the other from a source: each an interval since the one before, or why there is none."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from neurontools.schema.document import Document, narrowed
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Core, Device, Head, Process, Snapshot, Workload
from neurontools.schema.source import Source, SourceError, narrow

_LEAST_PERIOD_NS = 1_000_000_000


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
        self._inventory: Inventory | None = None
        self._previous: Snapshot | None = None

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
def lean_kind() -> type[Snapshot]:
    """A snapshot of whose text what no section shows is not even read."""
    workload: Any = narrowed(Workload, _all_but(Workload, "time_to_first_token", "request_latency"))
    process: Any = narrowed(
        Process,
        _all_but(Process, "latency_total", "latency_device", "executions", "errors", "workload"),
        workload=workload | None,
    )
    core: Any = narrowed(Core, _all_but(Core, "status", "engines", "pe_cntrs", "other_info"))
    device: Any = narrowed(Device, _all_but(Device, "links", "ecc", "health", "power", "cores"), cores=tuple[core, ...])
    parts: dict[str, Any] = {"devices": tuple[device, ...], "processes": tuple[process, ...] | None}
    return narrowed(Snapshot, _all_but(Snapshot, *parts), **parts)


def _all_but(kind: type[Document], *names: str) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in names)


def lean(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what no section shows: comparing that too would take half of the program's time."""
    if isinstance(snapshot, lean_kind()):
        return snapshot
    devices = tuple(_lean_device(device) for device in snapshot.devices)
    processes = snapshot.processes
    if processes is not None:
        processes = tuple(_lean_process(process) for process in processes)
    return replace(snapshot, devices=devices, processes=processes)


def _lean_device(device: Device) -> Device:
    cores = tuple(_lean_core(core) for core in device.cores)
    return replace(device, cores=cores, links=None, ecc=None, health=None, power=None)


def _lean_core(core: Core) -> Core:
    return replace(core, status=None, other_info=None, engines=None, pe_cntrs=None)


def _lean_process(process: Process) -> Process:
    workload = process.workload
    if workload is not None:
        workload = replace(workload, time_to_first_token=None, request_latency=None)
    return replace(process, latency_total=None, latency_device=None, executions=None, errors=None, workload=workload)
