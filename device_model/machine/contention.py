"""What it costs to share links: by how much collectives take longer while others send over the same ones.

Nothing is published of how the hardware divides a link, so the rule is assumed, and made to keep what must be true: no
link ever carries more than its capacity.
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from device_model.machine.activity import Edge

_MOST_ROUNDS = 50


class Demand(NamedTuple):
    """A step as it is alone on its links, in ns: its duration, its time in collectives, and of each link that others
    use too how long its bytes take there at the link's capacity."""

    duration_ns: int
    collectives_ns: int
    links_ns: tuple[tuple[Edge, float], ...]

    @property
    def window_ns(self) -> int:
        """The time in which it sends; a step that sends is never without."""
        return max(1, self.collectives_ns)


class Contention(NamedTuple):
    """What sharing does to a step: the factor on its time in collectives, and the link that is asked for most.

    `asked` is what this step and the others ask of that link together, in capacities: while this step is in its
    collectives, and of the others on the mean. `link` is None where nobody asks for any.
    """

    stretch: float = 1.0
    link: Edge | None = None
    asked: float = 0.0


ALONE = Contention()


@lru_cache(maxsize=1024)
def contend(demands: tuple[Demand, ...]) -> tuple[Contention, ...]:
    """What happens to each of some steps that run at the same time, over and over again (assumed of all).

    A step sends only while it is in collectives. When it does, it meets each other one with the chance that this one
    is in its own just then, which is the share of time that it spends there, the stretching included. A link that is
    asked for more than its capacity serves all in proportion to what they ask, and collectives are as slow as their
    slowest link. So a step with few bytes hardly slows down others, and is slowed down itself only while it sends.

    Means of what others ask depend on how long they take. The search begins with everybody sending all the time, and
    every round asks less. Wherever it stops, no link carries more than its capacity: a step's share of a link's time is
    w = what it asks while sending x its share of time in collectives, so it carries w / max(1, asked), where `asked` is
    at least the sum of all w.
    """
    taken = [{edge: link_ns / demand.window_ns for edge, link_ns in demand.links_ns} for demand in demands]
    found: tuple[Contention, ...] = ()
    for _ in range(_MOST_ROUNDS):
        together: Counter[Edge] = Counter()
        for shares in taken:
            together.update(shares)
        before, found = (
            found,
            tuple(_against(demand, shares, together) for demand, shares in zip(demands, taken, strict=True)),
        )
        if found == before:
            break
        taken = [_taken(demand, each.stretch) for demand, each in zip(demands, found, strict=True)]
    return found


def _against(demand: Demand, own: dict[Edge, float], together: Counter[Edge]) -> Contention:
    asked = {edge: link_ns / demand.window_ns + together[edge] - own[edge] for edge, link_ns in demand.links_ns}
    if not asked:
        return ALONE
    link = max(asked, key=lambda edge: asked[edge])
    return Contention(max(1.0, asked[link]), link, asked[link])


def _taken(demand: Demand, stretch: float) -> dict[Edge, float]:
    """Of each link the share of its capacity that a step asks for on the mean, over all its time."""
    window_ns = demand.window_ns
    duration_ns = demand.duration_ns + window_ns * (stretch - 1)
    return {edge: link_ns * stretch / duration_ns for edge, link_ns in demand.links_ns}
