"""Owns the device memory of one HBM bank: which addresses are taken, by whom, and what is free."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, Literal, NamedTuple

from neurontools.units import GIB, KIB, MIB

PoolName = Literal["main", "small"]

RESERVED_BYTES: Final = 16 * MIB
"""The driver's own carve-out at the bottom of every bank (category driver_memory)."""
SMALL_POOL_BYTES: Final = 1 * GIB
"""The pool that keeps small requests from splitting the main pool."""
SMALL_REQUEST_BYTES: Final = 512 * KIB
"""The largest request that tries the small pool first."""
PAGE_BYTES: Final = 4096
"""What sizes are rounded up to (assumed: the host's page; the driver's granule is not published)."""


class Owner(NamedTuple):
    """Who holds a chunk: process, physical core within the device, the driver's category, model ("" if none) and
    the runtime's usage label as its log prints it ("tensors", "dma rings io")."""

    pid: int
    core: int
    category: str
    model: str
    usage: str


class Chunk(NamedTuple):
    """One allocation: `size` bytes taken at `address` for the `requested` bytes asked for (size is whole pages)."""

    address: int
    size: int
    requested: int
    owner: Owner
    pool: PoolName

    @property
    def end(self) -> int:
        """The first address after the chunk."""
        return self.address + self.size


class Extent(NamedTuple):
    """One free stretch of a pool, in bytes; two free extents of a pool never touch."""

    address: int
    size: int
    pool: PoolName


class OutOfMemory(Exception):  # noqa: N818 (the field's own word for it)
    """No stretch of the bank can hold a request; all figures in bytes, `bank` is the bank's index."""

    def __init__(self, bank: int, requested: int, free: int, largest_free: int) -> None:
        super().__init__(f"bank {bank}: no room for {requested} bytes ({free} free, the largest extent {largest_free})")
        self.bank = bank
        self.requested = requested
        self.free = free
        self.largest_free = largest_free


class _Pool:
    """The free extents of one address range, sorted and coalesced, as parallel lists so that scans stay cheap."""

    __slots__ = ("end", "free", "name", "sizes", "starts")

    def __init__(self, name: PoolName, start: int, end: int) -> None:
        self.name: PoolName = name
        self.end = end
        self.free = end - start
        self.starts = [start]
        self.sizes = [end - start]

    def take_first(self, size: int) -> int | None:
        """Take the lowest fitting address, or None."""
        if size > self.free:
            return None
        for index, extent in enumerate(self.sizes):
            if extent >= size:
                address = self.starts[index]
                self._cut(index, address, size)
                return address
        return None

    def take_at(self, address: int, size: int) -> bool:
        """Take exactly these addresses; False, and nothing taken, unless all of them are free."""
        index = bisect_right(self.starts, address) - 1
        if index < 0 or address + size > self.starts[index] + self.sizes[index]:
            return False
        self._cut(index, address, size)
        return True

    def give(self, address: int, size: int) -> None:
        """Return addresses, joining them with the free neighbours."""
        starts, sizes = self.starts, self.sizes
        self.free += size
        index = bisect_right(starts, address)
        if index < len(starts) and address + size == starts[index]:
            size += sizes[index]
            del starts[index], sizes[index]
        if index and starts[index - 1] + sizes[index - 1] == address:
            sizes[index - 1] += size
        else:
            starts.insert(index, address)
            sizes.insert(index, size)

    def _cut(self, index: int, address: int, size: int) -> None:
        starts, sizes = self.starts, self.sizes
        start, end = starts[index], starts[index] + sizes[index]
        rest = [(a, b - a) for a, b in ((start, address), (address + size, end)) if b > a]
        starts[index : index + 1] = [a for a, _ in rest]
        sizes[index : index + 1] = [s for _, s in rest]
        self.free -= size


