"""The hardware and the runtimes of one host as one source: what comes from which, and what happens when one is away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.schema.allocations import Allocations
from neurontools.schema.document import narrowed
from neurontools.schema.events import Events
from neurontools.schema.interval import ProcessInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Origin, Process, Snapshot
from neurontools.schema.source import Narrowing, Pacing, Source, SourceError, narrow, pace
from neurontools.sources.merged import MergedSource
from neurontools.sources.sysfs.source import SysfsSource
from tests.exporters.nodes import SECOND_NS
from tests.sources.aws.feeds import printed, readings_of
from tests.sources.trees import Tree

AWS = Origin(kind="aws", detail="the lines")
DRIVER = Origin(kind="driver", detail="2.26.5")
NOT_LIVE = Gap(reason="needs driver 2.30.2, found 2.26.5")
BY_CORE = Gap(reason="the driver publishes counters by core, not by process")
_OF_RUNTIMES = ("executions", "errors", "latency_total", "latency_device", "models", "memory", "host_memory")
_BY_CORE = ("executions", "executions_per_s", "executions_total")


class Given:
    """A source that answers with these readings, one after the other; a text is an error."""

    def __init__(self, readings: Sequence[Snapshot | str], inventory: Inventory, past: Snapshot | None = None) -> None:
        self.readings = list(readings)
        self.past_reading = past
        self.calls: list[object] = []
        self._inventory = inventory

    def snapshot(self) -> Snapshot:
        found = self.readings.pop(0)
        self.calls.append("snapshot")
        if isinstance(found, str):
            raise SourceError(found, "start it")
        return found

    def inventory(self) -> Inventory:
        self.calls.append("inventory")
        return self._inventory

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return self.past_reading

    def events(self, since: int = 0) -> Events:
        return Events(lost=7)

    def allocations(self, device: int) -> Allocations:
        return Allocations(device=device, time_ns=1)

    def close(self) -> None:
        self.calls.append("close")

    def narrow(self, kind: type[Snapshot]) -> None:
        self.calls.append(kind)

    def pace(self, period_ns: int) -> None:
        self.calls.append(period_ns)


MODEL = Simulation(load("two-tenants"), "trn2.48xlarge")
INVENTORY = MODEL.inventory()


def _readings() -> list[Snapshot]:
    found = []
    for second in range(60, 70):
        MODEL.advance(MODEL.epoch_ns + second * SECOND_NS)
        found.append(MODEL.snapshot())
    return found


WHOLE = _readings()
"""What a source that knows everything would answer, second by second."""


def hardware(snapshot: Snapshot, live: bool = False) -> Snapshot:
    """What the driver's files tell of it."""
    devices = snapshot.devices
    if not live:
        devices = tuple(
            replace(
                device,
                cores=tuple(replace(core, busy_ns=None, flops=None, other_info=None) for core in device.cores),
                ecc={name: count for name, count in (device.ecc or {}).items() if "uncorrected" in name},
            )
            for device in devices
        )
    processes = tuple(
        replace(process, tag=None, cores=(), **dict.fromkeys(_OF_RUNTIMES)) for process in snapshot.processes or ()
    )
    gaps = {"executions": BY_CORE, "process_vcpu_user_percent": BY_CORE, "bank": BY_CORE}
    gaps |= (
        {}
        if live
        else {
            "mem_ecc_corrected": NOT_LIVE,
            "busy_ns": NOT_LIVE,
            "core_utilization_percent": NOT_LIVE,
            "nc_time_in_use": NOT_LIVE,
        }
    )
    head = replace(snapshot.head, origin=DRIVER, gaps=gaps)
    return replace(snapshot, head=head, devices=devices, processes=processes)


def runtimes(snapshot: Snapshot, boot_id: str = "lines") -> Snapshot:
    """What the lines tell of it; their processes began when they were first seen, their names are not told."""
    devices = tuple(replace(device, banks=(), links=None, power=None) for device in snapshot.devices)
    processes = tuple(
        replace(process, started_ns=17, user=None, command=None, workload=None) for process in snapshot.processes or ()
    )
    gaps = {"latency_total_histogram": Gap(reason="made of percentiles"), "power": Gap(reason="not printed")}
    head = replace(snapshot.head, origin=AWS, boot_id=boot_id, gaps=gaps, lnc_assumed=False)
    return replace(snapshot, head=head, devices=devices, processes=processes)


