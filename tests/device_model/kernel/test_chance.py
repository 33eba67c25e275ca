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
