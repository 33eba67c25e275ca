"""A year of counters: none overflows or drifts, a year counts what its parts count, and those that wrap do so once."""

from typing import Any

import pytest

from device_model.scenario import load
from device_model.simulation import NS, Simulation
from neurontools.hardware.driver import COUNTER_BITS, SRAM_ECC_BITS
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Core, Snapshot
from tests.device_model.hosts import forward, host, readings
from tests.device_model.invariants import check_bounds, check_grown, check_sums, counters

DAY_NS = 86_400 * NS
YEAR_NS = 365 * DAY_NS
ROUNDED = ("nc_time_in_use", "pe_cntrs", "cpu ")
"""Counters in a coarser unit than the model's, or shared out evenly and rounded."""


def calling(**changes: Any) -> Simulation:
    """A core that runs one call after another for ever: a year of it takes a few thousand events."""
    workload = {
        "kind": "custom-operator",
        "elements": 1_000_000,
        "trips": {"mean": 10_000},
        "arrivals": {"kind": "closed", "users": 3},
    }
    return forward(host({"name": "a", "workload": workload | changes}, instance="inf2.xlarge"), 60)


def run_of(model: Simulation) -> Any:
    """The run of equal calls under way."""
    (process,) = model._world.runtime.processes.values()
    execution = model._world.runtime.under_way(process)
    assert execution is not None
    return execution.run


def core_of(snapshot: Snapshot) -> Core:
    """The core that works."""
    return snapshot.devices[0].cores[0]


def test_a_year_counts_what_its_parts_count() -> None:
    model = calling(vector_elements=1e6, matmul_flops=1e9)
    call_ns = run_of(model).step_ns
    model.advance(run_of(model).boundary_after(model.now_ns))
    few, many = 1000, YEAR_NS // call_ns
    assert many > 10**8
    seen = [counters(model.snapshot())]
    begin_ns = model.now_ns
    for calls in (few, many):
        model.advance(begin_ns + calls * call_ns)
        seen.append(counters(model.snapshot()))
        check_sums(model)
    start, early, late = seen
    moved = {place for place in late if late[place] != start.get(place, 0)}
    assert len(moved) > 20
    for place in moved:
        counted, expected = (late[place] - start.get(place, 0)) * few, (early[place] - start.get(place, 0)) * many
        if not any(name in place for name in ROUNDED):
            assert counted == expected, place


def test_rounded_counters_do_not_drift_in_a_year() -> None:
    model = calling(matmul_flops=1e9)
    model.advance(model.now_ns + YEAR_NS)
    model.advance(run_of(model).boundary_after(model.now_ns))
    core, up_ns = core_of(model.snapshot()), model.now_ns - model.epoch_ns
    assert core.busy_ns is not None
    assert (core.other_info or {})["nc_time_in_use"].total == core.busy_ns // 1000
    assert core.engines is not None
    clock_hz = model._world.node.chip.core.engine_clocks_hz["tensor"] or 0
    for row in core.pe_cntrs or ():
        assert row.mm_active == core.engines.tensor_ns * clock_hz // NS
        assert row.idle == (up_ns - core.engines.tensor_ns) * clock_hz // NS
        assert 0 <= up_ns * clock_hz // NS - row.mm_active - row.idle <= 1


@pytest.mark.parametrize("parts", [12, pytest.param(365, marks=pytest.mark.slow)])
def test_a_year_in_parts_at_which_somebody_looks_is_a_year(parts: int) -> None:
    whole, divided = calling(), calling()
    begin_ns = whole.now_ns
    whole.advance(begin_ns + YEAR_NS)
    for part in range(1, parts + 1):
        before = divided.snapshot()
        divided.advance(begin_ns + YEAR_NS * part // parts)
        after = divided.snapshot()
        check_grown(before, after)
        check_bounds(divided.instance, "bf16", before, after)
    assert readings(whole) == readings(divided)


def test_a_counter_of_the_driver_wraps_at_its_width_and_loses_nothing() -> None:
    """A matrix multiplication at full speed counts 2^64 FLOPs in a few days."""
    model, flops = calling(matmul_flops=1e15), 10**15
    model.advance(run_of(model).boundary_after(model.now_ns))
    wraps, earlier = 0, model.snapshot()
    for _ in range(10):
        model.advance(model.now_ns + DAY_NS)
        model.advance(run_of(model).boundary_after(model.now_ns))
        snapshot = model.snapshot()
        core, interval = core_of(snapshot), between(earlier, snapshot)
        info = core.other_info or {}
        assert info["flop_count"].total == core.flops == info["inference_count"].total * flops % (1 << COUNTER_BITS)
        assert interval.resets == ()
        assert interval.physical[0].flops == (interval.physical[0].executions or 0) * flops
        assert interval.physical[0].utilization_percent == pytest.approx(100, abs=1)
        wraps, earlier = wraps + (core.flops < (core_of(earlier).flops or 0)), snapshot
    assert wraps > 1


def test_errors_of_sram_wrap_at_their_width_and_are_all_counted() -> None:
    model = calling()
    model.inject("sram-corrected", {"core": 0}, {"rate": 3_600_000.0})
    counted, earlier, shown = 0, model.snapshot(), []
    for _ in range(10):
        snapshot = forward(model, 10).snapshot()
        interval = between(earlier, snapshot)
        assert interval.resets == ()
        counted += (interval.devices[0].ecc or {})["sram_ecc_corrected"]
        shown.append((snapshot.devices[0].ecc or {})["sram_ecc_corrected"])
        earlier = snapshot
    assert counted == pytest.approx(100_000, rel=0.02)
    assert shown[-1] == counted % (1 << SRAM_ECC_BITS) < shown[0] + counted


@pytest.mark.nightly
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("scenario", ["static-server", "busy-day"])
def test_a_year_of_a_server_holds_every_invariant(scenario: str) -> None:
    """A quarter of an hour of computing, or less."""
    model = Simulation(load(scenario))
    start = earlier = model.snapshot()
    for _ in range(365):
        model.advance(model.now_ns + DAY_NS)
        snapshot = model.snapshot()
        check_sums(model)
        check_grown(earlier, snapshot)
        check_bounds(model.instance, "bf16", earlier, snapshot)
        for device in snapshot.devices:
            for core in device.cores:
                assert 0 <= (core.flops or 0) < 1 << COUNTER_BITS
        earlier = snapshot
    check_bounds(model.instance, "bf16", start, earlier)
