"""The memory that processes hold: taken through the driver's books, released exactly."""

from collections.abc import Iterable

from device_model.machine.core import Core
from device_model.machine.hbm import Chunk, OutOfMemory, Owner
from device_model.machine.node import Node
from device_model.runtime.loading import Piece
from device_model.runtime.process import Process
from neurontools.units import KIB, MIB

HOST_BYTES_PER_DEVICE = {"dma_buffers": 8 * MIB, "notifications": 4 * MIB, "dma_rings": 2 * MIB}
HOST_BYTES_PER_CORE = {"application_memory": 640 * KIB}
"""Host memory of an open device (dma_buffers and application_memory as captured on trn1n, the others assumed)."""

RESIDENT_BYTES = 1_500_000_000
"""Interpreter, framework and runtime libraries of one serving process (assumed)."""


class NoMemory(Exception):  # noqa: N818 (named like the allocator's OutOfMemory)
    """A piece did not fit on a core; what was taken before it is still held."""

    def __init__(self, core: Core, piece: Piece, cause: OutOfMemory) -> None:
        super().__init__(str(cause))
        self.core = core
        self.piece = piece


def take(node: Node, process: Process, pieces: Iterable[Piece], model: str) -> None:
    """Allocates every piece on every core of the process, core by core; raises NoMemory."""
    for piece in pieces:
        for core in process.cores:
            owner = Owner(process.pid, core.index, piece.category, model, piece.usage)
            try:
                chunk = node.devices[core.device].allocate(piece.size, owner, piece.from_top)
            except OutOfMemory as cause:
                raise NoMemory(core, piece, cause) from None
            held = process.memory[core.number]
            held[piece.category] = held.get(piece.category, 0) + chunk.size


def held(node: Node, process: Process) -> list[Chunk]:
    """All blocks of a process, device by device."""
    return [chunk for device in process.devices for chunk in node.devices[device].chunks_of(process.pid)]


def release(node: Node, process: Process, model: str | None = None) -> None:
    """Frees what the process holds for a model, or, with None, everything."""
    for device in process.devices:
        first = node.devices[device].cores[0].number
        for chunk in node.devices[device].chunks_of(process.pid):
            if model is None or chunk.owner.model == model:
                node.devices[device].free(chunk)
                process.memory[first + chunk.owner.core][chunk.owner.category] -= chunk.size


def open_devices(node: Node, process: Process) -> None:
    """Books the host memory that the process's devices cost it."""
    for device in process.devices:
        for category, size in HOST_BYTES_PER_DEVICE.items():
            node.devices[device].ledger.allocate_host(None, category, size)
    for core in process.cores:
        for category, size in HOST_BYTES_PER_CORE.items():
            node.devices[core.device].ledger.allocate_host(core.index, category, size)


def close_devices(node: Node, process: Process) -> None:
    """Takes off the books what open_devices booked."""
    for device in process.devices:
        for category, size in HOST_BYTES_PER_DEVICE.items():
            node.devices[device].ledger.free_host(None, category, size)
    for core in process.cores:
        for category, size in HOST_BYTES_PER_CORE.items():
            node.devices[core.device].ledger.free_host(core.index, category, size)


def host_bytes(process: Process) -> dict[str, int]:
    """Host memory of a process by category."""
    per_device = {category: size * len(process.devices) for category, size in HOST_BYTES_PER_DEVICE.items()}
    return per_device | {category: size * len(process.cores) for category, size in HOST_BYTES_PER_CORE.items()}


def resident_bytes(process: Process) -> int:
    """All host memory of a process."""
    return RESIDENT_BYTES + sum(host_bytes(process).values())
