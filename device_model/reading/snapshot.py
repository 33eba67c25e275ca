"""The whole node at one instant as a snapshot. Looking changes nothing: everything here is derived from the state."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from device_model.build import World
from device_model.kernel.clock import NS
from device_model.kernel.meter import Credit
from device_model.machine.activity import Activity
from device_model.machine.core import Core, LastStep, Tally, driver_counters
from device_model.machine.device import Device
from device_model.machine.links import Links
from device_model.machine.power import last_full_minute
from device_model.reading.driver import seen_through
from device_model.reading.process import process_reading
from device_model.runtime import memory
from device_model.workloads.cost.engines import PARTITIONS
from neurontools.hardware.chips import NeuronCore
from neurontools.hardware.driver import HEALTH_FAMILIES, OTHER_INFO, POWER_NO_DATA, POWER_VALID, STATUS_NAMES
from neurontools.schema import snapshot as schema

_NONE_YET = schema.Counter(0)
_NO_STATUS = dict.fromkeys(STATUS_NAMES, _NONE_YET)
_NO_OTHER = dict.fromkeys(OTHER_INFO, _NONE_YET)

_PE_ROW_GROUPS = 4
_BYTES_PER_WEIGHT = 2


class _Work(NamedTuple):
    """All that a core has counted. Most cores of a group have counted the same, so it is written out once for them."""

    done: Activity
    credit: Credit
    last: LastStep
    tallies: tuple[tuple[str, Tally], ...]
    failed: int


_Written = dict[_Work, schema.Core]


def times_engines(core: NeuronCore) -> bool:
    """Whether it is known how fast all engines of a generation are, without which their times are not."""
    return core.vector_flops is not None and core.scalar_flops is not None


def take_snapshot(world: World, head: schema.Head) -> schema.Snapshot:
    """What can be read of the node at `head.time_ns`, which is not before the last event."""
    whole, driver = whole_snapshot(world, head), world.node.driver
    return whole if driver.sound else seen_through(whole, driver)


def whole_snapshot(world: World, head: schema.Head) -> schema.Snapshot:
    """The node as it is, whatever the driver lets others read of it."""
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
    node = world.node
    capacity = node.links.capacity_bytes_per_s
    links = [
        schema.Link(
            peer=peer,
            up=node.links.speed((device.index, peer)) > 0,
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
                    cores=served,
                )
                for bank, served in zip(device.banks, device.bank_cores, strict=True)
            ]
        ),
        links=tuple(links),
        host_memory=device.ledger.host_reading(),
        ecc=dict(device.ecc),
        power=_power(world, device, time_ns),
        reset_state=device.reset_state,
        health=_health(device, node.links, time_ns - node.boot_ns) if device.chip.family in HEALTH_FAMILIES else None,
        serial_number=device.serial_number,
    )


def _core(device: Device, core: Core, time_ns: int, boot_ns: int, written: _Written) -> schema.Core:
    work = _Work(
        core.read(time_ns),
        core.credit(time_ns),
        core.last_step(time_ns),
        tuple(core.tallies.items()),
        core.failed_executions,
    )
    if work not in written:
        written[work] = _counted(work, device.chip.core, time_ns - boot_ns)
    counted = written[work]
    if core.zeroed:
        counters = core.counters(time_ns)
        counted = with_counters(counted, {name: core.shown(name, counters) for name in (*STATUS_NAMES, *OTHER_INFO)})
    memory_reading = device.ledger.core_reading(core.index)
    return replace(
        counted,
        core=core.number,
        index=core.index,
        host_memory=memory_reading.host,
        device_memory=memory_reading.device,
        memory=memory_reading.categories,
    )


def _counted(work: _Work, core: NeuronCore, up_ns: int) -> schema.Core:
    """A core with the given counts, not yet with a number and memory."""
    done, credit, last = work.done, work.credit, work.last
    clock_hz = core.engine_clocks_hz["tensor"]
    engines = schema.EngineTimes(done.tensor_ns, done.vector_ns, done.scalar_ns, done.gpsimd_ns)
    counters = driver_counters(work.tallies, done, credit, last, work.failed)
    counted = schema.Core(
        core=0,
        index=0,
        busy_ns=done.busy_ns,
        collectives_ns=done.collectives_ns,
        engines=engines if times_engines(core) else None,
        flops=counters["flop_count"].total,
        hbm_read_bytes=done.hbm_read_bytes,
        hbm_written_bytes=done.hbm_written_bytes,
        pe_cntrs=None if clock_hz is None else _pe_counters(done.tensor_ns, done.hbm_read_bytes, up_ns, clock_hz),
    )
    return with_counters(counted, counters)


def with_counters(core: schema.Core, counters: Mapping[str, Tally]) -> schema.Core:
    """A core whose driver counters are these, and zero where there is none."""
    found = {name: schema.Counter(tally.total, tally.present) for name, tally in counters.items()}
    status = _NO_STATUS | {name: count for name, count in found.items() if name in _NO_STATUS}
    other = _NO_OTHER | {name: count for name, count in found.items() if name in _NO_OTHER}
    return replace(core, status=status, other_info=other)


def _pe_counters(tensor_ns: int, read_bytes: int, up_ns: int, clock_hz: int) -> tuple[schema.PeRow, ...]:
    """Cycles of the tensor engine: every streamed BF16 value is loaded once into a row of the array (assumed).

    Idle cycles are counted from idle time: as a difference of two rounded counts they could fall.
    """
    active, idle = (ns * clock_hz // NS for ns in (tensor_ns, up_ns - tensor_ns))
    return (schema.PeRow(active, read_bytes // _BYTES_PER_WEIGHT // PARTITIONS, idle),) * _PE_ROW_GROUPS


def _power(world: World, device: Device, time_ns: int) -> schema.Power | None:
    if device.chip.dice is None:
        return None
    end_ns = last_full_minute(time_ns, world.node.boot_ns)
    if end_ns is None:
        return schema.Power(status=POWER_NO_DATA)
    minute = world.node.power.minute(end_ns, device.workers())
    return schema.Power(
        status=POWER_VALID,
        epoch_s=end_ns // NS,
        min_percent=minute.low,
        max_percent=minute.high,
        avg_percent=minute.mean,
    )


def _health(device: Device, links: Links, up_ns: int) -> dict[str, int | str]:
    """The health files; the words for components and a heartbeat that counts seconds are assumed."""
    here = device.index
    broken = [f"link {here}-{peer}" for peer in links.neighbours[here] if not links.speed((here, peer))]
    return {
        "hbm_ecc_err_count": device.ecc["mem_ecc_uncorrected"],
        "repairable_hbm_ecc_err_count": device.ecc["mem_ecc_repairable_uncorrected"],
        "sram_ecc_err_count": device.ecc["sram_ecc_uncorrected"],
        "hw_error_event": device.hardware_errors,
        "unhealthy_components": ", ".join(broken),
        "healthcheck_heartbeat": up_ns // NS,
    }


def _host(world: World, time_ns: int) -> schema.Host:
    """The host; processes are the only users of its vCPUs."""
    host, times = world.node.host, world.runtime.vcpu_times(time_ns)
    busy = zip(times.user_ns, times.system_ns, strict=True)
    up_ns = time_ns - world.node.boot_ns
    resident = sum(memory.resident_bytes(process) for process in world.runtime.processes.values())
    return schema.Host(
        cpus=tuple([schema.CpuTimes(user, 0, system, up_ns - user - system, 0, 0, 0) for user, system in busy]),
        memory_total_bytes=host.memory_bytes,
        memory_used_bytes=host.system_bytes + resident,
        swap_total_bytes=0,
        swap_used_bytes=0,
        context_switches=times.context_switches,
    )
