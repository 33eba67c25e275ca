"""Sharing links: no link carries more than it can, alone is alone, and more company never helps."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.activity import Edge
from device_model.machine.contention import ALONE, Contention, Demand, contend

EDGES: tuple[Edge, ...] = ((0, 1), (1, 0), (1, 2), (2, 3))
MS = 1_000_000


def demand(own_ns: int, window_ns: int, shares: dict[Edge, float]) -> Demand:
    """A step that fills links to these shares while it sends."""
    return Demand(own_ns + window_ns, window_ns, tuple((edge, share * window_ns) for edge, share in shares.items()))


demands = st.builds(
    demand,
    st.integers(0, 100 * MS),
    st.integers(1, 100 * MS),
    st.dictionaries(st.sampled_from(EDGES), st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0]), max_size=4),
)
crowds = st.lists(demands, max_size=6).map(tuple)


def carried(crowd: tuple[Demand, ...], found: tuple[Contention, ...]) -> dict[Edge, float]:
    """How full every link is on the mean."""
    full = dict.fromkeys(EDGES, 0.0)
    for each, contention in zip(crowd, found, strict=True):
        duration_ns = each.duration_ns + each.window_ns * (contention.stretch - 1)
        for edge, link_ns in each.links_ns:
            full[edge] += link_ns / duration_ns
    return full


@given(crowds)
def test_no_link_is_more_than_full(crowd: tuple[Demand, ...]) -> None:
    found = contend(crowd)
    assert all(share <= 1 + 1e-12 for share in carried(crowd, found).values())
    assert all(each.stretch >= 1 for each in found)


@given(demands)
def test_who_is_alone_takes_as_long_as_alone(alone: Demand) -> None:
    assert contend((alone,))[0].stretch == 1
    idle = demand(5 * MS, 5 * MS, {})
    found, resting = contend((alone, idle))
    assert (found.stretch, resting) == (1, ALONE)


@given(crowds, demands)
def test_one_more_makes_nobody_quicker(crowd: tuple[Demand, ...], more: Demand) -> None:
    for before, after in zip(contend(crowd), contend((*crowd, more)), strict=False):
        assert after.stretch >= before.stretch * (1 - 1e-6)


@given(crowds, st.randoms())
def test_the_order_does_not_matter(crowd: tuple[Demand, ...], random: object) -> None:
    shuffled = list(range(len(crowd)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found, again = contend(crowd), contend(tuple(crowd[i] for i in shuffled))
    assert [found[i].stretch for i in shuffled] == pytest.approx([each.stretch for each in again], rel=1e-6)


def test_two_that_only_send_share_a_link_evenly() -> None:
    both = demand(0, 10 * MS, {(0, 1): 1.0})
    first, second = contend((both, both))
    assert first == second == Contention(2.0, (0, 1), 2.0)
    small = demand(0, 10 * MS, {(0, 1): 0.5})
    assert [each.stretch for each in contend((both, small))] == [1.5, 1.5]


def test_what_is_rarely_on_a_link_is_rarely_met_there() -> None:
    """A step that sends for a tenth of its time meets one that always sends, but not the other way round."""
    rarely, always = demand(90 * MS, 10 * MS, {(0, 1): 1.0}), demand(0, 10 * MS, {(0, 1): 1.0})
    slowed, slows = contend((rarely, always))
    assert slowed.stretch == pytest.approx(2.0)
    assert slows.stretch == pytest.approx(1 + 20 / 110)
    assert [each.stretch for each in contend((rarely, rarely))] == pytest.approx([1.1] * 2, rel=0.02)


def test_a_step_is_as_slow_as_its_slowest_link() -> None:
    across = demand(0, 10 * MS, {(0, 1): 0.5, (1, 2): 1.0})
    found = contend((across, demand(0, MS, {(0, 1): 1.0}), demand(0, MS, {(1, 2): 1.0})))
    assert [each.link for each in found] == [(1, 2), (0, 1), (1, 2)]
    assert found[0].stretch == found[2].stretch == 2
    assert 1 < found[1].stretch < 2


def test_traffic_without_a_time_of_its_own_still_fits() -> None:
    sudden = Demand(10 * MS, 0, (((0, 1), 4 * MS),))
    found = contend((sudden, sudden, sudden))
    assert carried((sudden,) * 3, found)[0, 1] <= 1
