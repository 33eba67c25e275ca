"""Histograms made of seven percentiles: they give the same ones back, however few executions there were."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.deltas import NS_PER_S, PERCENTS, percentiles
from neurontools.schema.histogram import Histogram, bucket_of
from neurontools.schema.interval_records import Percentiles
from neurontools.sources.aws.latency import reconstruct

WITHIN = 0.0101
"""The histogram's 1 %."""
NANOSECOND_S = 1e-9
"""What is rounded to."""

latencies = st.floats(min_value=1e-6, max_value=1e3)
sevens = st.lists(latencies, min_size=7, max_size=7).map(sorted)
alike = st.tuples(latencies, st.lists(st.floats(1.0, 1.1), min_size=7, max_size=7).map(sorted)).map(
    lambda pair: [pair[0] * factor for factor in pair[1]]
)


def of(values: list[float]) -> Percentiles:
    named: dict[str, Any] = {f"p{percent}": value for percent, value in zip(PERCENTS, values, strict=True)}
    return Percentiles(**named)


def values_of(shown: Percentiles | None) -> list[float]:
    assert shown is not None
    return [getattr(shown, f"p{percent}") for percent in PERCENTS]


def check_same(shown: Percentiles | None, values: list[float]) -> None:
    for found, value in zip(values_of(shown), values, strict=True):
        assert abs(found - value) <= WITHIN * value + NANOSECOND_S


@given(st.one_of(sevens, alike), st.integers(0, 10**9))
def test_the_seven_percentiles_come_back(values: list[float], executed: int) -> None:
    check_same(percentiles(reconstruct(of(values), executed)), values)


@given(st.lists(st.tuples(st.one_of(sevens, alike), st.integers(1, 5000)), min_size=2, max_size=4))
def test_each_period_has_its_own_again_when_they_add_up(periods: list[tuple[list[float], int]]) -> None:
    readings = [Histogram()]
    for values, executed in periods:
        new = reconstruct(of(values), executed)
        counts = {i: readings[-1].counts.get(i, 0) + new.counts.get(i, 0) for i in {*readings[-1].counts, *new.counts}}
        readings.append(Histogram(counts=counts, sum_ns=readings[-1].sum_ns + new.sum_ns))
    for (values, _), (before, after) in zip(periods, pairwise(readings), strict=True):
        check_same(percentiles(after.since(before)), values)


@given(st.one_of(sevens, alike), st.integers(101, 10**9))
def test_of_a_hundred_executions_and_more_each_counts_once(values: list[float], executed: int) -> None:
    assert reconstruct(of(values), executed).count == executed


@given(latencies, st.integers(1, 100))
def test_equal_latencies_need_no_more_counts_than_executions(latency: float, executed: int) -> None:
    assert reconstruct(of([latency] * 7), executed).count == executed


@given(sevens, st.integers(0, 100))
def test_few_executions_count_as_few_as_can_have_these_percentiles(values: list[float], executed: int) -> None:
    made = reconstruct(of(values), executed)
    assert max(1, executed) <= made.count <= 101
    assert min(made.counts.values()) >= 1


def test_the_percentiles_of_many_durations_and_their_mean() -> None:
    chance = random.Random(7)
    durations = sorted(chance.lognormvariate(-6, 0.4) for _ in range(10_001))
    values = [durations[round(percent / 100 * 10_000)] for percent in PERCENTS]
    made = reconstruct(of(values), len(durations))
    mean_ns = made.mean_ns()
    assert mean_ns is not None
    assert abs(mean_ns / NS_PER_S / (sum(durations) / len(durations)) - 1) < 0.1


def test_values_out_of_order_do_not_harm() -> None:
    made = reconstruct(of([0.5, 0.1, 0.2, 0.0, 0.9, 0.3, 0.2]), 5)
    assert min(made.counts) == bucket_of(500_000_000)
    assert values_of(percentiles(made)) == sorted(values_of(percentiles(made)))


def test_no_duration_at_all_is_one() -> None:
    assert reconstruct(of([0.0] * 7), 3).counts == {0: 3}
