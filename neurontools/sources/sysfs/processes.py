"""The processes that hold a device, as records: what they use of the host, and which cores they claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from neurontools.schema.snapshot import Process
from neurontools.sources.sysfs.claims import cores_of
from neurontools.sources.sysfs.host import TICK_NS
from neurontools.sources.sysfs.people import People
from neurontools.sources.sysfs.reasons import NOT_BY_PROCESS, Reasons
from neurontools.sources.sysfs.watch import Held
from neurontools.units import NS_PER_S

_BY_PROCESS = ("execution_stats", "memory_used", "executions", "errors", "latency_total", "latency_device", "models")
"""What the driver does not tell of a process: fields, and the groups of neuron-monitor that are made of them."""

_OUTSIDE = ("a process that was started from outside this container has its parent there", "the host's pid namespace")
_UNCLAIMED = ("it cannot be told which cores a process uses: it shares a device, or hides its environment", None)


class Surroundings:
    """What the records of processes need to know of their host."""

    def __init__(self, boot_s: int | None, page_bytes: int, cores_per_device: int, core_size: int) -> None:
        self.boot_ns = (boot_s or 0) * NS_PER_S
        self.page_bytes = page_bytes
        self.cores_per_device = cores_per_device
        self.core_size = core_size


def process_records(
    found: Sequence[Held], people: People, around: Surroundings, now_ns: int, reasons: Reasons
) -> tuple[Process, ...]:
    """The processes with a Neuron runtime, tools left out."""
    runtimes = [held for held in found if held.handles.runtime]
    holders = Counter(device for held in runtimes for device in held.handles.runtime)
    if runtimes:
        reasons.add(_BY_PROCESS, NOT_BY_PROCESS)
    return tuple([_record(held, people, around, now_ns, holders, reasons) for held in runtimes])


def _record(
    held: Held, people: People, around: Surroundings, now_ns: int, holders: Mapping[int, int], reasons: Reasons
) -> Process:
    person, stat = people.person(held), held.stat
    alone = all(holders[device] == 1 for device in held.handles.runtime)
    cores = cores_of(held.handles, person.environment, alone, around.cores_per_device, around.core_size)
    if not cores:
        reasons.one("cores", _UNCLAIMED)
    if not stat.parent:
        reasons.one("parent_pid", _OUTSIDE)
    return Process(
        pid=held.pid,
        started_ns=around.boot_ns + stat.started_ticks * TICK_NS,
        user=person.user,
        tag=person.tag,
        command=person.command,
        job=people.job(held),
        runtime_version=people.runtime_version(held, now_ns),
        cores=cores,
        resident_bytes=stat.resident_pages * around.page_bytes,
        vcpu_user_ns=stat.user_ticks * TICK_NS,
        vcpu_system_ns=stat.system_ticks * TICK_NS,
        parent_pid=stat.parent or None,
    )
