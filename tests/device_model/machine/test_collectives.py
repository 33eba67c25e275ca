"""Algorithms of collectives: the links that each crosses exist, carry what they should, and are alike everywhere."""

from collections import Counter
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.machine.collectives import Algorithm, Algorithms, Operation, algorithms_of, all_reduce_algorithms
from device_model.machine.node import Node
from device_model.runtime.placement import Placement, degrees
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from neurontools.hardware.topology import adjacency, hops
from tests.device_model.machine.lockstep import node

LINKED = sorted(name for name, instance in INSTANCES.items() if instance.topology != "none")
RICH = ["trn2.48xlarge", "trn2n.48xlarge", "trn2u.48xlarge", "trn3p.48xlarge"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

groups = st.sampled_from(LINKED).flatmap(
    lambda name: st.tuples(st.just(name), st.integers(1, lookup(name).devices)).flatmap(
        lambda size: st.tuples(st.just(size[0]), st.just(size[1]), st.integers(0, lookup(name).devices - size[1]))
    )
)


def ranks_per_device(name: str) -> int:
    chip = chip_of(lookup(name))
    return chip.cores // chip.default_lnc


def of_group(name: str, count: int, first: int = 0, operation: Operation = "all-reduce") -> Algorithms:
    """The algorithms of `count` devices of an instance type from `first` on."""
    devices = tuple(range(first, first + count))
    return algorithms_of(operation, adjacency(lookup(name)), devices, count * ranks_per_device(name), lookup(name).chip)


def carried(algorithm: Algorithm) -> dict[tuple[int, int], Fraction]:
    """Bytes on each link for each byte of payload."""
    return {edge: Fraction(share, algorithm.pattern.parts) for edge, share in algorithm.pattern.crossings}


def distances(name: str, devices: range) -> int:
    """Hops between all pairs of the devices, both ways."""
    return sum(hops(adjacency(lookup(name)), a)[b] for a in devices for b in devices)


@given(groups, st.sampled_from(OPERATIONS))
def test_what_a_device_receives_it_sends_over_links_that_exist(group: tuple[str, int, int], what: Operation) -> None:
    name, count, first = group
    for algorithm in of_group(name, count, first, what):
        sent: Counter[int] = Counter()
        for (a, b), share in algorithm.pattern.crossings:
            assert b in adjacency(lookup(name))[a]
            assert share > 0
            sent[a] += share
            sent[b] -= share
        assert not any(sent.values())
        members = set(range(first, first + count)) if count > 1 else set()
        assert {a for (a, _), _ in algorithm.pattern.crossings} >= members


@given(groups)
def test_a_ring_carries_what_each_device_sends_over_every_link_on_its_way(group: tuple[str, int, int]) -> None:
    name, count, first = group
    ring = carried(of_group(name, count, first)[0])
    way = Fraction(sum(ring.values()) * count, 2 * (count - 1) or 1)
    assert way.denominator == 1, "every lane is as long as the others"
    assert way >= count or count == 1
    sending = [sum(share for (a, _), share in ring.items() if a == device) for device in range(first, first + count)]
    assert min(sending) >= Fraction(2 * (count - 1), count)


@pytest.mark.parametrize("name", RICH)
def test_a_mesh_sends_the_shortest_ways(name: str) -> None:
    mesh = carried(of_group(name, 16)[1])
    assert sum(mesh.values()) == Fraction(2, 16) * distances(name, range(16))
    assert set(mesh.values()) == {Fraction(1)}, "a torus looks alike from every link"


@given(groups)
def test_an_exchange_sends_every_rank_its_part_the_shortest_way(group: tuple[str, int, int]) -> None:
    name, count, first = group
    (direct,) = of_group(name, count, first, "all-to-all")
    per_pair = Fraction(ranks_per_device(name), count)
    assert sum(carried(direct).values()) == per_pair * distances(name, range(first, first + count))


@given(groups)
def test_each_rank_sends_to_the_next_over_one_lane_of_the_ring(group: tuple[str, int, int]) -> None:
    count = group[1]
    (shift,), ring = of_group(*group, "send-receive"), of_group(*group)[0]
    assert sum(carried(shift).values()) * 2 * (count - 1) == sum(carried(ring).values()) * count
    assert set(carried(shift)) <= set(carried(ring))


@pytest.mark.parametrize("name", RICH)
def test_halving_and_doubling_is_what_exchanges_along_four_axes_add_up_to(name: str) -> None:
    """Each axis pairs a device with one neighbour; the ranks of one place in their devices begin with axis `first`."""
    gray = {0: 0, 1: 1, 3: 2, 2: 3}
    at = {(gray[row] * 4 + gray[column]): 4 * row + column for row in range(4) for column in range(4)}
    crossed: Counter[tuple[int, int]] = Counter()
    for first in range(4):
        for step in range(4):
            for code, device in at.items():
                peer = at[code ^ (1 << (first + step) % 4)]
                assert peer in adjacency(lookup(name))[device]
                crossed[device, peer] += 2 * 16 // 2 ** (step + 1)
    rdh = of_group(name, 16)[2]
    assert carried(rdh) == {edge: Fraction(sixteenths, 4 * 16) for edge, sixteenths in crossed.items()}
    assert rdh.hops == 2 * (1 + 4)


@pytest.mark.parametrize("name", RICH)
def test_a_whole_torus_of_a_newer_chip_has_them_all(name: str) -> None:
    ring, mesh, rdh, kangaring = of_group(name, 16)
    names = [algorithm.pattern.name for algorithm in (ring, mesh, rdh, kangaring)]
    assert names == ["ring", "mesh", "rdh", "kangaring"]
    assert [algorithm.hops for algorithm in (ring, mesh, rdh, kangaring)] == [126, 4, 10, 62]
    assert carried(kangaring) == carried(ring)
    assert mesh.busiest_share > ring.busiest_share == rdh.busiest_share


@given(groups)
def test_others_have_the_ring_alone(group: tuple[str, int, int]) -> None:
    name, count, first = group
    expected = 4 if name in RICH and count == 16 else 1
    assert len(of_group(name, count, first)) == expected


@given(groups)
def test_gathering_and_scattering_are_each_half_an_all_reduce(group: tuple[str, int, int]) -> None:
    whole = of_group(*group)
    for operation in ("all-gather", "reduce-scatter"):
        halves = of_group(*group, operation)
        assert [(2 * half.hops, half.pattern.name) for half in halves] == [(a.hops, a.pattern.name) for a in whole]
        for half, algorithm in zip(halves, whole, strict=True):
            assert {edge: 2 * share for edge, share in carried(half).items()} == carried(algorithm)


def placements(host: Node, degree: int) -> list[tuple[int, ...]]:
    """The devices of every place that a process of this degree can get."""
    found = []
    for first in range(0, len(host.cores) // host.logical_neuroncore_config - degree + 1):
        try:
            cores = Placement(host).place(degree, "tp", first)
        except ValueError:
            continue
        found.append(tuple(sorted({core.device for core in cores})))
    return found


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_a_process_chooses_from_the_same_wherever_it_is_placed(name: str) -> None:
    host = node(name)
    for degree in degrees(host):
        of_place = {
            tuple(
                (algorithm.pattern.name, algorithm.busiest_share, algorithm.hops)
                for algorithm in all_reduce_algorithms(host.links.neighbours, devices, degree, host.chip.name)
            )
            for devices in placements(host, degree)
        }
        assert len(of_place) == 1, degree


def test_a_single_device_needs_no_link() -> None:
    for operation in OPERATIONS:
        (within,) = algorithms_of(operation, adjacency(lookup("inf2.48xlarge")), (4,), 2, "Inferentia2")
        assert within.pattern.crossings == ()
        assert within.busiest_share == 0


@pytest.mark.parametrize(
    ("instance", "devices", "lanes"),
    [
        ("inf2.48xlarge", 12, 2), ("inf2.48xlarge", 4, 1), ("inf2.24xlarge", 6, 1), ("trn1.32xlarge", 16, 4),
        ("trn1.32xlarge", 4, 2), ("trn1.32xlarge", 8, 2), ("trn1.32xlarge", 2, 1), ("trn2.48xlarge", 16, 4),
    ],
)  # fmt: skip
def test_a_closed_ring_is_used_both_ways_and_a_torus_in_two_rings(instance: str, devices: int, lanes: int) -> None:
    ring = of_group(instance, devices)[0]
    assert ring.busiest_share == pytest.approx(2 * (devices - 1) / devices / lanes)
    assert len(set(dict(ring.pattern.crossings).values())) == 1, "every link of the ring carries the same"


def test_in_a_torus_other_devices_close_a_ring() -> None:
    ring = of_group("trn1.32xlarge", 4, first=1)[0]
    assert {a for (a, _), _ in ring.pattern.crossings} == {0, 1, 2, 3, 4, 5}
    assert ring.busiest_share == of_group("trn1.32xlarge", 4)[0].busiest_share
