"""The bank map: which process holds which part of a device's memory, and the largest part that is free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from neurontools.schema.allocations import Allocations, BankMap

FREE, RESERVED = -1, -2
"""What stands for an owner where there is none."""


class BankView(NamedTuple):
    """One bank: of each of its stretches the pid that holds most of it, FREE or RESERVED."""

    bank: int
    total_bytes: int
    used_bytes: int
    largest_free_bytes: int
    owners: tuple[int, ...]


def views(allocations: Allocations, stretches: int) -> list[BankView]:
    """The banks of a device, each cut into so many stretches of equal length."""
    return [_view(bank, max(1, stretches)) for bank in allocations.banks]


def held(allocations: Allocations) -> dict[int, int]:
    """Bytes by pid, over all banks of the device; the largest first."""
    sums: dict[int, int] = {}
    for bank in allocations.banks:
        for block in bank.allocations:
            sums[block.pid] = sums.get(block.pid, 0) + block.size
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _view(bank: BankMap, stretches: int) -> BankView:
    extents = _extents(bank)
    owners = _owners(extents, bank.total_bytes, stretches)
    free = [end - start for start, end, owner in extents if owner == FREE]
    used = sum(block.size for block in bank.allocations) + bank.reserved_bytes
    return BankView(bank.index, bank.total_bytes, used, max(free, default=0), tuple(owners))


def _extents(bank: BankMap) -> list[tuple[int, int, int]]:
    """The whole bank as (start, end, owner), free parts included, in the order of addresses."""
    extents = [(0, bank.reserved_bytes, RESERVED)] if bank.reserved_bytes else []
    end = bank.reserved_bytes
    for block in bank.allocations:
        if block.address > end:
            extents.append((end, block.address, FREE))
        extents.append((block.address, block.address + block.size, block.pid))
        end = max(end, block.address + block.size)
    if end < bank.total_bytes:
        extents.append((end, bank.total_bytes, FREE))
    return extents


def _owners(extents: Sequence[tuple[int, int, int]], total: int, stretches: int) -> list[int]:
    """Of each stretch the owner of most of its bytes; a stretch with anything in it is not shown as free."""
    shares: list[dict[int, int]] = [{} for _ in range(stretches)]
    for start, end, owner in extents:
        first, last = start * stretches // total, min(stretches - 1, max(start, end - 1) * stretches // total)
        for place in range(first, last + 1):
            low, high = place * total // stretches, (place + 1) * total // stretches
            bytes_there = min(end, high) - max(start, low)
            if bytes_there > 0:
                shares[place][owner] = shares[place].get(owner, 0) + bytes_there
    return [_most(share) for share in shares]


def _most(share: Mapping[int, int]) -> int:
    holders = {owner: count for owner, count in share.items() if owner != FREE}
    return max(holders, key=lambda owner: holders[owner]) if holders else FREE
