"""Clients who follow the day: every hour has its share, and the rate changes as the table says."""

import math
from itertools import pairwise
from statistics import fmean

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.clock import NS, STEPPED_EPOCH_NS
from tests.device_model.workloads.arrivals.streams import (
    DIURNAL,
    POISSON,
    arrivals_for,
    check_mean,
    check_within_three_errors,
    counts,
    stream,
)

HOUR_NS = 3600 * NS
DAY_NS = 24 * HOUR_NS
MIDNIGHT_NS = STEPPED_EPOCH_NS
HALF_PAST_NINE_NS = MIDNIGHT_NS + 9 * HOUR_NS + HOUR_NS // 2
PER_SECOND, PEAK_H, RATIO = 0.02, 14.0, 4.0
TABLE = DIURNAL | {"per_second": PER_SECOND}


def expected_until(hours: float) -> float:
    """Requests from a peak until `hours` later, in units of those of a mean hour: straight down, and up again."""
    days, hours = divmod(hours, 24)
    least = 2 / (1 + RATIO)
    most = least * RATIO
    falling, rising = min(hours, 12), max(hours - 12, 0)
    slope = (most - least) / 12
    return days * 24 + falling * most - slope * falling**2 / 2 + rising * least + slope * rising**2 / 2


def expected(from_hour: float, to_hour: float) -> float:
    return expected_until(to_hour - PEAK_H + 24) - expected_until(from_hour - PEAK_H + 24)


def test_a_day_has_its_mean_and_the_peak_its_ratio() -> None:
    assert expected(0, 24) == pytest.approx(24)
    peak, trough = expected(13.99, 14.01), expected(25.99, 26.01)
    assert peak / trough == pytest.approx(RATIO, rel=0.01)


@pytest.mark.parametrize("cv", [1.0, 2.0])
def test_every_hour_has_its_share(cv: float) -> None:
    """Over two days that begin in the middle of a morning, so that days repeat and beginnings do not matter."""
    profiles = []
    for seed in range(10):
        times_ns = arrivals_for(stream(TABLE | {"cv": cv}, seed), 48 * 3600, HALF_PAST_NINE_NS)
        profiles.append(counts(times_ns, HOUR_NS, 48, HALF_PAST_NINE_NS))
    # Two hours of the day together, so that there are not so many comparisons that one is off by chance.
    for pair in range(0, 24, 2):
        seen = [profile[pair] + profile[pair + 1] + profile[pair + 24] + profile[pair + 25] for profile in profiles]
        share = expected(9.5 + pair, 9.5 + pair + 2)
        requests = 2 * PER_SECOND * 3600 * share
        check_within_three_errors(seen, requests, cv * math.sqrt(requests))


def test_a_day_has_its_requests() -> None:
    requests = PER_SECOND * 86_400
    check_mean(lambda seed: len(arrivals_for(stream(TABLE, seed), 86_400, MIDNIGHT_NS)), requests, math.sqrt(requests))


@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0])
def test_gaps_measured_in_requests_due_have_their_variation(cv: float) -> None:
    def due(time_ns: int) -> float:
        return PER_SECOND * 3600 * expected(0, (time_ns - MIDNIGHT_NS) / HOUR_NS)

    def gaps(seed: int) -> list[float]:
        times_ns = [MIDNIGHT_NS, *arrivals_for(stream(TABLE | {"cv": cv}, seed), 43_200, MIDNIGHT_NS)]
        return [due(after) - due(before) for before, after in pairwise(times_ns)]

    drawn = {seed: gaps(seed) for seed in range(10)}
    check_mean(lambda seed: fmean(drawn[seed]), 1)
    check_mean(lambda seed: fmean(gap * gap for gap in drawn[seed]), 1 + cv * cv)


@given(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, DAY_NS - 1), st.integers(1, 5000))
def test_every_day_is_the_same(seed: int, index: int, of_day_ns: int, days: int) -> None:
    source = stream(DIURNAL, seed)
    one, other = MIDNIGHT_NS + of_day_ns, MIDNIGHT_NS + of_day_ns + days * DAY_NS
    first, second = source.after_arrival(index, one), source.after_arrival(index, other)
    assert first is not None
    assert second is not None
    assert first - one == second - other


@given(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, DAY_NS - 1))
def test_without_a_peak_it_is_poisson(seed: int, index: int, of_day_ns: int) -> None:
    flat, poisson = stream(DIURNAL | {"ratio": 1.0}, seed), stream(POISSON, seed)
    time_ns = MIDNIGHT_NS + of_day_ns
    assert flat.after_arrival(index, time_ns) == pytest.approx(poisson.after_arrival(index, time_ns), abs=1, rel=0)


@given(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, DAY_NS - 1), st.integers(0, DAY_NS))
def test_who_comes_later_is_followed_later(seed: int, index: int, of_day_ns: int, later_ns: int) -> None:
    source = stream(DIURNAL, seed)
    first = source.after_arrival(index, MIDNIGHT_NS + of_day_ns)
    second = source.after_arrival(index, MIDNIGHT_NS + of_day_ns + later_ns)
    assert first is not None
    assert second is not None
    assert first <= second + 1
