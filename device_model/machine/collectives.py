"""The ways in which devices exchange data: algorithms of collectives, the links that each crosses, and its hops."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, combinations, pairwise
from math import lcm
from typing import Literal, NamedTuple

from device_model.machine.activity import Edge, Pattern
from neurontools.hardware.topology import TORUS_ROW, Adjacency, hops, links, ring_order, route

Operation = Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-receive"]

RICHER_CHIPS = ("Trainium2", "Trainium3")
"""Chips whose software has more than the ring, where a group holds a whole torus (AWS Neuron documentation,
"Intra-node Collective Communications"). A published run of 16 ranks shows other algorithms in a smaller group too,
but not on which devices: here smaller groups have the ring."""

_TORUS_LINKS = 4
_TORUS_DEVICES = TORUS_ROW * TORUS_ROW

_MESH_STEPS = 2
"""Steps of the mesh each way: between the devices, and between the ranks of a device."""

_RANKS_OF_A_PAIR = 2
"""KangaRing joins ranks two by two, of which one moves the data of both."""


class Algorithm(NamedTuple):
    """A way to do a collective: the links that its payload crosses, and how many hops come one after another."""

    pattern: Pattern
    hops: int

    @property
    def busiest_share(self) -> float:
        """Bytes on the busiest link for each byte of payload; 0 within one device."""
        return max((share for _, share in self.pattern.crossings), default=0) / self.pattern.parts


Algorithms = tuple[Algorithm, ...]


@lru_cache(maxsize=256)
def all_reduce_algorithms(neighbours: Adjacency, devices: tuple[int, ...], ranks: int, chip: str) -> Algorithms:
    """What `ranks` logical cores on these whole devices of a chip choose from; the first is the ring, always there.

    Their order, their busiest links and their hops are the same wherever a group of so many neighbours lies.
    """
    ring = _ring(neighbours, devices, ranks)
    torus = len(devices) == _TORUS_DEVICES and _is_torus(neighbours)
    if chip not in RICHER_CHIPS or not torus:
        return (ring,)
    return (ring, _mesh(neighbours, devices), _halving_and_doubling(neighbours, devices), _kangaring(ring, ranks))


def algorithms_of(
    operation: Operation, neighbours: Adjacency, devices: tuple[int, ...], ranks: int, chip: str
) -> Algorithms:
    """What `ranks` logical cores on these devices of a chip choose from for an operation.

    The payload is what AWS's nccom-test calls the size: the whole that a rank has before or after, for send-receive
    what each rank sends.
    """
    return _OPERATIONS[operation](neighbours, devices, ranks, chip)


def _half(neighbours: Adjacency, devices: tuple[int, ...], ranks: int, chip: str) -> Algorithms:
    """An all-reduce is a reduce-scatter and then an all-gather, each half of it."""
    return tuple(
        Algorithm(pattern._replace(parts=2 * pattern.parts), steps // 2)
        for pattern, steps in all_reduce_algorithms(neighbours, devices, ranks, chip)
    )


def _exchange(neighbours: Adjacency, devices: tuple[int, ...], ranks: int, chip: str) -> Algorithms:
    """Every rank sends each other rank a part of its own, directly."""
    ways, parts = _straight(neighbours, devices)
    between = tuple((edge, ranks * share) for edge, share in ways)
    return (Algorithm(Pattern("direct", between, parts * len(devices) ** 2), 1),)


def _shift(neighbours: Adjacency, devices: tuple[int, ...], ranks: int, chip: str) -> Algorithms:
    """Every rank sends to the next in the order of the ring, the last to the first."""
    crossed = Counter(edge for lane in _lanes(neighbours, devices)[:1] for edge in lane)
    return (Algorithm(Pattern("neighbours", tuple(sorted(crossed.items()))), 1),)


_OPERATIONS: dict[Operation, Callable[[Adjacency, tuple[int, ...], int, str], Algorithms]] = {
    "all-reduce": all_reduce_algorithms,
    "all-gather": _half,
    "reduce-scatter": _half,
    "all-to-all": _exchange,
    "send-receive": _shift,
}


def _ring(neighbours: Adjacency, devices: tuple[int, ...], ranks: int) -> Algorithm:
    """Each of d devices sends 2(d-1)/d of the payload to the next: its ranks, which lie side by side in the ring, first
    add up among themselves (assumed, as in the decode formula that the published runs were fitted with).

    It is shared out to as many rings as there are that have no link in common: a closed ring is used both ways round,
    a torus in two such rings; along a chain there is one, whose way back takes the links' other direction.
    """
    count = len(devices)
    lanes = _lanes(neighbours, devices)
    crossed = Counter(edge for lane in lanes for edge in lane)
    crossings = tuple((edge, 2 * (count - 1) * times) for edge, times in sorted(crossed.items()))
    return Algorithm(Pattern("ring", crossings, count * max(1, len(lanes))), 2 * (ranks - 1))


def _mesh(neighbours: Adjacency, devices: tuple[int, ...]) -> Algorithm:
    """Every device sends each other one its part of the payload, to be added up, and gets the sum back."""
    ways, parts = _straight(neighbours, devices)
    crossings = tuple((edge, 2 * share) for edge, share in ways)
    return Algorithm(Pattern("mesh", crossings, parts * len(devices)), 2 * _MESH_STEPS)


def _halving_and_doubling(neighbours: Adjacency, devices: tuple[int, ...]) -> Algorithm:
    """Pairwise exchanges along the axes of a hypercube, which is what a torus of 16 is, of halves, quarters and so on.

    Ranks of one place in their devices form a group, and each group begins with another axis (assumed), so that the
    2(d-1)/d of the payload that a device sends are spread evenly over its links. One step is within the device.
    """
    count = len(devices)
    crossings = tuple((edge, 2 * (count - 1)) for edge in links(neighbours))
    return Algorithm(Pattern("rdh", crossings, count * _TORUS_LINKS), 2 * count.bit_length())


def _kangaring(ring: Algorithm, ranks: int) -> Algorithm:
    """A ring through one rank of every two, which passes on what is the other's as well: the ring's links, half its
    hops."""
    return Algorithm(ring.pattern._replace(name="kangaring"), 2 * (ranks // _RANKS_OF_A_PAIR - 1))


def _straight(neighbours: Adjacency, devices: tuple[int, ...]) -> tuple[list[tuple[Edge, int]], int]:
    """The shares of every link, and their parts, when each device sends each other device one byte.

    A pair's bytes are spread evenly over all its shortest ways (assumed: how the hardware routes is not published).
    """
    distance = [hops(neighbours, device) for device in range(len(neighbours))]
    ways = [_shortest_ways(neighbours, from_here) for from_here in distance]
    pairs = [(a, b) for a in devices for b in devices if a != b]
    parts = lcm(*[ways[a][b] for a, b in pairs])
    crossed: Counter[Edge] = Counter()
    for a, b in pairs:
        for u, v in links(neighbours):
            if distance[a][u] + 1 + distance[v][b] == distance[a][b]:
                crossed[u, v] += ways[a][u] * ways[v][b] * parts // ways[a][b]
    return sorted(crossed.items()), parts


def _shortest_ways(neighbours: Adjacency, distance: dict[int, int]) -> dict[int, int]:
    """How many shortest ways lead to each device from where its distance was measured, in order of distance."""
    ways: dict[int, int] = {}
    for device, steps in distance.items():
        ways[device] = sum(ways[nearer] for nearer in neighbours[device] if distance[nearer] < steps) if steps else 1
    return ways


def _lanes(neighbours: Adjacency, devices: tuple[int, ...]) -> list[tuple[Edge, ...]]:
    if len(devices) < 2:
        return []
    order = ring_order(neighbours, devices)
    rings = _closed_rings(neighbours, order)
    if not rings:
        there_and_back = (*order, order[0])
        return [tuple(edge for a, b in pairwise(there_and_back) for edge in pairwise(route(neighbours, a, b)))]
    return [tuple(pairwise((*way, way[0]))) for ring in rings for way in (ring, ring[::-1])]


def _closed_rings(neighbours: Adjacency, order: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Rings through all devices of a group that have no link in common.

    In a torus other devices pass on what closes a ring that the group's own links do not close (assumed).
    """
    if len(order) < 3:
        return ()
    if all(b in neighbours[a] for a, b in pairwise((*order, order[0]))):
        return next(_disjoint_rings(_inside(neighbours, order), order[0]), (order,))
    if not _is_torus(neighbours):
        return ()
    others = sorted(set(range(len(neighbours))) - set(order))
    # Every way round in a torus of even rows has an even number of devices.
    counts = range(2 - len(order) % 2, len(others) + 1, 2)
    for some in chain.from_iterable(combinations(others, count) for count in counts):
        ring = next(_rings(_inside(neighbours, (*order, *some)), order[:1]), None)
        if ring is not None:
            return (ring,)
    return ()


def _is_torus(neighbours: Adjacency) -> bool:
    return all(len(others) == _TORUS_LINKS for others in neighbours)


def _inside(neighbours: Adjacency, devices: Iterable[int]) -> dict[int, set[int]]:
    members = set(devices)
    return {device: members.intersection(neighbours[device]) for device in members}


def _disjoint_rings(inside: dict[int, set[int]], start: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Two rings through all devices that have no link in common, where every device has four neighbours."""
    if any(len(others) != _TORUS_LINKS for others in inside.values()):
        return
    for first in _rings(inside, (start,)):
        used = {frozenset(pair) for pair in pairwise((*first, first[0]))}
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
