"""Records that were read at other times than the rest of their snapshots: their rates are over their own periods."""

from __future__ import annotations

from msgspec.structs import replace

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.document import encode
from neurontools.schema.interval import CoreInterval, ProcessInterval, between
from neurontools.schema.snapshot import Origin, Snapshot
from tests.exporters.nodes import EPOCH_NS, SECOND_NS, reading

TRN1 = INSTANCES["trn1.2xlarge"]


def at(second: int, of: int | None) -> Snapshot:
    """A reading of one second, whose runtimes counted until another one."""
    counted = reading(TRN1, second if of is None else of)
    whole = reading(TRN1, second)
    time_ns = None if of is None else EPOCH_NS + of * SECOND_NS
    devices = tuple(
        replace(device, cores=tuple(replace(core, time_ns=time_ns) for core in device.cores))
        for device in counted.devices
    )
    processes = tuple(replace(process, time_ns=time_ns) for process in counted.processes or ())
    return replace(whole, devices=devices, processes=processes)


def first(previous: Snapshot, current: Snapshot) -> tuple[CoreInterval, ProcessInterval]:
    interval = between(previous, current)
    return interval.cores[1], interval.processes[0]


def test_rates_are_over_the_records_own_period() -> None:
    """Read every second, while the runtimes' readings are 1, 2 and 0 seconds apart."""
    expected_core, expected = first(at(1, None), at(2, None))
    for seconds, own in (((5, 6), (4, 5)), ((6, 7), (4, 6)), ((6, 9), (5, 6))):
        core, process = first(*map(at, seconds, own))
        length_s = own[1] - own[0]
        assert core.utilization_percent == expected_core.utilization_percent
        assert core.flops_per_s == expected_core.flops_per_s
        assert process.executions_per_s == expected.executions_per_s
        assert process.vcpu_user_percent == expected.vcpu_user_percent
        assert (process.executions or {})["completed"] == length_s * (expected.executions or {})["completed"]
        assert process.duration_ns == (None if length_s == seconds[1] - seconds[0] else length_s * SECOND_NS)


def test_without_a_new_reading_rates_are_unknown() -> None:
    core, process = first(at(5, 4), at(6, 4))
    assert (core.utilization_percent, core.flops_per_s) == (None, None)
    assert (process.executions_per_s, process.vcpu_user_percent, process.latency_total) == (None, None, None)
    assert set((process.executions or {}).values()) == {0}
    assert core.memory_used_bytes == sum((core.memory or {}).values())


def test_counters_of_two_origins_are_not_compared() -> None:
    for previous, current in ((at(5, None), at(6, 6)), (at(5, 5), at(6, None))):
        core, process = first(previous, current)
        assert (core.utilization_percent, core.flops) == (None, None)
        assert core.hbm_read_bytes is not None
        assert (process.executions, process.vcpu_user_ns, process.latency_total) == (None, None, None)
        assert process.executions_total is not None


def test_a_process_that_began_in_between_counts_from_zero_also_with_a_time_of_its_own() -> None:
    before = replace(at(5, 4), processes=())
    after = at(6, 5)
    young = tuple(replace(process, started_ns=EPOCH_NS + 5 * SECOND_NS + 1) for process in after.processes or ())
    _, process = first(before, replace(after, processes=young))
    assert process.executions == (after.processes or ())[0].executions


def test_a_snapshot_of_one_origin_says_nothing_of_parts_and_times() -> None:
    text = encode(reading(TRN1, 1))
    assert b"parts" not in text
    assert text.count(b"time_ns") == 1
    origin = Origin(kind="aws")
    head = reading(TRN1, 1).head
    assert b'"parts":{"process":{"kind":"aws"}}' in encode(replace(head, parts={"process": origin}))
