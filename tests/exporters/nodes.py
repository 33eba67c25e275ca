"""Readings of a host of every instance type, made by hand: small whole numbers that a reader can check."""

from __future__ import annotations

from neurontools.exporters.report import GROUPS, RUNTIME_GROUPS, SYSTEM_GROUPS, Group, Report, Runtime
from neurontools.exporters.report import hardware_info as hardware_of
from neurontools.exporters.report import instance_info as instance_of
from neurontools.hardware.instances import Instance, chip_of
from neurontools.schema.histogram import Histogram, bucket_of
from neurontools.schema.interval import Interval, between
from neurontools.schema.inventory import Inventory, InventoryDevice
from neurontools.schema.snapshot import (
    Bank,
    Core,
    CpuTimes,
    Device,
    EngineTimes,
    Head,
    Host,
    Link,
    MemoryUse,
    Model,
    Origin,
    Power,
    Process,
    Snapshot,
    Subgraph,
    Workload,
)

SECOND_NS = 1_000_000_000
EPOCH_NS = 1_800_000_000 * SECOND_NS
MOST_VCPUS = 12
"""Enough for numbers of two digits to be sorted among those of one."""

OUTCOMES = ("completed", "completed_with_err", "completed_with_num_err", "timed_out", "incorrect_input")
ERRORS = ("generic", "numerical", "transient", "model", "runtime", "hardware")
_CATEGORIES = ("tensors", "constants", "model_code", "model_shared_scratchpad", "runtime_memory", "collectives")
_HOST_CATEGORIES = ("tensors", "application_memory", "dma_buffers", "dma_rings", "uncategorized")


def inventory_for(instance: Instance) -> Inventory:
    """The host as a simulated one."""
    chip = chip_of(instance)
    device = InventoryDevice(device=0, cores=chip.cores, memory_bytes=chip.memory_bytes)
    return Inventory(
        instance_type=instance.name,
        instance_id="i-00000000000000000",
        chip=chip.name,
        neuroncore_version=chip.core.version,
        topology=instance.topology,
        logical_neuroncore_config=chip.default_lnc,
        devices=tuple(device._replace(device=i) for i in range(instance.devices)),
        origin="model",
        simulated=True,
        scenario="made",
        instance_name="simulated:made",
        region="simulated",
        availability_zone="simulated",
    )


def reading(instance: Instance, at_s: int, boot_id: str = "boot") -> Snapshot:
    """The host `at_s` seconds after it was booted: every counter is in proportion to that time."""
    chip = chip_of(instance)
    cores = instance.devices * chip.cores
    own = [range(0, chip.cores), range(chip.cores, 2 * chip.cores)] if instance.devices > 1 else [range(cores)]
    return Snapshot(
        head=Head(
            time_ns=EPOCH_NS + at_s * SECOND_NS,
            boot_id=boot_id,
            origin=Origin(kind="model", simulated=True, scenario="made"),
            logical_neuroncore_config=chip.default_lnc,
        ),
        devices=tuple(_device(instance, i, at_s) for i in range(instance.devices)),
        processes=tuple(_process(instance, 4000 + i, held, at_s) for i, held in enumerate(own)),
        host=_host(min(instance.vcpus, MOST_VCPUS), at_s),
    )


def _device(instance: Instance, index: int, at_s: int) -> Device:
    chip = chip_of(instance)
    first = index * chip.cores
    return Device(
        index=index,
        cores=tuple(_core(first + i, i, at_s) for i in range(chip.cores)),
        banks=tuple(Bank(index=i, total_bytes=chip.bank_bytes, used_bytes=i << 20) for i in range(chip.banks)),
        links=(Link(peer=0, up=True, transmitted_bytes=at_s * 1000),) if index == 1 else (),
        ecc={"mem_ecc_corrected": at_s * index, "sram_ecc_uncorrected": at_s * (index % 2)},
        power=Power(status="POWER_STATUS_VALID", avg_percent=12.5),
    )


def _core(number: int, index: int, at_s: int) -> Core:
    return Core(
        core=number,
        index=index,
        busy_ns=at_s * (number % 9) * SECOND_NS // 8,
        collectives_ns=0,
        engines=EngineTimes(0, 2, 3, at_s * SECOND_NS // 4),
        flops=at_s * number * 10**12,
        hbm_read_bytes=at_s * 10**9,
        hbm_written_bytes=at_s * 10**8,
        memory={name: MemoryUse((number + 1) << 20) for name in _CATEGORIES},
    )


def _process(instance: Instance, pid: int, cores: range, at_s: int) -> Process:
    chip = chip_of(instance)
    latencies = Histogram(counts={bucket_of(3_000_000): at_s * 90, bucket_of(9_000_000): at_s * 10}, sum_ns=at_s)
    return Process(
        pid=pid,
        started_ns=EPOCH_NS,
        tag="" if pid % 2 else f"tag-{pid}",
        cores=tuple(cores),
        memory={core: {name: (core + 1) << 20 for name in _CATEGORIES} for core in cores},
        host_memory={name: (i + 1) << 10 for i, name in enumerate(_HOST_CATEGORIES)},
        models=(
            Model(
                model_id=10_001,
                name="model.neff",
                uuid="0" * 32,
                running=True,
                subgraphs=tuple(
                    Subgraph(
                        name="sg_00",
                        core=core,
                        device=core // chip.cores,
                        host_memory={"application_memory": 4096},
                        device_memory={"constants": 1 << 20, "model_code": 1 << 10, "collectives": 1},
                    )
                    for core in cores
                ),
            ),
        ),
        executions={name: at_s * (len(OUTCOMES) - i) for i, name in enumerate(OUTCOMES)},
        errors={name: at_s * i for i, name in enumerate(ERRORS)},
        latency_total=latencies if pid % 2 == 0 else Histogram(),
        latency_device=latencies if pid % 2 == 0 else Histogram(),
        vcpu_user_ns=at_s * SECOND_NS,
        vcpu_system_ns=at_s * SECOND_NS // 3,
        workload=Workload(kind="llm", completed=at_s, generated_tokens=at_s * 50, queued=2),
    )


def _host(vcpus: int, at_s: int) -> Host:
    second = SECOND_NS * at_s
    return Host(
        cpus=tuple(CpuTimes(second // (i + 2), 0, second // 7, second, 0, 0, i * at_s) for i in range(vcpus)),
        memory_total_bytes=8 << 30,
        memory_used_bytes=3 << 30,
        swap_total_bytes=0,
        swap_used_bytes=0,
        context_switches=at_s * 1234,
    )


def interval_of(instance: Instance, seconds: int = 2) -> Interval:
    """What the host did in the last seconds of its first hour."""
    return between(reading(instance, 3600 - seconds), reading(instance, 3600))


def report_of(inventory: Inventory, interval: Interval, groups: tuple[str, ...] = GROUPS) -> Report:
    """A report of one interval, with these groups of all its processes and of the node."""
    group = Group.of(interval)
    return Report(
        instance=instance_of(inventory),
        hardware=hardware_of(inventory),
        runtimes=tuple(
            Runtime(process.pid, process.tag or str(process.pid), {n: group for n in RUNTIME_GROUPS if n in groups})
            for process in interval.processes
        ),
        system={name: group for name in SYSTEM_GROUPS if name in groups},
    )
