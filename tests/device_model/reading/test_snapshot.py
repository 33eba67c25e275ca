"""Snapshots agree with themselves, with the data sheets, and with each other over any period."""

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from device_model.machine.activity import NS_PER_MINUTE
from device_model.simulation import NS, Simulation
from neurontools.schema.snapshot import Power, Snapshot
from tests.device_model.hosts import CLOSED, busy_host, costly, forward, host, process_of, server
from tests.device_model.invariants import check_bounds, check_grown, check_sums

FULL: dict[str, Any] = {"arrivals": {"kind": "closed", "users": 8}, "batch": 8}
LONG: dict[str, Any] = {"prompt": {"mean": 500, "cv": 0.2, "most": 511}, "output": {"mean": 3}}
HOSTS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("inf2.48xlarge", "bf16"): [server("a", **FULL), server("b", tp=8, **LONG), server("c", tp=1, **FULL)],
    ("inf2.24xlarge", "fp32"): [server("a", tp=12, **FULL, **LONG, data_type="fp32")],
    ("trn2.3xlarge", "fp8"): [server("a", tp=2, **FULL, data_type="fp8"), server("b", tp=1, **LONG, data_type="fp8")],
    ("trn1.32xlarge", "bf16"): [server("a", tp=10, **FULL, **LONG), server("b", tp=8, **FULL)],
    ("inf1.6xlarge", "fp16"): [server("a", model="opt-125m", tp=16, **FULL, **LONG, data_type="fp16")],
    ("trn3p.48xlarge", "bf16"): [server("a", tp=20, **FULL, **LONG), server("b", tp=4, **FULL)],
}
STEPS = st.lists(st.sampled_from([1, 17, 999, 10**6, 10**7, 3 * 10**8, 2 * 10**9]), min_size=2, max_size=6)


@pytest.mark.parametrize(("instance", "data_type"), sorted(HOSTS))
@given(st.integers(0, 12 * NS), STEPS)
@costly
def test_sums_and_bounds_hold_over_any_period(instance: str, data_type: str, start_ns: int, steps: list[int]) -> None:
    model = host(*HOSTS[instance, data_type], instance=instance)
    model.advance(model.now_ns + start_ns)
    snapshots = [model.snapshot()]
    for step_ns in steps:
        model.advance(model.now_ns + step_ns)
        snapshots.append(model.snapshot())
        check_sums(model)
    for early, late in [*pairwise(snapshots), (snapshots[0], snapshots[-1])]:
        check_bounds(instance, data_type, early, late)
        check_grown(early, late)


@given(st.integers(0, 15 * NS), st.sampled_from(["a", "b", "c"]), st.integers(0, 3 * NS))
@costly
def test_counters_of_the_host_outlive_its_processes(moment_ns: int, name: str, later_ns: int) -> None:
    model = busy_host()
    model.advance(model.now_ns + moment_ns)
    before, victim = model.snapshot(), process_of(model, name)
    if victim is not None:
        model.signal(victim.pid, 9)
    check_grown(before, model.snapshot())
    assert vcpu_ns(before) == vcpu_ns(model.snapshot())
    model.advance(model.now_ns + later_ns)
    check_sums(model)
    check_grown(before, model.snapshot())


def vcpu_ns(snapshot: Snapshot) -> tuple[int, int]:
    assert snapshot.host is not None
    cpus = snapshot.host.cpus or ()
    return sum(cpu.user for cpu in cpus), sum(cpu.system for cpu in cpus)


@given(st.integers(0, 20 * NS))
@costly
def test_processes_are_the_only_users_of_vcpus(moment_ns: int) -> None:
    model = busy_host()
    model.advance(model.now_ns + moment_ns)
    processes = model.snapshot().processes or ()
    used = sum(p.vcpu_user_ns or 0 for p in processes), sum(p.vcpu_system_ns or 0 for p in processes)
    assert vcpu_ns(model.snapshot()) == used


