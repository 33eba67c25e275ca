"""The links between devices and the bytes that ring collectives send over them."""

from collections.abc import Iterable
from itertools import pairwise

from device_model.machine.activity import Lockstep
from neurontools.hardware.topology import Adjacency, links, ring_order, route

Edge = tuple[int, int]


def ring_edges(neighbours: Adjacency, devices: Iterable[int]) -> tuple[Edge, ...]:
    """The directed links over which a ring collective among `devices` sends, one entry a crossing.

    Every device sends to the next in the ring; where the two are not neighbours (the way back
    along a chain), the data crosses every link of a shortest route.
    """
    members = tuple(sorted(set(devices)))
    if len(members) < 2:
        return ()
    order = ring_order(neighbours, members)
    following = order[1:] + order[:1]
    ways = [route(neighbours, a, b) for a, b in zip(order, following, strict=True)]
    return tuple(edge for way in ways for edge in pairwise(way))


class Links:
    """Bytes sent over each directed link. What a sends to b is what b receives from a: it is one number."""

    def __init__(self, neighbours: Adjacency, capacity_bytes_per_s: int | None) -> None:
        self.neighbours = neighbours
        self.capacity_bytes_per_s = capacity_bytes_per_s
        self._past: dict[Edge, int] = dict.fromkeys(links(neighbours), 0)
        self._groups: list[Lockstep] = []

    def attach(self, group: Lockstep) -> None:
        """The group's traffic goes over its ring from now on."""
        self._groups.append(group)

    def detach(self, group: Lockstep, time_ns: int) -> None:
        """The group stops; what it sent stays counted."""
        self._groups.remove(group)
        _add(self._past, group, time_ns)

    def sent_bytes(self, time_ns: int) -> dict[Edge, int]:
        """Bytes sent over every directed link since boot."""
        sent = dict(self._past)
        for group in self._groups:
            _add(sent, group, time_ns)
        return sent


def _add(sent: dict[Edge, int], group: Lockstep, time_ns: int) -> None:
    crossing = group.read(time_ns).ring_bytes
    for edge in group.ring:
        sent[edge] += crossing
