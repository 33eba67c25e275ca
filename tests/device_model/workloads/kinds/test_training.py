"""A training job as its host sees it: phases, conserved steps, links of rows and columns, checkpoints, memory."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.activity import Pattern
from device_model.runtime.execution import StepWork
from device_model.runtime.executor import Executed, Lost
from device_model.runtime.fate import OUT_OF_BOUNDS
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.scenario import NamedScenario, ScenarioError, from_document, load
from device_model.simulation import NS, Simulation
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.kinds import training
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.instances import link_bytes_per_s, lookup
from neurontools.schema.document import encode
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Snapshot
from tests.conftest import Golden
from tests.device_model.hosts import costly, document, forward, host, process_of, server, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums

SHAPE = shape_for("gpt2")
PARAMETERS = SHAPE.parameters
CHECKPOINT = {"every_steps": 2, "bytes_per_second": 2e9}


def job(**changes: Any) -> dict[str, Any]:
    """A process that trains GPT-2 on a whole trn1.32xlarge; `changes` go to its workload."""
    workload = {
        "kind": "training",
        "model": "gpt2",
        "tp": 8,
        "dp": 4,
        "micro_batch": 2,
        "accumulation": 3,
        "sequence": 256,
    }
    return {"name": "a", "workload": workload | changes}


def trainer(instance: str = "trn1.32xlarge", **changes: Any) -> Simulation:
    return host(job(**changes), instance=instance)


DEGREES = {
    "inf2.48xlarge": [(8, 3), (4, 5), (2, 12), (1, 2)],
    "trn1.2xlarge": [(1, 2)],
    "trn1.32xlarge": [(8, 4), (1, 32), (4, 7), (32, 1)],
    "trn2.3xlarge": [(2, 2), (1, 1)],
    "trn2.48xlarge": [(16, 4), (2, 32), (64, 1)],
}
"""Cores of a replica and replicas: side by side, on one device, all over the torus, on links that others use too."""

JOBS = st.sampled_from(sorted(DEGREES)).flatmap(
    lambda instance: st.builds(
        lambda degrees, accumulation, batch, recompute, sharded, checkpoint: (
            instance,
            job(tp=degrees[0], dp=degrees[1], accumulation=accumulation, micro_batch=batch, recompute=recompute,
                shard_optimizer=sharded, checkpoint=checkpoint),
        ),
        st.sampled_from(DEGREES[instance]), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.booleans(),
        st.sampled_from([None, CHECKPOINT]),
    )
)  # fmt: skip


def events_of(model: Simulation, seconds: float, look: Callable[[], None]) -> None:
    """Moves the model on event by event; `look` is called after each instant."""
    end_ns = model.now_ns + round(seconds * NS)
    while (next_ns := model.next_event_ns()) is not None and next_ns <= end_ns:
        model.advance(next_ns)
        look()


def doing(model: Simulation) -> str:
    (program,) = model._world.programs.values()
    return program.account(model.now_ns).doing


def until(model: Simulation, words: str) -> Simulation:
    """Moves the model on to the first event after which the job does what these words say."""
    while words not in doing(model):
        next_ns = model.next_event_ns()
        assert next_ns is not None
        model.advance(next_ns)
    return model


def single_executions(patch: pytest.MonkeyPatch) -> None:
    """Lets the runtime run executions one by one, whatever is asked of it."""
    execute = Runtime.execute

    def one(
        runtime: Runtime,
        time_ns: int,
        process: Process,
        works: tuple[StepWork, ...],
        steps: int,
        done: Executed,
        lost: Lost,
    ) -> None:
        execute(runtime, time_ns, process, works, min(steps, 1), done, lost=lost)

    patch.setattr(Runtime, "execute", one)


@given(JOBS)
@costly
def test_runs_of_many_executions_are_the_same_as_single_ones(drawn: tuple[str, dict[str, Any]]) -> None:
    instance, process = drawn
    many = forward(host(process, instance=instance), 1)
    with pytest.MonkeyPatch.context() as patch:
        single_executions(patch)
        single = forward(host(process, instance=instance), 1)
        for seconds in (0.313, 1.7):
            assert encode(forward(many, seconds).snapshot()) == encode(forward(single, seconds).snapshot())


@given(JOBS, st.lists(st.integers(1, 900_000_000), min_size=1, max_size=4))
@costly
def test_sums_bounds_and_counters_hold_at_every_instant(drawn: tuple[str, dict[str, Any]], moments: list[int]) -> None:
    instance, process = drawn
    model = host(process, instance=instance)
    for moment_ns in moments:
        early = model.snapshot()
        model.advance(model.now_ns + moment_ns)
        late = model.snapshot()
        check_sums(model)
        check_bounds(instance, "bf16", early, late)
        check_grown(early, late)


@given(JOBS, st.integers(1, 3_000_000_000))
@costly
def test_every_step_micro_step_and_token_is_counted_once(drawn: tuple[str, dict[str, Any]], moment_ns: int) -> None:
    instance, process = drawn
    spec = process["workload"]
    model = host(process, instance=instance)
    model.advance(model.now_ns + moment_ns)
    workload, reading = workload_of(model), process_of(model, "a")
    assert reading is not None
    assert workload.kind == "training"
    assert workload.submitted == workload.completed + workload.running
    assert workload.running in (0, 1)
    tokens = spec["micro_batch"] * spec["sequence"] * spec["dp"]
    micro_steps, rest = divmod(workload.prompt_tokens, tokens)
    assert rest == 0
    assert (reading.executions or {})["completed"] == micro_steps + workload.completed
    in_step = micro_steps - workload.completed * spec["accumulation"]
    assert 0 <= in_step <= spec["accumulation"] * workload.running


def sent(snapshot: Snapshot) -> dict[tuple[int, int], int]:
    return {
        (device.index, link.peer): link.transmitted_bytes or 0
        for device in snapshot.devices
        for link in device.links or ()
    }


@pytest.mark.parametrize("divided", [True, False])
def test_rows_carry_the_all_reduces_and_columns_the_gradients(divided: bool) -> None:
    """Each of N peers sends 2 (N - 1) / N of what they reduce, half of it each way round; the first step ends here.

    In each micro-step a layer reduces twice forward and twice backward, and gathers its inputs again if it has divided
    them.
    """
    model = until(trainer(sequence_parallel=divided), "in micro-step 1 of 3 of step 2")
    links = sent(model.snapshot())
    all_reduces = 3 * (2 + 2 + divided) * SHAPE.layers * (2 * 256 * SHAPE.width * 2)
    rows = {edge: count for edge, count in links.items() if edge[0] // 4 == edge[1] // 4}
    assert set(rows.values()) == {all_reduces * 3 // 4}
    columns = {edge: count for edge, count in links.items() if edge not in rows}
    # Two cores of each device reduce their own gradients with those of three other devices.
    gradients = 2 * 2 * PARAMETERS / 8
    assert list(columns.values()) == pytest.approx([gradients * 3 / 4] * 32, rel=1e-5)
    assert sum(columns.values()) == pytest.approx(2 * PARAMETERS * 2 * (4 - 1), rel=1e-5)


@pytest.mark.parametrize(("tp", "dp"), [(8, 3), (4, 6), (2, 12), (12, 2), (1, 24)])
def test_gradients_go_as_far_as_replicas_are_apart(tp: int, dp: int) -> None:
    """On a ring of twelve devices every replica sends to the next and the last to the first: over twelve links."""
    model = until(trainer("inf2.48xlarge", tp=tp, dp=dp), "updating")
    before = model.snapshot()
    after = until(model, "of step 2").snapshot()
    moved = {edge: count - sent(before)[edge] for edge, count in sent(after).items()}
    peers = min(dp, 12)
    assert sum(moved.values()) == pytest.approx(12 * 2 * (peers - 1) / peers * 2 * PARAMETERS, rel=1e-4)
    seconds = (after.head.time_ns - before.head.time_ns) / NS
    assert max(moved.values()) / seconds <= (link_bytes_per_s(lookup("inf2.48xlarge")) or 0)


def test_rings_that_divide_their_payload_differently_add_up() -> None:
    rings = [Pattern("ring", (((0, 1), 3),), 4), Pattern("ring", (((0, 1), 2), ((1, 2), 1)), 6)]
    together = training._rings_together(rings, replicas=5)
    shares = {edge: 5 * share / together.parts for edge, share in together.crossings}
    assert shares == pytest.approx({(0, 1): 3 / 4 + 2 / 6, (1, 2): 1 / 6})


def test_replicas_are_groups_of_one_lane_and_work_alike() -> None:
    model = forward(trainer(), 2)
    process = process_of(model, "a")
    assert process is not None
    assert process.groups == tuple(tuple(range(first, first + 8)) for first in (0, 8, 16, 24))
    cores = [core for device in model.snapshot().devices for core in device.cores]
    assert len({(core.busy_ns, core.flops, core.hbm_read_bytes, core.hbm_written_bytes) for core in cores}) == 1


def test_a_core_does_the_same_whatever_the_number_of_replicas() -> None:
    flops = set()
    for dp in (1, 2, 4):
        model = until(trainer(dp=dp), "in micro-step 1 of 3 of step 2")
        flops.add(model.snapshot().devices[0].cores[0].flops)
    assert len(flops) == 1


def test_cores_wait_for_a_checkpoint_and_then_go_on() -> None:
    model = until(trainer(checkpoint=CHECKPOINT), "writing a checkpoint")
    before, start_ns = model.snapshot(), model.now_ns
    waiting = forward(model, 0.1).snapshot()
    assert "writing a checkpoint, " in doing(model)
    (core, *_) = between(before, waiting).cores
    assert core.utilization_percent == 0
    assert (waiting.devices[0].cores[0].hbm_read_bytes or 0) > (before.devices[0].cores[0].hbm_read_bytes or 0)
    assert waiting.devices[0].cores[0].memory == before.devices[0].cores[0].memory
    until(model, "in micro-step 1 of 3 of step 3")
    written = 14 * PARAMETERS
    assert (model.now_ns - start_ns) / NS == pytest.approx(written / 2e9, rel=1e-3)
    assert workload_of(model).completed == 2


@pytest.mark.parametrize("words", ["loading", "copying weights", "in micro-step", "updating", "writing a checkpoint"])
def test_a_job_that_ends_releases_everything(words: str) -> None:
    model = forward(until(trainer(checkpoint=CHECKPOINT), words), 0.001)
    assert words in doing(model)
    (process,) = model.snapshot().processes or ()
    model.signal(process.pid, 9)
    assert model.next_event_ns() is None
    empty = host(instance="trn1.32xlarge").snapshot()
    assert [device.banks for device in model.snapshot().devices] == [device.banks for device in empty.devices]


def test_a_model_that_does_not_fit_ends_with_its_memory() -> None:
    model = forward(trainer("trn1.2xlarge", model="Llama-2-7b", tp=2, dp=1), 60)
    assert not model.snapshot().processes
    log = [event.text for event in model.events(0).events]
    assert any("Failed to allocate" in line for line in log)
    assert log[-1].endswith("exit status 1 (NRT_RESOURCE)")


def test_a_micro_step_that_fails_is_done_again() -> None:
    model = forward(until(trainer(), "in micro-step 1 of 3 of step 2"), 0.001)
    runtime, before = model._world.runtime, workload_of(model)
    (process,) = runtime.processes.values()
    runtime.fail_next(model.now_ns, process, OUT_OF_BOUNDS, process.cores[5])
    until(model, "of step 3")
    reading, after = process_of(model, "a"), workload_of(model)
    assert reading is not None
    assert (reading.executions or {})["completed_with_err"] == 1
    assert (reading.executions or {})["completed"] == 2 * (3 + 1)
    assert after.prompt_tokens == 2 * before.prompt_tokens
    assert after.completed == 2


def test_recomputing_saves_memory_and_costs_time() -> None:
    kept, recomputed = (
        until(trainer(recompute=flag, sequence=1024, micro_batch=4), "of step 2") for flag in (False, True)
    )
    assert recomputed.now_ns > kept.now_ns
    used = [model.snapshot().devices[0].banks[0].used_bytes or 0 for model in (recomputed, kept)]
    assert used[0] < used[1]


def test_it_says_what_it_is_doing(golden: Golden) -> None:
    told = []
    for model in (Simulation(load("training-trn1")), trainer(dp=1, micro_batch=1, accumulation=1200)):
        (program,) = model._world.programs.values()
        for words, seconds in (("", 0.01), ("copying", 0.1), ("in micro-step", 2.5), ("updating", 0.01), ("step 2", 1)):
            account = program.account(forward(until(model, words), seconds).now_ns)
            told.append(" ".join((f"it is {account.doing} ({len(account.costs)} costs).", *account.notes)))
    account = program.account(forward(model, 3600).now_ns)
    told.append(f"it is {account.doing}.")
    golden("training/account.txt", "\n".join(told) + "\n")


def test_replicas_that_share_the_optimizer_hold_less() -> None:
    states = 3 * 4 * PARAMETERS / 8
    held = []
    for shared in (True, False):
        process = process_of(until(trainer(shard_optimizer=shared), "in micro-step"), "a")
        assert process is not None
        assert process.memory is not None
        held.append(process.memory[0]["tensors"])
    assert held[1] - held[0] == pytest.approx(states * 3 / 4, rel=1e-3)


def test_the_cores_of_a_logical_core_move_its_payload_together() -> None:
    """Four physical cores are four ranks of one, or two of two: they move 3/4 of the payload at one core's rate, or 1/2
    at that of two."""
    seconds = []
    for config, tp in ((1, 4), (2, 2)):
        process = job(tp=tp, dp=1, micro_batch=8, sequence=1024)
        model = until(host(process, instance="trn2.3xlarge", logical_neuroncore_config=config), "in micro-step")
        (program,) = model._world.programs.values()
        (cost,) = program.account(model.now_ns).costs
        seconds += [part.seconds for part in cost.parts if part.name == "collectives"]
    latency = 2 * SHAPE.layers * constants_for("v3").layer_seconds
    assert seconds[0] - latency == pytest.approx(3 * (seconds[1] - latency))


MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown model": ("trn1.32xlarge", {"model": "gpt-2-xs"}),
    "a sequence longer than the model's": ("trn1.32xlarge", {"sequence": 2048}),
    "no sequence": ("trn1.32xlarge", {"sequence": None}),
    "a data type for inference": ("trn1.32xlarge", {"data_type": "int8"}),
    "a data type that the chip lacks": ("trn2.48xlarge", {"data_type": "int8"}),
    "another optimizer": ("trn1.32xlarge", {"optimizer": "sgd"}),
    "a checkpoint without a rate": ("trn1.32xlarge", {"checkpoint": {"every_steps": 10}}),
    "replicas that split devices": ("trn1.32xlarge", {"tp": 3, "dp": 2}),
    "more cores than there are": ("trn1.32xlarge", {"tp": 8, "dp": 5}),
    "replicas on devices without links": ("trn3.48xlarge", {"tp": 4, "dp": 2}),
    "a chip whose engines nobody has timed": ("inf1.24xlarge", {"tp": 4}),
}


def test_every_mistake_is_told_by_its_key(golden: Golden) -> None:
    told = []
    for title, (instance, changes) in MISTAKES.items():
        process = job(**changes)
        process["workload"] = {key: value for key, value in process["workload"].items() if value is not None}
        with pytest.raises(ScenarioError) as caught:
            Simulation(NamedScenario("host", from_document(document(process, instance=instance), "host.toml")))
        told.append("\n".join((title, *(f"  {line}" for line in str(caught.value).splitlines()))))
    golden("training/mistakes.txt", "\n".join(told) + "\n")


@pytest.mark.parametrize(
    ("config", "tp", "expected"),
    [
        (1, 12, "12 cores split a device: expected 1, 2, 4 or a multiple of 8"),
        (2, 6, "6 cores split a device: expected 1, 2 or a multiple of 4"),
        (1, 6, "6 cores split a device"),
        (1, 8, None),
        (2, 12, None),
    ],
)
def test_a_logical_core_of_one_makes_devices_of_more_of_them(config: int, tp: int, expected: str | None) -> None:
    """On Trainium2 a device has four logical cores of two, or eight of one."""
    process = job(tp=tp, dp=2 if tp != 6 else 4)
    if expected is None:
        replicas = host(process, instance="trn2.48xlarge", logical_neuroncore_config=config)
        (reading,) = forward(replicas, 2).snapshot().processes or ()
        assert [len({core // 8 for core in group}) for group in reading.groups] == [tp * config // 8] * 2
        return
    with pytest.raises(ScenarioError, match=rf"processes\[0\]\.workload\.tp: {expected}"):
        host(process, instance="trn2.48xlarge", logical_neuroncore_config=config)


def test_it_shares_a_host_with_a_server() -> None:
    model = forward(host(job(tp=2, dp=2), server("b"), instance="trn1.32xlarge"), 20)
    assert workload_of(model, "a").completed > 0
    assert workload_of(model, "b").completed > 0
    check_sums(model)


def test_the_shipped_job_is_busy_until_it_writes_a_checkpoint() -> None:
    model = Simulation(load("training-trn1"))
    busy = forward(model, 60).snapshot()
    (core, *_) = between(busy, forward(model, 120).snapshot()).cores
    assert core.utilization_percent == pytest.approx(100, abs=0.1)
    dip = until(model, "writing a checkpoint").snapshot()
    assert (dip.head.time_ns - model.epoch_ns) / NS == pytest.approx(260, abs=60), "every few minutes"
    (core, *_) = between(dip, forward(model, 30).snapshot()).cores
    assert core.utilization_percent == 0
    assert workload_of(forward(model, 600), "llama-2-7b-train").completed > 40
