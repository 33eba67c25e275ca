"""Arrivals and lengths: keyed, so that nothing a server does changes who comes and with what."""

from statistics import fmean

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.chance import Chance
from device_model.workloads.arrivals import RETRY_NS, ClosedLoop, Lengths, Poisson

SEEDS = range(10)


@given(st.integers(1, 50), st.integers(0, 10**10), st.integers(0, 10**15), st.integers(0, 1000))
def test_users_of_a_closed_loop_wait_for_their_answers(users: int, think_ns: int, now: int, index: int) -> None:
    loop = ClosedLoop(users, think_ns)
    assert loop.opening(now) == [now] * users
    assert loop.after_arrival(index, now) is None
    assert loop.after_completion(index, now) == now + think_ns
    assert loop.after_rejection(index, now) == now + max(think_ns, RETRY_NS)


@given(st.integers(0, 2**32), st.integers(1, 10**12), st.integers(0, 10**15), st.integers(0, 1000))
def test_independent_clients_come_whatever_the_server_does(seed: int, gap_ns: int, now: int, index: int) -> None:
    poisson = Poisson(Chance(seed), "a", gap_ns)
    following = poisson.after_arrival(index, now)
    assert following is not None
    assert following > now
    assert Poisson(Chance(seed), "a", gap_ns).after_arrival(index, 0) == following - now
    assert poisson.after_completion(index, now) is poisson.after_rejection(index, now) is None


def test_gaps_are_exponential() -> None:
    gaps = []
    for seed in SEEDS:
        poisson = Poisson(Chance(seed), "a", 10**9)
        gaps += [poisson.after_arrival(i, 0) or 0 for i in range(1000)]
    assert fmean(gaps) == pytest.approx(1e9, rel=3 / len(gaps) ** 0.5)
    assert fmean(gap > 2e9 for gap in gaps) == pytest.approx(0.1353, abs=3 * (0.1353 * 0.8647 / len(gaps)) ** 0.5)


@given(st.floats(1, 5000), st.floats(0, 3), st.integers(1, 500), st.integers(0, 500), st.integers(0, 10**6))
def test_lengths_stay_in_their_range(mean: float, cv: float, least: int, more: int, index: int) -> None:
    lengths = Lengths(mean, cv, least, least + more)
    drawn = lengths.draw(Chance(1), "a", "prompt", index)
    assert least <= drawn <= least + more
    assert drawn == lengths.draw(Chance(1), "a", "prompt", index)


def test_constant_lengths_are_constant() -> None:
    assert {Lengths(64, 0, 1, 1000).draw(Chance(1), "a", "prompt", i) for i in range(20)} == {64}