def test_time_in_use_is_busy_time_credited_when_an_execution_completes() -> None:
    model = forward(host(server(arrivals=CLOSED, stop="30s")), 29.9)
    pid = (process_of(model, "a") or pytest.fail("it runs")).pid
    seen = set()
    for _ in range(200):
        model.advance(model.now_ns + 100_000)
        execution = model._world.runtime.under_way(model._world.runtime.processes[pid])
        core = model.snapshot().devices[0].cores[0]
        in_use = (core.other_info or {})["nc_time_in_use"].total
        if execution is not None:
            credited = execution.run.steps_done(model.now_ns) * execution.run.credit_ns
            step = execution.run.elapsed_ns(model.now_ns) * execution.run.credit_ns // execution.run.step_ns
            assert (core.busy_ns or 0) - step + credited == pytest.approx(in_use * 1000, abs=1000)
        seen.add(in_use)
    assert 1 < len(seen) < 200


def test_loading_is_no_execution() -> None:
    model = forward(host(server("a")), 0.5)
    core = model.snapshot().devices[0].cores[0]
    assert core.hbm_written_bytes
    assert (core.busy_ns, core.flops, core.collectives_ns) == (0, 0, 0)
    assert (core.status or {})["success"].total == 0


def test_last_increments_are_those_of_one_execution() -> None:
    model = forward(host(server(arrivals=CLOSED)), 20)
    other = model.snapshot().devices[0].cores[0].other_info or {}
    assert other["inference_count"].present == 1
    assert 0 < other["flop_count"].present < other["flop_count"].total
    assert 0 < other["nc_time_in_use"].present < 10**6, "microseconds of one step"


def test_a_server_that_pauses_keeps_its_last_increment() -> None:
    model = forward(host(server(arrivals=CLOSED, reload={"every": "4s", "pause": "10m"})), 20)
    other = model.snapshot().devices[0].cores[0].other_info or {}
    later = forward(model, 580).snapshot().devices[0].cores[0].other_info or {}
    assert other["flop_count"] == later["flop_count"]
    assert other["flop_count"].present > 0


def powers(model: Simulation) -> list[Power]:
    return [device.power for device in model.snapshot().devices if device.power is not None]


def test_power_has_no_data_before_the_first_full_minute_and_is_zero_on_an_idle_node() -> None:
    model = forward(host(), 59.999)
    assert {power.status for power in powers(model)} == {"POWER_STATUS_NO_DATA"}
    forward(model, 0.001)
    end_s = model.now_ns // NS
    assert set(map(msgspec.structs.astuple, powers(model))) == {("POWER_STATUS_VALID", end_s, 0.0, 0.0, 0.0)}


def test_power_stays_for_a_minute_and_lies_between_its_extremes() -> None:
    model = forward(busy_host(), 61)
    for _ in range(3):
        first = powers(model)
        assert powers(forward(model, 58.9)) == first
        assert all(0 <= p.min_percent <= p.avg_percent <= p.max_percent <= 100 for p in first)
        assert 0 < max(p.avg_percent for p in first) < 60
        assert first[-1].max_percent == 0, "nothing works there"
        assert {power.epoch_s for power in first} == {(model.now_ns - model.now_ns % NS_PER_MINUTE) // NS}
        forward(model, 1.1)


def test_inferentia_publishes_no_power_and_no_tensor_cycles() -> None:
    snapshot = forward(host(instance="inf1.xlarge"), 120).snapshot()
    assert snapshot.devices[0].power is None
    assert {core.pe_cntrs for core in snapshot.devices[0].cores} == {None}


def test_tensor_cycles_are_all_the_cycles_since_boot() -> None:
    model = forward(host(server(arrivals=CLOSED)), 20)
    clock = model._world.node.chip.core.engine_clocks_hz["tensor"] or 0
    for core in model.snapshot().devices[0].cores:
        rows = core.pe_cntrs or ()
        assert len(rows) == 4
        for row in rows:
            assert row.mm_active + row.idle == pytest.approx(20 * clock, abs=1)
            assert row.mm_active > 0
            assert row.wl_active > 0


def test_engines_of_a_chip_without_published_rates_are_unknown_and_not_idle() -> None:
    taken = forward(host(server(arrivals=CLOSED), instance="inf1.6xlarge"), 60).snapshot()
    assert any(core.busy_ns for device in taken.devices for core in device.cores)
    assert all(core.engines is None for device in taken.devices for core in device.cores)
    assert "never published" in taken.head.gaps["engines"].reason
