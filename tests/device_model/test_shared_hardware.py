"""Many programs on one host: links and memory banks that they share carry no more than they can."""

from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.faults.table import FAULTS
from device_model.runtime.executor import Executed
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.scenario import load
from device_model.simulation import NS, CommandError, Simulation
from neurontools.hardware.instances import link_bytes_per_s, lookup
from neurontools.schema.document import encode
from neurontools.schema.events import PROCESS_END
from neurontools.schema.interval import Interval, between
from tests.device_model.crowds import crowded, crowds
from tests.device_model.hosts import costly, forward, host, process_of
from tests.device_model.invariants import check_bounds, check_grown, check_sums

Crowd = tuple[str, int | None, list[dict[str, Any]]]

CAPACITY = link_bytes_per_s(lookup("inf2.48xlarge")) or 0.0

MOVES = st.lists(st.sampled_from([1_003, 777_777, 20_000_003, 300_000_001, NS]), min_size=2, max_size=8)


def check_moves(model: Simulation, moves: list[int]) -> None:
    for step_ns in moves:
        early = model.snapshot()
        model.advance(model.now_ns + step_ns)
        late = model.snapshot()
        check_sums(model)
        check_grown(early, late)
        check_bounds(model.instance, "bf16", early, late)


@given(crowds(), MOVES)
@costly
def test_what_is_shared_carries_no_more_than_it_can(crowd: Crowd, moves: list[int]) -> None:
    check_moves(forward(crowded(crowd), 0.8), moves)


MISHAPS: dict[str, dict[str, float]] = {
    "link-degraded": {"factor": 5.0},
    "link-down": {},
    "straggler": {"factor": 4.0},
    "throttle": {},
    "hang": {},
    "device-reset": {"seconds": 1.0},
    "out-of-bounds": {},
    "nan": {"share": 0.3},
    "crash": {},
}
"""Faults that change what is executed, with parameters that let something happen within seconds."""


def strike(model: Simulation, name: str, number: int) -> None:
    """Injects a fault somewhere; a host without a target for it is spared."""
    kind = FAULTS[name].target
    devices, processes = model.snapshot().devices, model.snapshot().processes or ()
    device = devices[number % len(devices)]
    where: dict[str, Any] = {"device": device.index, "core": number % model.core_count}
    if device.links:
        where["link"] = [device.index, device.links[number % len(device.links)].peer]
    if processes:
        where["process"] = processes[number % len(processes)].tag
    if kind in where:
        with suppress(CommandError):
            model.inject(name, {kind: where[kind]}, MISHAPS[name])


@given(crowds(), MOVES, st.lists(st.tuples(st.sampled_from(sorted(MISHAPS)), st.integers(0, 63)), max_size=4))
@costly
def test_whatever_fails_links_and_banks_carry_no_more(
    crowd: Crowd, moves: list[int], mishaps: list[tuple[str, int]]
) -> None:
    model = forward(crowded(crowd), 0.8)
    for name, number in mishaps:
        strike(model, name, number)
        check_moves(model, moves[:3])
    model.heal("all")
    check_moves(model, moves)


def trained(*others: str) -> Simulation:
    """The host of link-contention with "narrow" and, from its start on, these others, at work."""
    spec = load("link-contention").scenario.model_dump(exclude_unset=True, by_alias=True)
    processes = [process for process in spec["processes"] if process["name"] in ("narrow", *others)]
    for process in processes:
        process.pop("stop", None)
        process["start"] = "0s"
    return forward(host(*processes, instance=spec["instance"]), 15)


def over(model: Simulation, seconds: float) -> Interval:
    """What happens in the next seconds."""
    early = model.snapshot()
    return between(early, forward(model, seconds).snapshot())


def pace(interval: Interval) -> dict[str, float]:
    """Executions a second by process."""
    return {process.tag or "": process.executions_per_s or 0.0 for process in interval.processes}


def sent_per_s(interval: Interval, device: int, peer: int) -> float:
    (found,) = [link for link in interval.devices[device].links or () if link.peer == peer]
    return found.transmitted_bytes_per_s or 0.0


def test_a_slow_link_slows_down_both_who_share_it() -> None:
    model, factor = trained("wide"), 4.0
    before = over(model, 20)
    model.inject("link-degraded", {"link": [0, 1]}, {"factor": factor})
    forward(model, 1)
    slow = over(model, 20)
    assert sent_per_s(slow, 0, 1) <= CAPACITY / factor
    assert sent_per_s(slow, 0, 1) > 0.5 * CAPACITY / factor
    assert pace(slow)["wide"] < 0.5 * pace(before)["wide"]
    assert pace(slow)["narrow"] < 0.7 * pace(before)["narrow"]
    model.heal("all")
    forward(model, 1)
    assert pace(over(model, 20)) == pytest.approx(pace(before), rel=0.02)


def test_a_link_that_is_down_stops_both_who_share_it() -> None:
    model = trained("wide")
    model.inject("link-down", {"link": [0, 1]}, {})
    forward(model, 31)
    assert model.snapshot().processes == ()
    ends = [event.text for event in model.events(0).events if event.kind == PROCESS_END]
    assert [end.rsplit(": ", 1)[1] for end in ends] == ["exit status 1 (NRT_EXEC_HW_ERR_COLLECTIVES)"] * 2


def test_who_computes_for_longer_leaves_the_links_to_others() -> None:
    model = trained("wide")
    before = over(model, 20)
    model.inject("straggler", {"core": 0}, {"factor": 8.0})
    forward(model, 1)
    slow = over(model, 20)
    assert pace(slow)["narrow"] < 0.5 * pace(before)["narrow"]
    assert pace(slow)["wide"] > 1.005 * pace(before)["wide"]


def test_when_its_neighbour_is_killed_a_job_is_as_fast_as_before_at_once() -> None:
    model, alone = trained("wide"), trained()
    wide = process_of(model, "wide")
    assert wide is not None
    assert pace(over(model, 20))["narrow"] < 0.95 * pace(over(alone, 20))["narrow"]
    model.signal(wide.pid, 9)
    assert pace(over(model, 20))["narrow"] == pytest.approx(pace(over(alone, 20))["narrow"], rel=0.005)


def shown(crowd: Crowd, moves: list[int]) -> list[bytes]:
    """What can be read on the way, from when the first programs work on."""
    model = forward(crowded(crowd), 0.8)
    found = []
    for step_ns in moves:
        model.advance(model.now_ns + step_ns)
        found.append(encode(model.snapshot()))
    return found


@given(crowds(), MOVES)
@costly
def test_runs_of_many_steps_are_the_same_as_single_steps(crowd: Crowd, moves: list[int]) -> None:
    execute = Runtime.execute

    def one(
        runtime: Runtime,
        now_ns: int,
        process: Process,
        works: Any,
        steps: int,
        done: Executed,
        *args: Any,
        **others: Any,
    ) -> None:
        execute(runtime, now_ns, process, works, min(steps, 1), done, *args, **others)

    many = shown(crowd, moves)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "execute", one)
        assert shown(crowd, moves) == many
