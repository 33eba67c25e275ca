"""A doctor that watches: findings begin, are held and end; what it keeps is bounded; it forgets with the boot."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.diagnosis import Doctor, diagnose
from neurontools.diagnosis.live import MOST_FINDINGS, Reading, is_blind, worst
from neurontools.diagnosis.rule import Found, Rule, device_scope
from neurontools.diagnosis.window import Window
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.finding import Diagnosis, Scope
from neurontools.schema.snapshot import Snapshot
from neurontools.units import NS_PER_S
from tests.exporters.nodes import inventory_for, reading

INSTANCE = INSTANCES["trn1.2xlarge"]
INVENTORY = inventory_for(INSTANCE)


def at(second: float, boot: str = "a") -> Snapshot:
    """A host at a second of its time."""
    snapshot = reading(INSTANCE, 100, boot)
    return replace(snapshot, head=replace(snapshot.head, time_ns=round(second * NS_PER_S)))


def odd(hold_s: int = 0, count: int = 1) -> Rule:
    """A rule that finds something, on so many devices, in every second below 100 that is odd."""

    def find(window: Window, rule: Rule) -> list[Found]:
        second = window.now.time_ns // NS_PER_S
        return [Found(device_scope(i), f"{second}", {"at": second}) for i in range(count)] if second % 2 else []

    return Rule("odd", "odd", (), find, "device", "warn", "test", "Wait.", "soon", hold_ns=hold_s * NS_PER_S)


def see(doctor: Doctor, second: float, boot: str = "a") -> Diagnosis:
    return doctor.see(INVENTORY, at(second, boot))


def test_a_finding_without_hold_ends_with_its_condition() -> None:
    doctor = Doctor([odd()])
    assert [len(see(doctor, second).findings) for second in (1, 2, 3, 4)] == [1, 0, 1, 0]


def test_a_held_finding_keeps_its_beginning_and_ends_in_time() -> None:
    doctor = Doctor([odd(hold_s=2)])
    shown = [see(doctor, second).findings for second in (1, 2, 3, 4, 5, 6, 7.99, 10)]
    assert [finding.since_ns // NS_PER_S for findings in shown for finding in findings] == [1] * 7
    assert [finding.message for findings in shown for finding in findings] == ["1", "1", "3", "3", "5", "5", "7"]
    assert shown[-1] == ()


def test_another_boot_forgets_everything() -> None:
    doctor = Doctor([odd(hold_s=100)])
    assert see(doctor, 1).findings
    assert see(doctor, 2, boot="b").findings == ()


def test_findings_are_bounded() -> None:
    assert len(see(Doctor([odd(count=3 * MOST_FINDINGS)]), 1).findings) == MOST_FINDINGS


def always(name: str, kind: str, *hidden_by: str, pid: int | None = None) -> Rule:
    """A rule that finds something on core 1 of device 0, on the device, a process or the node."""
    core = {"core": 1, "device": 0, "pid": pid}
    numbers: dict[str, dict[str, Any]] = {"core": core, "device": {"device": 0}, "process": {"pid": 7}, "node": {}}
    scope = Scope(kind=kind, **numbers[kind])
    found = [Found(scope, name, {})]
    return Rule(name, name, (), lambda window, rule: found, kind, "warn", "t", "Wait.", "soon", hidden_by=hidden_by)


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ([always("a", "device", "b"), always("b", "core")], ["b"]),
        ([always("a", "core", "b"), always("b", "device", "a")], ["a"]),
        ([always("a", "device", "b"), always("b", "node")], ["a", "b"]),
        ([always("c", "node", "b"), always("b", "node", "a"), always("a", "node")], ["a", "c"]),
        ([always("c", "node", "b"), always("b", "node", "a")], ["b"]),
        ([always("a", "process", "b@core"), always("b", "process", "a")], ["a"]),
        ([always("a", "process", "b@core"), always("b", "core", "a", pid=7)], ["b"]),
        ([always("a", "node", "b"), always("b", "node", "a")], ["a"]),
    ],
)
def test_what_explains_another_finding_hides_it(rules: list[Rule], shown: list[str]) -> None:
    told = see(Doctor(rules), 1)
    assert sorted(finding.rule for finding in told.findings) == shown
    assert set(told.checked) == {rule.id for rule in rules}


def test_the_pure_function_is_a_doctor_that_has_seen_them_all() -> None:
    readings = [Reading(INVENTORY, at(second)) for second in (1, 2, 3, 4)]
    doctor = Doctor([odd(hold_s=2)])
    said = [doctor.see(*each) for each in readings]
    assert diagnose(readings, [odd(hold_s=2)]) == said[-1]
    with pytest.raises(ValueError, match="at least one reading"):
        diagnose([])


def test_a_rule_that_needs_time_says_how_much() -> None:
    doctor = Doctor([odd()._replace(watched_ns=30 * NS_PER_S)])
    told = see(doctor, 1)
    assert [each.supply for each in told.cannot_tell] == ["--window 30s"]
    assert told.checked == ()
    assert see(doctor, 31).checked == ("odd",)


def test_blind_is_never_nothing_found() -> None:
    doctor = Doctor([odd(hold_s=100)])
    see(doctor, 1)
    told = doctor.blind(5 * NS_PER_S, "the socket is gone", "start it")
    assert is_blind(told)
    assert [finding.rule for finding in told.findings] == ["monitor-blind", "odd"]
    assert [(each.rule, each.reason) for each in told.cannot_tell] == [("odd", "the socket is gone")]
    assert worst(told) == "warn"


def test_what_is_known_of_processes_ends_with_them() -> None:
    window = Window(INVENTORY, at(0))
    window.add(INVENTORY, replace(at(0), processes=()), (), None)
    for second in range(3, 60):
        snapshot = at(second)
        (process, *_) = snapshot.processes or ()
        alone = replace(process, pid=second // 3, started_ns=second // 3, errors={"numerical": second % 3})
        window.add(INVENTORY, replace(snapshot, processes=(alone,)), (), None)
        growth = window.grown("process", second // 3, "numerical")
        assert (growth.total if growth is not None else 0) == second % 3
        assert len(window.processes) == 1
        assert len([place for place in window._growth if place[0] == "process"]) <= 1


@given(st.lists(st.floats(0.2, 90), min_size=1, max_size=400))
def test_samples_are_few_and_as_old_as_anybody_asks(steps: list[float]) -> None:
    window = Window(INVENTORY, at(0))
    second = 0.0
    seen = []
    for step in steps:
        second += step
        window.add(INVENTORY, at(second), (), None)
        seen.append(window.now.time_ns)
    times = [sample.time_ns for sample in window.samples]
    assert times == sorted(set(times))
    assert len(times) <= 300
    assert times[-1] == seen[-1]
    assert set(times) <= set(seen)
    hour = [time_ns for time_ns in seen if seen[-1] - time_ns <= 3600 * NS_PER_S]
    for early, late in pairwise(times):
        assert late - early <= max(
            2 * 60 * NS_PER_S, max((b - a for a, b in pairwise(hour)), default=0) + 60 * NS_PER_S
        )
