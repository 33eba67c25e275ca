"""Latency histograms: within 1 % of sorted samples, and subtraction is the histogram of the later samples."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from neurontools.schema.histogram import GAMMA, Histogram, bucket_of, middle_of
from tests.schema.strategies import histogram_of

_DURATIONS = st.integers(1, 10**13)
_SAMPLES = st.lists(_DURATIONS, max_size=60)
_SOME_SAMPLES = st.lists(_DURATIONS, min_size=1, max_size=60)
_PERCENTS = (0, 1, 25, 50, 75, 99, 100)


@given(_DURATIONS)
def test_a_bucket_stands_for_its_values_within_one_percent(duration: int) -> None:
    assert abs(middle_of(bucket_of(duration)) / duration - 1) <= 0.01


@given(_DURATIONS, _DURATIONS)
def test_buckets_keep_the_order_of_durations(one: int, other: int) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


def test_durations_below_a_nanosecond_count_as_one() -> None:
    assert bucket_of(0) == bucket_of(-5) == bucket_of(1) == 0


def test_buckets_grow_by_gamma() -> None:
    assert math.isclose(middle_of(301) / middle_of(300), GAMMA)


@settings(max_examples=50)
@given(_SOME_SAMPLES)
def test_percentiles_are_those_of_the_sorted_samples_within_one_percent(samples: list[int]) -> None:
    values = histogram_of(samples).percentiles_ns(_PERCENTS)
    assert values is not None
    ordered = sorted(samples)
    for percent, value in zip(_PERCENTS, values, strict=True):
        exact = ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
        assert abs(value / exact - 1) <= 0.01


@settings(max_examples=50)
@given(_SOME_SAMPLES)
def test_0_and_100_are_the_outermost_buckets(samples: list[int]) -> None:
    outermost = histogram_of(samples).percentiles_ns((0, 100))
    assert outermost == [middle_of(bucket_of(min(samples))), middle_of(bucket_of(max(samples)))]


@settings(max_examples=50)
@given(_SAMPLES, _SAMPLES)
def test_subtraction_is_the_histogram_of_the_later_samples(earlier: list[int], later: list[int]) -> None:
    assert histogram_of(earlier + later).since(histogram_of(earlier)) == histogram_of(later)


@given(_SAMPLES)
def test_without_an_earlier_reading_all_of_it_is_new(samples: list[int]) -> None:
    histogram = histogram_of(samples)
    assert histogram.since(None) is histogram


def test_a_bucket_or_sum_that_falls_makes_all_of_it_new() -> None:
    now = Histogram(counts={5: 2, 7: 1}, sum_ns=10)
    assert now.since(Histogram(counts={5: 3}, sum_ns=9)) is now
    assert now.since(Histogram(counts={6: 1}, sum_ns=9)) is now
    assert now.since(Histogram(counts={5: 1}, sum_ns=11)) is now


@given(_SOME_SAMPLES)
def test_the_mean_is_exact(samples: list[int]) -> None:
    assert histogram_of(samples).mean_ns() == sum(samples) / len(samples)


def test_an_empty_histogram_has_neither_mean_nor_percentiles() -> None:
    for empty in (Histogram(), Histogram(counts={4: 0})):
        assert empty.count == 0
        assert empty.mean_ns() is None
        assert empty.percentiles_ns(_PERCENTS) is None
