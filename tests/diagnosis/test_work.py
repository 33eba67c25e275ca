"""Work that goes wrong: hangs, errors, memory, stragglers, slow links are found in their place; sound work is not."""

from __future__ import annotations

from typing import Any

import pytest

from device_model.simulation import Simulation
from neurontools.schema.finding import Scope
from neurontools.schema.host_facts import HostFacts
from tests.device_model.hosts import forward, host, server
from tests.diagnosis.patients import Patient, busy, found, rules, unknown

LLM: dict[str, Any] = {"tp": 4, "model": "opt-1.3b", "arrivals": {"kind": "closed", "users": 4}}


def pid_of(patient: Patient) -> int:
    (process,) = patient.model.snapshot().processes or ()
    return process.pid


def test_a_core_that_hangs_is_named_before_the_time_out_and_its_peers_are_not() -> None:
    patient = busy()
    pid = pid_of(patient)
    patient.watch(3)
    patient.inject("hang", {"core": 2})
    told = patient.watch(18)
    assert rules(told) == {"no-progress": [Scope(kind="core", device=1, core=2, pid=pid)]}
    assert 15 <= int(found(told, "no-progress")[0].evidence["seconds"]) <= 18
    assert set(rules(patient.watch(30))) == {"no-progress"}


@pytest.mark.parametrize("fifths", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("step_s", [1.0, 5.0])
def test_a_core_that_hangs_between_two_readings_is_not_called_slow(step_s: float, fifths: int) -> None:
    patient = Patient(busy().model, step_s)
    patient.watch(30)
    forward(patient.model, step_s * fifths / 5)
    patient.inject("hang", {"core": 2})
    forward(patient.model, step_s * (5 - fifths) / 5)
    patient.look()
    patient.watch(60)
    assert {rule for said in patient.history for rule in rules(said)} == {"no-progress"}


def test_a_core_that_hangs_process_after_process_is_one_finding() -> None:
    patient = busy(restart="5s")
    patient.inject("hang", {"core": 2})
    patient.watch(130)
    (finding,) = patient.history[-1].findings
    assert (finding.rule, finding.scope.core) == ("no-progress", 2)
    pids = {each.scope.pid for said in patient.history for each in said.findings}
    assert len(pids) > 1


def test_a_collective_that_hangs_names_no_core() -> None:
    patient = busy()
    pid = pid_of(patient)
    patient.inject("collective-hang", {"process": "a"})
    assert rules(patient.watch(20)) == {"collectives-hang": [Scope(kind="process", pid=pid)]}
    told = patient.watch(20)
    assert set(rules(told)) == {"collectives-hang"}
    assert {scope.kind for scope in rules(told)["collectives-hang"]} <= {"process", "node"}
    assert "peers first" in found(told, "collectives-hang")[0].advice


def test_a_collective_that_waits_for_a_compilation_is_no_hang_before_the_time_out() -> None:
    patient = busy()
    patient.facts = HostFacts(time_ns=0, compilers=(4711,))
    patient.inject("collective-hang", {"process": "a"})
    told = patient.watch(20)
    assert told.findings == ()
    why = unknown(told, "collectives-hang")
    assert why is not None
    assert why.reason.startswith("held back: something is being compiled")


def test_a_slow_core_and_a_slow_device_are_told_apart() -> None:
    slow = busy(seconds=30)
    slow.inject("straggler", {"core": 1}, factor=2.5)
    assert rules(slow.watch(30)) == {"straggler": [Scope(kind="core", device=0, core=1)]}
    hot = busy(seconds=30, tp=8)
    hot.inject("throttle", {"device": 1}, factor=2.5)
    assert rules(hot.watch(30)) == {"throttling": [Scope(kind="device", device=1)]}


def test_a_device_is_slow_also_where_it_is_half_of_its_group() -> None:
    hot = busy(seconds=30)
    hot.inject("throttle", {"device": 1}, factor=1.5)
    assert rules(hot.watch(40)) == {"throttling": [Scope(kind="device", device=1)]}


def test_a_slow_link_shows_in_the_collectives_of_who_uses_it() -> None:
    patient = busy()
    pid = pid_of(patient)
    patient.watch(150)
    patient.inject("link-degraded", {"link": [0, 1]}, factor=60.0)
    assert rules(patient.watch(30)) == {"link-unbalanced": [Scope(kind="process", pid=pid)]}


@pytest.mark.parametrize(
    ("fault", "parameters", "rule", "says"),
    [
        ("nan", {"share": 0.2}, "numerical-errors", "NaN"),
        ("bad-input", {"share": 0.2}, "execution-errors", "NRT_EXEC_BAD_INPUT"),
        ("out-of-bounds", {}, "execution-errors", "NRT_EXEC_OOB"),
        ("queue-overflow", {}, "execution-errors", "NRT_EXEC_SW_NQ_OVERFLOW"),
        ("out-of-memory", {}, "out-of-memory", "fill"),
    ],
)
def test_errors_are_told_by_their_code_and_process(
    fault: str, parameters: dict[str, Any], rule: str, says: str
) -> None:
    patient = busy()
    pid = pid_of(patient)
    patient.watch(2)
    patient.inject(fault, {"process": "a"}, **parameters)
    told = patient.watch(5)
    assert rules(told) == {rule: [Scope(kind="process", pid=pid)]}
    assert says in found(told, rule)[0].message


def test_memory_that_ran_out_says_what_filled_it_and_what_would_fit() -> None:
    patient = busy()
    patient.watch(2)
    patient.inject("out-of-memory", {"process": "a"})
    (finding,) = found(patient.watch(2), "out-of-memory")
    assert finding.evidence["requested_bytes"] == finding.evidence["bank_bytes"] == 16 * 2**30
    assert 0 < int(finding.evidence["constants_bytes"]) <= int(finding.evidence["used_bytes"])
    assert "more would have fitted" in finding.advice


def test_growth_after_loading_is_a_leak_and_soon_no_memory_is_left() -> None:
    patient = busy()
    pid = pid_of(patient)
    patient.inject("leak", {"process": "a"}, bytes=2e8)
    told = patient.watch(75)
    assert rules(told)["memory-leak"] == [Scope(kind="process", pid=pid)]
    assert [scope.device for scope in rules(told)["memory-near-full"]] == [0, 0, 1, 1] or [
        scope.device for scope in rules(told)["memory-near-full"]
    ] == [0, 1]
    (near, *_) = found(told, "memory-near-full")
    assert near.evidence["pid"] == pid
    assert 200 < int(near.evidence["seconds_left"]) < 400


def conflict() -> Simulation:
    """Two processes that want the same core."""
    second = server("b", model="opt-1.3b", tp=1, first_core=1, start="15s", restart="5s")
    return host(server("a", tp=2, first_core=0, start="0s"), second, instance="inf2.8xlarge")


def test_a_process_that_is_refused_a_core_names_the_holder() -> None:
    patient = Patient(forward(conflict(), 10))
    pid = pid_of(patient)
    (finding,) = found(patient.watch(10), "core-conflict")
    assert finding.scope == Scope(kind="core", device=0, core=1)
    assert finding.evidence["holder"] == pid


def test_cores_that_are_held_for_nothing_are_found_in_half_an_hour_and_compiling_is_work() -> None:
    idle = {"name": "a", "workload": {"kind": "idle", "cores": 2, "memory": "4GiB"}}
    patient = Patient(forward(host(idle, instance="inf2.8xlarge"), 20), step=30)
    pid = pid_of(patient)
    assert patient.watch(20 * 60).findings == ()
    assert rules(patient.watch(15 * 60)) == {"allocated-idle": [Scope(kind="process", pid=pid)]}
    compiler = server("a", model="opt-1.3b") | {"compile": "50m"}
    assert Patient(forward(host(compiler, instance="inf2.8xlarge"), 20), step=30).watch(45 * 60).findings == ()


def test_nothing_is_found_on_a_host_that_works() -> None:
    full = server("a", tp=4, model="opt-13b", batch=8, arrivals={"kind": "closed", "users": 8})
    reloads = server("b", tp=2, reload={"every": "60s", "pause": "5s"})
    patient = Patient(forward(host(full, reloads, instance="inf2.24xlarge"), 20), step=2)
    for _ in range(6):
        assert patient.watch(50).findings == ()
    unable = {each.rule for each in patient.history[-1].cannot_tell}
    assert unable == {"driver-mismatch", "device-health", "ecc-repairable", "retirement", "efa-errors"}


def test_a_rule_without_its_signal_says_the_words_of_its_entry() -> None:
    patient = busy()
    patient.inject("driver-old", {}, version="2.8.4")
    why = unknown(patient.watch(2), "numerical-errors")
    assert why is None or "2.8.4" in why.reason
