"""Keyed chance: a draw depends on its key alone, and the distributions are what they are called."""

import math
from statistics import fmean, pstdev

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.chance import Chance

SEEDS = range(10)
DRAWS = 2000


def within_three_errors(means: list[float], expected: float, deviation: float) -> bool:
    return abs(fmean(means) - expected) <= 3 * deviation / math.sqrt(len(means) * DRAWS)


@given(st.integers(0, 2**63 - 1), st.text(max_size=8), st.text(max_size=8), st.integers(0, 2**40))
def test_equal_keys_give_equal_draws_and_other_keys_others(seed: int, entity: str, purpose: str, index: int) -> None:
    chance = Chance(seed)
    drawn = chance.bits(entity, purpose, index)
    others = [
        Chance(seed + 1).bits(entity, purpose, index),
        chance.bits(entity + "x", purpose, index),
        chance.bits(entity, purpose + "x", index),
        chance.bits(entity, purpose, index + 1),
    ]
    assert drawn not in others
    assert Chance(seed).bits(entity, purpose, index) == drawn
    assert 0 < chance.uniform(entity, purpose, index) < 1
    assert chance.exponential_ns(entity, purpose, index, 1) >= 1


def test_draws_are_those_of_every_release() -> None:
    chance = Chance(7)
    assert chance.bits("device0", "serial", 0) == 0xEA7AFA0EE6487C71
    assert chance.exponential_ns("a", "arrival", 3, 10**9) == 1_074_923_606


def test_uniform_draws_have_the_uniform_mean() -> None:
    means = [fmean(Chance(seed).uniform("a", "u", i) for i in range(DRAWS)) for seed in SEEDS]
    assert within_three_errors(means, 0.5, math.sqrt(1 / 12))


def test_waiting_times_have_their_mean() -> None:
    means = [fmean(Chance(seed).exponential_ns("a", "gap", i, 10**6) for i in range(DRAWS)) for seed in SEEDS]
    assert within_three_errors(means, 1e6, 1e6)


def test_lengths_have_their_mean_and_variation() -> None:
    drawn = [[Chance(seed).lognormal("a", "prompt", i, 200.0, 0.5) for i in range(DRAWS)] for seed in SEEDS]
    assert within_three_errors([fmean(values) for values in drawn], 200.0, 100.0)
    assert fmean(pstdev(values) for values in drawn) == pytest.approx(100.0, rel=0.05)
    assert Chance(1).lognormal("a", "prompt", 0, 200.0, 0) == 200.0


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_the_outermost_draws_are_inside(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chance, "bits", lambda *_: bits)
    assert 0 < Chance(1).uniform("a", "u", 0) < 1
    assert 0 < Chance(1).lognormal("a", "prompt", 0, 1.0, 1.0) < math.inf


@pytest.mark.parametrize("cv", [0.1, 0.6, 1.7, 4.0])
def test_gamma_draws_have_their_mean_and_variation(cv: float) -> None:
    drawn = [[Chance(seed).gamma("a", "gap", i, 3.0, cv) for i in range(DRAWS)] for seed in SEEDS]
    assert within_three_errors([fmean(values) for values in drawn], 3.0, 3.0 * cv)
    shape = 1 / cv**2
    # The variance of a gamma draw's square, from its moments.
    squares = 9 * shape * (shape + 1) / shape**2
    fourth = 81 * shape * (shape + 1) * (shape + 2) * (shape + 3) / shape**4
    means = [fmean(value * value for value in values) for values in drawn]
    assert within_three_errors(means, squares, math.sqrt(fourth - squares**2))


@pytest.mark.parametrize("below", [0.05, 0.5, 2.0])
def test_the_general_method_agrees_with_the_exponential_law(below: float) -> None:
    """Beside cv 1, where the law is known; the lower tail shows whether attempts are refused rightly."""
    drawn = [[Chance(seed).gamma("a", "gap", i, 1.0, 1 - 1e-9) for i in range(DRAWS)] for seed in SEEDS]
    share = -math.expm1(-below)
    means = [fmean(value < below for value in values) for values in drawn]
    assert within_three_errors(means, share, math.sqrt(share * (1 - share)))


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40), st.floats(0, 10), st.floats(1e-3, 1e12))
def test_gamma_draws_are_keyed_and_scale_with_their_mean(seed: int, index: int, cv: float, mean: float) -> None:
    drawn = Chance(seed).gamma("a", "gap", index, mean, cv)
    assert 0 <= drawn < math.inf
    assert drawn == Chance(seed).gamma("a", "gap", index, mean, cv)
    assert drawn == pytest.approx(mean * Chance(seed).gamma("a", "gap", index, 1.0, cv))


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40), st.integers(1, 10**12))
def test_a_gamma_draw_without_special_variation_is_exponential_or_constant(seed: int, index: int, mean: int) -> None:
    chance = Chance(seed)
    assert max(1, round(chance.gamma("a", "gap", index, mean, 1))) == chance.exponential_ns("a", "gap", index, mean)
    assert chance.gamma("a", "gap", index, mean, 0) == mean
    assert chance.gamma("a", "gap", index, mean, 1e-5) == pytest.approx(mean, rel=1e-3)
