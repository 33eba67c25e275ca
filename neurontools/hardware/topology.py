"""Which devices of an instance are linked, in the order the driver prints, and ways over those links."""

from neurontools.hardware.instances import Instance

Adjacency = tuple[tuple[int, ...], ...]
"""Per device its neighbours."""

TORUS_ROW = 4
"""Devices of one row of a torus."""

# The driver prints the neighbours of the newer torus from a table that follows no rule.
_TRN2_TORUS: Adjacency = (
    (12, 1, 3, 4),
    (0, 13, 5, 2),
    (14, 3, 1, 6),
    (2, 15, 7, 0),
    (8, 5, 7, 0),
    (4, 9, 1, 6),
    (10, 7, 5, 2),
    (6, 11, 3, 4),
    (4, 9, 11, 12),
    (8, 5, 13, 10),
    (6, 11, 9, 14),
    (10, 7, 15, 8),
    (0, 13, 15, 8),
    (12, 1, 9, 14),
    (2, 15, 13, 10),
    (14, 3, 11, 12),
)


def adjacency(instance: Instance) -> Adjacency:
    """The neighbours of every device, in the order of the driver's connected_devices.

    That file holds the design, not the state: a broken link stays listed.
    """
    if instance.topology == "torus" and instance.chip != "Trainium1":
        return _TRN2_TORUS
    return _RULES[instance.topology](instance)


def links(neighbours: Adjacency) -> tuple[tuple[int, int], ...]:
    """Every directed link (from, to), by ascending device numbers."""
    return tuple((a, b) for a, row in enumerate(neighbours) for b in sorted(row))


def route(neighbours: Adjacency, a: int, b: int) -> tuple[int, ...]:
    """A shortest way from device `a` to device `b`, both included; among equals the lowest numbers come first.

    ValueError when no links lead there.
    """
    distance = hops(neighbours, b)
    if a not in distance:
        raise ValueError(f"no links lead from device {a} to device {b}")
    path = [a]
    while path[-1] != b:
        path.append(min(device for device in neighbours[path[-1]] if distance[device] < distance[path[-1]]))
    return tuple(path)


def hops(neighbours: Adjacency, a: int) -> dict[int, int]:
    """How many links away every device that `a` can reach is (itself: 0)."""
    distance = {a: 0}
    frontier = [a]
    while frontier:
        reached = []
        for device in frontier:
            for neighbour in neighbours[device]:
                if neighbour not in distance:
                    distance[neighbour] = distance[device] + 1
                    reached.append(neighbour)
        frontier = reached
    return distance


def ring_order(neighbours: Adjacency, members: tuple[int, ...]) -> tuple[int, ...]:
    """The members in an order for a ring collective: a cycle over direct links where there is one, else the path with
    the fewest hops; the lowest numbers first among equals. Devices that links do not join stay in numeric order.

    ValueError when a member is given twice or is no device.
    """
    nodes = tuple(sorted(members))
    if len(set(nodes)) != len(nodes) or not set(nodes) <= set(range(len(neighbours))):
        raise ValueError(f"expected different devices below {len(neighbours)}, got {members}")
    distance = {node: hops(neighbours, node) for node in nodes}
    if len(nodes) < 3 or any(other not in distance[node] for node in nodes for other in nodes):
        return nodes
    cycle = _Walk(distance, nodes, spare=0, closing=nodes[0]).find(nodes[0])
    if cycle:
        return cycle
    longest = max(distance[node][other] for node in nodes for other in nodes)
    for spare in range((longest - 1) * len(nodes) + 1):
        walk = _Walk(distance, nodes, spare, closing=None)
        for start in nodes:
            if path := walk.find(start):
                return path
    return nodes


class _Walk:
    """A search for an order of all nodes that has at most `spare` hops more than one per step."""

    def __init__(
        self, distance: dict[int, dict[int, int]], nodes: tuple[int, ...], spare: int, closing: int | None
    ) -> None:
        self._distance = distance
        self._nodes = nodes
        self._spare = spare
        self._closing = closing
        self._dead: set[tuple[frozenset[int], int, int]] = set()

    def find(self, start: int) -> tuple[int, ...] | None:
        return self._extend((start,), frozenset(self._nodes) - {start}, self._spare)

    def _extend(self, path: tuple[int, ...], left: frozenset[int], spare: int) -> tuple[int, ...] | None:
        last = path[-1]
        if not left:
            return path if self._closing is None or self._distance[last][self._closing] == 1 else None
        state = (left, last, spare)
        if state in self._dead:
            return None
        for node in sorted(left):
            rest = spare - (self._distance[last][node] - 1)
            if rest >= 0 and (found := self._extend((*path, node), left - {node}, rest)):
                return found
        self._dead.add(state)
        return None


def _none(instance: Instance) -> Adjacency:
    return ((),) * instance.devices


def _chain(instance: Instance) -> Adjacency:
    count = instance.devices
    backward = instance.chip == "Inferentia"  # its firmware reports the higher neighbour first
    pairs = [(i + 1, i - 1) if backward else (i - 1, i + 1) for i in range(count)]
    return tuple(tuple(device for device in pair if 0 <= device < count) for pair in pairs)


def _ring(instance: Instance) -> Adjacency:
    count = instance.devices
    return tuple(((i - 1) % count, (i + 1) % count) for i in range(count))


def _torus(instance: Instance) -> Adjacency:
    count = instance.devices

    def beside(i: int, step: int) -> int:
        return i - i % TORUS_ROW + (i + step) % TORUS_ROW

    return tuple(((i - TORUS_ROW) % count, beside(i, -1), (i + TORUS_ROW) % count, beside(i, 1)) for i in range(count))


_RULES = {"none": _none, "chain": _chain, "ring": _ring, "torus": _torus}
