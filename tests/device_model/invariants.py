"""What must hold of every snapshot and between any two: sums, physical bounds, and counters that never fall."""

from collections import Counter as Tally
from typing import Any

import msgspec

from device_model.machine.hbm import RESERVED_BYTES, SMALL_POOL_BYTES, Bank, Extent, PoolName
from device_model.reading.snapshot import whole_snapshot
from device_model.simulation import Simulation
from neurontools.hardware.chips import core_share
from neurontools.hardware.driver import COUNTER_BITS, SRAM_ECC_BITS
from neurontools.hardware.instances import chip_of, link_bytes_per_s, lookup
from neurontools.schema.snapshot import Core, Device, Host, Snapshot

TICK = 1
"""Two counters that grow along lines are each rounded down, so their differences may be off by one."""


def whole(model: Simulation) -> Snapshot:
    """The host as it is, also where a driver that is missing or too old lets nobody read it."""
    return whole_snapshot(model._world, model._head(model.now_ns))


def check_sums(model: Simulation) -> None:
    """The same quantity, counted in different ways, is the same at this instant."""
    snapshot = whole(model)
    _check_memory(snapshot)
    _check_banks(model, snapshot)
    _check_requests(snapshot)
    for device in model._world.node.devices:
        for bank in device.banks:
            _check_extents(bank, set(model._world.runtime.processes))
    _check_links(snapshot)
    _check_processes(snapshot, model.epoch_ns)


def _check_memory(snapshot: Snapshot) -> None:
    held: Tally[tuple[int, str]] = Tally()
    for process in snapshot.processes or ():
        for number, categories in (process.memory or {}).items():
            held.update({(number, category): size for category, size in categories.items()})
    for device in snapshot.devices:
        for core in device.cores:
            for category, use in (core.memory or {}).items():
                expected = held[core.core, category]
                if category == "driver_memory":
                    banks = [bank for bank in device.banks if bank.cores[0] == core.index]
                    expected += RESERVED_BYTES * len(banks)
                assert use.total == expected, (core.core, category)
                assert use.peak is not None
                assert use.peak >= expected
            assert _used(core) == sum(use.total or 0 for use in (core.memory or {}).values())


def _check_banks(model: Simulation, snapshot: Snapshot) -> None:
    for device in snapshot.devices:
        maps = model.allocations(device.index).banks
        for bank, blocks in zip(device.banks, maps, strict=True):
            used = sum(_used(device.cores[core]) for core in bank.cores)
            assert bank.used_bytes == used == blocks.reserved_bytes + sum(block.size for block in blocks.allocations)
            assert 0 < used <= bank.total_bytes
            assert (bank.largest_free_bytes or 0) <= bank.total_bytes - used
            assert {block.core for block in blocks.allocations} <= set(bank.cores)


def _check_extents(bank: Bank, alive: set[int]) -> None:
    """Free is exactly what no block of a living process covers, in as few extents as can be."""
    main_end = bank.total_bytes - SMALL_POOL_BYTES
    pools: dict[PoolName, tuple[int, int]] = {"main": (RESERVED_BYTES, main_end), "small": (main_end, bank.total_bytes)}
    expected: list[Extent] = []
    for pool, (at, end) in pools.items():
        for block in [*[(chunk.address, chunk.end) for chunk in bank.chunks() if chunk.pool == pool], (end, end)]:
            assert block[0] >= at, "blocks overlap, or one leaves its pool"
            if block[0] > at:
                expected.append(Extent(at, block[0] - at, pool))
            at = block[1]
        assert at == end, "a block leaves its pool"
    assert bank.free_extents() == expected
    assert {chunk.owner.pid for chunk in bank.chunks()} <= alive


def _check_requests(snapshot: Snapshot) -> None:
    """Every request is in exactly one place."""
    for process in snapshot.processes or ():
        work = process.workload
        assert work is not None
        ended = work.completed + work.rejected + work.failed + work.timed_out + work.cancelled
        assert work.submitted == ended + work.queued + work.running, process.tag
        assert min(ended, work.queued, work.running) >= 0


