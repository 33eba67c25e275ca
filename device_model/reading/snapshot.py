"""The whole node at one instant as a snapshot. Looking changes nothing: everything here is derived from the state."""

from typing import NamedTuple

from msgspec.structs import replace

from device_model.build import World
from device_model.kernel.meter import Credit
from device_model.machine.activity import Activity
from device_model.machine.core import Core, LastStep, Tally
from device_model.machine.device import Device
from device_model.machine.ledger import Use
from device_model.machine.power import last_full_minute
from device_model.reading.process import process_reading
from device_model.runtime import memory
from neurontools.hardware.chips import cores_of_bank
from neurontools.hardware.driver import HOST_MEMORY, STATUS_NAMES
from neurontools.schema import snapshot as schema

_NONE_YET = schema.Counter(0)
_NO_STATUS = dict.fromkeys(STATUS_NAMES, _NONE_YET)
_OTHER = ("model_load_count", "reset_req_count", "reset_fail_count")

_PE_TILE_ROWS = 128
_PE_ROW_GROUPS = 4
_BYTES_PER_WEIGHT = 2


class _Work(NamedTuple):
    """All that a core has counted. Most cores of a group have counted the same, so it is written out once for them."""

    done: Activity
    credit: Credit
    last: LastStep
    tallies: tuple[tuple[str, Tally], ...]


_Written = dict[_Work, schema.Core]


def take_snapshot(world: World, head: schema.Head) -> schema.Snapshot:
    """The node at `head.time_ns`, which is not before the last event."""
    time_ns = head.time_ns
    sent = world.node.links.sent_bytes(time_ns)
    written: _Written = {}
    return schema.Snapshot(
        head=head,
        devices=tuple([_device(world, device, time_ns, sent, written) for device in world.node.devices]),
        processes=tuple(
            [process_reading(world, process, time_ns) for _, process in sorted(world.runtime.processes.items())]
        ),
        host=_host(world, time_ns),
    )


def _device(
    world: World, device: Device, time_ns: int, sent: dict[tuple[int, int], int], written: _Written
) -> schema.Device:
    node, ledger = world.node, device.ledger
    capacity = node.links.capacity_bytes_per_s
    links = [
        schema.Link(
            peer=peer,
            up=True,
            transmitted_bytes=sent[device.index, peer],
            received_bytes=sent[peer, device.index],
            capacity_bytes_per_s=capacity,
        )
        for peer in node.links.neighbours[device.index]
    ]
    return schema.Device(
        index=device.index,
        cores=tuple([_core(device, core, time_ns, node.boot_ns, written) for core in device.cores]),
        banks=tuple(
            [
                schema.Bank(
                    index=bank.index,
                    total_bytes=bank.total_bytes,
                    used_bytes=bank.used_bytes,
                    largest_free_bytes=bank.largest_free_bytes,
                    cores=cores_of_bank(node.chip, bank.index),
                )
                for bank in device.banks
            ]
        ),
        links=tuple(links),
        host_memory={name: _use(ledger.host_category(name)) for name in HOST_MEMORY},
        ecc=dict(device.ecc),
        power=_power(world, device, time_ns),
        reset_state="ready",
        serial_number=device.serial_number,
    )


def _core(device: Device, core: Core, time_ns: int, boot_ns: int, written: _Written) -> schema.Core:
    work = _Work(core.read(time_ns), core.credit(time_ns), core.last_step(time_ns), tuple(core.tallies.items()))
    if work not in written:
        written[work] = _counted(work, device.chip.core.engine_clocks_hz["tensor"], time_ns - boot_ns)
    ledger = device.ledger
    return replace(
        written[work],
        core=core.number,
        index=core.index,
        host_memory=_use(ledger.host_core(core.index)),
        device_memory=_use(ledger.device_core(core.index)),
        memory=ledger.device_categories(core.index),
    )


def _counted(work: _Work, clock_hz: int | None, up_ns: int) -> schema.Core:
    """A core with the given counts, not yet with a number and memory."""
    done, credit, last = work.done, work.credit, work.last
    tallies = {name: schema.Counter(tally.total, tally.present) for name, tally in work.tallies}
    status = _NO_STATUS | {name: count for name, count in tallies.items() if name in _NO_STATUS}
    status["success"] = schema.Counter(credit.executions, 1 if credit.executions else 0)
    other = {name: tallies.get(name, _NONE_YET) for name in _OTHER}
    other["inference_count"] = status["success"]
    other["flop_count"] = schema.Counter(done.flops, last.flops)
    other["nc_time_in_use"] = schema.Counter(credit.time_ns // 1000, last.device_ns // 1000)
    return schema.Core(
        core=0,
        index=0,
        busy_ns=done.busy_ns,
        collectives_ns=done.collectives_ns,
        engines=schema.EngineTimes(done.tensor_ns, done.vector_ns, done.scalar_ns, done.gpsimd_ns),
        flops=done.flops,
        hbm_read_bytes=done.hbm_read_bytes,
        hbm_written_bytes=done.hbm_written_bytes,
        status=status,
        other_info=other,
        pe_cntrs=None if clock_hz is None else _pe_counters(done.tensor_ns, done.hbm_read_bytes, up_ns, clock_hz),
    )


def _pe_counters(tensor_ns: int, read_bytes: int, up_ns: int, clock_hz: int) -> tuple[schema.PeRow, ...]:
    """Cycles of the tensor engine: every streamed BF16 value is loaded once into a row of the array (assumed).

    Idle cycles are counted from idle time: as a difference of two rounded counts they could fall.
    """
    active, idle = (ns * clock_hz // 1_000_000_000 for ns in (tensor_ns, up_ns - tensor_ns))
    return (schema.PeRow(active, read_bytes // _BYTES_PER_WEIGHT // _PE_TILE_ROWS, idle),) * _PE_ROW_GROUPS


def _power(world: World, device: Device, time_ns: int) -> schema.Power | None:
    if device.chip.dice is None:
        return None
    end_ns = last_full_minute(time_ns, world.node.boot_ns)
    if end_ns is None:
        return schema.Power(status="POWER_STATUS_NO_DATA")
    minute = world.node.power.minute(end_ns, device.workers())
    return schema.Power(
        status="POWER_STATUS_VALID",
        epoch_s=end_ns // 1_000_000_000,
        min_percent=minute.low,
        max_percent=minute.high,
        avg_percent=minute.mean,
    )


def _host(world: World, time_ns: int) -> schema.Host:
    """Processes are the only users of vCPUs: each thread keeps to one, the vCPU with its core's number."""
    host, uses = world.node.host, world.runtime.vcpu_use(time_ns)
    user, system = [0] * host.vcpus, [0] * host.vcpus
    for threads, used in uses:
        for totals, amount in ((user, used.user_ns), (system, used.system_ns)):
            share, rest = divmod(amount, len(threads))
            for i, thread in enumerate(threads):
                totals[thread % host.vcpus] += share + (i < rest)
    up_ns = time_ns - world.node.boot_ns
    resident = sum(memory.resident_bytes(process) for process in world.runtime.processes.values())
    return schema.Host(
        cpus=tuple([schema.CpuTimes(u, 0, s, up_ns - u - s, 0, 0, 0) for u, s in zip(user, system, strict=True)]),
        memory_total_bytes=host.memory_bytes,
        memory_used_bytes=host.system_bytes + resident,
        swap_total_bytes=0,
        swap_used_bytes=0,
        context_switches=sum(use.used.context_switches for use in uses),
    )


def _use(use: Use) -> schema.MemoryUse:
    return schema.MemoryUse(*use)
