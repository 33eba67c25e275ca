"""Clients who wait and clients who do not: who asks when, whatever the server does."""

import math
from collections.abc import Callable
from statistics import fmean
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS, STEPPED_EPOCH_NS
from device_model.simulation import Simulation
from device_model.workloads.arrivals import RETRY_NS, ClosedLoop, Distribution, Lengths
from tests.device_model.hosts import costly, forward, host, process_of, server, workload_of
from tests.device_model.workloads.arrivals.streams import (
    CLOSED,
    GAMMA,
    OPEN,
    arrivals_for,
    check_mean,
    stream,
)

kinds = pytest.mark.parametrize("table", OPEN.values(), ids=OPEN)
moments = st.integers(STEPPED_EPOCH_NS, STEPPED_EPOCH_NS + 10**17)


@given(st.integers(1, 50), st.integers(0, 10**10), st.integers(0, 10**15), st.integers(0, 1000))
def test_users_of_a_closed_loop_wait_for_their_answers(users: int, think_ns: int, now: int, index: int) -> None:
    loop = ClosedLoop(Chance(1), "a", users, think_ns, 0)
    assert loop.opening(now) == [now] * users
    assert loop.after_arrival(index, now) is None
    assert loop.after_completion(index, now) == now + think_ns
    assert loop.after_rejection(index, now) == now + max(think_ns, RETRY_NS)
    assert loop.lengths_of(index) is None


@given(st.integers(0, 2**32), st.floats(0.1, 10), st.integers(0, 10**15), st.integers(0, 10**12))
def test_a_user_thinks_as_long_as_its_request_says(seed: int, cv: float, now: int, index: int) -> None:
    loop = ClosedLoop(Chance(seed), "a", 3, 10**9, cv)
    following = loop.after_completion(index, now)
    assert following is not None
    assert following >= now
    assert ClosedLoop(Chance(seed), "a", 9, 10**9, cv).after_completion(index, 0) == following - now
    assert loop.after_rejection(index, now) == max(following, now + RETRY_NS)


@pytest.mark.parametrize("cv", [0.3, 1.0, 2.0])
def test_thinking_has_its_mean_and_variation(cv: float) -> None:
    def thought(seed: int) -> list[float]:
        loop = ClosedLoop(Chance(seed), "a", 1, 10**9, cv)
        return [float(loop.after_completion(i, 0) or 0) for i in range(1000)]

    drawn = {seed: thought(seed) for seed in range(10)}
    check_mean(lambda seed: fmean(drawn[seed]), 1e9, 1e9 * cv / math.sqrt(1000))
    check_mean(lambda seed: fmean(value**2 for value in drawn[seed]), 1e18 * (1 + cv * cv))


@kinds
def test_clients_come_whatever_the_server_does(table: dict[str, Any]) -> None:
    source = stream(table)
    assert len(source.opening(0)) == 1
    assert source.after_completion(7, 0) is source.after_rejection(7, 0) is None


