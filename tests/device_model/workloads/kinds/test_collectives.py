"""A benchmark of collectives on its host: what it counts, what its links carry, and what it says of itself."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.machine.collectives import Operation, algorithms_of
from device_model.runtime.execution import StepWork
from device_model.runtime.fate import OUT_OF_BOUNDS
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.save import restore, saved
from device_model.scenario import ScenarioError
from device_model.simulation import NS, Simulation
from device_model.workloads.cost.collectives import Collective, algorithms_for, collective_cost
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.kinds.program import Account
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from neurontools.hardware.topology import adjacency
from neurontools.schema.document import encode
from neurontools.schema.snapshot import Core
from neurontools.units import GIB, MIB
from tests.device_model.hosts import costly, forward, host, process_of, readings, workload_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums

Ended = Callable[[int, int], None]

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
ABLE = sorted(name for name, instance in INSTANCES.items() if chip_of(instance).cc_cores)


def benchmark(**changes: Any) -> dict[str, Any]:
    """A process that reduces 64 KiB and 4 MiB, ten times each, and pauses."""
    sizes = {"from": "64KiB", "to": "4MiB", "factor": 64}
    workload = {"kind": "collectives", "tp": 2, "operation": "all-reduce", "sizes": sizes, "iterations": 10}
    return {"name": "a", "workload": workload | {"pause": "50ms"} | changes}


def degrees_of(name: str) -> list[int]:
    """A part of a device, a device, two devices and all, in logical cores, as far as the instance type has them."""
    chip, devices = chip_of(lookup(name)), lookup(name).devices
    per_device = chip.cores // chip.default_lnc
    counts = {1, min(2, devices), devices} if lookup(name).topology != "none" else {1}
    return sorted({2} | {per_device * count for count in counts})


benchmarks = st.sampled_from(ABLE).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.builds(
            lambda tp, what, iterations: benchmark(tp=tp, operation=what, iterations=iterations),
            st.sampled_from(degrees_of(name)), st.sampled_from(OPERATIONS), st.sampled_from([1, 7]),
        ),
    )
)  # fmt: skip


def link_bytes(model: Simulation) -> dict[tuple[int, int], int]:
    return {
        (device.index, link.peer): link.transmitted_bytes or 0
        for device in model.snapshot().devices
        for link in device.links or ()
    }


def account_of(model: Simulation) -> Account:
    process = process_of(model, "a")
    assert process is not None
    return model._world.programs[process.pid].account(model.now_ns)


def core_of(model: Simulation) -> Core:
    return model.snapshot().devices[0].cores[0]


@given(benchmarks, st.lists(st.integers(1, 400_000_000), min_size=2, max_size=4))
@costly
def test_hardware_does_no_more_than_it_can(what: tuple[str, dict[str, Any]], moments: list[int]) -> None:
    name, process = what
    model = host(process, instance=name)
    before = model.snapshot()
    for moment_ns in moments:
        model.advance(model.now_ns + moment_ns)
        after = model.snapshot()
        check_sums(model)
        check_grown(before, after)
        check_bounds(name, "bf16", before, after)
        before = after
    assert workload_of(model).completed == (process_of(model, "a").executions or {})["completed"]  # type: ignore[union-attr]
    core = core_of(model)
    assert core.busy_ns == core.collectives_ns
    assert core.flops == 0


@given(benchmarks)
@costly
def test_links_carry_what_the_collectives_send_and_nothing_else(what: tuple[str, dict[str, Any]]) -> None:
    name, process = what
    workload, chip = process["workload"], chip_of(lookup(name))
    model = host(process | {"workload": workload | {"pause": "1h"}}, instance=name)
    model.advance(model.now_ns + 10 * NS)
    devices = tuple(range(-(-workload["tp"] * chip.default_lnc // chip.cores)))
    algorithms = algorithms_of(workload["operation"], adjacency(lookup(name)), devices, workload["tp"], chip.name)
    by_size = {65536: "mesh", 4 * MIB: "rdh"}
    expected = dict.fromkeys(link_bytes(model), 0)
    for size_bytes, best in by_size.items():
        algorithm = next((a for a in algorithms if a.pattern.name == best), algorithms[0])
        for edge, share in algorithm.pattern.crossings:
            expected[edge] += workload["iterations"] * size_bytes * share // algorithm.pattern.parts
    assert workload_of(model).completed == 2 * workload["iterations"]
    measured = link_bytes(model)
    # Payloads of one algorithm are added up before they are shared out, so a size may bring one byte more.
    assert all(0 <= measured[edge] - expected[edge] < len(by_size) for edge in expected)


@given(benchmarks, st.integers(1, 2 * NS))
@costly
def test_runs_of_many_collectives_are_the_same_as_single_ones(what: tuple[str, dict[str, Any]], moment: int) -> None:
    name, process = what
    many = host(process, instance=name)
    many.advance(many.now_ns + moment)
    execute = Runtime.execute

    def one(
        runtime: Runtime,
        now_ns: int,
        process: Process,
        works: tuple[StepWork, ...],
        steps: int,
        done: Ended,
        **others: Any,
    ) -> None:
        execute(runtime, now_ns, process, works, min(steps, 1), done, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "execute", one)
        single = host(process, instance=name)
        single.advance(single.now_ns + moment)
        assert encode(single.snapshot()) == encode(many.snapshot())


def test_rounds_follow_one_another_after_a_pause() -> None:
    model = host(benchmark(pause="2s"))
    counts = [workload_of(forward(model, seconds)).completed for seconds in (1, 0.9, 0.2, 1.8, 0.2)]
    assert counts == [20, 20, 40, 40, 60]
    assert workload_of(model).kind == "collectives"
    busy_ns = core_of(forward(model, 0.5)).busy_ns
    assert core_of(forward(model, 1)).busy_ns == busy_ns, "nothing runs in a pause"
    assert account_of(model).doing == "waiting for the next round of collectives"


@given(benchmarks, st.lists(st.integers(1, 400_000_000), min_size=1, max_size=4))
@costly
def test_a_collective_that_fails_is_not_done_and_the_next_follows(
    what: tuple[str, dict[str, Any]], moments: list[int]
) -> None:
    model = host(what[1], instance=what[0])
    runtime = model._world.runtime
    for moment_ns in moments:
        model.advance(model.now_ns + moment_ns)
        (process,) = runtime.processes.values()
        runtime.fail_next(model.now_ns, process, OUT_OF_BOUNDS)
    work, reading = workload_of(forward(model, 5)), process_of(model, "a")
    assert reading is not None
    assert work.failed == len(moments) == (reading.executions or {})["completed_with_err"]
    assert work.completed == (reading.executions or {})["completed"] > 0
    assert work.submitted == work.completed + work.failed + work.running


def test_a_process_that_ends_in_a_pause_begins_no_other_round() -> None:
    model = forward(host(benchmark(pause="2s") | {"stop": "1s"}), 5)
    assert process_of(model, "a") is None
    assert core_of(model).busy_ns == core_of(forward(model, 5)).busy_ns


def test_what_it_says_it_is_doing_is_what_it_does() -> None:
    sizes = {"from": "1KiB", "to": "256MiB", "factor": 512}
    process = benchmark(tp=64, sizes=sizes, iterations=100_000)
    model = host(process, instance="trn2.48xlarge")
    assert account_of(forward(model, 1e-6)).doing == "loading the buffers of all-reduce"
    told = account_of(forward(model, 1))
    assert told.doing == (
        "doing all-reduce of 1.00 KiB among 64 ranks, algorithm mesh: 4 hops one after another, "
        "1.00 KiB on the busiest link"
    )
    assert told.costs[0].bound == "latency"
    told = account_of(forward(model, 12))
    assert "all-reduce of 512.00 KiB" in told.doing
    collective = Collective("all-reduce", 512 * 2**10, 64, 2)
    cost = collective_cost(rates_for("trn2.48xlarge"), algorithms_for("trn2.48xlarge", 16), collective)
    duration_ns = cost.duration_ns
    assert told.costs == (cost.step,)
    assert told.notes == (
        f"One takes {duration_ns / 1000:.1f}µs: {512 * 2**10 * 1e9 / duration_ns / GIB:.2f} GiB/s of payload "
        f"(algorithm bandwidth), {512 * 2**10 * 126 / 64 * 1e9 / duration_ns / GIB:.2f} GiB/s received by each rank "
        "(bus bandwidth).",
        "The host launches one in 108µs, so the cores wait in between.",
        "Its times are extrapolated: runs of Trainium1 were fitted, no others.",
    )
    told = account_of(forward(model, 12))
    assert "256.00 MiB among 64 ranks, algorithm kangaring" in told.doing
    assert len(told.notes) == 2, "large payloads leave the host time to launch the next"


def test_a_benchmark_on_one_device_says_that_it_uses_no_link() -> None:
    doing = account_of(forward(host(benchmark(), instance="inf2.xlarge"), 0.001)).doing
    assert doing.endswith("algorithm ring: 2 hops one after another, all within one device")


def test_what_was_fitted_is_not_called_extrapolated() -> None:
    notes = [
        account_of(forward(host(benchmark(), instance=name), 0.001)).notes for name in ("trn1.2xlarge", "inf2.xlarge")
    ]
    assert notes[0] == notes[1][:-1]


def test_saying_what_it_does_changes_nothing() -> None:
    asked, silent = (host(benchmark()) for _ in range(2))
    for _ in range(5):
        forward(silent, 0.02)
        account_of(forward(asked, 0.02))
        assert readings(asked) == readings(silent)


@pytest.mark.parametrize(
    ("operation", "parts"),
    [("all-reduce", (1, 1)), ("all-gather", (24, 1)), ("reduce-scatter", (1, 24)), ("send-receive", (1, 1))],
)
def test_each_rank_holds_what_goes_in_and_what_comes_out(operation: str, parts: tuple[int, int]) -> None:
    sizes = {"from": "48KiB", "to": "48MiB", "factor": 1024}
    model = forward(host(benchmark(tp=24, operation=operation, sizes=sizes)), 1)
    process = process_of(model, "a")
    assert process is not None
    for held in (process.memory or {}).values():
        assert held["tensors"] == sum(48 * MIB // part for part in parts)
        assert held["collectives"] > 0


def test_the_cores_of_a_logical_core_share_its_buffers() -> None:
    sizes = {"from": "48KiB", "to": "48MiB", "factor": 1024}
    model = forward(host(benchmark(tp=4, operation="all-gather", sizes=sizes), instance="trn2.3xlarge"), 1)
    process = process_of(model, "a")
    assert process is not None
    assert [held["tensors"] for held in (process.memory or {}).values()] == [(48 // 4 + 48) * MIB // 2] * 8


def test_buffers_that_do_not_fit_end_the_process() -> None:
    model = forward(host(benchmark(sizes={"from": "1KiB", "to": "16GiB", "factor": 4})), 5)
    assert process_of(model, "a") is None
    ends = [event.text for event in model.events(0).events if "NRT_RESOURCE" in event.text]
    assert ends == ["python serve.py: exit status 1 (NRT_RESOURCE)"]


def test_a_saved_benchmark_goes_on_where_it_was() -> None:
    model = forward(host(benchmark()), 0.1)
    again = restore(msgspec.json.encode(saved(model)).decode(), "x")
    assert readings(forward(again, 1)) == readings(forward(model, 1))


@pytest.mark.parametrize(
    ("changes", "instance", "message"),
    [
        ({"sizes": {"from": "2KiB", "to": "1KiB"}}, "inf2.xlarge", r"sizes: from is greater than to: '2KiB'"),
        ({"sizes": {"from": "0", "to": "1KiB"}}, "inf2.xlarge", r"sizes\.from: expected more than 0 bytes and at most"),
        ({"sizes": {"from": "1KiB", "to": "lots"}}, "inf2.xlarge", r"sizes\.to: expected a size such as 512MiB"),
        ({"sizes": {"to": "1KiB"}}, "inf2.xlarge", r"sizes\.from: this key is required"),
        ({"operation": "all-redcue"}, "inf2.xlarge", r"operation: expected .*did you mean 'all-reduce'"),
        ({"tp": 1}, "inf2.xlarge", r"tp: expected at least 2, found 1"),
        ({"tp": 4}, "inf2.xlarge", r"tp = 4 does not fit on inf2\.xlarge"),
        ({"tp": 2}, "inf1.xlarge", r"workload\.kind: Inferentia has no collectives"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_by_its_key(changes: dict[str, Any], instance: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(benchmark(**changes), instance=instance)
