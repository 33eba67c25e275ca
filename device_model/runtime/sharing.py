"""Which lanes of which processes send over the same links, and what the steps under way there ask of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from device_model.machine.activity import Edge
from device_model.machine.contention import Demand
from device_model.machine.links import Links
from device_model.runtime.execution import StepWork
from device_model.runtime.process import Lane, Process

LaneKey = tuple[int, int]
"""A lane of a process: the process's pid, and the lane's position."""

_MOST_KNOWN = 1000
"""Demands that are remembered at most."""


class Circle(NamedTuple):
    """Lanes that can slow each other down, in order, and the links over which more than one team of them may send."""

    lanes: tuple[LaneKey, ...]
    links: frozenset[Edge]


class Sharing:
    """The circles of a node. They follow from the ways that traffic may go, so they change with processes only."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._ways: dict[LaneKey, Counter[Edge]] = {}
        self._known: dict[tuple[LaneKey, tuple[StepWork, ...]], Demand] = {}
        self.circles: tuple[Circle, ...] = ()
        self.circle_of: dict[LaneKey, Circle] = {}
        """The circle of each lane that shares a link; empty where none does."""

    def join(self, process: Process) -> None:
        """A process has come."""
        for number, teams in enumerate(process.teams):
            patterns = [{edge for pattern in team.patterns for edge, _ in pattern.crossings} for team in teams]
            self._ways[process.pid, number] = Counter(edge for edges in patterns for edge in edges)
        self._find()

    def leave(self, process: Process) -> None:
        """A process has gone."""
        for number in range(len(process.lanes)):
            del self._ways[process.pid, number]
        self._find()

    def forget(self) -> None:
        """Links have become slower or faster: what is asked of them is worked out anew."""
        self._known.clear()

    def demand(self, key: LaneKey, lane: Lane, works: tuple[StepWork, ...]) -> Demand:
        """What a step of a lane asks of the links of its circle; a part for each of the lane's groups."""
        known = (key, works)
        if known not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[known] = self._demand(self.circle_of[key].links, lane, works)
        return self._known[known]

    def users(self, edge: Edge) -> list[LaneKey]:
        """The lanes whose traffic may go over a link, in order of their processes' starts."""
        return [key for key, ways in self._ways.items() if edge in ways]

    def _demand(self, links: frozenset[Edge], lane: Lane, works: Sequence[StepWork]) -> Demand:
        capacity = self._links.capacity_bytes_per_s or 0
        asked: dict[Edge, float] = {}
        for edge, amount in _sent(lane, works):
            if edge in links:
                # Over a link that is down nothing new is sent; what is under way ends as it began.
                link_ns = amount * 1e9 / (capacity * (self._links.speed(edge) or 1.0))
                asked[edge] = asked.get(edge, 0.0) + link_ns
        sending = (work.collectives_ns for work in works if any(work.traffic))
        return Demand(works[-1].duration_ns, max(sending, default=0), tuple(sorted(asked.items())))

    def _find(self) -> None:
        self.forget()
        together: Counter[Edge] = Counter()
        for edges in self._ways.values():
            together.update(edges)
        shared = {edge for edge, teams in together.items() if teams > 1}
        found: list[tuple[set[LaneKey], set[Edge]]] = []
        for key, edges in self._ways.items():
            mine = shared & edges.keys()
            met = [circle for circle in found if circle[1] & mine]
            if mine:
                found = [circle for circle in found if circle not in met]
                found.append(({key}.union(*[lanes for lanes, _ in met]), mine.union(*[links for _, links in met])))
        self.circles = tuple(Circle(tuple(sorted(lanes)), frozenset(links)) for lanes, links in found)
        self.circle_of = {key: circle for circle in self.circles for key in circle.lanes}


def _sent(lane: Lane, works: Sequence[StepWork]) -> Iterator[tuple[Edge, float]]:
    """Bytes of a step on each link that it crosses, of every group and pattern apart."""
    for group, work in zip(lane, works, strict=True):
        for pattern, amount in zip(group.patterns, work.traffic, strict=True):
            if amount:
                yield from ((edge, amount * share / pattern.parts) for edge, share in pattern.crossings)
