"""Injecting and healing: what is refused and why, what replaces what, what ends by itself, and what is replayed."""

import json
from statistics import fmean
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.faults.table import FAULTS
from device_model.save import restore, saved
from device_model.simulation import NS, CommandError, Simulation
from tests.conftest import Golden
from tests.device_model.faults.programs import HOSTS, PARAMETERS, PLACES, try_inject
from tests.device_model.hosts import costly, forward, host, process_of, readings, server

WRONG: tuple[tuple[str, dict[str, Any], dict[str, Any], int | None], ...] = (
    ("stragler", {"core": 1}, {}, None),
    ("xyzzy", {}, {}, None),
    ("straggler", {}, {}, None),
    ("straggler", {"device": 1}, {}, None),
    ("straggler", {"core": 1, "device": 1}, {}, None),
    ("straggler", {"kore": 1}, {}, None),
    ("straggler", {"core": 24}, {}, None),
    ("straggler", {"core": -1}, {}, None),
    ("straggler", {"core": "1"}, {}, None),
    ("straggler", {"core": True}, {}, None),
    ("throttle", {"device": 12}, {}, None),
    ("link-down", {"link": [0, 5]}, {}, None),
    ("link-down", {"link": [0]}, {}, None),
    ("link-down", {"link": "0-1"}, {}, None),
    ("link-down", {"link": [0, 12]}, {}, None),
    ("crash", {"process": "aa"}, {}, None),
    ("crash", {"process": 7}, {}, None),
    ("driver-missing", {"device": 0}, {}, None),
    ("straggler", {"core": 1}, {"factor": 0.5}, None),
    ("straggler", {"core": 1}, {"factor": "2"}, None),
    ("straggler", {"core": 1}, {"factor": True}, None),
    ("straggler", {"core": 1}, {"factor": float("nan")}, None),
    ("straggler", {"core": 1}, {"fctor": 2.0}, None),
    ("hang", {"core": 1}, {"factor": 2.0}, None),
    ("crash", {"process": "a"}, {"signal": 12}, None),
    ("crash", {"process": "a"}, {"signal": 11.0}, None),
    ("crash", {"process": "a"}, {"signal": [11]}, None),
    ("device-reset", {"device": 0}, {"fails": 1}, None),
    ("driver-old", {}, {"version": "2.7"}, None),
    ("driver-old", {}, {"version": "new"}, None),
    ("driver-old", {}, {"version": 2.2}, None),
    ("crash", {"process": "a"}, {}, NS),
    ("hbm-repairable", {"core": 1}, {}, None),
    ("collective-hang", {"process": "b"}, {}, None),
)


def two() -> Simulation:
    """A server on cores 0 and 1, and one on core 2."""
    return forward(host(server("a"), server("b", tp=1)), 4)


def test_what_cannot_be_injected_is_refused_with_a_reason_and_changes_nothing(golden: Golden) -> None:
    model = two()
    before, told = readings(model), []
    for name, target, parameters, for_ns in WRONG:
        with pytest.raises(CommandError) as caught:
            model.inject(name, target, parameters, for_ns)
        assert readings(model) == before
        told.append(f"{name} {target} {parameters}{'' if for_ns is None else ' for 1s'}\n  {caught.value}\n")
    golden("faults/refused.txt", "\n".join(told))


def test_what_cannot_be_healed_is_refused_with_a_reason() -> None:
    model = two()
    messages = []
    for what in (7, "hang", "crash", "hnag"):
        with pytest.raises(CommandError) as caught:
            model.heal(what)
        messages.append(str(caught.value))
    assert messages == [
        "no fault 7 is active; none is",
        "no hang is active; none is",
        "crash happens once: there is nothing to heal",
        "there is no fault 'hnag' (did you mean 'hang'?)",
    ]
    assert model.heal("all") == []
    number = model.inject("hang", {"core": 3}, {})
    with pytest.raises(CommandError, match=r"no fault 7 is active; active: 1 \(hang, core 3\)"):
        model.heal(7)
    assert model.heal(number) == [number]


def ids(model: Simulation) -> list[int]:
    return [injection.id for injection in model.faults()]


def test_the_newer_replaces_the_older_on_the_same_target_only() -> None:
    model = two()
    numbers = [
        model.inject("straggler", {"core": 1}, {"factor": 2.0}),
        model.inject("straggler", {"core": 2}, {"factor": 2.0}),
        model.inject("hang", {"core": 1}, {}),
        model.inject("straggler", {"core": 1}, {"factor": 3.0}),
    ]
    assert numbers == [1, 2, 3, 4]
    assert ids(model) == [2, 3, 4]
    assert model._world.node.cores[1].slowness == 3.0
    assert model.heal("straggler") == [2, 4]
    assert model.heal("all") == [3]
    assert not any(core.impaired for core in model._world.node.cores)


def test_what_lasts_for_a_time_ends_then_by_itself() -> None:
    model = two()
    model.inject("straggler", {"core": 1}, {}, for_ns=3 * NS)
    model.inject("hang", {"core": 3}, {}, for_ns=5 * NS)
    began_ns = model.now_ns
    model.advance(began_ns + 3 * NS - 1)
    assert ids(model) == [1, 2]
    model.advance(began_ns + 3 * NS)
    assert ids(model) == [2]
    assert not model._world.node.cores[1].impaired
    model.heal(2)
    forward(model, 10)
    assert ids(model) == []


