"""A language model server as its host sees it: batching, buckets, queues, reloads, and conservation of requests."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.meter import Run
from device_model.runtime.execution import StepWork
from device_model.runtime.executor import Executed
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.scenario import ScenarioError
from device_model.simulation import NS, Simulation
from device_model.workloads.llm_server import LlmServer
from neurontools.schema.document import encode
from neurontools.schema.snapshot import Workload
from tests.device_model.hosts import CLOSED, POISSON, costly, forward, host, process_of, server, workload_of

STRAIGHT = {"kind": "closed", "users": 9}
ARRIVALS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda users, think: {"kind": "closed", "users": users, "think": think}, st.integers(1, 9),
              st.sampled_from(["0s", "1ms", "700ms", "3s"])),
    st.builds(lambda rate: {"kind": "poisson", "per_second": rate}, st.sampled_from([0.3, 2.0, 9.0, 60.0])),
)  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "continuous": {"kind": "continuous"},
    "static": {"kind": "static", "wait": "50ms"},
    "in chunks": {"kind": "continuous", "chunk": 64},
    "in small chunks": {"kind": "continuous", "chunk": 7},
}
SCARCE = {"kind": "paged", "block": 16, "blocks": 32}
"""Exactly one context of 512 tokens."""
CACHES: list[dict[str, Any]] = [
    {"kind": "slots"}, {"kind": "paged"}, {"kind": "paged", "block": 48, "blocks": 14}, SCARCE,
]  # fmt: skip
DEMANDS = st.builds(
    lambda arrivals, batch, limit, batching, cache, seed: (
        server(arrivals=arrivals, batch=batch, queue_limit=limit, batching=batching, cache=cache), seed,
    ),
    ARRIVALS, st.sampled_from([1, 3, 4]), st.sampled_from([0, 1, 5, 1000]),
    st.sampled_from(list(KINDS.values())), st.sampled_from(CACHES), st.integers(0, 1000),
)  # fmt: skip
CROWD: dict[str, Any] = {
    "arrivals": {"kind": "closed", "users": 4, "think": "3s"},
    "prompt": {"mean": 100},
    "output": {"mean": 120},
}
"""Four who ask at once, think for long, and together need 880 tokens."""


class Executions:
    """Notes every execution that a runtime starts: its time, work, number of sequences, longest cache, and steps."""

    def __init__(self, patch: pytest.MonkeyPatch, longest_run: int | None = None) -> None:
        self.started: list[tuple[int, StepWork, int]] = []
        execute = Runtime.execute

        def noted(
            runtime: Runtime,
            time_ns: int,
            process: Process,
            works: tuple[StepWork, ...],
            steps: int,
            done: Executed,
            **others: Any,
        ) -> None:
            steps = steps if longest_run is None else min(steps, longest_run)
            self.started.append((time_ns, works[0], steps))
            execute(runtime, time_ns, process, works, steps, done, **others)

        patch.setattr(Runtime, "execute", noted)


def events_of(model: Simulation, seconds: float, look: Callable[[int], None]) -> None:
    """Moves the model on event by event; `look` is called after each instant with its time."""
    end_ns = model.now_ns + round(seconds * NS)
    while (next_ns := model.next_event_ns()) is not None and next_ns <= end_ns:
        model.advance(next_ns)
        look(next_ns)
    model.advance(end_ns)


def counts(workload: Workload) -> tuple[int, ...]:
    return (
        workload.submitted, workload.completed, workload.rejected, workload.queued, workload.running,
        workload.prompt_tokens, workload.generated_tokens,
    )  # fmt: skip


def in_system(workload: Workload) -> int:
    return workload.queued + workload.running


@given(DEMANDS)
@costly
def test_runs_of_many_steps_are_the_same_as_single_steps(demand: tuple[dict[str, Any], int]) -> None:
    process, seed = demand

    def shown() -> list[bytes]:
        model = host(process, seed=seed)
        return [encode(forward(model, seconds).snapshot()) for seconds in (5, 0.813, 1.1, 7.3)]

    many = shown()
    with pytest.MonkeyPatch.context() as patch:
        Executions(patch, longest_run=1)
        assert shown() == many


@given(DEMANDS, st.integers(1, 8_000_000_000))
def test_every_request_is_in_exactly_one_place(demand: tuple[dict[str, Any], int], moment_ns: int) -> None:
    process, seed = demand
    model = host(process, seed=seed)
    model.advance(model.now_ns + moment_ns)
    workload = workload_of(model)
    arrivals, batch, limit = (process["workload"][key] for key in ("arrivals", "batch", "queue_limit"))
    assert workload.submitted == workload.completed + workload.rejected + in_system(workload)
    assert (workload.failed, workload.timed_out, workload.cancelled) == (0, 0, 0)
    assert workload.running <= batch
    assert workload.queued <= limit + batch
    assert in_system(workload) <= arrivals.get("users", in_system(workload))
    assert 0 <= (workload.cached_tokens or 0) <= (workload.cache_capacity_tokens or 0)
    assert workload.time_to_first_token is not None
    assert workload.request_latency is not None
    assert workload.request_latency.count == workload.completed
    assert workload.completed <= workload.time_to_first_token.count <= workload.completed + workload.running


def test_every_token_of_every_answer_is_counted() -> None:
    model = forward(host(server(arrivals=CLOSED, output={"mean": 37}, prompt={"mean": 23})), 60)
    workload = workload_of(model)
    started = workload.completed + workload.running
    assert workload.completed > 100
    assert 37 * workload.completed <= workload.generated_tokens <= 37 * started
    assert workload.prompt_tokens in {23 * admitted for admitted in range(workload.completed, started + 1)}
    in_cache = workload.prompt_tokens + workload.generated_tokens - (23 + 37) * workload.completed
    assert workload.cached_tokens == in_cache


@pytest.mark.parametrize("cache", [CACHES[0], SCARCE], ids=["ample", "scarce"])
@pytest.mark.parametrize("batching", KINDS.values(), ids=KINDS)
def test_no_token_is_counted_twice_whatever_the_batching(batching: dict[str, Any], cache: dict[str, Any]) -> None:
    """When everybody thinks, what was counted is what the complete answers have; preempted ones were computed again."""
    model, checked = host(server(batching=batching, cache=cache, **CROWD)), 0

    def look(_: int) -> None:
        nonlocal checked
        workload = workload_of(model)
        if workload.completed and not in_system(workload):
            done = workload.completed
            assert (workload.prompt_tokens, workload.generated_tokens) == (100 * done, 120 * done)
            assert workload.time_to_first_token is not None
            assert (workload.time_to_first_token.count, workload.cached_tokens) == (done, 0)
            checked += 1

    events_of(model, 30, look)
    assert checked > 3
    assert (workload_of(model).preempted > 0) == (cache is SCARCE)


@given(
    st.sampled_from(list(KINDS.values())), st.integers(1, 40), st.integers(0, 9), st.integers(2, 6), st.integers(0, 99)
)
@costly
def test_every_client_is_answered_some_day_however_little_memory_there_is(
    batching: dict[str, Any], block: int, spare: int, users: int, seed: int
) -> None:
    cache = {"kind": "paged", "block": block, "blocks": -(-512 // block) + spare}
    long = {"mean": 150, "cv": 0.8, "least": 1, "most": 500}
    arrivals = {"kind": "closed", "users": users}
    model = host(
        server(arrivals=arrivals, batching=batching, cache=cache, prompt=long, output=long, batch=4), seed=seed
    )
    for _ in range(4):
        before = workload_of(forward(model, 15))
        after = workload_of(forward(model, 15))
        assert after.completed >= before.submitted, "nobody who has asked waits for 15 s"


def test_requests_of_a_step_that_fails_have_failed_and_nothing_else_is_lost() -> None:
    model = host(server(**CROWD))
    process = next(iter(model._world.runtime.processes.values()))
    process.spoiled[1002] = 0.01
    model._world.runtime.disturbed(model.now_ns, process)

    def look(_: int) -> None:
        found = workload_of(model)
        assert found.submitted == found.completed + found.failed + found.rejected + in_system(found)

    events_of(model, 60, look)
    workload = workload_of(model)
    assert workload.failed > 3
    assert workload.completed > 3
    assert process.failed_executions > 0


def test_static_batches_waste_what_continuous_ones_use() -> None:
    arrivals = {"kind": "closed", "users": 8}
    tokens = {
        name: workload_of(forward(host(server(arrivals=arrivals, batching=batching)), 60)).generated_tokens
        for name, batching in KINDS.items()
    }
    assert tokens["static"] < 0.8 * tokens["continuous"]


def test_chunks_bound_how_long_a_token_has_to_wait() -> None:
    longest = {}
    for name in ("continuous", "in chunks"):
        with pytest.MonkeyPatch.context() as patch:
            executions = Executions(patch)
            prompt = {"mean": 400}
            forward(host(server(arrivals=STRAIGHT, batching=KINDS[name], prompt=prompt)), 30)
        longest[name] = max(work.duration_ns for _, work, _ in executions.started)
    assert longest["in chunks"] < longest["continuous"] / 3


def test_memory_for_blocks_and_chunks_is_taken_as_written() -> None:
    held = []
    for changes in ({}, {"cache": SCARCE}, {"cache": SCARCE | {"blocks": 64}}, {"batching": KINDS["in chunks"]}):
        process = process_of(forward(host(server(prompt={"mean": 400}, batch=32, **changes)), 9), "a")
        assert process is not None
        held.append((process.memory or {})[0])
    slots, scarce, twice, in_chunks = held
    assert [memory["tensors"] * 32 // slots["tensors"] for memory in held] == [32, 1, 2, 32]
    assert twice["tensors"] == 2 * scarce["tensors"]
    assert in_chunks["model_shared_scratchpad"] < slots["model_shared_scratchpad"]


@pytest.mark.parametrize("arrivals", [CLOSED, POISSON, {"kind": "poisson", "per_second": 6.0}])
def test_littles_law_holds_exactly(arrivals: dict[str, Any]) -> None:
    """The time integral of the number in the system is the sum of times in it, wherever the system is empty."""
    model = host(server(arrivals=arrivals))
    area, last_ns, present, checked = 0, model.now_ns, 0, 0

    def look(now_ns: int) -> None:
        nonlocal area, last_ns, present, checked
        area += present * (now_ns - last_ns)
        workload = workload_of(model)
        last_ns, present = now_ns, in_system(workload)
        if not present and workload.request_latency is not None:
            assert area == workload.request_latency.sum_ns
            checked += 1

    events_of(model, 60, look)
    assert checked > 10


def test_who_arrives_joins_at_the_end_of_the_step_under_way() -> None:
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        model = host(server(arrivals=POISSON, output={"mean": 100}, batch=4))
        before, joined = (0, 0), 0

        def look(now_ns: int) -> None:
            nonlocal before, joined
            workload = workload_of(model)
            arrived, running = workload.submitted > before[0], before[1]
            if arrived and 0 < running < 4:
                pid = model.snapshot().processes[0].pid  # type: ignore[index]
                run = model._world.runtime.under_way(model._world.runtime.processes[pid])
                assert run is not None
                assert now_ns <= run.run.end_ns < now_ns + run.run.step_ns
                joined += 1
            before = (workload.submitted, workload.running)

        events_of(model, 60, look)
    assert joined > 20
    assert max(steps for _, _, steps in executions.started) > 20


def test_a_run_ends_where_the_longest_sequence_leaves_its_bucket() -> None:
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        process = server(arrivals={"kind": "closed", "users": 1}, prompt={"mean": 60}, output={"mean": 150})
        forward(host(process), 10)
    # 60 tokens are prefilled in 64 and yield the 61st; then 62..64, 65..128, 129..209.
    assert [steps for _, _, steps in executions.started[:4]] == [1, 4 - 1, 64, 149 - 67]
    durations = [work.duration_ns for _, work, _ in executions.started[1:4]]
    assert durations == sorted(set(durations)), "a longer bucket costs more"


def test_a_full_queue_turns_clients_away_and_they_come_again_later() -> None:
    model = forward(host(server(arrivals=STRAIGHT, batch=1, queue_limit=2)), 30)
    workload = workload_of(model)
    assert workload.rejected > 0
    assert workload.completed > 0
    assert in_system(workload) <= 3
    waiting = workload.submitted - workload.completed - workload.rejected
    assert waiting == in_system(workload)


def test_without_a_queue_the_places_of_the_batch_are_still_taken() -> None:
    model = forward(host(server(arrivals=STRAIGHT, batch=4, queue_limit=0)), 20)
    workload = workload_of(model)
    assert workload.completed > 0
    assert workload.running == 4
    assert workload.queued == 0


def test_an_answer_of_one_token_ends_with_its_prefill() -> None:
    model = forward(host(server(arrivals=CLOSED, output={"mean": 1})), 20)
    workload = workload_of(model)
    assert workload.completed > 0
    assert workload.generated_tokens == workload.completed
    assert workload.request_latency == workload.time_to_first_token


def test_a_reload_drains_then_frees_the_model_and_serves_again() -> None:
    model = host(server(arrivals=CLOSED, reload={"every": "4s", "pause": "2s"}))
    phases: list[str] = []

    def look(_: int) -> None:
        process = process_of(model, "a")
        assert process is not None
        workload = workload_of(model)
        constants = sum(held.get("constants", 0) for held in (process.memory or {}).values())
        phase = "serving" if process.models else "loading" if constants else "unloaded"
        if phase == "unloaded":
            assert workload.running == 0, "answers under way are finished first"
            assert process.cores == (0, 1)
        if not phases or phases[-1] != phase:
            phases.append(phase)

    events_of(model, 30, look)
    assert phases[:5] == ["loading", "serving", "unloaded", "loading", "serving"]
    assert workload_of(model).completed > 50
    counted = model.snapshot().devices[0].cores[0].other_info or {}
    assert counted["model_load_count"].total == phases.count("serving")


def test_requests_are_drawn_by_number_whatever_the_batch() -> None:
    latencies = []
    for batch in (1, 4):
        workload = workload_of(forward(host(server(batch=batch, arrivals=POISSON)), 60))
        latencies.append(workload.submitted)
    assert latencies[0] == latencies[1]


def test_a_run_is_what_the_meter_counts() -> None:
    model = forward(host(server(arrivals=STRAIGHT)), 20.0001)
    process = process_of(model, "a")
    assert process is not None
    execution = model._world.runtime.under_way(model._world.runtime.processes[process.pid])
    assert execution is not None
    run: Run = execution.run
    model.advance(run.end_ns - 1)
    almost = workload_of(model).generated_tokens
    model.advance(run.end_ns)
    assert workload_of(model).generated_tokens > almost
    assert isinstance(model._world.programs[process.pid], LlmServer)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cache": {"kind": "paged", "block": 32, "blocks": 15}},
         r"workload\.cache\.blocks: one context of 512 needs 16 blocks of 32 tokens, found 15"),
        ({"batching": {"kind": "continuous", "chunk": 513}},
         r"workload\.batching\.chunk: expected at most context \(512\), found 513"),
        ({"batching": {"kind": "static"}}, r"workload\.batching\.wait: this key is required"),
        ({"batching": {"kind": "statc"}}, r"workload\.batching\.kind: .* found .statc. .did you mean 'static'"),
        ({"cache": {"kind": "paged", "block": 0}}, r"workload\.cache\.block: expected at least 1, found 0"),
    ],
)  # fmt: skip
def test_batching_or_a_cache_that_cannot_be_is_told_by_its_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        host(server(**changes))
