"""Links: ring collectives load every link of their way once, and what one end sends the other receives."""

import pytest

from device_model.machine.links import ring_edges
from device_model.runtime.placement import degrees
from neurontools.hardware.instances import INSTANCES, lookup
from neurontools.hardware.topology import adjacency
from tests.device_model.machine.lockstep import BOOT_NS, node, step, work


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_a_ring_visits_every_member_over_existing_links(name: str) -> None:
    neighbours = adjacency(lookup(name))
    per_device = node(name).chip.cores // node(name).logical_neuroncore_config
    for count in {-(-degree // per_device) for degree in degrees(node(name))} - {1}:
        edges = ring_edges(neighbours, range(count))
        assert all(b in neighbours[a] for a, b in edges)
        assert {a for a, _ in edges} >= set(range(count)) <= {b for _, b in edges}
        assert all(b == c for (_, b), (c, _) in zip(edges, edges[1:] + edges[:1], strict=True))


def test_a_single_device_needs_no_link() -> None:
    assert ring_edges(adjacency(lookup("inf2.48xlarge")), [4, 4]) == ()


def test_a_chain_goes_there_and_back() -> None:
    edges = ring_edges(adjacency(lookup("inf2.24xlarge")), range(3))
    assert sorted(edges) == [(0, 1), (1, 0), (1, 2), (2, 1)]


def test_bytes_of_all_groups_add_up_and_outlive_them() -> None:
    host = node()
    first = host.begin_work(tuple(host.cores[:8]), BOOT_NS)
    end = work(first, BOOT_NS, 100, 5, step(100, ring_bytes=1000))
    assert sum(host.links.sent_bytes(end).values()) == len(first.ring) * 5000
    host.end_work(first, end)
    second, third = (host.begin_work(tuple(host.cores[i : i + 4]), end) for i in (0, 4))
    for group, ring_bytes in ((second, 10), (third, 7)):
        last = work(group, end, 100, 3, step(100, ring_bytes=ring_bytes))
    host.end_work(second, last)
    sent = host.links.sent_bytes(last)
    assert set(sent) == {(a, b) for a, row in enumerate(host.links.neighbours) for b in row}
    for edge, amount in sent.items():
        assert amount == 5000 * first.ring.count(edge) + 30 * second.ring.count(edge) + 21 * third.ring.count(edge)
    assert set(second.ring) <= set(first.ring)
    assert set(second.ring).isdisjoint(third.ring)