def _used(core: Core) -> int:
    assert core.device_memory is not None
    assert core.device_memory.total is not None
    return core.device_memory.total


def _check_links(snapshot: Snapshot) -> None:
    sent = {(d.index, link.peer): link.transmitted_bytes for d in snapshot.devices for link in d.links or ()}
    received = {(link.peer, d.index): link.received_bytes for d in snapshot.devices for link in d.links or ()}
    assert sent == received


def _check_processes(snapshot: Snapshot, boot_ns: int) -> None:
    cores = {core.core: core for device in snapshot.devices for core in device.cores}
    assert snapshot.host is not None
    for process in snapshot.processes or ():
        outcomes = process.executions or {}
        timed = outcomes["completed"] + outcomes["completed_with_num_err"]
        assert process.latency_total is not None
        assert process.latency_device is not None
        assert process.latency_total.count == process.latency_device.count == timed
        # Each execution of a process is one of at least one of its cores, and of several when they work together.
        assert sum((cores[number].status or {})["success"].total for number in process.cores) >= outcomes["completed"]
        for number in process.cores:
            succeeded = (cores[number].status or {})["success"].total
            assert (cores[number].other_info or {})["inference_count"].total >= succeeded
    for cpu in snapshot.host.cpus or ():
        parts: tuple[int, ...] = msgspec.structs.astuple(cpu)
        assert min(parts) >= 0
        assert sum(parts) == snapshot.head.time_ns - boot_ns
    assert (snapshot.host.memory_used_bytes or 0) <= (snapshot.host.memory_total_bytes or 0)


def check_bounds(instance: str, data_type: str, early: Snapshot, late: Snapshot) -> None:
    """No hardware did more between two snapshots than its data sheet says."""
    chip = chip_of(lookup(instance))
    elapsed_ns = late.head.time_ns - early.head.time_ns
    peak = core_share(chip, data_type)
    assert peak is not None
    for before, after in zip(early.devices, late.devices, strict=True):
        for old, new in zip(before.cores, after.cores, strict=True):
            _check_core(old, new, elapsed_ns, peak)
    check_capacity(instance, early, late)


def check_capacity(instance: str, early: Snapshot, late: Snapshot) -> None:
    """No memory bank and no link carried more between two snapshots than it can, whoever shared it.

    What a group of cores sends is rounded down on each link, so as many groups as there may be can be off by a byte.
    """
    chip = chip_of(lookup(instance))
    elapsed_s = (late.head.time_ns - early.head.time_ns) / 1e9
    bank_bytes = chip.memory_bytes_per_s / chip.banks * elapsed_s
    link_bytes = (link_bytes_per_s(lookup(instance)) or 0.0) * elapsed_s
    groups = len(late.devices) * chip.cores
    for before, after in zip(early.devices, late.devices, strict=True):
        for bank in after.banks:
            moved = sum(_moved(after.cores[core]) - _moved(before.cores[core]) for core in bank.cores)
            assert moved <= bank_bytes + 2 * len(bank.cores) * TICK, (after.index, bank.index)
        for was, link in zip(before.links or (), after.links or (), strict=True):
            sent = (link.transmitted_bytes or 0) - (was.transmitted_bytes or 0)
            assert sent <= link_bytes + 2 * groups * TICK, (after.index, link.peer)


class Watch:
    """Checks capacities over one period after another while something else moves a model: it is asked on the way."""

    def __init__(self, model: Simulation, period_ns: int) -> None:
        self._model = model
        self._period_ns = period_ns
        self._early = whole(model)

    def __call__(self) -> None:
        if self._model.now_ns - self._early.head.time_ns >= self._period_ns:
            self.check()

    def check(self) -> None:
        """Checks what has been since the last time."""
        late = whole(self._model)
        check_capacity(self._model.instance, self._early, late)
        self._early = late


