"""The links between devices and the bytes that groups of cores send over them."""

from device_model.machine.activity import Edge, Lockstep
from neurontools.hardware.topology import Adjacency, links


class Links:
    """Bytes sent over each directed link. What a sends to b is what b receives from a: it is one number."""

    def __init__(self, neighbours: Adjacency, capacity_bytes_per_s: int | None) -> None:
        self.neighbours = neighbours
        self.capacity_bytes_per_s = capacity_bytes_per_s
        self._past: dict[Edge, int] = dict.fromkeys(links(neighbours), 0)
        self._groups: list[Lockstep] = []
        self.slowed_by: dict[frozenset[int], dict[int, float]] = {}
        """Pair of devices -> cause -> what is left of the link's speed, 0 when it is down."""

    def speed(self, edge: Edge) -> float:
        """What is left of a link's speed: 1 when it is sound, 0 when it is down."""
        if not self.slowed_by:
            return 1.0
        return min(self.slowed_by.get(frozenset(edge), {}).values(), default=1.0)

    def attach(self, group: Lockstep) -> None:
        """The group's traffic goes the ways of its patterns from now on."""
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
    for pattern, amount in zip(group.patterns, group.traffic(time_ns), strict=True):
        if amount:
            for edge, share in pattern.crossings:
                sent[edge] += amount * share // pattern.parts
