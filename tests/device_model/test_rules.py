"""The six rules of the device model, one section each."""

import ast
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from device_model.simulation import NS, Simulation
from neurontools.schema.document import encode
from tests.contracts.tree import ROOT, modules, parsed, place
from tests.device_model.faults.programs import HOSTS, try_inject
from tests.device_model.hosts import AGES_NS, CLOSED, busy_host, costly, forward, host, process_of, readings, server
from tests.device_model.invariants import check_grown, check_sums, counters

# 1. Work is the only source of load.


def test_an_idle_host_counts_nothing_for_an_hour() -> None:
    model = host()
    start = counters(model.snapshot())
    for _ in range(4):
        now = counters(forward(model, 900).snapshot())
        moved = {place for place, value in now.items() if value != start[place]}
        assert moved == {place for place in now if "pe_cntrs" in place and place.endswith("/2")}, "idle cycles alone"
        assert model.next_event_ns() is None
        assert model.events(0).events == ()


def targets(node: ast.AST) -> list[str]:
    """The names that a statement or a call gives a value to."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        assigned = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [part for target in assigned for part in ast.walk(target)]
        return [part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in names]
    return [node.arg or ""] if isinstance(node, ast.keyword | ast.arg) else []


def utilizations(tree: ast.Module) -> list[int]:
    return [getattr(n, "lineno", 0) for n in ast.walk(tree) if any("utilization" in name for name in targets(n))]


def test_nothing_sets_a_utilization() -> None:
    assert [place(path, line) for path in modules("device_model") for line in utilizations(parsed(path))] == []


@pytest.mark.parametrize("source", ["core.utilization = 1", "f(utilization_percent=3)", "x_utilization: int = 1"])
def test_setting_a_utilization_would_be_noticed(source: str) -> None:
    assert utilizations(ast.parse(source)) == [1]


# 2. Reads are pure.

READS: list[Callable[[Simulation, int], object]] = [
    lambda model, _: model.snapshot(),
    lambda model, age: model.past(AGES_NS[age % len(AGES_NS)]),
    lambda model, since: model.events(since),
    lambda model, device: model.allocations(device % 12),
    lambda model, _: model.inventory(),
    lambda model, _: model.next_event_ns(),
    lambda model, _: readings(model),
]
MOVES = st.lists(
    st.tuples(
        st.sampled_from([1, 10**6, 777_777_777, 3 * NS, 31 * NS]),
        st.lists(st.tuples(st.sampled_from(READS), st.integers(0, 20)), max_size=5),
    ),
    min_size=1,
    max_size=5,
)


@given(MOVES)
@costly
def test_readers_change_nothing(moves: list[tuple[int, list[tuple[Callable[[Simulation, int], object], int]]]]) -> None:
    watched, alone = busy_host(), busy_host()
    for step_ns, reads in moves:
        watched.advance(watched.now_ns + step_ns)
        for read, argument in reads:
            assert read(watched, argument) == read(watched, argument)
        alone.advance(alone.now_ns + step_ns)
    assert readings(watched) == readings(alone)


# 3. One clock, injected.


def whole_numbers(value: Any, path: str = "") -> list[str]:
    """Paths of times, bytes and counts that are no whole numbers; power alone is a percentage."""
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in whole_numbers(part, f"{path}/{key}")]
    if isinstance(value, list | tuple):
        return [found for part in value for found in whole_numbers(part, path)]
    return [path] if isinstance(value, float) and "/power/" not in path else []


def test_everything_is_counted_in_whole_numbers() -> None:
    assert whole_numbers(msgspec.to_builtins(forward(busy_host(), 65.4321).snapshot())) == []


def test_a_stepped_model_stands_still_between_steps() -> None:
    model = forward(busy_host(), 3)
    first = readings(model)
    model.advance(model.now_ns)
    assert readings(model) == first


# 4. Chance is keyed.


def of_server(model: Simulation, name: str) -> bytes:
    process = process_of(model, name)
    assert process is not None
    assert process.workload is not None
    return encode(process.workload)


@pytest.mark.parametrize("instance", ["inf2.24xlarge", "inf2.48xlarge", "inf2.xlarge"])
@pytest.mark.parametrize("neighbour", [None, server("0"), server("z", tp=1, arrivals=CLOSED)])
def test_neighbours_and_other_devices_change_no_draw(instance: str, neighbour: dict[str, Any] | None) -> None:
    alone = forward(host(server("a", tp=1), instance="inf2.8xlarge"), 30)
    others = [] if neighbour is None else [neighbour | {"workload": neighbour["workload"] | {"tp": 1}}]
    assert of_server(forward(host(server("a", tp=1), *others, instance=instance), 30), "a") == of_server(alone, "a")


BUSY: dict[str, Callable[[], Simulation]] = {"three tenants": busy_host, **HOSTS}


def test_another_seed_brings_other_requests() -> None:
    first, second = (of_server(forward(host(server("a"), seed=seed), 30), "a") for seed in (1, 2))
    assert first != second


@cache
def digest(*names: str) -> str:
    """Of hosts by their kind of work, on which something goes wrong: of all that can be read of them at the end."""
    found = hashlib.sha256()
    for name in names:
        model = forward(BUSY[name](), 4)
        for fault in ("straggler", "nan", "link-degraded", "hbm-corrected"):
            try_inject(model, fault)
        model.signal(min(model._world.runtime.processes), 9) if name == "three tenants" else model.heal("all")
        found.update(b"".join(readings(forward(model, 3))))
    return found.hexdigest()


def check_interpreter(hash_seed: str, *names: str) -> None:
    command = [sys.executable, "-c", f"from tests.device_model.test_rules import digest; print(digest(*{names!r}))"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest(*names)


def test_another_interpreter_computes_the_same_bytes() -> None:
    check_interpreter("1", "three tenants", "encoder")


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_every_interpreter_computes_the_same_bytes_whatever_works(hash_seed: str) -> None:
    check_interpreter(hash_seed, *BUSY)


# 5. Summaries are derived, never stored.


@given(st.lists(st.integers(1, 5 * NS), min_size=1, max_size=6), st.sampled_from(["a", "b", "c"]), st.integers(0, 5))
@costly
def test_sums_agree_at_every_instant(steps: list[int], victim: str, when: int) -> None:
    model = busy_host()
    for i, step_ns in enumerate(steps):
        before = model.snapshot()
        model.advance(model.now_ns + step_ns)
        process = process_of(model, victim)
        if i == when and process is not None:
            model.signal(process.pid, 9)
        check_sums(model)
        check_grown(before, model.snapshot())


# 6. A fault has a physical effect first.


def test_memory_runs_out_only_where_no_extent_can_hold_the_request() -> None:
    fits, too_large = (server("a", tp=1, model="opt-6.7b", batch=batch) for batch in (2, 16))
    for process, expected in ((fits, 0), (too_large, 1)):
        model = host(process, instance="inf2.xlarge")
        largest = []
        while (next_ns := model.next_event_ns()) is not None and next_ns < model.epoch_ns + 10 * NS:
            largest.append(model.snapshot().devices[0].banks[0].largest_free_bytes or 0)
            model.advance(next_ns)
        errors = (model.snapshot().devices[0].cores[0].status or {})["resource_error"].total
        assert errors == expected
        assert (process_of(model, "a") is None) == bool(expected)
        assert any("Failed to allocate" in event.text for event in model.events(0).events) == bool(expected)


def test_an_end_of_a_process_is_seen_in_its_effects_on_every_surface() -> None:
    model = forward(host(server("a", arrivals=CLOSED)), 20)
    process = process_of(model, "a")
    assert process is not None
    used = [bank.used_bytes or 0 for bank in model.snapshot().devices[0].banks]
    model.signal(process.pid, 9)
    assert all((b.used_bytes or 0) < u for b, u in zip(model.snapshot().devices[0].banks, used, strict=True))
    assert model.events(0).events[-1].pid == process.pid
    assert all(bank.allocations == () for bank in model.allocations(0).banks)
    assert model.inventory().devices[0].holders == ()