def _check_core(old: Core, new: Core, elapsed_ns: int, peak_flops: float) -> None:
    assert new.busy_ns is not None
    busy = new.busy_ns - (old.busy_ns or 0)
    assert 0 <= busy <= elapsed_ns
    engines = [b - a for a, b in zip(_engines(old), _engines(new), strict=True)]
    for part in (*engines, (new.collectives_ns or 0) - (old.collectives_ns or 0)):
        assert 0 <= part <= busy + TICK
    # It wraps at the width of the driver's counter.
    assert ((new.flops or 0) - (old.flops or 0)) % (1 << COUNTER_BITS) <= peak_flops * (busy + TICK) / 1e9
    in_use = [(core.other_info or {})["nc_time_in_use"].total for core in (old, new)]
    assert in_use[1] <= new.busy_ns // 1000, "credited when an execution completes"


def _engines(core: Core) -> tuple[int, ...]:
    engines: tuple[int, ...] = msgspec.structs.astuple(core.engines) if core.engines else ()
    return engines


def _moved(core: Core) -> int:
    return (core.hbm_read_bytes or 0) + (core.hbm_written_bytes or 0)


def counters(snapshot: Snapshot) -> dict[str, int]:
    """Every number that only grows, by its place."""
    found: dict[str, int] = {}
    for device in snapshot.devices:
        found |= _counters_of_device(device)
    for process in snapshot.processes or ():
        document = msgspec.to_builtins(process)
        for key in ("executions", "errors", "vcpu_user_ns", "vcpu_system_ns", "latency_total", "latency_device"):
            found |= _leaves(f"process {process.pid} {key}", document.get(key, 0))
        for key, value in (document.get("workload") or {}).items():
            if key not in ("kind", "queued", "running", "cached_tokens"):
                found |= _leaves(f"process {process.pid} {key}", value)
    host = snapshot.host
    assert host is not None
    found["switches"] = host.context_switches or 0
    for i, cpu in enumerate(host.cpus or ()):
        found |= {f"cpu {i} user": cpu.user, f"cpu {i} system": cpu.system}
    return found


def _counters_of_device(device: Device) -> dict[str, int]:
    found: dict[str, int] = {}
    for core in device.cores:
        document = msgspec.to_builtins(core)
        for key in ("busy_ns", "collectives_ns", "engines", "flops", "hbm_read_bytes", "hbm_written_bytes", "pe_cntrs"):
            found |= _leaves(f"core {core.core} {key}", document.get(key))
        for key in ("status", "other_info"):
            for name, counter in (getattr(core, key) or {}).items():
                found[f"core {core.core} {name}"] = counter.total
    for link in device.links or ():
        found[f"link {device.index}-{link.peer}"] = link.transmitted_bytes or 0
    return found | {f"device {device.index} {name}": count for name, count in (device.ecc or {}).items()}


def _leaves(place: str, value: Any) -> dict[str, int]:
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: leaf for name, part in pairs for key, leaf in _leaves(f"{place}/{name}", part).items()}
    return {place: value} if isinstance(value, int) else {}


def check_grown(early: Snapshot, late: Snapshot) -> None:
    """No counter fell; those of processes that ended are gone.

    Idle time is what user and system time leave, each rounded down, so it may be two ticks off.
    """
    for old, new in zip((early.host or Host()).cpus or (), (late.host or Host()).cpus or (), strict=True):
        assert new.idle - old.idle >= -2 * TICK
    now = counters(late)
    ended = {process.pid for process in early.processes or ()} - {process.pid for process in late.processes or ()}
    for place, value in counters(early).items():
        if not any(place.startswith(f"process {pid} ") for pid in ended):
            assert value <= now[place] or _wrapped(place, value, now[place]), place


def _wrapped(place: str, value: int, now: int) -> bool:
    """Whether a counter fell because it is as wide as the driver's: FLOPs, and errors of SRAM."""
    bits = COUNTER_BITS if "flop" in place else SRAM_ECC_BITS if " sram_" in place else None
    return bits is not None and now < 1 << (bits - 1) <= value < 1 << bits
