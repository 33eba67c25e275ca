"""Owns the wording of the runtime's log: each message as a pure function from facts to lines, no clock and no output.

The layout is that of the runtime's 2025 log, as the Neuron documentation shows it under "Neuron Device Memory".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from device_model.machine.core import Core
from device_model.machine.hbm import Chunk
from neurontools.units import NS_PER_MS

_EPOCH: Final = datetime(1970, 1, 1)
# Not strftime("%b"): that follows the locale, the runtime does not.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZE_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_LABEL_WIDTH: Final = 14
_CELL_WIDTH: Final = 10


class Column(NamedTuple):
    """A column of the memory table.

    `usage` is the runtime's word, `category` the driver's category that it is filed under ("" where that is not
    known), `heading` its two lines, and `per_model` whether NEFF rows have it (the others print n/a there).
    """

    usage: str
    category: str
    heading: tuple[str, str]
    per_model: bool


COLUMNS: Final = (
    Column("model code", "model_code", ("Model", "Code"), True),
    Column("model constants", "constants", ("Model", "Constants"), True),
    Column("tensors", "tensors", ("", "Tensors"), False),
    Column("shared scratchpad", "model_shared_scratchpad", ("Shared", "Scratchpad"), False),
    Column("scratchpad", "nonshared_scratchpad", ("", "Scratchpad"), True),
    Column("runtime", "runtime_memory", ("", "Runtime"), True),
    Column("dma rings io", "dma_rings", ("DMA Rings", "IO"), True),
    Column("dma rings spill", "dma_rings", ("DMA Rings", "Spill"), True),
    Column("dma rings collectives", "dma_rings", ("DMA Rings", "Collectives"), True),
    Column("dma rings runtime", "dma_rings", ("DMA Rings", "Runtime"), True),
    Column("collectives", "collectives", ("", "Collectives"), True),
    Column("xt cc", "", ("", "XT CC"), False),
    Column("profiler buffers", "", ("Profiler", "Buffers"), False),
)
"""The table's columns after TOTAL. The words for XT CC and profiler buffers are assumed; no log shows them."""

_BY_USAGE: Final = {column.usage: index for index, column in enumerate(COLUMNS)}
_BY_CATEGORY: Final = {
    column.category: index for index, column in reversed(list(enumerate(COLUMNS))) if column.category
}
# Assumed for notifications and uncategorized, which the table has no column for.
_ELSEWHERE: Final = _BY_USAGE["runtime"]
_WIDTHS: Final = (_CELL_WIDTH, *(max(_CELL_WIDTH, *map(len, column.heading)) for column in COLUMNS))


class Request(NamedTuple):
    """An allocation that failed: process, device, physical core within it, bytes, usage word, alignment (0: none)."""

    pid: int
    device: int
    core: int
    size_bytes: int
    usage: str
    alignment: int = 0


class Neff(NamedTuple):
    """A loaded model: the runtime's id, the physical core, the model as its chunks' owners name it, the NEFF's name."""

    id: int
    core: int
    model: str
    name: str


def timestamp(time_ns: int) -> str:
    """Nanoseconds since 1970 as the runtime prints them: UTC, month by name, microseconds (cut, not rounded)."""
    at = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return f"{at.year}-{_MONTHS[at.month - 1]}-{at:%d %H:%M:%S.%f}"


def log_line(time_ns: int, pid: int, level: str, origin: tuple[str, str], message: str) -> str:
    """One line of the runtime's log; `origin` is (module, function), such as ("TDRV", "log_dev_mem").

    The line names process and thread; a simulated process speaks with its main thread.
    """
    module, function = origin
    return f"{timestamp(time_ns)} {pid}:{pid} {level:>5}{module:>6}:{function:<40}{message}"


