"""A reading of which only that is kept which rules compare with later ones: small enough for an hour of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from neurontools.schema.deltas import total_of
from neurontools.schema.histogram import Histogram
from neurontools.schema.snapshot import Core, Device, MemoryUse, Process, Snapshot

SUCCESS = "success"
_FIXED = ("constants", "model_code")


class CoreSample(NamedTuple):
    """A logical core: sums over its physical ones. `errors` are its status counters but the successes, zeros left out;
    `fixed_bytes` is what loading a model takes, and stays."""

    core: int
    device: int
    parts: int
    busy_ns: int | None
    collectives_ns: int | None
    flops: int | None
    executions: int | None
    memory_bytes: int | None
    tensors_bytes: int | None
    fixed_bytes: int | None
    errors: Mapping[str, int] | None
    reset_requests: int | None
    reset_failures: int | None
    tensor_cycles: int | None


class DeviceSample(NamedTuple):
    """A device; `links_up` has the peers whose state is known, `sent_bytes` is what went out over all its links."""

    device: int
    ecc: Mapping[str, int] | None
    health: Mapping[str, int | str] | None
    reset_state: str | None
    links_up: Mapping[int, bool]
    sent_bytes: int | None


class ProcessSample(NamedTuple):
    """A process; `cores` and `groups` are logical cores over the node. Bytes are of device memory, and of its tensors
    and of what loading a model takes."""

    pid: int
    started_ns: int
    cores: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    executions: Mapping[str, int] | None
    errors: Mapping[str, int] | None
    vcpu_ns: int | None
    memory_bytes: int | None
    tensors_bytes: int | None
    fixed_bytes: int | None
    latency_total: Histogram | None
    latency_device: Histogram | None

    @property
    def completed(self) -> int | None:
        """Executions that ran to their end."""
        if self.executions is None:
            return None
        return sum(count for outcome, count in self.executions.items() if outcome.startswith("completed"))


class Sample(NamedTuple):
    """A node at one instant."""

    time_ns: int
    boot_id: str
    cores: Mapping[int, CoreSample]
    devices: Mapping[int, DeviceSample]
    processes: Mapping[int, ProcessSample] | None


def sample_of(snapshot: Snapshot, closed: Mapping[int, Mapping[str, int]] | None = None) -> Sample:
    """What rules keep of a snapshot; `closed` are status counters by physical core where the snapshot has none."""
    size = max(1, snapshot.head.logical_neuroncore_config)
    parts: dict[int, list[Core]] = {}
    devices_of: dict[int, int] = {}
    for device in snapshot.devices:
        for core in device.cores:
            parts.setdefault(core.core // size, []).append(core)
            devices_of[core.core // size] = device.index
    processes = snapshot.processes
    return Sample(
        time_ns=snapshot.head.time_ns,
        boot_id=snapshot.head.boot_id,
        cores={number: _core(number, devices_of[number], cores, closed) for number, cores in parts.items()},
        devices={device.index: _device(device) for device in snapshot.devices},
        processes=None if processes is None else {process.pid: _process(process, size) for process in processes},
    )


def _core(number: int, device: int, cores: list[Core], closed: Mapping[int, Mapping[str, int]] | None) -> CoreSample:
    memories = [core.memory for core in cores]
    return CoreSample(
        core=number,
        device=device,
        parts=len(cores),
        busy_ns=total_of([core.busy_ns for core in cores]),
        collectives_ns=total_of([core.collectives_ns for core in cores]),
        flops=total_of([core.flops for core in cores]),
        executions=_other(cores, "inference_count"),
        memory_bytes=total_of([_used(core) for core in cores]),
        tensors_bytes=total_of([_category(memory, ("tensors",)) for memory in memories]),
        fixed_bytes=total_of([_category(memory, _FIXED) for memory in memories]),
        errors=_errors(cores, closed),
        reset_requests=_other(cores, "reset_req_count"),
        reset_failures=_other(cores, "reset_fail_count"),
        tensor_cycles=total_of(
            [None if core.pe_cntrs is None else sum([row.mm_active for row in core.pe_cntrs]) for core in cores]
        ),
    )


def _other(cores: list[Core], name: str) -> int | None:
    total = 0
    for core in cores:
        counter = (core.other_info or {}).get(name)
        if counter is None:
            return None
        total += counter.total
    return total


def _used(core: Core) -> int | None:
    if core.device_memory is not None and core.device_memory.total is not None:
        return core.device_memory.total
    return None if core.memory is None else total_of([use.total for use in core.memory.values()])


def _category(memory: Mapping[str, MemoryUse] | None, names: Iterable[str]) -> int | None:
    if memory is None:
        return None
    total: int | None = total_of([memory[name].total for name in names if name in memory])
    return total


def _errors(cores: list[Core], closed: Mapping[int, Mapping[str, int]] | None) -> Mapping[str, int] | None:
    found: dict[str, int] = {}
    for core in cores:
        if core.status is None:
            if closed is None or core.core not in closed:
                return None
            for name, total in closed[core.core].items():
                found[name] = found.get(name, 0) + total
            continue
        for name, counter in core.status.items():
            if counter.total and name != SUCCESS:
                found[name] = found.get(name, 0) + counter.total
    return found


def _device(device: Device) -> DeviceSample:
    links = device.links or ()
    return DeviceSample(
        device=device.index,
        ecc=device.ecc,
        health=device.health,
        reset_state=device.reset_state,
        links_up={link.peer: link.up for link in links if link.up is not None},
        sent_bytes=total_of([link.transmitted_bytes for link in links]),
    )


def _process(process: Process, size: int) -> ProcessSample:
    memory = None if process.memory is None else list(process.memory.values())
    return ProcessSample(
        pid=process.pid,
        started_ns=process.started_ns,
        cores=_logical(process.cores, size),
        groups=tuple([_logical(group, size) for group in process.groups]),
        executions=process.executions,
        errors=process.errors,
        vcpu_ns=total_of([process.vcpu_user_ns, process.vcpu_system_ns]),
        memory_bytes=None if memory is None else sum([sum(used.values()) for used in memory]),
        tensors_bytes=None if memory is None else sum([used.get("tensors", 0) for used in memory]),
        fixed_bytes=None if memory is None else sum([used.get(name, 0) for used in memory for name in _FIXED]),
        latency_total=process.latency_total,
        latency_device=process.latency_device,
    )


def _logical(cores: tuple[int, ...], size: int) -> tuple[int, ...]:
    return cores if size == 1 else tuple(dict.fromkeys([core // size for core in cores]))
