"""How a server's memory for keys and values is shared out among its sequences, in blocks of tokens."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class KvCache(NamedTuple):
    """`blocks` blocks of `block_tokens` tokens; a sequence holds as many whole blocks as its tokens need.

    A block as long as the context is a slot: it is held from the first token to the last, however short the sequence.
    """

    block_tokens: int
    blocks: int

    @property
    def capacity_tokens(self) -> int:
        """Tokens that fit when every block is full."""
        return self.block_tokens * self.blocks

    def blocks_of(self, tokens: int) -> int:
        """Blocks that a sequence of `tokens` tokens holds."""
        return -(-tokens // self.block_tokens)

    def holds(self, sequences: int, tokens: int) -> bool:
        """Whether so many sequences of `tokens` tokens each fit at once."""
        return sequences * self.blocks_of(tokens) <= self.blocks

    def steps(self, lengths: Sequence[int], reserved: int, most: int) -> int:
        """By how many tokens, at most `most`, all sequences can grow together before a block is missing.

        `lengths` are their tokens now, and `reserved` blocks are held by others; all of that fits.
        """
        free = self.blocks - reserved

        def missing(grown: int) -> bool:
            return sum([self.blocks_of(length + grown) for length in lengths]) > free

        if not missing(most):
            return most
        return bisect_left(range(1, most + 1), True, key=missing)
