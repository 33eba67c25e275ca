"""The ways in which devices reduce data together: algorithms, the links that each crosses, and its hops."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from device_model.machine.activity import Edge, Pattern
from neurontools.hardware.topology import Adjacency, ring_order, route


class Algorithm(NamedTuple):
    """An all-reduce: the links that its payload crosses, and how many hops come one after another."""

    pattern: Pattern
    hops: int

    @property
    def busiest_share(self) -> float:
        """Bytes on the busiest link for each byte of payload; 0 within one device."""
        return max((share for _, share in self.pattern.crossings), default=0) / self.pattern.parts


@lru_cache(maxsize=256)
def all_reduce_algorithms(neighbours: Adjacency, devices: tuple[int, ...], ranks: int) -> tuple[Algorithm, ...]:
    """What `ranks` cores on these devices can choose from; the ring comes first, and is always there."""
    return (_ring(neighbours, devices, ranks),)


def _ring(neighbours: Adjacency, devices: tuple[int, ...], ranks: int) -> Algorithm:
    """Each of d devices sends 2(d-1)/d of the payload to the next.

    It is shared out to as many rings as there are that have no link in common: a closed ring is used both ways round,
    a torus in two such rings; along a chain there is one, whose way back takes the links' other direction.
    """
    count = len(devices)
    lanes = _lanes(neighbours, devices)
    crossed = Counter(edge for lane in lanes for edge in lane)
    crossings = tuple((edge, 2 * (count - 1) * times) for edge, times in sorted(crossed.items()))
    return Algorithm(Pattern("ring", crossings, count * max(1, len(lanes))), 2 * (ranks - 1))


def _lanes(neighbours: Adjacency, devices: tuple[int, ...]) -> list[tuple[Edge, ...]]:
    if len(devices) < 2:
        return []
    order = ring_order(neighbours, devices)
    closed = [*pairwise(order), (order[-1], order[0])]
    if len(order) < 3 or any(b not in neighbours[a] for a, b in closed):
        return [tuple(edge for a, b in closed for edge in pairwise(route(neighbours, a, b)))]
    inside = {device: {other for other in neighbours[device] if other in devices} for device in devices}
    rings = next(_disjoint_rings(inside, order[0]), (order,))
    ways = [way for ring in rings for way in (ring, ring[::-1])]
    return [(*pairwise(way), (way[-1], way[0])) for way in ways]


def _disjoint_rings(inside: dict[int, set[int]], start: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Two rings through all devices that have no link in common, where every device has four neighbours."""
    if any(len(others) != 4 for others in inside.values()):
        return
    for first in _rings(inside, (start,)):
        used = {frozenset(pair) for pair in (*pairwise(first), (first[-1], first[0]))}
        rest = {a: {b for b in others if frozenset((a, b)) not in used} for a, others in inside.items()}
        second = next(_rings(rest, (start,)), None)
        if second is not None:
            yield first, second


def _rings(inside: dict[int, set[int]], path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if len(path) == len(inside):
        if path[0] in inside[path[-1]]:
            yield path
        return
    for following in sorted(inside[path[-1]] - set(path)):
        yield from _rings(inside, (*path, following))
