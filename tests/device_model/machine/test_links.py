"""Links: what a group sends is shared out to the links of its patterns, and what one end sends the other receives."""

from device_model.machine.activity import Pattern
from tests.device_model.machine.lockstep import BOOT_NS, node, work

HALF = Pattern("half", (((0, 1), 1), ((1, 0), 2)), 2)
TWICE = Pattern("twice", (((1, 2), 2),))


def test_bytes_of_all_groups_add_up_and_outlive_them() -> None:
    host = node()
    first = host.begin_work(tuple(host.cores[:4]), (HALF, TWICE), BOOT_NS)
    end = work(first, BOOT_NS, 100, 5, traffic=7)
    assert host.links.sent_bytes(end) | {(0, 1): 17, (1, 0): 35, (1, 2): 70} == host.links.sent_bytes(end)
    host.end_work(first, end)
    second, third = (host.begin_work((host.cores[i],), (HALF,), end) for i in (0, 2))
    for group, traffic in ((second, 10), (third, 7)):
        last = work(group, end, 100, 3, traffic=traffic)
    host.end_work(second, last)
    sent = host.links.sent_bytes(last)
    assert set(sent) == {(a, b) for a, row in enumerate(host.links.neighbours) for b in row}
    assert {edge: amount for edge, amount in sent.items() if amount} == {
        (0, 1): 17 + 15 + 10, (1, 0): 35 + 30 + 21, (1, 2): 70,
    }  # fmt: skip


def test_what_is_under_way_counts_by_its_share_of_time() -> None:
    host = node()
    group = host.begin_work(tuple(host.cores[:4]), (HALF,), BOOT_NS)
    end = work(group, BOOT_NS, 100, 2, traffic=1000)
    assert host.links.sent_bytes(end)[0, 1] == 1000


def test_a_link_is_as_slow_as_its_worst_cause_in_both_directions() -> None:
    links = node().links
    assert links.speed((0, 1)) == 1.0
    links.slowed_by[frozenset((0, 1))] = {1: 0.5, 2: 0.25}
    assert links.speed((0, 1)) == links.speed((1, 0)) == 0.25
    assert links.speed((1, 2)) == 1.0
    links.slowed_by[frozenset((0, 1))][3] = 0.0
    assert links.speed((1, 0)) == 0.0
