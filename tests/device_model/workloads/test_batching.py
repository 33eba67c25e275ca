"""Batches without a machine, where every step takes the same time: order, room, and that everybody is served."""

from collections import deque
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.workloads.batching import Batch, Plan, Request, Rules
from device_model.workloads.kv_cache import KvCache

TICKS = 2
"""A step takes two, so that a request can arrive in its middle."""

CONTEXT = 64


class Case(NamedTuple):
    """A server and its requests."""

    rules: Rules
    cache: KvCache
    requests: tuple[Request, ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    places = draw(st.integers(1, 4))
    static = st.builds(lambda ticks: Rules(places, CONTEXT, wait_ns=ticks), st.integers(0, 30))
    chunked = st.builds(lambda tokens: Rules(places, CONTEXT, chunk=tokens), st.sampled_from([1, 5, 16, 64]))
    rules = draw(st.one_of(st.just(Rules(places, CONTEXT)), static, chunked))
    block = draw(st.sampled_from([1, 3, 16, CONTEXT]))
    contexts = draw(st.sampled_from([1.0, 1.3, 2.0, 4.0]))
    lengths = st.integers(1, CONTEXT - 1)
    rows = draw(st.lists(st.tuples(st.integers(0, 20), lengths, lengths), min_size=1, max_size=9))
    arrived, requests = 0, []
    for number, (gap, prompt, output) in enumerate(rows):
        arrived += gap
        requests.append(Request(number, arrived, prompt, min(output, CONTEXT - prompt)))
    return Case(rules, KvCache(block, int(contexts * -(-CONTEXT // block))), tuple(requests))


class Player:
    """Plays a case to its end and notes what happens to whom at which tick."""

    def __init__(self, case: Case, longest_run: int = 1 << 30) -> None:
        self.case = case
        self.batch = Batch(case.rules, case.cache)
        self.coming = deque(case.requests)
        self.tick = 0
        self.told: list[tuple[int, str, int]] = []
        self.generated = 0
        self.plans: list[Plan] = []
        self._longest_run = longest_run

    def play(self) -> "Player":
        while self.coming or self.batch.waiting or self.batch.admitted:
            while self.coming and self.coming[0].arrived_ns <= self.tick:
                self.batch.waiting.append(self.coming.popleft())
            before = self.batch.preempted
            self.batch.admit(self.tick)
            self._check()
            plan = self.batch.plan()
            self.told += [(self.tick, "preempted", 0)] * (self.batch.preempted - before)
            self._check()
            if plan is None:
                self._wait()
            else:
                self._execute(plan)
        return self

    def _wait(self) -> None:
        times = [request.arrived_ns for request in [*self.coming][:1]]
        due = self.batch.due_ns
        times += [] if due is None else [due]
        assert min(times) > self.tick, "who waits, waits for something"
        self.tick = min(times)

    def _execute(self, plan: Plan) -> None:
        self.plans.append(plan)
        end = self.tick + TICKS * min(plan.steps, self._longest_run)
        while self.coming and self.coming[0].arrived_ns < end:
            request = self.coming.popleft()
            self.batch.waiting.append(request)
            if self.batch.last_may_join:
                end = min(end, max(request.arrived_ns + (self.tick - request.arrived_ns) % TICKS, self.tick + TICKS))
        steps = (end - self.tick) // TICKS
        if steps > 1:
            assert self.batch.cached_tokens(plan, steps - 1) <= self.case.cache.capacity_tokens
        progress = self.batch.complete(plan, steps)
        self.tick = end
        self.generated += progress.generated
        self.told += [(end, "prefilled", request.number) for request in progress.prefilled]
        self.told += [(end, "finished", request.number) for request in progress.finished]
        self._check()

    def _check(self) -> None:
        """Places and blocks suffice, and who came first is served first."""
        batch, cache = self.batch, self.case.cache
        assert batch.admitted <= self.case.rules.places
        prompts = [prompt.request for prompt in batch.prompts]
        lengths = [*batch.lengths(), *[request.tokens + 1 for request in prompts]]
        assert sum(cache.blocks_of(length) for length in lengths) <= cache.blocks
        order = [sequence.request for sequence in batch.sequences] + prompts + [*batch.waiting]
        assert [request.number for request in order] == sorted(request.number for request in order)


@given(cases())
def test_every_request_is_served_whole_and_once(case: Case) -> None:
    player = Player(case).play()
    finished = [number for _, what, number in player.told if what == "finished"]
    assert sorted(finished) == [request.number for request in case.requests]
    assert player.generated == sum(request.output for request in case.requests)
    assert player.batch.cached_tokens(None, 0) == 0


@given(cases())
def test_plans_of_many_steps_are_single_steps_in_a_row(case: Case) -> None:
    many, single = Player(case).play(), Player(case, longest_run=1).play()
    assert (many.told, many.tick, many.batch.preempted) == (single.told, single.tick, single.batch.preempted)


@given(cases())
def test_who_has_memory_for_all_is_never_preempted(case: Case) -> None:
    ample = case._replace(cache=KvCache(CONTEXT, case.rules.places))
    assert Player(ample).play().batch.preempted == 0


def test_who_came_last_is_preempted_and_only_recomputed() -> None:
    """Each of two fits alone; together they run out of blocks when both have 40 tokens."""
    requests = (Request(0, 0, 20, 40), Request(1, 0, 20, 40))
    player = Player(Case(Rules(2, CONTEXT), KvCache(20, 4), requests)).play()
    assert player.told[:2] == [(TICKS, "prefilled", 0), (TICKS, "prefilled", 1)]
    assert [what for _, what, _ in player.told[2:]] == ["preempted", "finished", "prefilled", "finished"]
    assert [plan.context for plan in player.plans if plan.phase == "prefill"] == [32, 64], "20 tokens, then 40"
    assert player.generated == 80


def test_a_preempted_request_comes_back_only_when_everybody_has_a_block_more() -> None:
    batch = Batch(Rules(3, CONTEXT), KvCache(16, 6))
    batch.waiting += [Request(0, 0, 15, 40), Request(1, 0, 15, 40), Request(2, 0, 10, 40, 20, preempted=True)]
    batch.admit(0)
    assert [prompt.request.number for prompt in batch.prompts] == [0, 1, 2], "1 + 1 + 2 blocks, and one for each of two"
    batch = Batch(Rules(3, CONTEXT), KvCache(16, 5))
    batch.waiting += [Request(0, 0, 15, 40), Request(1, 0, 15, 40), Request(2, 0, 10, 40, 20, preempted=True)]
    batch.admit(0)
    assert [prompt.request.number for prompt in batch.prompts] == [0, 1]
    batch.waiting[0] = Request(2, 0, 10, 40, 20)
    batch.admit(0)
    assert [prompt.request.number for prompt in batch.prompts] == [0, 1, 2]


@pytest.mark.parametrize(("gap", "began"), [(3, 6), (4, 8), (9, 10)])
def test_a_static_batch_begins_when_it_is_full_or_its_oldest_has_waited(gap: int, began: int) -> None:
    requests = tuple(Request(number, number * gap, 8, 4) for number in range(3))
    player = Player(Case(Rules(3, CONTEXT, wait_ns=10), KvCache(CONTEXT, 3), requests)).play()
    assert player.told[0] == (began + TICKS, "prefilled", 0)


def test_nobody_joins_a_static_batch_and_who_is_done_still_costs() -> None:
    requests = (Request(0, 0, 30, 2), Request(1, 0, 8, 20), Request(2, 5, 8, 2))
    player = Player(Case(Rules(2, CONTEXT, wait_ns=0), KvCache(CONTEXT, 2), requests)).play()
    first = player.plans[: player.plans.index(Plan("prefill", 1, 1, 8))]
    assert first == [Plan("prefill", 1, 2, 32), Plan("decode", 1, 2, 32), Plan("decode", 18, 2, 32)]
    assert player.told[-1] == (player.tick, "finished", 2)


def test_a_chunk_goes_through_prompts_in_order_beside_the_decoded() -> None:
    requests = (Request(0, 0, 4, 30), Request(1, 3, 40, 3), Request(2, 3, 6, 3))
    player = Player(Case(Rules(3, CONTEXT, chunk=16), KvCache(CONTEXT, 3), requests)).play()
    mixed = [(plan.steps, plan.sequences, plan.keys) for plan in player.plans if plan.phase == "mixed"]
    assert mixed == [(1, 0, 16), (1, 1, 16), (1, 1, 32), (1, 1, 64)], "the rest of a chunk is for the next prompt"
    prefilled = [(tick, number) for tick, what, number in player.told if what == "prefilled"]
    assert prefilled == [(2, 0), (10, 1), (10, 2)]


def test_whole_chunks_of_one_bucket_are_one_plan() -> None:
    requests = (Request(0, 0, 63, 1),)
    player = Player(Case(Rules(1, CONTEXT, chunk=8), KvCache(CONTEXT, 1), requests)).play()
    assert [(plan.steps, plan.keys) for plan in player.plans] == [(1, 8), (1, 16), (2, 32), (3, 64), (1, 64)]
