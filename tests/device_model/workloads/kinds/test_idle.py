"""Processes that hold cores and memory and run nothing."""

from typing import Any

import pytest

from device_model.scenario import ScenarioError, load
from device_model.simulation import Simulation
from device_model.workloads.cost.decoder import weights_bytes_per_core
from device_model.workloads.models.shapes import shape_for
from neurontools.schema.snapshot import Process, Workload
from neurontools.units import GIB, KIB
from tests.device_model.hosts import forward, host, process_of, server
from tests.device_model.invariants import check_sums, counters


def holder(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that holds two cores; `changes` go to its workload."""
    return {"name": name, "workload": {"kind": "idle", "cores": 2} | changes}


def process(model: Simulation, name: str = "a") -> Process:
    found = process_of(model, name)
    assert found is not None
    return found


def doing(model: Simulation, name: str = "a") -> str:
    account = model._world.programs[process(model, name).pid].account(model.now_ns)
    assert (account.costs, account.notes) == ((), ())
    return account.doing


def held(model: Simulation, category: str) -> list[int]:
    """Bytes of a category on each core of the process."""
    return [memory.get(category, 0) for memory in (process(model).memory or {}).values()]


def test_weights_are_loaded_and_then_nothing_ever_happens() -> None:
    model = host(holder(model="opt-6.7b", data_type="fp16"))
    assert doing(forward(model, 1)) == "holding 2 NeuronCores and 2.3 GiB while it loads opt-6.7b"
    assert doing(forward(model, 29)) == "holding 2 NeuronCores and 12.9 GiB and running nothing"
    expected = weights_bytes_per_core(shape_for("opt-6.7b"), 2, 2)
    assert held(model, "constants") == [pytest.approx(expected, rel=1e-3)] * 2
    assert [loaded.name for loaded in process(model).models or ()] == ["opt-6.7b.neff"]
    assert model.next_event_ns() is None
    start = counters(model.snapshot())
    now = counters(forward(model, 3600).snapshot())
    assert {place for place in now if now[place] != start[place]} == {
        place for place in now if "pe_cntrs" in place and place.endswith("/2")
    }, "idle cycles alone"
    assert process(model).workload == Workload(kind="idle")
    check_sums(model)


def test_cores_alone_can_be_held() -> None:
    model = forward(host(holder()), 5)
    assert doing(model) == "holding 2 NeuronCores and 196.0 MiB and running nothing"
    assert process(model).models == ()
    assert process(model).cores == (0, 1)
    assert model.next_event_ns() is None


def test_tensors_alone_can_be_held_and_are_split_over_the_cores() -> None:
    model = forward(host(holder(cores=4, memory="10GiB")), 5)
    assert doing(model) == "holding 4 NeuronCores and 10.4 GiB and running nothing"
    assert held(model, "tensors") == [10 * GIB // 4] * 4
    assert held(model, "constants") == [4 * KIB] * 4
    check_sums(model)


def test_tensors_come_beside_the_weights() -> None:
    with_tensors, without = (
        forward(host(holder(model="opt-1.3b", **more)), 10) for more in ({"memory": "1GiB"}, {})
    )  # fmt: skip
    assert held(with_tensors, "tensors") == [GIB // 2] * 2
    assert held(without, "tensors") == [0, 0]
    assert held(with_tensors, "constants") == held(without, "constants")


def test_one_logical_core_is_counted_as_one() -> None:
    model = forward(host(holder(cores=1, memory="1GiB"), instance="trn2.48xlarge"), 5)
    assert doing(model) == "holding 1 NeuronCore and 1.2 GiB and running nothing"
    assert process(model).cores == (0, 1)


def test_who_holds_cores_keeps_others_out() -> None:
    intruder = server("b") | {"first_core": 0, "start": "5s"}
    model = forward(host(holder(), intruder), 10)
    assert process_of(model, "b") is None
    assert process(model).cores == (0, 1)


def test_more_than_the_memory_ends_the_process() -> None:
    model = forward(host(holder(memory="40GiB"), instance="inf2.xlarge"), 5)
    assert process_of(model, "a") is None
    assert any("Failed to allocate" in event.text for event in model.events(0).events)


@pytest.mark.parametrize(
    ("changes", "instance", "message"),
    [
        ({"model": "opt-6.8b"}, "inf2.xlarge", r"workload\.model: no model is called 'opt-6.8b'; did you mean"),
        ({"model": "resnet50"}, "inf2.xlarge", r"workload\.model: expected a language model, .*, found resnet50"),
        ({"data_type": "fp32"}, "inf1.xlarge", r"workload\.data_type: Inferentia does not compute in fp32"),
        ({"memory": "12 apples"}, "inf2.xlarge", r"workload\.memory: expected a size such as 512MiB"),
        ({"memory": "0B"}, "inf2.xlarge", r"workload\.memory: expected more than 0 bytes and at most 1024TiB"),
        ({"memory": "2048TiB"}, "inf2.xlarge", r"workload\.memory: expected more than 0 bytes"),
        ({"cores": 3}, "inf2.48xlarge", r"processes\[0\] \(a\): cores = 3 does not fit on inf2.48xlarge"),
    ],
)
def test_what_cannot_be_held_is_refused(changes: dict[str, Any], instance: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(holder(**changes), instance=instance)


def test_the_shipped_scenario_has_idle_cores_beside_busy_ones() -> None:
    model = forward(Simulation(load("allocated-idle")), 60)
    cores = [core for device in model.snapshot().devices for core in device.cores]
    assert [process(model, name).cores for name in ("notebook", "staging", "chat")] == [
        (0, 1, 2, 3), (4, 5), (6, 7, 8, 9),
    ]  # fmt: skip
    assert [bool(core.busy_ns) for core in cores] == [False] * 6 + [True] * 4 + [False] * 2
    used = [core.device_memory.total or 0 for core in cores if core.device_memory is not None]
    assert min(used[:6]) > 2 * GIB > max(used[10:])
