"""The cache's arithmetic against counting blocks one by one."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.workloads.kv_cache import KvCache


def blocks_in_use(block: int, lengths: list[int]) -> int:
    return sum(len(range(0, length, block)) for length in lengths)


@given(st.integers(1, 40), st.lists(st.integers(1, 200), min_size=1, max_size=6), st.integers(0, 9), st.integers(0, 40))
def test_sequences_grow_until_a_block_is_missing(block: int, lengths: list[int], others: int, spare: int) -> None:
    cache = KvCache(block, blocks_in_use(block, lengths) + others + spare)
    grown = 0
    while grown < 50 and blocks_in_use(block, [length + grown + 1 for length in lengths]) + others <= cache.blocks:
        grown += 1
    assert cache.steps(lengths, others, 50) == grown
    assert cache.steps(lengths, others, 3) == min(grown, 3)


@given(st.integers(1, 40), st.integers(1, 100), st.integers(1, 9), st.integers(1, 300))
def test_a_cache_holds_as_many_sequences_as_have_their_blocks(block: int, blocks: int, count: int, tokens: int) -> None:
    cache = KvCache(block, blocks)
    assert cache.capacity_tokens == block * blocks
    assert cache.blocks_of(tokens) == blocks_in_use(block, [tokens])
    assert cache.holds(count, tokens) == (blocks_in_use(block, [tokens] * count) <= blocks)
