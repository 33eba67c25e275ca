"""The shapes of the links, the driver's order of neighbours, routes and rings."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.hardware.instances import INSTANCES, Instance, links_per_device
from neurontools.hardware.topology import Adjacency, adjacency, hops, links, ring_order, route

EVERY = pytest.mark.parametrize("instance", INSTANCES.values(), ids=list(INSTANCES))
LINKED = ["inf1.24xlarge", "inf2.24xlarge", "inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge"]


def _of(name: str) -> Adjacency:
    return adjacency(INSTANCES[name])


def _members(draw: st.DrawFn) -> tuple[Adjacency, tuple[int, ...]]:
    neighbours = _of(draw(st.sampled_from(LINKED)))
    devices = st.sampled_from(range(len(neighbours)))
    return neighbours, tuple(draw(st.lists(devices, unique=True, min_size=1, max_size=8)))


subsets = st.composite(_members)


@EVERY
def test_links_go_both_ways_and_never_to_oneself(instance: Instance) -> None:
    neighbours = adjacency(instance)
    assert len(neighbours) == instance.devices
    pairs = links(neighbours)
    assert len(set(pairs)) == len(pairs)
    assert {(b, a) for a, b in pairs} == set(pairs)
    assert all(a != b for a, b in pairs)


@EVERY
def test_the_topology_is_what_it_is_called(instance: Instance) -> None:
    degrees = [len(row) for row in adjacency(instance)]
    inner = links_per_device(instance)
    ends = 2 if instance.topology == "chain" else 0
    assert sorted(degrees) == [inner - 1] * ends + [inner] * (instance.devices - ends)
    if inner:
        assert len(hops(adjacency(instance), 0)) == instance.devices


@EVERY
def test_a_torus_links_rows_and_columns_of_four(instance: Instance) -> None:
    if instance.topology != "torus":
        assert instance.devices != 16 or instance.topology == "chain"
        return
    for device, row in enumerate(adjacency(instance)):
        column, line = device % 4, device - device % 4
        beside = {line + (column + 1) % 4, line + (column - 1) % 4}
        assert set(row) == beside | {(device + 4) % 16, (device - 4) % 16}


@pytest.mark.parametrize(
    ("name", "device", "row"),
    [
        ("inf1.6xlarge", 1, (2, 0)),
        ("inf1.24xlarge", 15, (14,)),
        ("inf2.24xlarge", 0, (1,)),
        ("inf2.24xlarge", 3, (2, 4)),
        ("inf2.48xlarge", 0, (11, 1)),
        ("inf2.48xlarge", 11, (10, 0)),
        ("trn1.32xlarge", 0, (12, 3, 4, 1)),
        ("trn1n.32xlarge", 7, (3, 6, 11, 4)),
        ("trn1.32xlarge", 15, (11, 14, 3, 12)),
        ("trn2.48xlarge", 0, (12, 1, 3, 4)),
        ("trn2u.48xlarge", 9, (8, 5, 13, 10)),
        ("trn3p.48xlarge", 15, (14, 3, 11, 12)),
        ("trn3.48xlarge", 0, ()),
    ],
)
def test_neighbours_come_in_the_drivers_order(name: str, device: int, row: tuple[int, ...]) -> None:
    assert _of(name)[device] == row


@pytest.mark.parametrize("name", ["inf2.48xlarge", "trn1.32xlarge"])
def test_neighbours_are_those_of_captured_listings(name: str, captures: Path) -> None:
    text = (captures / f"neuron-ls.{name}.txt").read_text()
    for device, row in enumerate(_of(name)):
        line = next(line for line in text.splitlines() if line.startswith(f"| {device} "))
        assert line.split("|")[4].strip() == ", ".join(map(str, row))


@given(st.sampled_from(LINKED), st.data())
def test_a_route_uses_links_and_is_as_short_as_can_be(name: str, data: st.DataObject) -> None:
    neighbours = _of(name)
    devices = st.sampled_from(range(len(neighbours)))
    a, b = data.draw(devices), data.draw(devices)
    path = route(neighbours, a, b)
    assert (path[0], path[-1]) == (a, b)
    assert all(after in neighbours[before] for before, after in pairwise(path))
    assert len(path) - 1 == hops(neighbours, a)[b]


def test_routes_go_the_short_way_round_and_prefer_low_numbers() -> None:
    assert route(_of("inf2.48xlarge"), 1, 10) == (1, 0, 11, 10)
    assert route(_of("trn1.32xlarge"), 0, 10) == (0, 1, 2, 6, 10)
    with pytest.raises(ValueError, match="no links lead from device 0 to device 2"):
        route(_of("trn3.48xlarge"), 0, 2)


@given(subsets())
def test_a_ring_holds_every_member_once_and_does_not_depend_on_their_order(
    case: tuple[Adjacency, tuple[int, ...]],
) -> None:
    neighbours, members = case
    order = ring_order(neighbours, members)
    assert sorted(order) == sorted(members)
    assert ring_order(neighbours, tuple(reversed(members))) == order


@given(subsets())
def test_a_ring_is_never_longer_than_the_members_in_numeric_order(case: tuple[Adjacency, tuple[int, ...]]) -> None:
    neighbours, members = case

    def length(order: tuple[int, ...]) -> int:
        return sum(hops(neighbours, a)[b] for a, b in pairwise(order))

    assert len(members) - 1 <= length(ring_order(neighbours, members)) <= length(tuple(sorted(members)))


@pytest.mark.parametrize("name", ["inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge", "trn3p.48xlarge"])
def test_all_devices_of_a_ring_or_torus_form_a_cycle_over_direct_links(name: str) -> None:
    neighbours = _of(name)
    order = ring_order(neighbours, tuple(range(len(neighbours))))
    assert all(after in neighbours[before] for before, after in pairwise((*order, order[0])))


@pytest.mark.parametrize(
    ("name", "members", "order"),
    [
        ("inf2.24xlarge", (5, 4, 3, 2, 1, 0), (0, 1, 2, 3, 4, 5)),
        ("inf2.48xlarge", (11, 0, 1), (1, 0, 11)),
        ("trn1.32xlarge", (0, 1, 4, 5), (0, 1, 5, 4)),
        ("trn1.32xlarge", (2,), (2,)),
        ("trn3.48xlarge", (3, 1, 2, 0), (0, 1, 2, 3)),
    ],
)
def test_rings_of_some_devices(name: str, members: tuple[int, ...], order: tuple[int, ...]) -> None:
    assert ring_order(_of(name), members) == order


@pytest.mark.parametrize("members", [(1, 1), (0, 12), (-1, 2)])
def test_members_that_are_no_different_devices_are_refused(members: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected different devices below 12"):
        ring_order(_of("inf2.48xlarge"), members)
