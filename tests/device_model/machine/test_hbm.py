"""The bank allocator against an oracle that knows only the chunks: free is whatever no chunk covers."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device_model.machine.hbm import Bank, Chunk, Extent, OutOfMemory, Owner, PoolName
from neurontools.units import GIB, KIB, MIB

PAGE = 4096
RESERVED = 16 * PAGE
MAIN_END = 24 * MIB
SIZE = 28 * MIB
POOLS: dict[PoolName, tuple[int, int]] = {"main": (RESERVED, MAIN_END), "small": (MAIN_END, SIZE)}

sizes = st.one_of(st.integers(1, 512 * KIB), st.integers(512 * KIB, 12 * MIB))


def owner(pid: int = 1, core: int = 0, category: str = "tensors") -> Owner:
    return Owner(pid, core, category, "", category)


def small_bank() -> Bank:
    return Bank(3, SIZE, reserved_bytes=RESERVED, small_pool_bytes=SIZE - MAIN_END)


def uncovered(chunks: list[Chunk]) -> list[Extent]:
    """The free extents that the chunks leave, by walking each pool."""
    free: list[Extent] = []
    for name, (start, end) in POOLS.items():
        at = start
        for chunk in sorted(chunk for chunk in chunks if chunk.pool == name):
            assert chunk.address >= at, "chunks overlap"
            if chunk.address > at:
                free.append(Extent(at, chunk.address - at, name))
            at = chunk.end
        assert at <= end, "a chunk leaves its pool"
        if at < end:
            free.append(Extent(at, end - at, name))
    return free


class BankMachine(RuleBasedStateMachine):
    """Allocate, extend the scratchpad, free and release at random; every placement is predicted."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = small_bank()
        self.held: list[Chunk] = []
        self.scratchpad: list[Chunk] = []

    def attempt(self, size: int, pid: int, expected: int | None, from_top: bool = False) -> None:
        if expected is None:
            before = self.bank.free_extents()
            with pytest.raises(OutOfMemory) as failure:
                self.bank.allocate(size, owner(pid), from_top)
            error = failure.value
            assert (error.bank, error.requested) == (3, size)
            assert (error.free, error.largest_free) == (self.bank.free_bytes, self.bank.largest_free_bytes)
            assert self.bank.free_extents() == before
            return
        chunk = self.bank.allocate(size, owner(pid), from_top)
        assert chunk.address == expected
        assert (chunk.requested, chunk.size % PAGE) == (size, 0)
        assert 0 <= chunk.size - size < PAGE
        self.held.append(chunk)
        if from_top:
            self.scratchpad.append(chunk)

    @rule(size=sizes, pid=st.integers(1, 4))
    def allocate(self, size: int, pid: int) -> None:
        rounded = -(-size // PAGE) * PAGE
        order = ("small", "main") if size <= 512 * KIB else ("main", "small")
        free = uncovered(self.held)
        fitting = [e.address for pool in order for e in free if e.pool == pool and e.size >= rounded]
        self.attempt(size, pid, fitting[0] if fitting else None)

    @rule(pages=st.integers(1, 1024), pid=st.integers(1, 4))
    def extend_scratchpad(self, pages: int, pid: int) -> None:
        floor = MAIN_END
        for chunk in sorted(self.scratchpad, reverse=True):
            floor = chunk.address if chunk.end == floor else floor
        start = floor - pages * PAGE
        fits = any(
            e.pool == "main" and e.address <= start and floor <= e.address + e.size for e in uncovered(self.held)
        )
        self.attempt(pages * PAGE, pid, start if fits else None, from_top=True)

    @precondition(lambda self: bool(self.held))
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        chunk = data.draw(st.sampled_from(self.held))
        self.bank.free(chunk)
        self.forget([chunk])
        with pytest.raises(ValueError, match="no such chunk"):
            self.bank.free(chunk)

    @rule(pid=st.integers(1, 4))
    def release(self, pid: int) -> None:
        gone = self.bank.release(pid)
        assert gone == sorted(chunk for chunk in self.held if chunk.owner.pid == pid)
        self.forget(gone)

    @rule(wanted=st.lists(st.tuples(sizes, st.booleans()), max_size=8))
    def visit(self, wanted: list[tuple[int, bool]]) -> None:
        """A process that comes and goes leaves no trace."""
        before = self.bank.free_extents(), self.bank.chunks(), self.bank.used_bytes
        for size, from_top in wanted:
            try:
                self.bank.allocate(size, owner(pid=99), from_top)
            except OutOfMemory:
                break
        self.bank.release(99)
        assert (self.bank.free_extents(), self.bank.chunks(), self.bank.used_bytes) == before

    def forget(self, gone: list[Chunk]) -> None:
        self.held = [chunk for chunk in self.held if chunk not in gone]
        self.scratchpad = [chunk for chunk in self.scratchpad if chunk not in gone]

    @invariant()
    def books_balance(self) -> None:
        bank, free = self.bank, uncovered(self.held)
        assert bank.chunks() == sorted(self.held)
        assert bank.free_extents() == free
        assert bank.free_bytes == sum(extent.size for extent in free)
        assert bank.used_bytes == RESERVED + sum(chunk.size for chunk in self.held) <= bank.total_bytes
        assert bank.largest_free_bytes == max((extent.size for extent in free), default=0)
        main = [extent.size for extent in free if extent.pool == "main"]
        assert bank.fragmentation == (1 - max(main) / sum(main) if main else 0)


TestBankMachine = BankMachine.TestCase
TestBankMachine.settings = settings(stateful_step_count=30)


@pytest.mark.parametrize("gib", [4, 16, 24, 36])
def test_an_empty_bank_has_all_but_the_carve_out(gib: int) -> None:
    bank = Bank(0, gib * GIB)
    assert bank.used_bytes == bank.reserved_bytes == 16 * MIB
    assert bank.free_bytes == gib * GIB - 16 * MIB
    assert bank.free_extents() == [
        Extent(16 * MIB, (gib - 1) * GIB - 16 * MIB, "main"),
        Extent((gib - 1) * GIB, GIB, "small"),
    ]
    assert bank.fragmentation == 0


def test_each_pool_falls_back_to_the_other() -> None:
    bank = Bank(0, 4 * GIB)
    assert bank.allocate(512 * KIB, owner()).pool == "small"
    assert bank.allocate(512 * KIB + 1, owner()).pool == "main"
    main = [extent.size for extent in bank.free_extents() if extent.pool == "main"]
    assert bank.allocate(main[0], owner()).pool == "main"
    assert bank.allocate(512 * MIB, owner()).pool == "small"
    assert bank.allocate(bank.free_bytes, owner()).pool == "small"
    assert (bank.free_bytes, bank.largest_free_bytes, bank.fragmentation) == (0, 0, 0)
    with pytest.raises(OutOfMemory, match=r"bank 0: no room for 1 bytes \(0 free"):
        bank.allocate(1, owner())


@pytest.mark.parametrize(("reserved", "largest"), [(0, 15104 * MIB), (16 * MIB, 15088 * MIB)])
def test_one_tensor_at_the_top_of_main_stops_the_scratchpad(reserved: int, largest: int) -> None:
    """The documented corner: 14.75 GiB (less the carve-out) are free, yet 64 MB of contiguous scratchpad are not."""
    bank = Bank(0, 16 * GIB, reserved_bytes=reserved)
    filler = bank.allocate(15 * GIB - reserved - 256 * MIB, owner())
    tensor = bank.allocate(256 * MIB, owner())
    assert (tensor.end, tensor.pool) == (15 * GIB, "main")
    bank.free(filler)
    with pytest.raises(OutOfMemory) as failure:
        bank.allocate(64 * MIB, owner(category="model_shared_scratchpad"), from_top=True)
    assert failure.value.largest_free == largest
    bank.free(tensor)
    assert bank.allocate(64 * MIB, owner(), from_top=True).end == 15 * GIB


def test_the_scratchpad_grows_down_and_meets_the_tensors() -> None:
    bank = Bank(0, 4 * GIB)
    first = bank.allocate(64 * MIB, owner(), from_top=True)
    second = bank.allocate(64 * MIB, owner(), from_top=True)
    assert (first.end, second.end) == (3 * GIB, first.address)
    tensor = bank.allocate(2 * GIB + 800 * MIB, owner())
    assert second.address - tensor.end == 80 * MIB
    with pytest.raises(OutOfMemory):
        bank.allocate(128 * MIB, owner(), from_top=True)


def test_neighbours_on_a_shared_bank_lose_only_their_own() -> None:
    bank = Bank(0, 24 * GIB)
    mine = [bank.allocate(size, owner(pid=1, core=0)) for size in (MIB, GIB)]
    bank.allocate(20 * GIB, owner(pid=2, core=1))
    with pytest.raises(OutOfMemory):
        bank.allocate(4 * GIB, owner(pid=1, core=0))
    assert [chunk.owner.core for chunk in bank.release(2)] == [1]
    assert bank.chunks() == mine


@given(st.sampled_from([0, -1, -PAGE]))
def test_an_empty_request_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="cannot allocate"):
        small_bank().allocate(size, owner())


def test_a_chunk_of_another_owner_is_not_freed() -> None:
    bank = small_bank()
    chunk = bank.allocate(MIB, owner(pid=1))
    with pytest.raises(ValueError, match="no such chunk"):
        bank.free(chunk._replace(owner=owner(pid=2)))
    assert bank.chunks() == [chunk]


@pytest.mark.parametrize(
    ("size", "small", "page"), [(4 * GIB + 1, GIB, 4096), (GIB, GIB, 4096), (4 * GIB, GIB, 0), (-4096, 0, 4096)]
)
def test_an_impossible_bank_is_refused(size: int, small: int, page: int) -> None:
    with pytest.raises(ValueError, match="bank 0"):
        Bank(0, size, small_pool_bytes=small, page_bytes=page)
