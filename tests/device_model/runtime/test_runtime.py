"""Processes on a host: what they leave when they end, what happens when memory or cores are taken."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.hbm import PAGE_BYTES, Extent
from device_model.runtime import log
from device_model.simulation import Simulation
from neurontools.schema.document import encode
from neurontools.schema.events import PROCESS_END, PROCESS_START, RUNTIME_LOG
from neurontools.schema.snapshot import Core
from neurontools.units import GIB
from tests.device_model.hosts import CLOSED, costly, forward, host, process_of, server

RELOADING: dict[str, Any] = {"tp": 8, "arrivals": CLOSED, "reload": {"every": "3s", "pause": "2s"}}
MOMENTS = st.integers(0, 15_000_000_000)
FATAL = st.sampled_from([1, 2, 9, 15])


def free_lists(model: Simulation) -> list[list[Extent]]:
    return [bank.free_extents() for device in model._world.node.devices for bank in device.banks]


def cores_of(model: Simulation) -> list[Core]:
    return [core for device in model.snapshot().devices for core in device.cores]


def counters(core: Core) -> list[Any]:
    """What a core counts; memory is not among it, nor what runs on while the core rests."""
    return [core.busy_ns, core.collectives_ns, core.engines, core.flops, core.hbm_read_bytes, core.hbm_written_bytes]


@given(MOMENTS, FATAL)
def test_a_process_that_ends_alone_leaves_the_memory_as_it_was(moment_ns: int, number: int) -> None:
    model = host(server("a", **RELOADING))
    empty = free_lists(host())
    forward(model, moment_ns / 1e9)
    process = process_of(model, "a")
    assert process is not None
    before = [counters(core) for core in cores_of(model)]
    model.signal(process.pid, number)
    assert free_lists(model) == empty
    assert model.snapshot().processes == ()
    assert all(not device.holders for device in model.inventory().devices)
    for device in model.snapshot().devices:
        assert all(use.total == 0 for use in (device.host_memory or {}).values())
    assert [counters(core) for core in cores_of(model)] == before
    forward(model, 20)
    assert [counters(core) for core in cores_of(model)] == before, "nothing of it works on"
    assert (free_lists(model), model.snapshot().processes, model.next_event_ns()) == (empty, (), None)


@given(MOMENTS, FATAL)
@costly
def test_the_end_of_one_process_leaves_the_others_alone(moment_ns: int, number: int) -> None:
    killed, spared = (host(server("a", **RELOADING), server("b"), server("c", arrivals=CLOSED)) for _ in range(2))
    for model in (killed, spared):
        forward(model, moment_ns / 1e9)
    victim = process_of(killed, "a")
    assert victim is not None
    killed.signal(victim.pid, number)
    for _ in range(3):
        for name in ("b", "c"):
            ours, theirs = process_of(killed, name), process_of(spared, name)
            assert ours is not None
            assert theirs is not None
            assert encode(ours) == encode(theirs)
            for core in ours.cores:
                assert encode(cores_of(killed)[core]) == encode(cores_of(spared)[core])
        forward(killed, 1.7)
        forward(spared, 1.7)


def test_a_model_whose_process_ended_while_loading_does_not_come_back() -> None:
    model = forward(host(server("a")), 0.3)
    process = process_of(model, "a")
    assert process is not None
    assert process.models == ()
    model.signal(process.pid, 9)
    counted = counters(cores_of(model)[0])
    forward(model, 60)
    assert counters(cores_of(model)[0]) == counted
    assert model.next_event_ns() is None
    last = model.events(0).events[-1]
    assert (last.kind, last.text, last.pid) == (PROCESS_END, "python serve.py: killed by SIGKILL", process.pid)


def test_a_process_that_the_scenario_stops_ends_with_status_0() -> None:
    model = forward(host(server("a", stop="5s")), 4)
    assert process_of(model, "a") is not None
    forward(model, 1)
    assert model.snapshot().processes == ()
    assert model.events(0).events[-1].text == "python serve.py: exit status 0"
    assert free_lists(model) == free_lists(host())


def test_a_stop_that_comes_after_the_end_does_nothing() -> None:
    model = forward(host(server("a", stop="5s")), 4)
    process = process_of(model, "a")
    assert process is not None
    model.signal(process.pid, 15)
    events = len(model.events(0).events)
    forward(model, 10)
    assert len(model.events(0).events) == events


TOO_LARGE = server("a", model="opt-66b", data_type="fp16", batch=8, context=2048)


def test_a_model_that_does_not_fit_ends_its_process_and_says_why() -> None:
    model = forward(host(TOO_LARGE, instance="inf2.xlarge"), 120)
    assert model.snapshot().processes == ()
    assert free_lists(model) == free_lists(host(instance="inf2.xlarge"))
    errors = [(core.status or {})["resource_error"] for core in cores_of(model)]
    assert sorted((error.total, error.present) for error in errors) == [(0, 0), (1, 1)]
    events = model.events(0).events
    assert [events[0].kind, events[-1].kind] == [PROCESS_START, PROCESS_END]
    assert events[-1].text == "python serve.py: exit status 1 (NRT_RESOURCE)"
    lines = [event.text for event in events if event.kind == RUNTIME_LOG]
    assert all(event.pid == events[0].pid and event.core in (0, 1) for event in events[1:-1])
    assert "Failed to allocate" in lines[0]
    assert "usage: model constants" in lines[0]
    assert any("ND 0 Overall" in line for line in lines)
    written = [core.hbm_written_bytes or 0 for core in cores_of(model)]
    peaks = [(core.memory or {})["constants"].peak or 0 for core in cores_of(model)]
    assert all(0 <= min(peaks) - amount < 64 * PAGE_BYTES for amount in written), "the layers that fitted were written"
    assert all(0.9 * 16 * GIB < peak < 16 * GIB for peak in peaks)


def test_a_neighbour_keeps_its_memory_when_another_runs_out_of_it() -> None:
    alone = forward(host(server("a", tp=1), instance="inf2.xlarge"), 120)
    crowded = forward(host(server("a", tp=1), server("b", tp=1, model="opt-13b"), instance="inf2.xlarge"), 120)
    ours, theirs = process_of(crowded, "a"), process_of(alone, "a")
    assert ours is not None
    assert theirs is not None
    assert encode(ours) == encode(theirs)
    assert free_lists(crowded) == free_lists(alone)
    assert process_of(crowded, "b") is None


@pytest.mark.parametrize(("instance", "first", "asked"), [("inf2.48xlarge", 2, (2, 3)), ("trn2.3xlarge", 2, (2, 3))])
def test_a_second_process_on_the_same_cores_is_refused(instance: str, first: int, asked: tuple[int, int]) -> None:
    settled = server("a", first_core=first)
    alone = forward(host(settled, instance=instance), 10)
    both = forward(host(settled, server("b", first_core=first, start="2s"), instance=instance), 10)
    ours, theirs = process_of(both, "a"), process_of(alone, "a")
    assert ours is not None
    assert theirs is not None
    assert encode(ours) == encode(theirs)
    assert free_lists(both) == free_lists(alone)
    refused = [event for event in both.events(0).events if event.pid != ours.pid]
    assert [event.kind for event in refused] == [PROCESS_START, RUNTIME_LOG, PROCESS_END]
    at, pid = refused[0].time_ns, refused[0].pid
    assert pid is not None
    assert refused[1].text == log.core_conflict(at, pid, *asked)[0]
    assert refused[2].text == "python serve.py: exit status 1"
    counted = [(core.status or {})["resource_nc_error"].total for core in cores_of(both)]
    assert sum(counted) == counted[ours.cores[0]] == 1
