"""From a checked scenario to a world: what does not fit is refused before anything runs, by the key's path."""

from typing import Any

import pytest

from device_model.scenario import ScenarioError
from device_model.simulation import NS, Simulation
from neurontools.schema.events import PROCESS_START
from tests.device_model.hosts import CLOSED, forward, host, process_of, server, workload_of


@pytest.mark.parametrize(
    ("processes", "changes", "message"),
    [
        ([server("a", data_type="fp8")], {"instance": "inf1.xlarge"},
         r"test: processes\[0\]\.workload\.data_type: Inferentia does not compute in fp8, expected one of bf16"),
        ([server("a", model="opt-30b", context=4096)], {},
         r"test: processes\[0\]\.workload\.context: opt-30b has positions for 2048 tokens, not 4096"),
        ([server("a", replicas=2), server("a-1")], {},
         r"test: processes\[1\]\.name: a replica of another process is 'a-1' too"),
        ([server("b"), server("a", tp=3)], {}, r"test: processes\[1\] \(a\): tp = 3 does not fit on inf2.48xlarge"),
        ([server("a", replicas=13)], {}, r"processes\[0\] \(a-12\): needs 2 free NeuronCores"),
        ([server("a", first_core=1)], {}, r"first_core = 1 would split devices"),
        ([], {"logical_neuroncore_config": 2}, "inf2.48xlarge has only 1, found 2"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(processes: list[dict[str, Any]], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(*processes, **changes)


def test_processes_start_and_stop_when_the_scenario_says() -> None:
    model = host(server("a", start="2s", stop="7s"), server("b"))
    alive = []
    for _ in range(9):
        alive.append(process_of(model, "a") is not None)
        forward(model, 1)
    assert alive == [False, False, True, True, True, True, True, False, False]
    assert process_of(model, "b") is not None


def test_replicas_are_processes_of_their_own() -> None:
    model = forward(host(server("a", replicas=3)), 10)
    processes = model.snapshot().processes or ()
    assert sorted(process.tag or "" for process in processes) == ["a-0", "a-1", "a-2"]
    assert len({process.pid for process in processes}) == 3
    assert [core for tag in ("a-0", "a-1", "a-2") for core in getattr(process_of(model, tag), "cores", ())] == [
        0, 1, 2, 3, 4, 5,
    ]  # fmt: skip
    counts = {process.workload.submitted for process in processes if process.workload}
    assert len(counts) > 1, "each has clients of its own"


def test_a_data_type_counts_by_its_bytes_and_its_peak() -> None:
    tokens = {}
    for data_type in ("fp32", "bf16", "int8"):
        work = server("a", data_type=data_type, arrivals={"kind": "closed", "users": 4}, prompt={"mean": 400})
        model = forward(host(work), 30)
        process = process_of(model, "a")
        assert process is not None
        assert process.workload is not None
        tokens[data_type] = process.workload.generated_tokens
    assert tokens["fp32"] < tokens["bf16"] < tokens["int8"]


def test_loading_takes_as_long_as_the_weights() -> None:
    durations = []
    for model_name in ("opt-1.3b", "opt-6.7b"):
        model = host(server("a", model=model_name))
        while not (process_of(model, "a") or pytest.fail("it runs")).models:
            model.advance(model.next_event_ns() or pytest.fail("it loads"))
        durations.append((model.now_ns - model.epoch_ns) / NS)
    assert durations == [pytest.approx(1.3, rel=0.1), pytest.approx(6.7, rel=0.1)], "2 GB/s for 2 bytes a weight"


def pids(model: Simulation) -> list[int]:
    return [event.pid or 0 for event in model.events(0).events if event.kind == PROCESS_START]


def kill(model: Simulation, name: str = "a") -> None:
    process = process_of(model, name)
    assert process is not None
    model.signal(process.pid, 9)


def test_a_supervisor_starts_a_process_again_that_long_after_its_end() -> None:
    model = forward(host(server("a", restart="10s", arrivals=CLOSED), server("b")), 5)
    first = process_of(model, "a")
    kill(model)
    model.advance(model.now_ns + 10 * NS - 1)
    assert process_of(model, "a") is None
    model.advance(model.now_ns + 1)
    again = process_of(model, "a")
    assert first is not None
    assert again is not None
    assert (again.started_ns, again.cores, again.command) == (model.now_ns, first.cores, first.command)
    assert again.pid > first.pid
    assert again.workload is not None
    assert again.workload.submitted == 0
    kill(forward(model, 4))
    kill(forward(model, 12))
    assert len(pids(model)) == 4


def test_each_start_has_draws_of_its_own() -> None:
    model = forward(host(server("a", restart="1s", arrivals={"kind": "closed", "users": 1})), 10)
    lives = [workload_of(model)]
    for _ in range(2):
        kill(model)
        lives.append(workload_of(forward(model, 11)))
    assert len({life.generated_tokens for life in lives}) == 3


def test_the_scenarios_own_stop_is_the_end() -> None:
    model = forward(host(server("a", restart="2s", stop="10s")), 60)
    assert len(pids(model)) == 1
    early = forward(host(server("a", restart="2s", stop="10s")), 5)
    kill(early)
    forward(early, 55)
    assert len(pids(early)) == 2
    late = forward(host(server("a", restart="2s", stop="10s")), 9)
    kill(late)
    forward(late, 51)
    assert len(pids(late)) == 1, "it would start after the stop"
    assert late.next_event_ns() is None


def test_a_process_that_is_refused_its_cores_is_started_until_they_are_free() -> None:
    model = forward(host(server("a", stop="9s", first_core=0), server("b", restart="2s", first_core=0)), 30)
    assert process_of(model, "a") is None
    assert process_of(model, "b") is not None
    assert len(pids(model)) == 7, "a once, and b, which is refused at 0, 2, 4, 6 and 8 seconds"


def test_a_process_whose_model_does_not_fit_ends_again_and_again() -> None:
    big = server("a", model="opt-66b", data_type="fp16", restart="5s")
    model = forward(host(big, instance="inf2.xlarge"), 120)
    assert len(pids(model)) > 3
    assert len(model._world.programs) == len(model.snapshot().processes or ())