def source(
    first: Sequence[Snapshot | str], second: Sequence[Snapshot | str], inventory: Inventory = INVENTORY
) -> MergedSource:
    return MergedSource(Given(first, inventory), lambda: Given(second, inventory))


def both(second: int, live: bool = False) -> Snapshot:
    return source([hardware(WHOLE[second], live)], [runtimes(WHOLE[second])]).snapshot()


def processes_of(snapshot: Snapshot) -> tuple[Process, ...]:
    assert snapshot.processes
    return snapshot.processes


def comparable(process: ProcessInterval) -> ProcessInterval:
    """Without what neither of them knows: percentiles only are told of the latencies, and no groups."""
    shown = {
        name: None if latency is None else replace(latency, mean=None, count=None)
        for name in ("latency_total", "latency_device")
        for latency in [getattr(process, name)]
    }
    unknown = {"groups": (), "workload": None, "latency_total_histogram": None, "latency_device_histogram": None}
    return replace(process, **unknown, **shown)


@pytest.mark.parametrize("live", [False, True])
def test_together_they_know_what_a_source_of_everything_knows(live: bool) -> None:
    expected = between(WHOLE[0], WHOLE[5])
    interval = between(both(0, live), both(5, live))
    # The driver's own names of what it does not count are not there.
    told = {"other_info": None, "other_info_total": None} | dict.fromkeys(_BY_CORE)
    assert [replace(core, **told) for core in interval.cores] == [replace(core, **told) for core in expected.cores]
    assert interval.devices == expected.devices
    assert interval.host == expected.host
    for found, process in zip(interval.processes, expected.processes, strict=True):
        assert comparable(found) == comparable(process)
    assert sum((process.executions or {})["completed"] for process in interval.processes) > 0


def test_each_part_keeps_its_origin_and_its_gaps() -> None:
    head = both(3).head
    assert head.origin == DRIVER
    assert head.parts == {"core": AWS, "ecc": AWS, "process": AWS}
    assert head.gaps == {"bank": BY_CORE, "latency_total_histogram": Gap(reason="made of percentiles")}
    assert (head.time_ns, head.boot_id) == (WHOLE[3].head.time_ns, WHOLE[3].head.boot_id)


def test_counters_that_the_driver_keeps_are_the_driver_s() -> None:
    told = runtimes(WHOLE[3])
    cores = tuple(replace(core, busy_ns=1, flops=1) for core in told.devices[0].cores)
    told = replace(told, devices=(replace(told.devices[0], cores=cores, ecc={"mem_ecc_uncorrected": 9}),))
    merged = source([hardware(WHOLE[3], live=True)], [told]).snapshot()
    assert merged.devices == hardware(WHOLE[3], live=True).devices
    assert set(merged.head.parts) == {"process"}


def test_corrected_errors_that_an_old_driver_does_not_count_are_the_stream_s() -> None:
    assert [device.ecc for device in both(3).devices] == [device.ecc for device in WHOLE[3].devices]


def test_rates_are_right_whatever_the_lines_and_the_readings_have_to_do_with_each_other() -> None:
    """Read every second; at each reading the newest line is up to two seconds old, and now and then there is none."""
    newest = [0, 0, 2, 2, 4, 5, 5, 8, 9]
    made = source([hardware(WHOLE[second + 1]) for second in range(9)], [runtimes(WHOLE[second]) for second in newest])
    readings = [made.snapshot() for _ in newest]
    for (before, after), (earlier, later) in zip(pairwise(readings), pairwise(newest), strict=True):
        interval = between(before, after)
        assert interval.duration_ns == SECOND_NS
        if earlier == later:
            assert {core.utilization_percent for core in interval.cores} == {None}
            assert {process.executions_per_s for process in interval.processes} == {None}
            continue
        expected = between(WHOLE[earlier], WHOLE[later])
        assert [core.utilization_percent for core in interval.cores] == [
            core.utilization_percent for core in expected.cores
        ]
        for found, process in zip(interval.processes, expected.processes, strict=True):
            assert (found.executions, found.executions_per_s) == (process.executions, process.executions_per_s)
            assert found.vcpu_user_percent == process.vcpu_user_percent


