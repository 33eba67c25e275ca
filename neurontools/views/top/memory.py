"""Memory in the official screen's categories: which of the driver's each takes in, and the summary of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from neurontools.hardware.memory import official_device, official_host
from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.schema.interval_memo import Memo

TENSORS, CONSTANTS = "Tensors", "Constants"
MODEL_CODE, RUNTIME_MEMORY, SCRATCHPAD = "Model Code", "Runtime Memory", "Model Scratchpad"
DMA_BUFFERS, APP_MEMORY = "DMA Buffers", "App. Memory"

DEVICE_CATEGORIES = (TENSORS, CONSTANTS, MODEL_CODE, RUNTIME_MEMORY, SCRATCHPAD)
HOST_CATEGORIES = (TENSORS, CONSTANTS, DMA_BUFFERS, APP_MEMORY)

SHARED_SCRATCHPAD = "model_shared_scratchpad"
"""The driver's category that belongs to all models of a core together: it is the largest that one of them needs."""

_DEVICE = {
    "tensors": TENSORS,
    "constants": CONSTANTS,
    "model_code": MODEL_CODE,
    "runtime_memory": RUNTIME_MEMORY,
    SHARED_SCRATCHPAD: SCRATCHPAD,
}
_HOST = {"tensors": TENSORS, "constants": CONSTANTS, "dma_buffers": DMA_BUFFERS, "application_memory": APP_MEMORY}


class Use(NamedTuple):
    """Bytes in use, as a whole and by category; None where unknown. `capacity` is None without a meaning or a number.

    Where the categories are known, they add up to `total`.
    """

    total: int | None
    parts: dict[str, int] | None
    capacity: int | None = None


class Memory(NamedTuple):
    """The summary: what Neuron holds on the host and on the devices, and how full the instance's own memory is."""

    host: Use
    device: Use
    instance_used: int | None
    instance_total: int | None
    why_unknown: str = ""


def fold_device(memory: Mapping[str, int]) -> dict[str, int]:
    """Device memory by the screen's categories."""
    official = official_device(memory)
    return {title: official[category] for category, title in _DEVICE.items()}


def fold_host(memory: Mapping[str, int]) -> dict[str, int]:
    """Host memory by the screen's categories."""
    official = official_host(memory)
    return {title: official[category] for category, title in _HOST.items()}


def memory(interval: Interval, process: ProcessInterval | None, why: Callable[[], str]) -> Memory:
    """The summary of the node, or of one process; `why` is asked when something is unknown."""
    if process is None:
        device = _use_of_node("device", tuple((c.memory, c.memory_used_bytes) for c in interval.cores), fold_device)
        host = _node_host(interval)
    else:
        by_core = process.memory
        held = [(None, process.memory_used_bytes)] if by_core is None else [(used, None) for used in by_core.values()]
        device = _use(held, fold_device) if held else Use(0, dict.fromkeys(DEVICE_CATEGORIES, 0))
        host = _use([(process.host_memory, process.host_memory_bytes)], fold_host)
    totals = [each.memory_total_bytes for each in interval.devices]
    capacity = sum(total for total in totals if total is not None) if None not in totals else None
    around = interval.host
    return Memory(
        host=host,
        device=device._replace(capacity=capacity),
        instance_used=around.memory_used_bytes if around is not None else None,
        instance_total=around.memory_total_bytes if around is not None else None,
        why_unknown=why() if None in (device.parts, host.parts) else "",
    )


def _node_host(interval: Interval) -> Use:
    """From the devices; where they do not say, from the processes."""
    by_device = tuple((device.host_memory, device.host_memory_bytes) for device in interval.devices)
    use = _use_of_node("host", by_device, fold_host)
    if use.total is None and interval.processes_known:
        by_process = [(process.host_memory, process.host_memory_bytes) for process in interval.processes]
        use = _use(by_process, fold_host) if by_process else use
    return use


def _use(
    held: Iterable[tuple[Mapping[str, int] | None, int | None]],
    fold: Callable[[Mapping[str, int]], dict[str, int]],
) -> Use:
    """The sum over (categories, whole) of each holder; a holder with categories is as large as they are together."""
    held = list(held)
    if held and all(parts is not None for parts, _ in held):
        sums: dict[str, int] = {}
        for parts, _ in held:
            for category, count in (parts or {}).items():
                sums[category] = sums.get(category, 0) + count
        folded = fold(sums)
        return Use(sum(folded.values()), folded)
    wholes = [whole if parts is None else sum(parts.values()) for parts, whole in held]
    return Use(None if None in wholes or not wholes else sum(whole or 0 for whole in wholes), None)


# On most hosts memory stands still: to see that it is the same takes a fraction of adding it up again.
_use_of_node = Memo(_use)
