"""The drawing of the links: every link that is drawn exists, and every one that exists is drawn."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.inventory import Inventory
from neurontools.views.ls import table, topology
from tests.conftest import Golden
from tests.views.inventories import inventories, inventory_of

LINKED = [name for name, instance in INSTANCES.items() if instance.topology != "none"]

SHAPES: dict[str, Callable[[int], list[list[int]]]] = {
    "chain": lambda n: [[peer for peer in (i - 1, i + 1) if 0 <= peer < n] for i in range(n)],
    "ring": lambda n: [[(i - 1) % n, (i + 1) % n] for i in range(n)],
    "torus": lambda n: [[(i - 4) % n, i - i % 4 + (i - 1) % 4, (i + 4) % n, i - i % 4 + (i + 1) % 4] for i in range(n)],
    "none": lambda n: [[] for _ in range(n)],
}


def host(shape: str, neighbours: list[list[int]]) -> Inventory:
    """A host whose devices have these neighbours."""
    one = inventory_of(INSTANCES["trn1.2xlarge"])
    devices = tuple(one.devices[0]._replace(device=i, connected_to=tuple(peers)) for i, peers in enumerate(neighbours))
    return one._replace(topology=shape, devices=devices)


def links_of(inventory: Inventory) -> set[tuple[int, int]]:
    return {(device.device, peer) for device in inventory.devices for peer in device.connected_to}


def picture(text: str) -> list[str]:
    """The lines of the drawing, without title and legend."""
    lines = text.splitlines()
    assert lines[:3] == ["", "", "Neuron Device Topology"]
    return lines[3:-4] if "Legend:" in lines else lines[3:]


def links_in(lines: list[str]) -> set[tuple[int, int]]:
    """What a person reads: links along a row, between rows, and from one wrap-around mark to the opposite one."""
    rows = [(y, {m.start() + 2: int(m[1]) for m in re.finditer(r"\[ ?(\d+) \]", line)}) for y, line in enumerate(lines)]
    rows = [(y, nodes) for y, nodes in rows if nodes]
    found = set()
    for y, nodes in rows:
        for (_, a), (x, b) in pairwise(nodes.items()):
            left_arrow, right_arrow = lines[y][x - 6], lines[y][x - 3]
            assert (left_arrow + right_arrow) in ("◄►", "  ")
            if right_arrow == "►":
                found |= {(a, b), (b, a)}
        if lines[y].startswith("*"):
            ends = list(nodes.values())
            found |= {(ends[0], ends[-1]), (ends[-1], ends[0])}
    for (y, above), (_, below) in pairwise(rows):
        joined = [x for x in above if "".join(line[x : x + 1] for line in lines[y + 1 : y + 4]) == "▲│▼"]
        found |= {link for x in joined for link in ((above[x], below[x]), (below[x], above[x]))}
    first, last = rows[0][1], rows[-1][1]
    if rows[0][0]:
        found |= {link for x in first for link in ((first[x], last[x]), (last[x], first[x]))}
    return found


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_type(name: str, golden: Golden) -> None:
    inventory = inventory_of(INSTANCES[name])
    golden(f"neuron-ls/{name}.topology.txt", table.render(inventory) + topology.render(inventory))


@pytest.mark.parametrize("name", INSTANCES)
def test_the_drawing_shows_the_driver_s_links(name: str) -> None:
    inventory = inventory_of(INSTANCES[name])
    lines = picture(topology.render(inventory))
    assert links_in(lines) == links_of(inventory)
    assert len({len(line) for line in lines}) == 1
    assert sorted(map(int, re.findall(r"\d+", "".join(lines)))) == [device.device for device in inventory.devices]


@pytest.mark.parametrize("shape", SHAPES)
@given(count=st.integers(1, 40))
def test_any_size_of_a_shape(shape: str, count: int) -> None:
    if shape == "torus":
        count = max(3, count // 4) * 4
    elif shape == "ring":
        count = max(3, count)
    inventory = host(shape, SHAPES[shape](count))
    assert links_in(picture(topology.render(inventory))) == links_of(inventory)


@pytest.mark.parametrize("name", LINKED)
def test_a_link_that_is_missing_is_not_drawn(name: str) -> None:
    inventory = inventory_of(INSTANCES[name])
    first = inventory.devices[0]
    broken = inventory._replace(devices=(first._replace(connected_to=first.connected_to[1:]), *inventory.devices[1:]))
    lines = topology.render(broken).splitlines()[3:]
    (one_way,) = [line for line in lines if "◄" not in line]
    assert one_way == f"[{first.connected_to[0]:>2} ]––►[ 0 ]"
    assert len(lines) == len(links_of(inventory)) // 2


def test_links_of_no_known_shape_are_listed(golden: Golden) -> None:
    golden("neuron-ls/links.txt", topology.render(host("torus", [[1], [0, 2], [], [], [7]])))


@given(inventories())
def test_no_inventory_is_too_odd(inventory: Inventory) -> None:
    lines = topology.render(inventory).splitlines()
    assert {int(word) for line in lines for word in re.findall(r"\d+", line)} >= {d.device for d in inventory.devices}


@pytest.mark.parametrize("name", LINKED)
def test_without_unicode_it_has_the_same_size(name: str) -> None:
    text = topology.render(inventory_of(INSTANCES[name]))
    plain = topology.to_ascii(text)
    assert plain.isascii()
    assert list(map(len, plain.splitlines())) == list(map(len, text.splitlines()))