def test_when_the_stream_dies_the_hardware_goes_on_and_says_why() -> None:
    made = source([hardware(each) for each in WHOLE[:5]], [runtimes(WHOLE[0]), "it has died", runtimes(WHOLE[2])])
    alive, dead, back = (made.snapshot() for _ in range(3))
    assert dead.head.gaps["process"] == Gap(reason="only the hardware is read: it has died", supply="start it")
    assert dead.head.gaps.items() >= hardware(WHOLE[1]).head.gaps.items()
    assert dead.head.parts == {}
    assert [core.memory for device in dead.devices for core in device.cores] == [
        core.memory for device in WHOLE[1].devices for core in device.cores
    ]
    for pair in ((alive, dead), (dead, back)):
        interval = between(*pair)
        assert {process.executions_per_s for process in interval.processes} == {None}
        assert {process.vcpu_user_percent for process in interval.processes} == {None}
        assert {core.utilization_percent for core in interval.cores} == {None}
        assert not interval.resets


def test_a_stream_that_counts_anew_is_not_compared_with_what_was() -> None:
    made = source(
        [hardware(each) for each in WHOLE[:4]],
        [
            runtimes(WHOLE[3]),
            runtimes(WHOLE[0], "lines/2"),
            runtimes(WHOLE[1], "lines/2"),
            runtimes(WHOLE[2], "lines/2"),
        ],
    )
    intervals = [between(*pair) for pair in pairwise([made.snapshot() for _ in range(4)])]
    for interval in intervals[:2]:
        assert {core.utilization_percent for core in interval.cores} == {None}
        assert {process.executions_per_s for process in interval.processes} == {None}
        assert not interval.resets
    assert intervals[2].cores[0].utilization_percent is not None


def test_processes_that_only_one_of_them_knows_are_kept() -> None:
    known = processes_of(hardware(WHOLE[1]))
    told = processes_of(runtimes(WHOLE[1]))
    first = replace(hardware(WHOLE[1]), processes=known[:1])
    second = replace(runtimes(WHOLE[1]), processes=told[1:])
    found = {process.pid: process for process in processes_of(source([first], [second]).snapshot())}
    assert set(found) == {process.pid for process in known}
    only_hardware, only_told = found[known[0].pid], found[told[1].pid]
    assert only_hardware == known[0]
    assert (only_told.executions, only_told.started_ns) == (told[1].executions, 17)
    assert only_told.time_ns == WHOLE[1].head.time_ns


def test_processes_that_the_hardware_cannot_see_are_the_stream_s() -> None:
    blind = hardware(WHOLE[1])
    blind = replace(blind, processes=None, head=replace(blind.head, gaps={"processes": Gap(reason="needs root")}))
    merged = source([blind], [runtimes(WHOLE[1])]).snapshot()
    assert [process.pid for process in processes_of(merged)] == [process.pid for process in WHOLE[1].processes or ()]
    assert "processes" not in merged.head.gaps


def test_a_pid_that_is_told_twice_stays_two_records() -> None:
    told = processes_of(runtimes(WHOLE[1]))[0]
    twice = replace(runtimes(WHOLE[1]), processes=(told, replace(told, tag="other", started_ns=18)))
    one, other, *_ = processes_of(source([hardware(WHOLE[1])], [twice]).snapshot())
    assert one.pid == other.pid
    assert one.started_ns != other.started_ns


def test_an_inventory_waits_for_no_stream() -> None:
    def never() -> Source:
        raise AssertionError("the stream is not needed")

    hosts = Given([], INVENTORY)
    made = MergedSource(hosts, never)
    assert made.inventory() == INVENTORY
    made.close()
    assert hosts.calls == ["inventory", "close"]


