"""Steady clients: the gaps have the law that they are called after, and constant ones keep their rate for ever."""

import math
from itertools import islice
from statistics import fmean

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.clock import NS
from device_model.workloads.arrivals import Constant
from tests.device_model.workloads.arrivals.streams import POISSON, arrivals, arrivals_for, check_mean, gaps_of, stream

MEAN_GAP_NS = NS / 2
GAPS = 1500

# The share of gaps longer than two means, by coefficient of variation, from the gamma law's closed forms: shape 4
# (Erlang), 1 (exponential), 1/2 (chi-square with one degree of freedom).
LONG_GAPS = {
    0.5: math.exp(-8) * (1 + 8 + 8**2 / 2 + 8**3 / 6),
    1.0: math.exp(-2),
    math.sqrt(2): math.erfc(1),
}


def gaps(seed: int, cv: float) -> list[int]:
    source = stream({"kind": "gamma", "per_second": 2.0, "cv": cv}, seed)
    return gaps_of(list(islice(arrivals(source), GAPS)))


@pytest.mark.parametrize("cv", [0.2, 0.7, 1.0, 1.5, 3.0])
def test_gaps_have_their_mean_and_variation(cv: float) -> None:
    drawn = {seed: gaps(seed, cv) for seed in range(10)}
    check_mean(lambda seed: fmean(drawn[seed]), MEAN_GAP_NS, MEAN_GAP_NS * cv / math.sqrt(GAPS))
    check_mean(lambda seed: fmean(gap * gap for gap in drawn[seed]), MEAN_GAP_NS**2 * (1 + cv * cv))


@pytest.mark.parametrize("cv", LONG_GAPS)
def test_gaps_have_the_tail_of_their_law(cv: float) -> None:
    long = LONG_GAPS[cv]
    deviation = math.sqrt(long * (1 - long) / GAPS)
    check_mean(lambda seed: fmean(gap > 2 * MEAN_GAP_NS for gap in gaps(seed, cv)), long, deviation)


@pytest.mark.parametrize("kind", ["poisson", "gamma"])
def test_clients_come_at_their_rate(kind: str) -> None:
    table = {"kind": kind, "per_second": 3.0} | ({"cv": 2.0} if kind == "gamma" else {})
    check_mean(lambda seed: len(arrivals_for(stream(table, seed), 500)) / 500, 3.0)


def test_a_variation_of_one_is_poisson_and_of_none_is_constant() -> None:
    gamma, constant = ({"kind": kind, "per_second": 2.0} for kind in ("gamma", "constant"))
    for seed in range(10):
        expected = arrivals_for(stream(POISSON, seed), 60)
        assert arrivals_for(stream(gamma | {"cv": 1.0}, seed), 60) == expected
    assert arrivals_for(stream(gamma | {"cv": 0.0}), 60) == arrivals_for(stream(constant), 60)


@given(st.floats(1e-6, 1e6), st.integers(0, 10**12))
def test_constant_gaps_never_lose_a_nanosecond(per_second: float, index: int) -> None:
    requests, seconds = per_second.as_integer_ratio()
    clients = Constant(per_second)
    assert clients.following(0, 7) == 7 + seconds * NS // requests
    due_ns = [(index + i) * seconds * NS // requests for i in range(3)]
    assert clients.following(index, due_ns[0]) == due_ns[1]
    assert clients.following(index + 1, due_ns[1]) == due_ns[2]


def test_no_two_clients_come_at_once() -> None:
    dense = {"kind": "gamma", "per_second": 1e6, "cv": 10.0}
    assert min(gaps_of(list(islice(arrivals(stream(dense)), 100)))) == 1


def test_constant_clients_come_on_the_beat() -> None:
    table = {"kind": "constant", "per_second": 3.0}
    assert list(islice(arrivals(stream(table), 0), 6)) == [333333333, 666666666, NS, 1333333333, 1666666666, 2 * NS]
