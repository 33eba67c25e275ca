"""between(): deltas add up, resets are marked, logical cores are merged, and nothing unknown gets a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import Struct, structs

from neurontools.metrics.metric import flat
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval import CoreInterval, Interval, NoInterval, between
from neurontools.schema.snapshot import (
    Core,
    Counter,
    Device,
    Head,
    Host,
    Link,
    Origin,
    PeRow,
    Process,
    Snapshot,
    Workload,
)
from tests.schema.strategies import SECOND_NS, node_at, series, shapes

_COUNTED = ("busy_ns", "flops", "hbm_read_bytes", "hbm_written_bytes", "executions", "status", "other_info")


def _one_core(time_ns: int, **counted: Any) -> Snapshot:
    return node_at(time_ns, Device(index=0, cores=(Core(core=0, index=0, **counted),)))


def _one_device(time_ns: int, **counted: Any) -> Snapshot:
    return node_at(time_ns, Device(index=0, **counted))


def _one_process(time_ns: int, **counted: Any) -> Snapshot:
    return node_at(time_ns, processes=(Process(pid=7, started_ns=0, **counted),))


def _records(interval: Interval) -> Iterator[tuple[str, Struct, tuple[str, ...]]]:
    """The records of an interval with the names of what they counted in it."""
    for core in interval.physical + interval.cores:
        yield f"core {core.parts}", core, _COUNTED
    for device in interval.devices:
        yield f"device {device.device}", device, ("ecc",)
        for link in device.links or ():
            yield f"link {device.device}-{link.peer}", link, ("transmitted_bytes", "received_bytes")
    for process in interval.processes:
        yield f"process {process.pid}", process, ("executions", "errors", "vcpu_user_ns", "vcpu_system_ns")
        if process.workload is not None:
            yield (
                f"workload {process.pid}",
                process.workload,
                ("requests", "preempted", "prompt_tokens", "generated_tokens"),
            )
        for name in ("latency_total", "latency_device"):
            yield f"{name} {process.pid}", getattr(process, name) or Histogram(), ("count",)
    if interval.host is not None:
        yield "host", interval.host, ("context_switches",)


def _counted(interval: Interval) -> dict[tuple[str, ...], int]:
    """Every number that was counted in the interval, by where it is."""
    return {
        (place, name, *keys): int(number)
        for place, record, names in _records(interval)
        for name in names
        for keys, number in flat(getattr(record, name))
    }


@settings(max_examples=30, deadline=None)
@given(series(3))
def test_deltas_add_up(taken: tuple[Snapshot, Snapshot, Snapshot]) -> None:
    first, second, third = taken
    one, two, whole = (
        _counted(between(first, second)),
        _counted(between(second, third)),
        _counted(between(first, third)),
    )
    assert one.keys() == two.keys() == whole.keys()
    assert {place: one[place] + two[place] for place in whole} == whole
    assert between(first, third).resets == ()


@settings(max_examples=30, deadline=None)
@given(series(2))
def test_rates_are_deltas_over_the_duration(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    seconds = interval.duration_ns / SECOND_NS
    for core in interval.physical + interval.cores:
        for name in ("flops", "hbm_read_bytes", "hbm_written_bytes", "executions"):
            counted, rate = getattr(core, name), getattr(core, f"{name}_per_s")
            assert (rate is None) if counted is None else (rate == pytest.approx(counted / seconds))
    for device in interval.devices:
        for link in device.links or ():
            if link.transmitted_bytes is not None and link.capacity_bytes_per_s:
                share = link.transmitted_bytes / seconds / link.capacity_bytes_per_s
                assert link.transmitted_percent == pytest.approx(100 * share)


@settings(max_examples=30, deadline=None)
@given(series(2, shapes(core_sizes=(2,), unknown=(0.0, 0.3))))
def test_logical_cores_are_means_and_sums_of_their_parts(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    physical = {core.core: core for core in interval.physical}
    assert [core.core for core in interval.cores] == sorted({number // 2 for number in physical})
    for core in interval.cores:
        one, other = (physical[number] for number in core.parts)
        assert core.parts == (2 * core.core, 2 * core.core + 1)
        assert core.device == one.device == other.device
        for name in ("utilization_percent", "collectives_percent"):
            _equals_brute_force(core, one, other, name, 0.5)
        for name in ("flops", "flops_per_s", "hbm_read_bytes_total", "memory_used_bytes", "memory_peak_bytes"):
            _equals_brute_force(core, one, other, name, 1)
        for name in ("memory", "status", "other_info_total"):
            parts = getattr(one, name), getattr(other, name)
            expected = None if None in parts else {key: parts[0][key] + parts[1][key] for key in parts[0]}
            assert getattr(core, name) == expected
        if one.engines is not None and other.engines is not None and core.engines is not None:
            for name in ("tensor", "gpsimd"):
                _equals_brute_force(core.engines, one.engines, other.engines, name, 0.5)
        else:
            assert core.engines is None


def _equals_brute_force(whole: Struct, one: Struct, other: Struct, name: str, factor: float) -> None:
    parts = getattr(one, name), getattr(other, name)
    expected = None if None in parts else pytest.approx(factor * (parts[0] + parts[1]))
    assert getattr(whole, name) == expected


@settings(max_examples=10, deadline=None)
@given(series(2, shapes(core_sizes=(1,))))
def test_cores_of_one_part_are_the_physical_ones(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    assert interval.cores == interval.physical


@settings(max_examples=30, deadline=None)
@given(series(2, shapes(unknown=(1.0,))))
def test_the_unknown_gets_no_number(taken: tuple[Snapshot, Snapshot]) -> None:
    bare = [structs.replace(snapshot, host=Host(), processes=_bare_processes(snapshot)) for snapshot in taken]
    interval = between(*bare)
    for core in interval.physical + interval.cores:
        assert _known_fields(core) == {"core", "device", "parts"}
    for device in interval.devices:
        assert _known_fields(device) == {"device", "banks", "memory_total_bytes"}
        assert all(_known_fields(bank) == {"bank", "cores", "total_bytes"} for bank in device.banks)
    for process in interval.processes:
        assert _known_fields(process) == {"pid", "started_ns", "cores", "groups"}
    assert interval.host is not None
    assert _known_fields(interval.host) == set()
    assert interval.resets == ()


def _bare_processes(snapshot: Snapshot) -> tuple[Process, ...]:
    return tuple(
        Process(pid=1, started_ns=0, cores=(core.core,)) for device in snapshot.devices for core in device.cores
    )


def _known_fields(record: Struct) -> set[str]:
    return {name for name, value in structs.asdict(record).items() if value is not None}


@settings(max_examples=20, deadline=None)
@given(series(2))
def test_without_an_earlier_reading_of_it_a_core_has_levels_only(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(structs.replace(taken[0], devices=(), host=None), taken[1])
    for core in interval.physical:
        assert {getattr(core, name) for name in (*_COUNTED, "utilization_percent", "engines")} == {None}
    for before, core in zip((c for d in taken[1].devices for c in d.cores), interval.physical, strict=True):
        assert core.hbm_read_bytes_total == before.hbm_read_bytes
    assert all(device.ecc is None for device in interval.devices)
    assert interval.host is None or interval.host.context_switches is None
    assert interval.host is None or interval.host.average is None


def test_two_boots_or_instants_that_do_not_follow_bound_no_interval() -> None:
    here = node_at(5)
    other = structs.replace(here, head=structs.replace(here.head, boot_id="another", time_ns=9))
    for previous, current, reason in (
        (here, other, "booted"),
        (here, here, "same instant"),
        (node_at(6), here, "older"),
    ):
        with pytest.raises(NoInterval, match=reason) as caught:
            between(previous, current)
        assert caught.value.reason == str(caught.value)


_FALLS: dict[str, tuple[Snapshot, Snapshot]] = {
    "core/0/flops": (_one_core(1, flops=9), _one_core(2, flops=4)),
    "core/0/busy_ns": (_one_core(1, busy_ns=9), _one_core(2, busy_ns=4)),
    "core/0/status/success": (
        _one_core(1, status={"success": Counter(9)}),
        _one_core(2, status={"success": Counter(4)}),
    ),
    "core/0/other_info/flop_count": (
        _one_core(1, other_info={"flop_count": Counter(9)}),
        _one_core(2, other_info={"flop_count": Counter(4)}),
    ),
    "device/0/ecc/mem_ecc_corrected": (
        _one_device(1, ecc={"mem_ecc_corrected": 9}),
        _one_device(2, ecc={"mem_ecc_corrected": 4}),
    ),
    "link/0-1/received_bytes": (
        _one_device(1, links=(Link(peer=1, received_bytes=9),)),
        _one_device(2, links=(Link(peer=1, received_bytes=4),)),
    ),
    "process/7/executions/completed": (
        _one_process(1, executions={"completed": 9}),
        _one_process(2, executions={"completed": 4}),
    ),
    "process/7/vcpu_user_ns": (_one_process(1, vcpu_user_ns=9), _one_process(2, vcpu_user_ns=4)),
    "process/7/generated_tokens": (
        _one_process(1, workload=Workload(kind="llm", generated_tokens=9)),
        _one_process(2, workload=Workload(kind="llm", generated_tokens=4)),
    ),
    "process/7/latency_total": (
        _one_process(1, latency_total=Histogram(counts={3: 9}, sum_ns=9)),
        _one_process(2, latency_total=Histogram(counts={3: 4}, sum_ns=4)),
    ),
    "host/context_switches": (node_at(1, host=Host(context_switches=9)), node_at(2, host=Host(context_switches=4))),
}


@pytest.mark.parametrize("path", _FALLS)
def test_a_counter_that_falls_is_marked_and_counts_from_zero(path: str) -> None:
    interval = between(*_FALLS[path])
    assert interval.resets == (path,)
    counted = _counted(interval)
    assert counted
    assert {count for count in counted.values() if count} == {4}


def test_sram_ecc_wraps_at_16_bits_and_hbm_ecc_does_not() -> None:
    before = _one_device(1, ecc={"sram_ecc_corrected": 65_530, "mem_ecc_corrected": 65_530})
    after = _one_device(2, ecc={"sram_ecc_corrected": 4, "mem_ecc_corrected": 4})
    interval = between(before, after)
    assert interval.devices[0].ecc == {"sram_ecc_corrected": 10, "mem_ecc_corrected": 4}
    assert interval.devices[0].ecc_total == {"sram_ecc_corrected": 4, "mem_ecc_corrected": 4}
    assert interval.resets == ("device/0/ecc/mem_ecc_corrected",)


def test_the_drivers_counters_wrap_at_64_bits() -> None:
    almost, most = (1 << 64) - 10, (1 << 64) - 1
    before = _one_core(0, flops=almost, other_info={"flop_count": Counter(almost)}, status={"success": Counter(most)})
    after = _one_core(SECOND_NS, flops=20, other_info={"flop_count": Counter(20)}, status={"success": Counter(0)})
    interval = between(before, after)
    core = interval.cores[0]
    assert (core.flops, core.other_info, core.status) == (30, {"flop_count": 30}, {"success": 1})
    assert interval.resets == ()


def test_utilization_is_busy_time_and_never_clamped() -> None:
    interval = between(_one_core(0, busy_ns=0), _one_core(SECOND_NS, busy_ns=5 * SECOND_NS))
    assert interval.cores[0].utilization_percent == 500.0
    assert interval.cores[0].busy_ns == interval.cores[0].busy_ns_total == 5 * SECOND_NS


def test_the_drivers_counters_stand_in_for_executions_only() -> None:
    """Their busy time and FLOPs are credited when an execution ends; when they were spent is for the source to say."""
    counted = {name: Counter(10) for name in ("nc_time_in_use", "flop_count", "inference_count")}
    credited = {name: Counter(30) for name in counted}
    core = between(_one_core(0, other_info=counted), _one_core(2 * SECOND_NS, other_info=credited)).cores[0]
    assert (core.busy_ns, core.utilization_percent, core.flops, core.flops_total) == (None, None, None, None)
    assert (core.executions, core.executions_per_s, core.executions_total) == (20, 10.0, 30)
    assert core.other_info == dict.fromkeys(counted, 20)


def test_the_tensor_engine_is_read_from_pe_cntrs_of_the_rows_in_both_readings() -> None:
    before = _one_core(0, pe_cntrs=(PeRow(0, 0, 0), PeRow(0, 0, 0)))
    after = _one_core(SECOND_NS, pe_cntrs=(PeRow(25, 10**9, 75),))
    engines = between(before, after).cores[0].engines
    assert engines is not None
    assert (engines.tensor, engines.vector, engines.scalar, engines.gpsimd) == (25.0, None, None, None)


def test_an_interval_can_be_made_without_snapshots() -> None:
    head = Head(time_ns=1, boot_id="", origin=Origin(kind="aws"))
    core = CoreInterval(core=0, device=0, parts=(0,), utilization_percent=89.0)
    interval = Interval(head=head, duration_ns=62_463_159, physical=(core,), cores=(core,))
    assert interval.snapshot is None
    assert interval.processes == ()