def test_what_the_stream_has_told_of_the_hardware_is_in_the_inventory() -> None:
    empty = INVENTORY._replace(
        logical_neuroncore_config=1,
        lnc_assumed=True,
        devices=tuple(device._replace(holders=()) for device in INVENTORY.devices),
    )
    made = source([hardware(WHOLE[1])], [runtimes(WHOLE[1])], empty)
    made.snapshot()
    inventory = made.inventory()
    assert (inventory.logical_neuroncore_config, inventory.lnc_assumed) == (2, False)
    held = {holder.pid for device in inventory.devices for holder in device.holders}
    assert held == {process.pid for process in WHOLE[1].processes or ()}
    assert all(holder.neuron_runtime_version for device in inventory.devices for holder in device.holders)
    again = source([hardware(WHOLE[1])], [runtimes(WHOLE[1])])
    again.snapshot()
    assert again.inventory().devices == INVENTORY.devices


@pytest.mark.parametrize(
    ("first", "second", "known"), [(None, WHOLE[0], False), (WHOLE[0], None, False), (WHOLE[0], WHOLE[0], True)]
)
def test_there_is_a_past_where_both_have_one(first: Snapshot | None, second: Snapshot | None, known: bool) -> None:
    told = None if second is None else runtimes(second)
    made = MergedSource(
        Given([], INVENTORY, None if first is None else hardware(first)), lambda: Given([], INVENTORY, told)
    )
    past = made.past(5)
    assert (past is not None) is known
    if past is not None:
        assert between(past, both(5)).processes == between(both(0), both(5)).processes


def test_events_and_bank_maps_are_the_hardware_s() -> None:
    made = source([], [])
    assert made.events(3).lost == 7
    assert made.allocations(2).device == 2


def test_both_are_told_what_their_reader_wants_and_both_are_closed() -> None:
    first, second = Given([hardware(WHOLE[0])], INVENTORY), Given([runtimes(WHOLE[0])], INVENTORY)
    made = MergedSource(first, lambda: second)
    kind = narrowed(Snapshot, ("version", "head"))
    narrow(made, kind)
    pace(made, 3 * SECOND_NS)
    made.snapshot()
    made.close()
    assert first.calls == [kind, 3 * SECOND_NS, "snapshot", "close"]
    assert second.calls == [3 * SECOND_NS, "snapshot", "close"]
    assert isinstance(made, Narrowing) and isinstance(made, Pacing)


def test_a_hardware_that_cannot_be_read_is_an_error() -> None:
    calls: list[Callable[[], object]] = [source(["no driver"], [runtimes(WHOLE[0])]).snapshot]
    for call in calls:
        with pytest.raises(SourceError, match="no driver"):
            call()


@pytest.mark.slow
def test_the_files_of_an_old_driver_and_the_lines_of_one_host(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn2.48xlarge", "2.26.5.0")
    lines = printed("two-tenants", "trn2.48xlarge")
    told = readings_of(lines)
    pids = [process.pid for process in told[1].processes or ()]
    for pid in pids:
        tree.process(pid, uid=0)
    made = MergedSource(SysfsSource(str(tmp_path)), lambda: Given(told[1:], INVENTORY))
    readings = [made.snapshot() for _ in lines]
    made.close()
    for before, after, first, second in zip(readings, readings[1:], told[1:], told[2:], strict=False):
        interval, expected = between(before, after), between(first, second)
        assert [core.utilization_percent for core in interval.cores] == [
            core.utilization_percent for core in expected.cores
        ]
        assert [core.flops_per_s for core in interval.cores] == [core.flops_per_s for core in expected.cores]
        for found, process in zip(interval.processes, expected.processes, strict=True):
            assert (found.executions, found.latency_total) == (process.executions, process.latency_total)
            assert found.executions_per_s == pytest.approx(process.executions_per_s)
        assert [device.power_status for device in interval.devices] == ["POWER_STATUS_VALID"] * 16
    head = readings[-1].head
    assert (head.origin.kind, head.parts["core"].kind, head.parts["process"].kind) == ("driver", "aws", "aws")
    assert not {"busy_ns", "core_utilization_percent", "executions", "mem_ecc_corrected"} & set(head.gaps)
    assert head.gaps["status"].reason.startswith("not live on driver 2.26.5")
    assert (head.logical_neuroncore_config, head.lnc_assumed) == (2, False)