@kinds
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 10**9), moments), min_size=1, max_size=9), st.data())
def test_an_arrival_is_settled_by_its_number_and_the_time_before(
    table: dict[str, Any], seed: int, asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever else was asked before, and in whatever order."""
    source, other = stream(table, seed), stream(table, seed)
    first = {key: source.after_arrival(*key) for key in asked}
    assert {key: other.after_arrival(*key) for key in data.draw(st.permutations(asked))} == first
    assert all(answer is not None and answer >= time_ns for (_, time_ns), answer in first.items())


@kinds
def test_other_seeds_and_other_processes_have_other_clients(table: dict[str, Any]) -> None:
    times = {tuple(arrivals_for(stream(table, seed, name), 60)) for seed in (1, 2) for name in ("a", "b")}
    assert len(times) == (1 if table["kind"] in ("constant", "trace") else 4)


def draws(ask: Callable[[], object]) -> int:
    """How many draws it takes."""
    made = 0
    bits = Chance.bits

    def counted(chance: Chance, entity: str, purpose: str, index: int) -> int:
        nonlocal made
        made += 1
        return bits(chance, entity, purpose, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chance, "bits", counted)
        ask()
    return made


@kinds
def test_the_millionth_arrival_costs_no_more_than_the_first(table: dict[str, Any]) -> None:
    def asked(first: int) -> int:
        source, far_ns = stream(table), first * NS
        return draws(lambda: [source.after_arrival(first + i, STEPPED_EPOCH_NS + far_ns + i * NS) for i in range(500)])

    early, late = asked(0), asked(10**8)
    assert late <= 1.2 * early + 10
    assert late < 500 * 4


def serving_since(model: Simulation) -> int:
    """Moves a model on until its server "a" has loaded its model; when that was."""
    while not getattr(process_of(model, "a"), "models", None):
        next_ns = model.next_event_ns()
        assert next_ns is not None
        model.advance(next_ns)
    return model.now_ns


@kinds
@costly
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 20))
def test_a_server_sees_its_stream_whatever_it_and_its_neighbours_do(
    table: dict[str, Any], seed: int, batch: int, queue_limit: int
) -> None:
    alone = host(server("a", arrivals=table, batch=batch, queue_limit=queue_limit), seed=seed)
    among = host(server("0", arrivals=table), server("a", arrivals=table), server("z", arrivals=GAMMA), seed=seed)
    begin_ns = serving_since(alone)
    assert serving_since(among) == begin_ns
    expected = len(arrivals_for(stream(table, seed), 20, begin_ns))
    for model in (alone, among):
        model.advance(begin_ns + 20 * NS - 1)
        assert workload_of(model).submitted == expected


def test_users_who_think_at_random_are_as_many_as_before() -> None:
    assert len({stream(CLOSED).after_completion(i, 0) for i in range(50)}) == 50
    workload = workload_of(forward(host(server(arrivals=CLOSED, batch=4)), 60))
    assert workload.completed > 100
    assert workload.submitted - workload.completed <= 3


@given(st.floats(1, 5000), st.floats(0, 3), st.integers(1, 500), st.integers(0, 500), st.integers(0, 10**6))
def test_lengths_stay_in_their_range(mean: float, cv: float, least: int, more: int, index: int) -> None:
    lengths = Lengths(mean, cv, least, least + more)
    drawn = lengths.draw(Chance(1), "a", "prompt", index)
    assert least <= drawn <= least + more
    assert drawn == lengths.draw(Chance(1), "a", "prompt", index)


DISTRIBUTIONS: tuple[Distribution, ...] = ("log-normal", "gamma")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_constant_lengths_are_constant(distribution: Distribution) -> None:
    lengths = Lengths(64, 0, 1, 1000, distribution)
    assert {lengths.draw(Chance(1), "a", "prompt", i) for i in range(20)} == {64}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("cv", [0.5, 1.0])
def test_lengths_have_the_mean_and_the_variation_that_they_say(distribution: Distribution, cv: float) -> None:
    lengths = Lengths(10_000, cv, 1, 1 << 20, distribution)

    def moment(power: int) -> Callable[[int], float]:
        return lambda seed: fmean(lengths.draw(Chance(seed), "a", "prompt", i) ** power for i in range(1000))

    check_mean(moment(1), 10_000)
    check_mean(moment(2), 10_000**2 * (1 + cv * cv))


@pytest.mark.parametrize("multiple", [0.2, 1, 2])
def test_gamma_lengths_of_variation_one_are_exponential(multiple: float) -> None:
    lengths = Lengths(10_000, 1.0, 1, 1 << 20, "gamma")

    def longer(seed: int) -> float:
        return fmean(lengths.draw(Chance(seed), "a", "prompt", i) > 10_000 * multiple for i in range(1000))

    check_mean(longer, math.exp(-multiple))
