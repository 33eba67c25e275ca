"""The runtime's log lines, byte for byte, on the allocation that the Neuron documentation shows."""

import pytest

from device_model.machine.hbm import Bank, OutOfMemory, Owner
from device_model.runtime.log import (
    COLUMNS,
    Neff,
    Request,
    allocation_failure,
    core_conflict,
    log_line,
    memory_table,
    size_text,
    timestamp,
)
from neurontools.hardware.driver import CORE_MEMORY
from neurontools.units import GIB, KIB, MIB
from tests.conftest import Golden

MAY_2025 = 1_747_342_713_897_479_999
PID = 224822
CATEGORY = {column.usage: column.category for column in COLUMNS}

# Each line: core, model, usage, bytes. Three NEFFs on two cores that share a bank, and what the cores hold without one.
HELD = (
    *((core, "", "model code", 96 * MIB + 6 * KIB) for core in (4, 5)),
    *((core, "", "runtime", 13376) for core in (4, 5)),
    *((core, "", "dma rings runtime", 28 * KIB) for core in (4, 5)),
    (4, "", "tensors", 20 * GIB),
    (4, "dense", "model code", 29248),
    (4, "dense", "model constants", 35168),
    (4, "dense", "dma rings io", 57 * KIB),
    (4, "dense", "dma rings spill", 32 * KIB),
    *((core, "concat", "model code", 32640) for core in (4, 5)),
    *((core, "concat", "model constants", 24 * KIB) for core in (4, 5)),
    *((core, "concat", "dma rings io", 61 * KIB) for core in (4, 5)),
    *((core, "concat", "dma rings spill", 16 * KIB) for core in (4, 5)),
    *((core, model, "runtime", 108 * KIB) for core, model in ((4, "dense"), (4, "concat"), (5, "concat"))),
    *((core, model, "dma rings runtime", 4 * KIB) for core, model in ((4, "dense"), (4, "concat"), (5, "concat"))),
)
NEFFS = (
    Neff(1001, 4, "dense", "dense.neff"),
    Neff(1002, 4, "concat", "concat.neff"),
    Neff(1003, 5, "concat", "concat.neff"),
)


def filled_bank() -> Bank:
    bank = Bank(2, 24 * GIB)
    for core, model, usage, size in HELD:
        bank.allocate(size, Owner(PID, core, CATEGORY[usage], model, usage))
    return bank


def test_the_documented_failure(golden: Golden) -> None:
    bank = filled_bank()
    request = Request(PID, 0, 4, 4 * GIB, "tensors")
    with pytest.raises(OutOfMemory):
        bank.allocate(request.size_bytes, Owner(PID, 4, "tensors", "", "tensors"))
    lines = allocation_failure(MAY_2025, request, bank.chunks(), NEFFS, sharing=(4, 5))
    golden("runtime_log/allocation_failure.txt", "\n".join(lines) + "\n")


def test_an_aligned_request_on_a_device_of_two_digits(golden: Golden) -> None:
    request = Request(7, 14, 6, 512 * MIB, "shared scratchpad", 4 * MIB)
    golden("runtime_log/allocation_failure_empty.txt", "\n".join(allocation_failure(0, request, ())) + "\n")


def test_a_core_held_by_another_process(golden: Golden) -> None:
    golden("runtime_log/core_conflict.txt", "\n".join(core_conflict(MAY_2025, 28078, 1, 1)) + "\n")


def test_levels_line_up() -> None:
    error, info = (log_line(0, 1, level, ("TDRV", "f"), "x") for level in ("ERROR", "INFO"))
    assert error == "1970-Jan-01 00:00:00.000000 1:1 ERROR  TDRV:f" + " " * 39 + "x"
    assert info == error.replace("ERROR", " INFO")


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (MAY_2025, "2025-May-15 20:58:33.897479"),
        (0, "1970-Jan-01 00:00:00.000000"),
        (1_767_225_599_999_999_999, "2025-Dec-31 23:59:59.999999"),
        (1_709_164_800_000_001_000, "2024-Feb-29 00:00:00.000001"),
    ],
)
def test_timestamp_is_utc_and_cut_to_microseconds(time_ns: int, text: str) -> None:
    assert timestamp(time_ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.000B"),
        (1023, "1023.000B"),
        (KIB, "1.000KB"),
        (29248, "28.562KB"),
        (4 * GIB, "4.000GB"),
        (GIB - 1, "1024.000MB"),
    ],
)
def test_sizes_have_three_decimals_and_steps_of_1024(size: int, text: str) -> None:
    assert size_text(size) == text


def test_the_table_adds_up_by_column() -> None:
    """All rows have the same cells, and the device's are the bytes of its cores."""
    chunks = filled_bank().chunks()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in memory_table(0, chunks, NEFFS)]
    assert {len(row) for row in rows} == {len(COLUMNS) + 1}
    assert rows[2][0] == size_text(sum(chunk.requested for chunk in chunks))
    for index, column in enumerate(COLUMNS):
        expected = sum(chunk.requested for chunk in chunks if chunk.owner.usage == column.usage)
        assert rows[2][index + 1] == size_text(expected)


@pytest.mark.parametrize("category", sorted(CORE_MEMORY))
def test_every_driver_category_finds_a_column(category: str) -> None:
    bank = Bank(0, 4 * GIB)
    bank.allocate(MIB, Owner(1, 0, category, "", "no such word"))
    cells = [cell.strip() for cell in memory_table(0, bank.chunks())[2].split("|")[2:-1]]
    held = [column for column, cell in zip(COLUMNS, cells, strict=True) if cell == "1.000MB"]
    assert len(held) == 1
    assert held[0].category == category or category not in CATEGORY.values()
