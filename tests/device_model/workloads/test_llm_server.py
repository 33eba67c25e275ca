"""What a language model server says of itself, when people ask why its cores show what they show."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.scenario import NamedScenario, from_document, load
from device_model.simulation import NS, Simulation
from device_model.workloads.cost.decoder import weights_bytes_per_core
from device_model.workloads.models.shapes import shape_for
from tests.conftest import Golden
from tests.device_model.hosts import costly, forward, host, process_of, server, workload_of
from tests.device_model.workloads.kinds.test_llm import CROWD, DEMANDS, KINDS, SCARCE

VARIED = {"mean": 100, "cv": 0.8, "least": 1, "most": 300}
STAGES: dict[str, dict[str, Any]] = {
    "continuous, with reloads": {"reload": {"every": "2s", "pause": "2s"}},
    "static, few clients": {
        "batching": {"kind": "static", "wait": "600ms"},
        "arrivals": {"kind": "constant", "per_second": 4.0},
        "output": VARIED,
    },
    "in chunks, with little memory": {"batching": KINDS["in chunks"], "cache": SCARCE, "prompt": VARIED},
}


def told(model: Simulation) -> str:
    """What the server says that it does, and what the step under way costs."""
    (program,) = model._world.programs.values()
    doing, costs, notes = program.account(model.now_ns)
    costs_ms = [f"{cost.work.duration_ns / 1e6:.1f} ms, {cost.bound}" for cost in costs]
    lines = [f"{(model.now_ns - model.epoch_ns) / NS:4.1f} s  {'; '.join([doing, *costs_ms])}", *notes]
    return "\n        ".join(lines) + "\n"


def test_it_says_what_it_does(golden: Golden) -> None:
    text = ""
    for title, changes in STAGES.items():
        model = host(server(**(CROWD | changes)))
        text += f"{title}\n"
        for _ in range(20):
            text += told(forward(model, 0.39))
    golden("neuron-model/llm-accounts.txt", text)


@given(DEMANDS, st.integers(1, 8_000_000_000))
@costly
def test_it_has_a_cost_exactly_while_it_executes(demand: tuple[dict[str, Any], int], moment_ns: int) -> None:
    process, seed = demand
    model = host(process, seed=seed)
    model.advance(model.now_ns + moment_ns)
    ((pid, program),) = model._world.programs.items()
    execution = model._world.runtime.under_way(model._world.runtime.processes[pid])
    account = program.account(model.now_ns)
    assert [cost.work.duration_ns for cost in account.costs] == ([] if execution is None else [execution.run.step_ns])


def scenario_with(name: str, **changes: Any) -> Simulation:
    """A shipped scenario whose first process has these changes to its workload."""
    spec = load(name).scenario
    document = spec.model_dump(exclude_unset=True)
    document["processes"][0]["workload"] |= changes
    return Simulation(NamedScenario(name, from_document(document, name)))


def test_weights_that_fit_leave_no_room_for_a_cache_that_does_not(golden: Golden) -> None:
    model, constants = scenario_with("opt-66b-out-of-memory"), 0
    while (process := process_of(model, "opt-66b")) is not None:
        constants = max(constants, (process.memory or {})[0].get("constants", 0))
        next_ns = model.next_event_ns()
        assert next_ns is not None
        model.advance(next_ns)
    weights = weights_bytes_per_core(shape_for("opt-66b"), 12, 2)
    assert constants > weights * 60 // 64, "the rest comes with the cache"
    assert (model.snapshot().devices[0].cores[0].status or {})["resource_error"].total == 1
    maps = [model.allocations(device.index) for device in model.snapshot().devices]
    assert [bank.allocations for found in maps for bank in found.banks] == [()] * 12
    golden("runtime_log/opt-66b-out-of-memory.txt", "".join(f"{e.kind}: {e.text}\n" for e in model.events(0).events))


@pytest.mark.parametrize("changes", [{"batch": 8}, {"cache": {"kind": "paged", "blocks": 800}}])
def test_less_or_shared_cache_fits_beside_the_weights(changes: dict[str, Any]) -> None:
    model = forward(scenario_with("opt-66b-out-of-memory", **changes), 60)
    assert workload_of(model, "opt-66b").generated_tokens > 0


def generated(model: Simulation) -> int:
    return sum(process.workload.generated_tokens for process in model.snapshot().processes or () if process.workload)


def test_a_wide_split_is_quicker_for_one_user_and_slower_for_all() -> None:
    tokens = {}
    for name in ("opt-66b", "opt-30b"):
        model = forward(Simulation(load(name)), 120)
        before = generated(model)
        tokens[name] = generated(forward(model, 300)) - before
    assert tokens["opt-66b"] < tokens["opt-30b"] / 2
    assert tokens["opt-66b"] / 8 > tokens["opt-30b"] / 24, "its host has eight users, the other has twenty-four"
