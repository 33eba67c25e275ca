"""The devices of a host on a grid, as their links join them, and what each link carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from neurontools.hardware.topology import TORUS_ROW
from neurontools.schema.interval import Interval, LinkInterval
from neurontools.schema.inventory import Inventory

_LONGEST_ROW = 8

Pair = tuple[int, int]


class Link(NamedTuple):
    """A link from its lower to its higher device; None where it is not known. Percents are of its capacity."""

    a: int
    b: int
    up: bool | None
    forth_bytes_per_s: float | None
    back_bytes_per_s: float | None
    percent: float | None


class Node(NamedTuple):
    """A device: how busy it is and how full."""

    device: int
    utilization_percent: float | None
    memory_percent: float | None


class Map(NamedTuple):
    """`rows` are the devices' places; `counted` says whether the traffic of any link is known."""

    topology: str
    rows: tuple[tuple[int, ...], ...]
    nodes: dict[int, Node]
    links: dict[Pair, Link]

    @property
    def counted(self) -> bool:
        """Whether the traffic of any link is known."""
        return any(link.forth_bytes_per_s is not None for link in self.links.values())

    @property
    def checked(self) -> bool:
        """Whether it is known of any link that it is up or down."""
        return any(link.up is not None for link in self.links.values())

    def link(self, a: int, b: int) -> Link | None:
        """The link between two devices, whichever is named first."""
        return self.links.get((min(a, b), max(a, b)))


def map_of(interval: Interval, inventory: Inventory) -> Map:
    """The devices that there are, and their links: those of the reading, else those of the design."""
    devices = {device.device: device for device in interval.devices}
    nodes = {
        each.device: Node(
            each.device,
            devices[each.device].utilization_percent if each.device in devices else None,
            devices[each.device].memory_used_percent if each.device in devices else None,
        )
        for each in inventory.devices
    }
    pairs = {(min(a.device, b), max(a.device, b)) for a in inventory.devices for b in a.connected_to if b != a.device}
    ends = {(device.device, link.peer): link for device in interval.devices for link in device.links or ()}
    pairs |= {(min(pair), max(pair)) for pair in ends}
    links = {(a, b): _link(a, b, ends.get((a, b)), ends.get((b, a))) for a, b in sorted(pairs)}
    return Map(inventory.topology, _rows(inventory.topology, sorted(nodes)), nodes, links)


def neighbours(shown: Map, device: int) -> list[Link]:
    """The links of a device."""
    return [link for link in shown.links.values() if device in (link.a, link.b)]


def drawn(shown: Map) -> set[Pair]:
    """The links that a drawing on the grid shows: between neighbours, and from the end of a row or column to its
    other end."""
    columns = _columns(shown.rows)
    pairs: set[Pair] = set()
    for line in (*shown.rows, *columns):
        steps = [*pairwise(line), *(((line[-1], line[0]),) if len(line) > 2 else ())]
        pairs |= {(min(a, b), max(a, b)) for a, b in steps}
    return pairs & shown.links.keys()


def _columns(rows: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    return [tuple(row[place] for row in rows if place < len(row)) for place in range(max(map(len, rows), default=0))]


def _rows(topology: str, devices: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Four in a row for a torus; a ring in two rows, of which the second runs back; else rows that wind."""
    count = len(devices)
    if topology == "torus" and count % TORUS_ROW == 0:
        return _cut(devices, TORUS_ROW)
    if topology == "ring" and count >= 4 and count % 2 == 0:
        return tuple(devices[: count // 2]), tuple(reversed(devices[count // 2 :]))
    rows = _cut(devices, _LONGEST_ROW)
    return tuple(row if place % 2 == 0 else row[::-1] for place, row in enumerate(rows))


def _cut(devices: Sequence[int], width: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(devices[start : start + width]) for start in range(0, len(devices), width))


def _link(a: int, b: int, of_a: LinkInterval | None, of_b: LinkInterval | None) -> Link:
    """A link as both of its ends tell of it; where one end is down, the link is."""
    ups = [end.up for end in (of_a, of_b) if end is not None and end.up is not None]
    ends = [end for end in (of_a, of_b) if end is not None]
    percents = [percent for end in ends for percent in (end.transmitted_percent, end.received_percent)]
    return Link(
        a,
        b,
        all(ups) if ups else None,
        _first(of_a and of_a.transmitted_bytes_per_s, of_b and of_b.received_bytes_per_s),
        _first(of_b and of_b.transmitted_bytes_per_s, of_a and of_a.received_bytes_per_s),
        max((percent for percent in percents if percent is not None), default=None),
    )


def _first(*values: object) -> float | None:
    return next((value for value in values if isinstance(value, float | int)), None)


def all_devices(rows: Iterable[Sequence[int]]) -> list[int]:
    """The devices in the order of their places."""
    return [device for row in rows for device in row]
