"""A program that compiles first: vCPUs are busy for as long as it says, cores are held and rest, then it begins."""

from typing import Any

import pytest

from device_model.simulation import NS, Simulation
from device_model.workloads.compiling import SYSTEM_SHARE, USER_SHARE
from neurontools.schema.interval import Interval, between
from tests.device_model.hosts import CLOSED, POISSON, forward, host, process_of, server
from tests.device_model.invariants import check_grown, check_sums

BERT = {"kind": "encoder", "model": "bert-large-uncased", "workers": 2, "arrivals": POISSON, "tokens": {"mean": 60}}
TRAINED = {"kind": "training", "model": "opt-1.3b", "tp": 1, "dp": 2, "sequence": 512}
WORKLOADS: dict[str, Any] = {"llm": server(arrivals=CLOSED)["workload"], "lanes": BERT, "teams": TRAINED}


def compiling(workload: dict[str, Any], **changes: Any) -> Simulation:
    process = {"name": "a", "command": "serve", "compile": "40s", "workload": workload} | changes
    return host(process, instance="inf2.xlarge")


def period(model: Simulation, seconds: float) -> Interval:
    earlier = model.snapshot()
    return between(earlier, forward(model, seconds).snapshot())


@pytest.mark.parametrize("kind", WORKLOADS)
def test_while_it_compiles_vcpus_are_busy_and_cores_rest(kind: str) -> None:
    model = compiling(WORKLOADS[kind])
    for _ in range(3):
        interval = period(model, 13)
        (process,) = interval.processes
        assert process.cores == (0, 1)
        assert process.vcpu_user_ns == pytest.approx(2 * 13 * NS * USER_SHARE, rel=1e-9)
        assert process.vcpu_system_ns == pytest.approx(2 * 13 * NS * SYSTEM_SHARE, rel=1e-9)
        assert interval.cores[0].busy_ns == interval.cores[0].executions == 0
        check_sums(model)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_then_it_goes_on_as_if_it_had_just_started(kind: str) -> None:
    late = forward(compiling(WORKLOADS[kind]), 40)
    plain = host({"name": "a", "command": "serve", "workload": WORKLOADS[kind]}, instance="inf2.xlarge")
    for _ in range(3):
        ours, theirs = period(late, 7), period(plain, 7)
        assert ours.cores[0].busy_ns == theirs.cores[0].busy_ns
        assert ours.processes[0].memory == theirs.processes[0].memory
        assert ours.processes[0].executions == theirs.processes[0].executions


def test_a_process_that_ends_while_it_compiles_leaves_nothing() -> None:
    model = forward(compiling(WORKLOADS["llm"]), 20)
    before = model.snapshot()
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 9)
    after = forward(model, 40).snapshot()
    check_sums(model)
    check_grown(before, after)
    assert after.processes == ()
    assert period(model, 10).cores[0].busy_ns == 0


def test_it_compiles_once_however_often_it_starts() -> None:
    model = forward(compiling(WORKLOADS["llm"], restart="5s"), 50)
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 9)
    assert (period(forward(model, 6), 10).cores[0].busy_ns or 0) > 0


def test_it_says_what_it_is_doing() -> None:
    model = forward(compiling(WORKLOADS["llm"]), 10.5)
    found = model.explain(0)
    assert found.doing == "compiling its model on the host, for another 29.5s"
    assert (found.state, found.loading) == ("unloaded", None)
    assert forward(model, 40).explain(0).doing != found.doing
