"""The node's numbers against a brute-force sum over its parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from neurontools.schema.interval import (
    CoreInterval,
    DeviceInterval,
    Interval,
    ProcessInterval,
    WorkloadInterval,
    between,
    totals,
)
from neurontools.schema.snapshot import Head, Origin, Snapshot
from tests.schema.strategies import series

_HEAD = Head(time_ns=1, boot_id="", origin=Origin(kind="aws"))


@settings(max_examples=30, deadline=None)
@given(series(2))
def test_totals_equal_a_brute_force_sum(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    found = totals(interval)
    known = [core.utilization_percent for core in interval.cores if core.utilization_percent is not None]
    assert found.utilization_percent == (pytest.approx(sum(known) / len(known)) if known else None)
    assert (found.busiest_core and found.busiest_core.utilization_percent) == max(known, default=None)
    assert (found.idlest_core and found.idlest_core.utilization_percent) == min(known, default=None)
    used = [device.memory_used_bytes for device in interval.devices]
    assert found.memory_used_bytes == (None if None in used or not used else sum(filter(None, used)))
    tokens = [p.workload.generated_tokens_per_s for p in interval.processes if p.workload]
    told = [rate for rate in tokens if rate is not None]
    assert found.generated_tokens_per_s == (pytest.approx(sum(told)) if told else None)
    assert found.core_count == len(interval.cores)
    assert found.process_count == (len(interval.processes) if taken[1].processes is not None else None)
    assert found.host == interval.host


def test_a_sum_over_devices_with_an_unknown_one_is_unknown() -> None:
    known = DeviceInterval(device=0, memory_used_bytes=5, memory_total_bytes=10)
    blind = DeviceInterval(device=1, memory_total_bytes=10)
    assert totals(Interval(head=_HEAD, duration_ns=1, devices=(known,))).memory_used_percent == 50.0
    both = totals(Interval(head=_HEAD, duration_ns=1, devices=(known, blind)))
    assert (both.memory_used_bytes, both.memory_used_percent, both.memory_total_bytes) == (None, None, 20)


def test_a_process_without_a_workload_does_not_hide_the_tokens_of_others() -> None:
    server = ProcessInterval(pid=1, started_ns=0, workload=WorkloadInterval(kind="llm", generated_tokens_per_s=9.0))
    trainer = ProcessInterval(pid=2, started_ns=0)
    assert totals(Interval(head=_HEAD, duration_ns=1, processes=(server, trainer))).generated_tokens_per_s == 9.0


def test_the_average_is_over_the_cores_that_are_known() -> None:
    cores = tuple(
        CoreInterval(core=number, device=0, parts=(number,), utilization_percent=percent)
        for number, percent in enumerate((10.0, None, 30.0, 30.0))
    )
    found = totals(Interval(head=_HEAD, duration_ns=1, cores=cores))
    assert found.utilization_percent == pytest.approx(70 / 3)
    assert (found.busiest_core, found.idlest_core) == (cores[2], cores[0])


def test_an_empty_node_has_no_invented_numbers() -> None:
    found = totals(Interval(head=_HEAD, duration_ns=1))
    assert (found.utilization_percent, found.memory_used_bytes, found.flops_per_s) == (None, None, None)
    assert (found.device_count, found.core_count, found.process_count) == (0, 0, 0)
