"""Clients in bursts: rate, phases and dispersion are those of the Markov-modulated Poisson process."""

import math
from functools import cache
from itertools import pairwise
from statistics import fmean
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS, STEPPED_EPOCH_NS
from device_model.workloads.arrivals import Bursty, bursty
from device_model.workloads.arrivals.bursty import Phase
from tests.device_model.workloads.arrivals.streams import (
    BURSTY,
    arrivals_for,
    check_mean,
    counts,
    stream,
)

BASE, BURST = 0.5, 8.0
BASE_S, BURST_S = 20.0, 5.0
IN_BURST = BURST_S / (BASE_S + BURST_S)
RATE = BASE + (BURST - BASE) * IN_BURST
CHANGES = 1 / BASE_S + 1 / BURST_S
"""The rate at which the phase is forgotten, per second."""


SECONDS = 1000
"""How long each seed's stream is followed: forty bursts."""


@cache
def times_of(seed: int) -> list[int]:
    return arrivals_for(stream(BURSTY, seed), SECONDS)


def process(seed: int) -> Bursty:
    return Bursty(Chance(seed), "a", BASE, BURST, round(BASE_S * NS), round(BURST_S * NS))


def seen(seed: int, apart_s: float, number: int) -> list[bool]:
    """The phase at instants that are this far apart."""
    return [process(seed).in_burst(STEPPED_EPOCH_NS + round(i * apart_s * NS)) for i in range(number)]


def burst_seconds(chain: Bursty) -> float:
    """How much of the time is in bursts, from the phases themselves."""
    begin_ns, end_ns = STEPPED_EPOCH_NS, STEPPED_EPOCH_NS + SECONDS * NS
    windows = range(begin_ns // chain.window_ns, end_ns // chain.window_ns + 1)
    inside = [phase for window in windows for phase in chain.phases(window) if begin_ns < phase.begin_ns < end_ns]
    phases = [Phase(begin_ns, chain.in_burst(begin_ns)), *inside, Phase(end_ns, False)]
    return sum(after.begin_ns - before.begin_ns for before, after in pairwise(phases) if before.burst) / NS


def test_clients_come_at_the_mean_rate() -> None:
    check_mean(lambda seed: len(times_of(seed)) / SECONDS, RATE)


def test_bursts_take_their_share_of_time() -> None:
    check_mean(lambda seed: fmean(seen(seed, 60, 400)), IN_BURST)


@pytest.mark.parametrize("apart_s", [0.5, 2.0, 8.0])
def test_a_phase_is_forgotten_as_fast_as_phases_of_their_lengths_are(apart_s: float) -> None:
    """For two states: P(burst at both ends) = p (p + (1 - p) exp(-t (1/base + 1/burst)))."""

    def both(seed: int) -> float:
        chain = process(seed)
        pairs = ((STEPPED_EPOCH_NS + i * 60 * NS, round(apart_s * NS)) for i in range(400))
        return fmean(chain.in_burst(time_ns) and chain.in_burst(time_ns + apart_ns) for time_ns, apart_ns in pairs)

    check_mean(both, IN_BURST * (IN_BURST + (1 - IN_BURST) * math.exp(-apart_s * CHANGES)))


@pytest.mark.parametrize("width_s", [1.0, 4.0, 20.0])
def test_counts_have_their_index_of_dispersion(width_s: float) -> None:
    """Variance over mean of the count in a period; 1 for independent clients."""
    spread = 2 * (BURST - BASE) ** 2 * IN_BURST * (1 - IN_BURST) / (RATE * CHANGES)
    expected = 1 + spread * (1 - (1 - math.exp(-CHANGES * width_s)) / (CHANGES * width_s))
    assert expected > 3
    number = round(SECONDS / width_s)

    def index(seed: int) -> float:
        found = counts(times_of(seed), round(width_s * NS), number)
        return fmean((count - RATE * width_s) ** 2 for count in found) / (RATE * width_s)

    check_mean(index, expected)


def test_each_phase_has_its_rate() -> None:
    arrived, lasted_s = [0, 0], [0.0, 0.0]
    for seed in range(10):
        chain = process(seed)
        for time_ns in times_of(seed):
            arrived[chain.in_burst(time_ns)] += 1
        in_burst_s = burst_seconds(chain)
        lasted_s[True] += in_burst_s
        lasted_s[False] += SECONDS - in_burst_s
    for burst, rate in enumerate((BASE, BURST)):
        expected = rate * lasted_s[burst]
        assert abs(arrived[burst] - expected) <= 3 * math.sqrt(expected)


def test_nobody_comes_between_bursts_that_are_all_there_is() -> None:
    table: dict[str, Any] = BURSTY | {"base_per_second": 0.0}
    for seed in range(3):
        silent = Bursty(Chance(seed), "a", 0.0, BURST, round(BASE_S * NS), round(BURST_S * NS))
        assert all(silent.in_burst(time_ns - 1) for time_ns in arrivals_for(stream(table, seed), 300))


@given(st.integers(0, 2**32), st.integers(1, 10**12), st.integers(1, 10**12), st.integers(-5, 10**6))
def test_phases_begin_in_their_window_and_alternate(seed: int, base_ns: int, burst_ns: int, window: int) -> None:
    chain = Bursty(Chance(seed), "a", BASE, BURST, base_ns, burst_ns)
    phases = chain.phases(window)
    assert [phase.begin_ns // chain.window_ns for phase in phases] == [window] * len(phases)
    assert all(before.begin_ns < after.begin_ns for before, after in pairwise(phases))
    assert all(before.burst is not after.burst for before, after in pairwise(phases))
    assert phases == Bursty(Chance(seed), "a", BASE, BURST, base_ns, burst_ns).phases(window)
    for phase in phases:
        assert chain.in_burst(phase.begin_ns) is phase.burst


@given(st.integers(0, 2**32), st.integers(-5, 10**6))
def test_windows_are_drawn_independently(seed: int, window: int) -> None:
    chain = process(seed)
    one, other = ({after.begin_ns - before.begin_ns for before, after in pairwise(chain.phases(each))}
                  for each in (window, window + 1))  # fmt: skip
    assert not one & other
    assert chain.phases(window)[0].begin_ns + chain.window_ns != chain.phases(window + 1)[0].begin_ns


def test_a_window_without_a_beginning_goes_on_as_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {0: (Phase(5, True), Phase(7, False)), 1: (), 2: (), 3: (Phase(3 * NS + 9, True),)}
    monkeypatch.setattr(bursty, "_phases", lambda _, window: drawn.get(window, (Phase(window * NS, False),)))
    chain = Bursty(Chance(1), "a", 0.0, 1e6, NS // 8, NS // 8)
    assert chain.window_ns == NS
    times_ns = (5, 6, 7, NS, 3 * NS - 1, 3 * NS + 8, 3 * NS + 9)
    assert [chain.in_burst(time_ns) for time_ns in times_ns] == [True, True, False, False, False, False, True]
    assert 3 * NS + 9 < chain.following(0, 2 * NS) < 4 * NS
