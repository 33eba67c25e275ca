"""Intervals made by hand for neuron-top's tests: any instance type, any number of processes, known and unknown."""

from __future__ import annotations

from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import KERNEL_LOG, Event, Events
from neurontools.schema.interval import Interval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import (
    Bank,
    Core,
    CpuTimes,
    Device,
    Gap,
    Head,
    Host,
    MemoryUse,
    Model,
    Origin,
    Process,
    Snapshot,
    Subgraph,
)
from neurontools.schema.source import SourceError
from neurontools.units import GIB, MIB
from tests.views.inventories import inventory_of

NS = 1_000_000_000
TAGS = ("chat", "a\x1b[31m tag\n", "日本語の名前", "x" * 300)
COMMANDS = ("python serve.py", "sh -c \x1b]0;title\x07\r\n\x00", "模型服务器 --端口 8000 👩‍🔬", "x" * 10_000, "")
CATEGORIES = {"tensors": 3 * GIB, "constants": 2 * GIB, "model_code": 96 * MIB, "driver_memory": 16 * MIB}
SHARED = {"model_shared_scratchpad": 64 * MIB}
PIECE = {"tensors": 2 * GIB, "constants": GIB, "model_shared_scratchpad": 64 * MIB}


def host_of(
    instance: str, processes: int = 2, lnc: int | None = None, known: bool = True, gap: str = ""
) -> tuple[Interval, Inventory]:
    """One second on a host of that type; core n is busy n mod 11 tenths of it. With `known` false nothing is known."""
    inventory = inventory_of(INSTANCES[instance])
    if lnc is not None:
        inventory = inventory._replace(logical_neuroncore_config=lnc)
    before, after = (_snapshot(instance, inventory, processes, known, gap, second) for second in (0, 1))
    return between(before, after), inventory


def _snapshot(instance: str, inventory: Inventory, processes: int, known: bool, gap: str, second: int) -> Snapshot:
    cores = sum(device.cores for device in inventory.devices)
    held = [tuple(range(n, cores, processes)) for n in range(processes)]
    return Snapshot(
        head=Head(
            time_ns=(1_000 + second) * NS,
            boot_id="boot",
            origin=Origin(kind="driver"),
            logical_neuroncore_config=inventory.logical_neuroncore_config,
            gaps={"core": Gap(reason=gap)} if gap else {},
        ),
        devices=tuple(_device(instance, device.device, known, second) for device in inventory.devices),
        processes=tuple(_process(n, held[n], inventory, known, second) for n in range(processes)) if known else None,
        host=_host(second) if known else None,
    )


def _device(instance: str, index: int, known: bool, second: int) -> Device:
    chip = chip_of(INSTANCES[instance])
    cores = tuple(_core(index * chip.cores + place, place, known, second) for place in range(chip.cores))
    if not known:
        return Device(index=index, cores=cores)
    banks = tuple(Bank(index=n, total_bytes=chip.bank_bytes) for n in range(chip.banks))
    host_memory = {"dma_buffers": 8 * MIB, "application_memory": chip.cores * MIB}
    uses = {name: MemoryUse(total=count) for name, count in host_memory.items()}
    return Device(index=index, cores=cores, banks=banks, host_memory=uses)


def _core(number: int, place: int, known: bool, second: int) -> Core:
    if not known:
        return Core(core=number, index=place)
    return Core(
        core=number,
        index=place,
        busy_ns=second * (number % 11) * NS // 10,
        flops=second * number * 10**11,
        memory={name: MemoryUse(total=count) for name, count in (CATEGORIES | SHARED).items()},
        host_memory=MemoryUse(total=MIB),
    )


def _process(n: int, cores: tuple[int, ...], inventory: Inventory, known: bool, second: int) -> Process:
    per_device = inventory.devices[0].cores
    pieces = tuple(Subgraph(name="sg", core=core, device=core // per_device, device_memory=PIECE) for core in cores)
    return Process(
        pid=5000 + n,
        started_ns=n,
        tag=TAGS[n % len(TAGS)],
        command=COMMANDS[n % len(COMMANDS)],
        cores=cores,
        memory={core: CATEGORIES | SHARED for core in cores},
        host_memory={"application_memory": len(cores) * MIB},
        models=(
            Model(model_id=10_001, name=f"model-{TAGS[n % len(TAGS)]}", uuid="u", running=n % 2 == 0, subgraphs=pieces),
        ),
        vcpu_user_ns=second * NS // 8,
        vcpu_system_ns=second * NS // 16,
    )


def _host(second: int) -> Host:
    tick = second * NS
    times = CpuTimes(user=tick // 4, nice=0, system=tick // 8, idle=tick * 5 // 8, io_wait=0, irq=0, soft_irq=0)
    return Host(cpus=(times,) * 8, memory_total_bytes=64 * GIB, memory_used_bytes=4 * GIB)


class CraftedHost:
    """A Source made by hand: time goes on by a second with every reading, and what is known never changes."""

    def __init__(self, instance: str, processes: int = 2, known: bool = True) -> None:
        self.made = (instance, inventory_of(INSTANCES[instance]), processes, known, "")
        self.second = 0

    def inventory(self) -> Inventory:
        return self.made[1]

    def snapshot(self) -> Snapshot:
        self.second += 1
        return _snapshot(*self.made, self.second)

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return _snapshot(*self.made, self.second - 1) if age_ns <= NS else None

    def events(self, since: int = 0) -> Events:
        lines = ("neuron: \x1b[2J an error", "x" * 10_000, "日本語")
        every = (
            Event(seq=seq, time_ns=1_000 * NS, kind=KERNEL_LOG, text=lines[seq % len(lines)]) for seq in range(1, 9)
        )
        return Events(events=tuple(event for event in every if event.seq > since))

    def allocations(self, device: int) -> Allocations:
        raise SourceError("no addresses are published")

    def close(self) -> None:
        pass
