"""Clients whose rate changes with time: when the next is due under a rate that is given piece by piece."""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """The rate until `end_ns`: `rate` requests a ns at the beginning, changing by `slope` requests a ns²."""

    end_ns: int
    rate: float
    slope: float


def when_due(pieces: Iterator[Piece], time_ns: int, requests: float) -> int:
    """When `requests` (a fraction of one, or several) have become due since `time_ns`, at least a ns later.

    `pieces` follow each other from `time_ns` on, without end. With an exponential number of requests of mean 1, this
    is the next arrival of a Poisson process of that rate. The integral of a linear rate is inverted by a formula with
    the four operations and a square root, which every IEEE 754 machine rounds alike, and which has no cancellation
    and no special case for a constant rate.
    """
    while True:
        piece = next(pieces)
        length_ns = piece.end_ns - time_ns
        due = length_ns * (piece.rate + piece.slope * length_ns / 2)
        if 0 < due >= requests:
            rates = piece.rate + math.sqrt(max(0.0, piece.rate * piece.rate + 2 * piece.slope * requests))
            passed_ns = round(2 * requests / rates) if rates else 0
            return time_ns + max(1, min(length_ns, passed_ns))
        requests -= due
        time_ns = piece.end_ns