def size_text(size_bytes: int) -> str:
    """Bytes as the memory table prints them: steps of 1024, three decimals, `0.000B` to TB."""
    step = min(max(size_bytes.bit_length() - 1, 0) // 10, len(_SIZE_UNITS) - 1)
    return f"{size_bytes / (1 << 10 * step):.3f}{_SIZE_UNITS[step]}"


def allocation_failure(
    time_ns: int,
    request: Request,
    chunks: Iterable[Chunk],
    neffs: Sequence[Neff] = (),
    sharing: Sequence[int] = (),
) -> list[str]:
    """What the runtime writes when device memory is exhausted: the request, then who uses the bank.

    `chunks` are those the runtime knows of: its own process's, in the bank of the request. `sharing` names the
    physical cores on the bank when the logical core size is 1; the line for other sizes is not known (empty: none).
    """
    alignment = size_text(request.alignment) if request.alignment else "none"
    failure = (
        f"Failed to allocate {size_text(request.size_bytes)} (alignment: {alignment}, usage: {request.usage})"
        f" on ND{request.device:2d}:NC{request.core:2d}"
    )
    cores = " and ".join(f"NC {core}" for core in sharing)
    messages = [
        ("log_dev_mem", failure),
        ("log_dev_mem_usage_table", "Displaying Current Memory Utilization:"),
    ]
    if sharing:
        messages.insert(0, ("print_lnc_hbm_details", f"LNC size is 1. Neuron Cores using this HBM: {cores}"))
    return [
        *(log_line(time_ns, request.pid, "ERROR", ("TDRV", function), text) for function, text in messages),
        "(NOTE: the lines are LONG, and NEFF id to name mapping is printed after)",
        "",
        *memory_table(request.device, chunks, neffs),
        "",
        "NEFF id to name mapping:",
        *(f'{neff.id}: "{neff.name}"' for neff in neffs),
    ]


def core_conflict(time_ns: int, pid: int, first: int, last: int, available: int = 0) -> list[str]:
    """What the runtime writes when cores `first` to `last` (node-wide, as asked for) are locked by another process."""
    text = f"NeuronCore(s) not available - Requested:nc{first}-nc{last} Available:{available}"
    return [log_line(time_ns, pid, "ERROR", ("NRT", "nrt_allocate_neuron_cores"), text)]


def driver_missing(time_ns: int, pid: int) -> list[str]:
    """What the runtime writes when it finds no driver."""
    text = "Unable to determine Neuron Driver version. Please check aws-neuronx-dkms package is installed."
    return [log_line(time_ns, pid, "ERROR", ("NRT", "nrt_init"), text)]


def execution_failed(
    time_ns: int, pid: int, core: Core, timeout_ns: int, lines: Iterable[tuple[str, str, str]]
) -> list[str]:
    """What the runtime writes when an execution fails: (module, function, message) each, with what stands in them."""
    filled = {"device": core.device, "core": core.index, "timeout_ms": timeout_ns // NS_PER_MS}
    return [log_line(time_ns, pid, "ERROR", (module, name), text.format(**filled)) for module, name, text in lines]


def memory_table(device: int, chunks: Iterable[Chunk], neffs: Sequence[Neff] = ()) -> list[str]:
    """The table of requested bytes: two heading lines, the device, and below it each core with its NEFFs.

    A chunk counts for the NEFF that its owner's core and model name, and otherwise for the core alone.
    """
    by_core: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        by_core.setdefault(chunk.owner.core, []).append(chunk)
    rows = [(f"ND{device:2d} Overall", _cells([chunk for core in by_core.values() for chunk in core]))]
    for core, held in sorted(by_core.items()):
        rows.append((rf"\_NC {core}", _cells(held)))
        rows += [
            (rf"  \_NEFF {neff.id}", _cells([chunk for chunk in held if chunk.owner.model == neff.model], of_neff=True))
            for neff in neffs
            if neff.core == core
        ]
    headings = [("", ["", *(column.heading[0] for column in COLUMNS)])]
    headings += [("", ["TOTAL", *(column.heading[1] for column in COLUMNS)])]
    return [_row(label, cells) for label, cells in headings + rows]


def _cells(chunks: Iterable[Chunk], of_neff: bool = False) -> list[str]:
    sums = [0] * len(COLUMNS)
    for chunk in chunks:
        sums[_column(chunk)] += chunk.requested
    shown = [column.per_model or not of_neff for column in COLUMNS]
    total = sum(size for size, show in zip(sums, shown, strict=True) if show)
    return [size_text(total), *(size_text(size) if show else "n/a" for size, show in zip(sums, shown, strict=True))]


def _column(chunk: Chunk) -> int:
    by_category = _BY_CATEGORY.get(chunk.owner.category, _ELSEWHERE)
    return _BY_USAGE.get(chunk.owner.usage, by_category)


def _row(label: str, cells: Sequence[str]) -> str:
    centred = (_centred(cell, width) for cell, width in zip(cells, _WIDTHS, strict=True))
    return f"{label:<{_LABEL_WIDTH}}|{'|'.join(centred)}|"


def _centred(text: str, width: int) -> str:
    # Not str.center: it puts the odd space on the left in columns of odd width.
    left = max(width - len(text), 0) // 2
    return " " * left + text.ljust(width - left)
