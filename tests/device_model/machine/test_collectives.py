"""Algorithms of collectives: every one goes over links that exist, and reaches every device."""

import pytest

from device_model.machine.collectives import all_reduce_algorithms
from device_model.runtime.placement import degrees
from neurontools.hardware.instances import INSTANCES, lookup
from neurontools.hardware.topology import adjacency
from tests.device_model.machine.lockstep import node


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_an_algorithm_reaches_every_member_over_existing_links(name: str) -> None:
    neighbours = adjacency(lookup(name))
    per_device = node(name).chip.cores // node(name).logical_neuroncore_config
    for count in {-(-degree // per_device) for degree in degrees(node(name))} - {1}:
        for algorithm in all_reduce_algorithms(neighbours, tuple(range(count)), count * per_device):
            edges = [edge for edge, _ in algorithm.pattern.crossings]
            assert all(b in neighbours[a] for a, b in edges)
            assert {a for a, _ in edges} >= set(range(count)) <= {b for _, b in edges}


def test_a_single_device_needs_no_link() -> None:
    (ring,) = all_reduce_algorithms(adjacency(lookup("inf2.48xlarge")), (4,), 2)
    assert ring.pattern.crossings == ()
    assert ring.busiest_share == 0


@pytest.mark.parametrize(
    ("instance", "devices", "lanes"),
    [
        ("inf2.48xlarge", 12, 2), ("inf2.48xlarge", 4, 1), ("inf2.24xlarge", 6, 1), ("trn1.32xlarge", 16, 4),
        ("trn1.32xlarge", 4, 2), ("trn1.32xlarge", 8, 2), ("trn1.32xlarge", 2, 1), ("trn2.48xlarge", 16, 4),
    ],
)  # fmt: skip
def test_a_closed_ring_is_used_both_ways_and_a_torus_in_two_rings(instance: str, devices: int, lanes: int) -> None:
    ring = all_reduce_algorithms(adjacency(lookup(instance)), tuple(range(devices)), devices)[0]
    assert ring.busiest_share == pytest.approx(2 * (devices - 1) / devices / lanes)
    assert len(set(dict(ring.pattern.crossings).values())) == 1, "every link of the ring carries the same"
