"""What of a reading the official document shows: an interval costs by its counters, and most of them are not in it."""

from functools import cache
from typing import Any

from msgspec.structs import replace

from neurontools.schema.document import narrowed
from neurontools.schema.snapshot import Core, Device, Process, Snapshot

_CORE = ("core", "index", "time_ns", "busy_ns", "flops")
_DEVICE = ("index", "ecc")
_PROCESS = ("pid", "started_ns", "tag", "cores", "memory", "host_memory", "models", "executions", "errors")
_PROCESS_TIMES = ("time_ns", "latency_total", "latency_device", "vcpu_user_ns", "vcpu_system_ns")


@cache
def needed_kind() -> type[Snapshot]:
    """A snapshot of whose text only that is read which an official group is made of."""
    core: Any = narrowed(Core, _CORE)
    device: Any = narrowed(Device, _DEVICE, cores=tuple[core, ...])
    process: Any = narrowed(Process, (*_PROCESS, *_PROCESS_TIMES))
    parts: dict[str, Any] = {"devices": tuple[device, ...], "processes": tuple[process, ...] | None}
    return narrowed(Snapshot, ("version", "head", "host"), **parts)


def needed(snapshot: Snapshot) -> Snapshot:
    """The reading without what no official group is made of: about half the work for the same document."""
    devices = tuple(
        [
            Device(
                index=device.index,
                ecc=device.ecc,
                cores=tuple([_core(core) for core in device.cores]),
            )
            for device in snapshot.devices
        ]
    )
    processes = snapshot.processes
    if processes is not None:
        processes = tuple([replace(process, workload=None) for process in processes])
    return replace(snapshot, devices=devices, processes=processes)


def _core(core: Core) -> Core:
    return Core(core=core.core, index=core.index, time_ns=core.time_ns, busy_ns=core.busy_ns, flops=core.flops)