class Bank:
    """One HBM bank: the driver's carve-out at the bottom, then the main pool, then the small pool at the top.

    Each pool is first fit. The order of the pools inside the bank is assumed; their sizes, the 512 KiB limit, the
    fallback between them and the scratchpad that grows down from the top of main are the driver's.
    """

    def __init__(
        self,
        index: int,
        size_bytes: int,
        reserved_bytes: int = RESERVED_BYTES,
        small_pool_bytes: int = SMALL_POOL_BYTES,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Raise ValueError unless all sizes are whole pages and the main pool is not empty."""
        if page_bytes <= 0 or any(
            size < 0 or size % page_bytes for size in (size_bytes, reserved_bytes, small_pool_bytes)
        ):
            raise ValueError(f"bank {index}: sizes must be whole pages of {page_bytes} bytes")
        main_end = size_bytes - small_pool_bytes
        if main_end <= reserved_bytes:
            raise ValueError(f"bank {index}: {size_bytes} bytes leave no main pool")
        self.index = index
        self.total_bytes = size_bytes
        self.reserved_bytes = reserved_bytes
        self.page_bytes = page_bytes
        self._main = _Pool("main", reserved_bytes, main_end)
        self._small = _Pool("small", main_end, size_bytes)
        self._pools: dict[PoolName, _Pool] = {"main": self._main, "small": self._small}
        self._chunks: dict[int, Chunk] = {}
        self._scratchpad: dict[int, int] = {}

    def allocate(self, size: int, owner: Owner, from_top: bool = False) -> Chunk:
        """Take `size` bytes, rounded up to a page; `from_top` extends the contiguous scratchpad downwards.

        Raise OutOfMemory, and change nothing, when nothing fits; ValueError for a size below one byte.
        """
        if size <= 0:
            raise ValueError(f"cannot allocate {size} bytes")
        rounded = -(-size // self.page_bytes) * self.page_bytes
        found = self._place_scratchpad(rounded) if from_top else self._place(rounded)
        if found is None:
            raise OutOfMemory(self.index, size, self.free_bytes, self.largest_free_bytes)
        address, pool = found
        chunk = Chunk(address, rounded, size, owner, pool)
        self._chunks[address] = chunk
        if from_top:
            self._scratchpad[chunk.end] = address
        return chunk

    def free(self, chunk: Chunk) -> None:
        """Give one chunk back; ValueError if the bank does not hold exactly this chunk (a double free)."""
        if self._chunks.get(chunk.address) != chunk:
            raise ValueError(f"bank {self.index} holds no such chunk: {chunk}")
        del self._chunks[chunk.address]
        self._scratchpad.pop(chunk.end, None)
        self._pools[chunk.pool].give(chunk.address, chunk.size)

    def release(self, pid: int) -> list[Chunk]:
        """Free exactly the chunks of process `pid`, as its exit does, and return them by address."""
        gone = [chunk for chunk in self.chunks() if chunk.owner.pid == pid]
        for chunk in gone:
            self.free(chunk)
        return gone

    def chunks(self) -> list[Chunk]:
        """All chunks by address; the driver's carve-out is no chunk."""
        return [self._chunks[address] for address in sorted(self._chunks)]

    def free_extents(self) -> list[Extent]:
        """All free extents by address, coalesced within each pool."""
        return [
            Extent(start, size, pool.name)
            for pool in (self._main, self._small)
            for start, size in zip(pool.starts, pool.sizes, strict=True)
        ]

    @property
    def free_bytes(self) -> int:
        """Bytes free in both pools."""
        return self._main.free + self._small.free

    @property
    def used_bytes(self) -> int:
        """Bytes in use: all chunks and the driver's carve-out."""
        return self.total_bytes - self.free_bytes

    @property
    def largest_free_bytes(self) -> int:
        """The largest free extent of the bank; 0 when it is full."""
        return max([0, *self._main.sizes, *self._small.sizes])

    @property
    def fragmentation(self) -> float:
        """The share, 0 to 1, of the main pool's free bytes that lie outside its largest extent; 0 when it is full.

        The small pool is left out: it is set apart on purpose, and an empty bank is not fragmented.
        """
        pool = self._main
        return 1 - max(pool.sizes) / pool.free if pool.free else 0.0

    def _place(self, size: int) -> tuple[int, PoolName] | None:
        small_first = size <= SMALL_REQUEST_BYTES
        for pool in (self._small, self._main) if small_first else (self._main, self._small):
            address = pool.take_first(size)
            if address is not None:
                return address, pool.name
        return None

    def _place_scratchpad(self, size: int) -> tuple[int, PoolName] | None:
        # The runtime addresses the scratchpad as one range, so a page goes right below the last one or nowhere.
        floor = self._main.end
        while floor in self._scratchpad:
            floor = self._scratchpad[floor]
        return (floor - size, "main") if self._main.take_at(floor - size, size) else None
