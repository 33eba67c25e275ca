"""Deltas, rates and percents of two readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.deltas import Meters, delta, is_reset, mean, per_s, percent, percentiles, total_of
from neurontools.schema.histogram import Histogram
from tests.schema.strategies import histogram_of

_COUNTS = st.integers(0, 2**62)


@given(_COUNTS, _COUNTS)
def test_a_delta_is_the_growth_or_after_a_reset_the_new_value(previous: int, current: int) -> None:
    assert delta(previous, current) == (current - previous if current >= previous else current)
    assert is_reset(previous, current) == (current < previous)


@given(st.integers(0, 2**20), st.integers(0, 2**15 - 1))
def test_a_wrap_is_growth(true_count: int, growth: int) -> None:
    before, after = true_count % 2**16, (true_count + growth) % 2**16
    assert delta(before, after, wrap_bits=16) == growth
    assert not is_reset(before, after, wrap_bits=16)


def test_a_short_fall_of_a_wrapping_counter_is_a_reset() -> None:
    assert delta(5, 0, wrap_bits=16) == 0
    assert delta(70_000, 3, wrap_bits=16) == 3
    assert is_reset(5, 0, wrap_bits=16)


@pytest.mark.parametrize(("previous", "current"), [(None, None), (None, 3), (3, None)])
def test_an_unknown_reading_makes_an_unknown_delta(previous: int | None, current: int | None) -> None:
    assert delta(previous, current) is None


def test_rates_and_percents_of_unknown_are_unknown_and_nothing_is_clamped() -> None:
    assert per_s(None, 10) is None
    assert per_s(3, 500_000_000) == 6.0
    assert percent(None, 2) is percent(2, None) is percent(2, 0) is None
    assert percent(5, 1) == 500.0


def test_a_mean_or_sum_with_an_unknown_part_is_unknown() -> None:
    assert mean([1.0, None]) is mean([]) is total_of([]) is total_of([1, None]) is None
    assert mean([1.0, 2.0]) == 1.5
    assert total_of([0, 0]) == 0


def test_percentiles_are_in_seconds() -> None:
    found = percentiles(histogram_of([1_000_000_000] * 3 + [4_000_000_000]))
    assert found is not None
    assert found.p50 == pytest.approx(1.0, rel=0.01)
    assert found.p100 == pytest.approx(4.0, rel=0.01)
    assert (found.mean, found.count) == (1.75, 4)
    assert percentiles(Histogram()) is percentiles(None) is None


def test_a_tally_marks_each_key_that_fell_and_leaves_out_what_was_not_read_before() -> None:
    resets: list[str] = []
    meters = Meters("device/0", resets)
    before = {"kept": 1, "fell": 9, "wrapped": 65_535, "gone": 1}
    now = {"kept": 4, "fell": 2, "wrapped": 1, "new": 7}
    assert meters.tally("ecc", before, now, {"wrapped": 16}) == {"kept": 3, "fell": 2, "wrapped": 2}
    assert resets == ["device/0/ecc/fell"]
    assert meters.tally("ecc", None, now) is meters.tally("ecc", now, None) is None


def test_a_histogram_that_fell_is_marked() -> None:
    resets: list[str] = []
    now = Histogram(counts={3: 1}, sum_ns=5)
    assert Meters("process/1", resets).histogram("latency", Histogram(counts={3: 2}, sum_ns=9), now) is now
    assert resets == ["process/1/latency"]
