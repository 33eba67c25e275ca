"""The driver's accounting against its rule (total, last change, high-water mark) and against the chunks of a bank."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.hbm import Bank, Chunk, OutOfMemory, Owner
from device_model.machine.ledger import NOTHING, Ledger, Use
from neurontools.hardware.driver import CORE_MEMORY, HOST_MEMORY
from neurontools.schema.snapshot import MemoryUse
from neurontools.units import MIB

CORES = 2
cores = st.integers(0, CORES - 1)
categories = st.sampled_from(sorted(CORE_MEMORY))
steps = st.lists(st.tuples(cores, categories, st.integers(1, 3 * MIB), st.booleans()), max_size=60)


def replay(changes: list[int]) -> Use:
    """The driver's rule on one counter's signed changes."""
    totals = [sum(changes[: n + 1]) for n in range(len(changes))]
    return Use(totals[-1], abs(changes[-1]), max(0, *totals)) if changes else NOTHING


@given(steps)
def test_counters_follow_the_drivers_rule_and_the_chunks(wanted: list[tuple[int, str, int, bool]]) -> None:
    bank, ledger = Bank(0, 32 * MIB, reserved_bytes=0, small_pool_bytes=4 * MIB), Ledger(CORES)
    held: list[Chunk] = []
    changes: list[tuple[int, str, int]] = []
    for core, category, size, free in wanted:
        if free and held:
            chunk = held.pop(size % len(held))
            bank.free(chunk)
            ledger.free_device(chunk.owner.core, chunk.owner.category, chunk.size)
            changes.append((chunk.owner.core, chunk.owner.category, -chunk.size))
            continue
        try:
            chunk = bank.allocate(size, Owner(1, core, category, "", ""))
        except OutOfMemory:
            continue
        held.append(chunk)
        ledger.allocate_device(core, category, chunk.size)
        changes.append((core, category, chunk.size))
    for core in range(CORES):
        assert ledger.device_core(core) == replay([d for c, _, d in changes if c == core])
        for name in CORE_MEMORY:
            use = ledger.device_category(core, name)
            assert use == replay([d for c, n, d in changes if (c, n) == (core, name)])
            owned = [c.size for c in bank.chunks() if (c.owner.core, c.owner.category) == (core, name)]
            assert use.total == sum(owned)
        in_categories = sum(ledger.device_category(core, name).total for name in CORE_MEMORY)
        assert ledger.device_core(core).total == in_categories
    assert sum(ledger.device_core(core).total for core in range(CORES)) == bank.used_bytes


def test_present_is_the_last_change_and_not_the_level() -> None:
    ledger = Ledger(1)
    ledger.allocate_device(0, "tensors", 100)
    ledger.allocate_device(0, "constants", 20)
    ledger.free_device(0, "tensors", 70)
    assert ledger.device_category(0, "tensors") == Use(total=30, present=70, peak=100)
    assert ledger.device_category(0, "constants") == Use(total=20, present=20, peak=20)
    assert ledger.device_core(0) == Use(total=50, present=70, peak=120)


def test_host_memory_is_filed_by_device_category_and_by_core() -> None:
    ledger = Ledger(2)
    ledger.allocate_host(0, "dma_buffers", 4096)
    ledger.allocate_host(1, "dma_buffers", 8192)
    ledger.allocate_host(None, "driver_memory", 100)
    ledger.free_host(0, "dma_buffers", 1096)
    ledger.free_host(None, "driver_memory", 40)
    assert ledger.host_category("dma_buffers") == Use(11192, 1096, 12288)
    assert ledger.host_category("driver_memory") == Use(60, 40, 100)
    assert ledger.host_core(0) == Use(3000, 1096, 4096)
    assert ledger.host_core(1) == Use(8192, 8192, 8192)


def test_every_category_of_the_driver_starts_empty() -> None:
    ledger = Ledger(8)
    assert {ledger.device_category(core, name) for core in range(8) for name in CORE_MEMORY} == {NOTHING}
    assert {ledger.host_category(name) for name in HOST_MEMORY} == {NOTHING}


def test_a_refused_entry_changes_nothing() -> None:
    ledger = Ledger(2)
    ledger.allocate_device(0, "tensors", 10)
    ledger.allocate_host(0, "tensors", 10)
    ledger.allocate_host(1, "tensors", 10)
    for size in (-1, 11):
        with pytest.raises(ValueError, match="cannot take"):
            ledger.free_device(0, "tensors", size)
    with pytest.raises(ValueError, match="cannot take 11 bytes off 10"):
        ledger.free_host(1, "tensors", 11)
    with pytest.raises(ValueError, match="cannot book"):
        ledger.allocate_device(0, "tensors", -1)
    for core, category in ((2, "tensors"), (0, "weights")):
        with pytest.raises(KeyError):
            ledger.allocate_device(core, category, 1)
    with pytest.raises(KeyError):
        ledger.allocate_host(2, "tensors", 1)
    assert ledger.device_category(0, "tensors") == ledger.device_core(0) == Use(10, 10, 10)
    assert ledger.host_category("tensors") == Use(20, 10, 20)
    assert ledger.host_core(1) == Use(10, 10, 10)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=8), st.data())
def test_what_is_zeroed_in_a_file_is_released_without_a_trace(sizes: list[int], data: st.DataObject) -> None:
    ledger = Ledger(1)
    for size in sizes:
        ledger.allocate_device(0, "tensors", size)
    ledger.zero_device(0, "tensors", "total")
    assert ledger.device_category(0, "tensors").reading == MemoryUse(0, sizes[-1], sum(sizes))
    assert ledger.device_core(0) == Use(sum(sizes), sizes[-1], sum(sizes)), "another file"
    ledger.allocate_device(0, "tensors", 7)
    assert ledger.core_reading(0).categories["tensors"].total == 7
    for size in data.draw(st.permutations([*sizes, 7])):
        ledger.free_device(0, "tensors", size)
        assert 0 <= ledger.device_category(0, "tensors").total <= 7
    assert ledger.device_category(0, "tensors").total == ledger.device_core(0).total == 0
    with pytest.raises(ValueError, match="cannot take"):
        ledger.free_device(0, "tensors", 1)


def test_every_file_of_memory_is_zeroed_by_itself() -> None:
    ledger = Ledger(2)
    ledger.allocate_device(1, "tensors", 30)
    ledger.allocate_host(1, "dma_buffers", 20)
    ledger.zero_device(1, None, "present")
    ledger.zero_device(1, "tensors", "peak")
    ledger.zero_host(None, "dma_buffers", "total")
    ledger.zero_host(1, None, "peak")
    assert ledger.core_reading(1).device == MemoryUse(30, 0, 30)
    assert ledger.core_reading(1).categories["tensors"] == MemoryUse(30, 30, 0)
    assert ledger.host_reading()["dma_buffers"] == MemoryUse(0, 20, 20)
    assert ledger.core_reading(1).host == MemoryUse(20, 20, 0)
    ledger.allocate_device(1, "tensors", 5)
    assert ledger.device_category(1, "tensors") == Use(35, 5, 35), "the next allocation is the new high-water mark"