def test_what_happens_once_is_over_at_once_and_has_a_number() -> None:
    model = two()
    assert model.inject("sram-uncorrected", {"core": 1}, {}) == 1
    assert ids(model) == []
    assert model.inject("straggler", {"core": 1}, {}) == 2


def test_a_fault_of_a_process_ends_with_it() -> None:
    model = two()
    model.inject("nan", {"process": "a"}, {}, for_ns=20 * NS)
    model.inject("leak", {"process": "a"}, {})
    assert ids(model) == [1, 2]
    model.inject("crash", {"process": "a"}, {})
    assert ids(model) == []
    forward(model, 30)
    assert process_of(model, "b") is not None


def test_all_is_as_it_was_after_healing() -> None:
    model = two()
    for name, fault in FAULTS.items():
        if fault.lasting and fault.target != "process" and fault.families is None:
            model.inject(name, PLACES[fault.target], PARAMETERS.get(name, {}))
    assert len(ids(model)) == sum(f.lasting and f.target != "process" and f.families is None for f in FAULTS.values())
    model.heal("all")
    node = model._world.node
    assert not any(core.impaired for core in node.cores)
    assert all(device.ready for device in node.devices)
    assert (node.links.slowed_by, node.driver.sound) == ({}, True)


def test_a_reset_ends_by_itself_unless_it_fails() -> None:
    model = two()
    model.inject("device-reset", {"device": 3}, {"seconds": 2.0})
    model.inject("device-reset", {"device": 4}, {"seconds": 2.0, "fails": True})
    model.inject("device-reset", {"device": 5}, {"seconds": 60.0}, for_ns=NS)
    assert [model.snapshot().devices[device].reset_state for device in (3, 4, 5)] == ["reset"] * 3
    forward(model, 3)
    assert [model.snapshot().devices[device].reset_state for device in (3, 4, 5)] == ["ready", "invalid", "ready"]
    assert ids(model) == [2]
    counted = [
        {name: (core.other_info or {})[name].total for name in ("reset_req_count", "reset_fail_count")}
        for device in (3, 4)
        for core in model.snapshot().devices[device].cores[:1]
    ]
    assert counted == [
        {"reset_req_count": 2, "reset_fail_count": 0},
        {"reset_req_count": 2, "reset_fail_count": 1},
    ]
    model.heal("all")
    assert model.snapshot().devices[4].reset_state == "ready"


def errors_after(hours: float, seed: int, rate: float, others: bool = False) -> int:
    model = host(seed=seed)
    model.inject("hbm-corrected", {"core": 2}, {"rate": rate})
    if others:
        model.inject("hbm-corrected", {"core": 4}, {"rate": 1000.0})
        model.inject("sram-corrected", {"core": 2}, {"rate": 1000.0})
    return (forward(model, hours * 3600).snapshot().devices[1].ecc or {})["mem_ecc_corrected"]


def test_corrected_errors_come_at_their_rate_and_at_random() -> None:
    counts = [errors_after(2, seed, 50.0) for seed in range(10)]
    assert abs(fmean(counts) - 100) < 3 * (100 / 10) ** 0.5
    assert len(set(counts)) > 5


def test_other_faults_change_no_draw() -> None:
    assert errors_after(1, 3, 60.0, others=True) == errors_after(1, 3, 60.0)


ENTRIES = st.lists(
    st.tuples(st.integers(0, 4 * NS), st.sampled_from(sorted(FAULTS)), st.none() | st.integers(1, 5 * NS)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("kind", ["llm", "encoder", "training"])
@given(entries=ENTRIES, rest_ns=st.integers(0, 8 * NS), heals=st.booleans())
@costly
def test_a_restored_host_has_the_same_faults_and_goes_on_alike(
    kind: str, entries: list[tuple[int, str, int | None]], rest_ns: int, heals: bool
) -> None:
    model = forward(HOSTS[kind](), 3)
    for step_ns, name, for_ns in entries:
        model.advance(model.now_ns + step_ns)
        try_inject(model, name, for_ns)
    if heals:
        model.heal("all")
    again = restore(json.dumps(saved(model)), "f.json")
    for each in (model, again):
        each.advance(each.now_ns + rest_ns)
    assert readings(again) == readings(model)
    assert [injection.document() for injection in again.faults()] == [each.document() for each in model.faults()]


@pytest.mark.parametrize("kind", ["llm, open", "encoder"])
@given(entries=ENTRIES, parts=st.lists(st.integers(1, 3 * NS), max_size=4))
@costly
def test_the_division_of_time_changes_nothing_about_faults(
    kind: str, entries: list[tuple[int, str, int | None]], parts: list[int]
) -> None:
    whole, divided = HOSTS[kind](), HOSTS[kind]()
    for model, steps in ((whole, [sum(parts)]), (divided, parts)):
        for step_ns, name, for_ns in entries:
            model.advance(model.now_ns + step_ns)
            try_inject(model, name, for_ns)
        for step_ns in steps:
            model.advance(model.now_ns + step_ns)
    assert readings(divided) == readings(whole)
