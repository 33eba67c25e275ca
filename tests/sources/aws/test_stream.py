"""Lines as readings: what periods add up to, who comes and goes, what cannot be known, where counting begins anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neurontools.schema.events import PROCESS_END, PROCESS_START
from neurontools.schema.interval import Interval, NoInterval, between, totals
from neurontools.schema.snapshot import Process, Snapshot
from neurontools.sources.aws.stream import STREAM
from tests.exporters.nodes import SECOND_NS
from tests.sources.aws.feeds import EPOCH_NS, changed, intervals_of, printed, readings_of, stream

TENANTS = printed("two-tenants", "inf2.48xlarge")
TRN2 = printed("two-tenants", "trn2.48xlarge")
NO_FILE = "open /proc/1/stat: no such file or directory"


def runtimes(document: Any) -> Any:
    return document["neuron_runtime_data"]


def group(document: Any, name: str, runtime: int = 0) -> Any:
    return runtimes(document)[runtime]["report"][name]


def processes_of(snapshot: Snapshot) -> tuple[Process, ...]:
    assert snapshot.processes is not None
    return snapshot.processes


def busy_of(snapshot: Snapshot) -> list[int | None]:
    return [core.busy_ns for device in snapshot.devices for core in device.cores]


def reasons(snapshot: Snapshot, part: str) -> str:
    return snapshot.head.gaps[part].reason


def test_a_captured_idle_and_a_busy_host(captures: Path) -> None:
    lines = (captures / "neuron-monitor.inf1.xlarge.idle-then-busy.jsonl").read_bytes().splitlines()
    idle, busy = intervals_of(lines)
    assert (idle.processes, idle.processes_known, len(idle.cores)) == ((), True, 4)
    assert [core.utilization_percent for core in idle.cores] == [0, 0, 0, 0]
    assert idle.host is not None and idle.host.vcpu_count == 4
    (process,) = busy.processes
    assert process.executions == {"completed": 14} | dict.fromkeys(list(process.executions or ())[1:], 0)
    assert process.latency_total is not None
    assert process.latency_total.p50 == pytest.approx(0.003278970718383789, rel=0.01)
    assert busy.cores[0].utilization_percent == pytest.approx(89.01827638996558)
    assert process.vcpu_user_percent == pytest.approx(4)
    assert process.memory_used_bytes == 63118912
    assert process.models is not None and process.models[0].subgraphs[0].device_memory["constants"] == 61766864
    assert [core.flops_per_s for core in busy.cores] == [None] * 4
    assert "FLOP/s" in reasons_of(busy, "flops")
    assert busy.host is not None and busy.host.context_switches == 1978


def reasons_of(interval: Interval, part: str) -> str:
    return interval.head.gaps[part].reason


def test_a_captured_host_with_one_group_only(captures: Path) -> None:
    (line,) = (captures / "neuron-monitor.trn1.2xlarge.idle.jsonl").read_bytes().splitlines()
    (interval,) = intervals_of([line])
    assert totals(interval).memory_total_bytes == 34359738368
    assert interval.host is not None
    assert (interval.host.memory_total_bytes, interval.host.cpus) == (33110204416, None)
    assert "has not printed vcpu_usage" in reasons_of(interval, "cpus")
    assert [device.ecc for device in interval.devices] == [None]
    assert "has not printed neuron_hw_counters" in reasons_of(interval, "ecc")


def test_a_captured_host_whose_processes_have_ended(captures: Path) -> None:
    """A test's own line: it has one pid twice, under two tags."""
    (line,) = (captures / "neuron-monitor.trn1n-32xl.cwagent-test-e804ad6c.jsonl").read_bytes().splitlines()
    (interval,) = intervals_of([line])
    assert [(process.pid, process.tag) for process in interval.processes] == [(457402, "367"), (457402, "123")]
    assert len({process.started_ns for process in interval.processes}) == 2
    for process in interval.processes:
        assert (process.executions or {})["completed"] == 2
        assert process.latency_total is None
        assert process.vcpu_user_percent is None
        assert len(process.cores) == 32
        assert process.memory_used_bytes == 3541303936
    assert reasons_of(interval, "process_vcpu_user_percent").startswith("open")


@pytest.mark.parametrize("lines", [TENANTS, TRN2], ids=["inf2", "trn2"])
def test_consecutive_lines_add_up(lines: tuple[bytes, ...]) -> None:
    readings = readings_of(lines)
    parts, whole = intervals_of(lines), between(readings[0], readings[-1])
    assert sum(interval.duration_ns for interval in parts) == whole.duration_ns == 15 * SECOND_NS
    for place, process in enumerate(whole.processes):
        for outcome, count in (process.executions or {}).items():
            assert sum((part.processes[place].executions or {})[outcome] for part in parts) == count
    for core in whole.cores:
        mean = sum(part.cores[core.core].utilization_percent or 0 for part in parts) / len(parts)
        assert core.utilization_percent == pytest.approx(mean)
    assert sum((process.executions or {})["completed"] for process in whole.processes) > 0


def test_lines_that_come_together_lose_nothing() -> None:
    slow, fast = stream(), stream()
    slow.add(TENANTS, EPOCH_NS)
    readings_of(TENANTS, fast)
    assert slow.snapshot() == fast.snapshot()
    assert slow.count == len(TENANTS)


def test_memory_by_physical_core_is_the_runtimes_s_in_equal_parts() -> None:
    (interval, *_) = intervals_of(TRN2)
    by_process: dict[int, int] = {}
    for process in interval.processes:
        for core, used in (process.memory or {}).items():
            by_process[core] = by_process.get(core, 0) + sum(used.values())
    shown = {core.core: core.memory_used_bytes for core in interval.cores}
    assert {core: size for core, size in shown.items() if size} == {c: size for c, size in by_process.items() if size}
    first, second, *_ = interval.physical
    assert abs((first.memory_used_bytes or 0) - (second.memory_used_bytes or 0)) <= 5
    assert "equal parts" in reasons_of(interval, "physical")


def test_what_the_stream_never_has_is_unknown_and_says_who_has_it() -> None:
    snapshot = readings_of(TENANTS)[-1]
    device, *_ = snapshot.devices
    core, *_ = device.cores
    assert (device.links, device.power, device.health, device.host_memory) == (None,) * 4
    assert (core.engines, core.collectives_ns, core.hbm_read_bytes, core.status, core.other_info) == (None,) * 5
    assert [bank.used_bytes for bank in device.banks] == [None, None]
    for part in ("engines", "power", "health", "status", "device_memory"):
        assert "sysfs" in (snapshot.head.gaps[part].supply or "")
        assert "AWS's neuron-monitor does not print it" in reasons(snapshot, part)
    assert snapshot.head.gaps["link"].supply is None
    assert "operating system" in (snapshot.head.gaps["resident_bytes"].supply or "")
    assert "percentiles" in reasons(snapshot, "latency_total_histogram")
    for process in intervals_of(TENANTS)[-1].processes:
        assert process.latency_total is not None
        assert (process.latency_total.mean, process.latency_total.count) == (None, None)
        assert (process.latency_total_histogram, process.latency_device_histogram) == (None, None)
    assert "first line" in reasons(snapshot, "totals")


def test_a_simulated_host_stays_marked() -> None:
    snapshot = readings_of(TENANTS)[-1]
    assert (snapshot.head.origin.kind, snapshot.head.origin.simulated) == ("aws", True)
    assert snapshot.head.origin.scenario == "two-tenants"


def test_a_runtime_that_is_not_listed_any_more_has_ended() -> None:
    fed = stream()
    first, second, third = TENANTS
    fed.add([first], EPOCH_NS)
    gone, *rest = processes_of(fed.snapshot())
    fed.add([changed(second, lambda document: runtimes(document).pop(0))], EPOCH_NS)
    assert list(processes_of(fed.snapshot())) != []
    assert [process.pid for process in processes_of(fed.snapshot())] == [process.pid for process in rest]
    fed.add([third], EPOCH_NS)
    again = next(process for process in processes_of(fed.snapshot()) if process.pid == gone.pid)
    assert again.started_ns > gone.started_ns
    kinds = [(event.kind, event.pid) for event in fed.events(len(rest) + 1).events]
    assert kinds == [(PROCESS_END, gone.pid), (PROCESS_START, gone.pid)]


def test_what_a_new_runtime_did_in_its_first_period_counts() -> None:
    fed = stream()
    first, second, _ = TENANTS
    fed.add([changed(first, lambda document: runtimes(document).pop(0))], EPOCH_NS)
    before = fed.snapshot()
    fed.add([second], EPOCH_NS)
    expected = intervals_of(TENANTS)[1].processes[0]
    found = next(each for each in between(before, fed.snapshot()).processes if each.pid == expected.pid)
    assert (found.executions, found.errors) == (expected.executions, expected.errors)
    assert found.latency_total == expected.latency_total
    assert found.vcpu_user_percent == pytest.approx(expected.vcpu_user_percent)


def test_runtimes_with_a_longer_period_than_the_node_stay() -> None:
    """The node's groups every 5 s, the runtimes' every third time, then with three times the numbers."""
    fed = stream()
    first, second, third = TENANTS

    def without(document: Any) -> None:
        document["neuron_runtime_data"] = []

    def longer(document: Any) -> None:
        for runtime in runtimes(document):
            for each in runtime["report"].values():
                each["period"] = 15

    fed.add([changed(first, longer)], EPOCH_NS)
    known = processes_of(fed.snapshot())
    for line in (second, third):
        fed.add([changed(line, without)], EPOCH_NS)
        assert processes_of(fed.snapshot()) == known
    before = fed.snapshot()
    fed.add([changed(first, longer)], EPOCH_NS)
    interval = between(readings_of(TENANTS)[0], fed.snapshot())
    assert interval.duration_ns == 20 * SECOND_NS
    assert [process.started_ns for process in processes_of(fed.snapshot())] == [each.started_ns for each in known]
    assert between(before, fed.snapshot()).processes[0].executions is not None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("execution_stats", ("executions", "errors", "latency_total", "latency_device")),
        ("memory_used", ("memory", "host_memory", "models")),
        ("neuron_runtime_vcpu_usage", ("vcpu_user_ns", "vcpu_system_ns")),
    ],
)
def test_a_group_with_an_error_is_unknown_for_one_runtime_only(name: str, fields: tuple[str, ...]) -> None:
    def fail(document: Any) -> None:
        runtimes(document)[0]["report"][name] = {"error": NO_FILE}

    fed, sound = stream(), readings_of(TENANTS[:2])
    fed.add([TENANTS[0], changed(TENANTS[1], fail)], EPOCH_NS)
    found, expected = processes_of(fed.snapshot()), processes_of(sound[-1])
    for field in fields:
        assert getattr(found[0], field) is None
    assert found[1:] == expected[1:]
    assert reasons(fed.snapshot(), name) == NO_FILE
    assert fed.snapshot().host == sound[-1].host
    if name != "memory_used":
        assert fed.snapshot().devices == sound[-1].devices


def test_cores_of_a_runtime_without_counters_are_unknown() -> None:
    def fail(document: Any) -> None:
        runtimes(document)[0]["report"]["neuroncore_counters"] = {"error": "no counters"}

    fed = stream()
    fed.add([TENANTS[0], changed(TENANTS[1], fail)], EPOCH_NS)
    held = processes_of(fed.snapshot())[0].cores
    assert held
    expected = busy_of(readings_of(TENANTS[:2])[-1])
    assert busy_of(fed.snapshot()) == [None if i in held else busy for i, busy in enumerate(expected)]
    assert reasons(fed.snapshot(), "core_utilization_percent") == "no counters"


def test_a_runtime_of_which_nothing_is_known_leaves_every_free_core_in_the_dark() -> None:
    def fail(document: Any) -> None:
        runtimes(document)[0] = {"pid": 9, "neuron_runtime_tag": "nine", "error": "no access", "report": {}}

    fed = stream()
    fed.add([changed(TENANTS[0], fail)], EPOCH_NS)
    others = {core for process in processes_of(fed.snapshot()) for core in process.cores}
    busy = busy_of(fed.snapshot())
    assert others
    assert {core for core, value in enumerate(busy) if value is not None} == others
    assert reasons(fed.snapshot(), "process") == "runtime 9: no access"


def test_a_group_that_comes_back_goes_on_from_where_it_was() -> None:
    def fail(document: Any) -> None:
        runtimes(document)[0]["report"]["execution_stats"] = {"error": "no"}

    fed = stream()
    counts = []
    for line in (TENANTS[0], changed(TENANTS[1], fail), TENANTS[2]):
        fed.add([line], EPOCH_NS)
        executions = processes_of(fed.snapshot())[0].executions
        counts.append(None if executions is None else executions["completed"])
    first, unknown, last = counts
    assert unknown is None and first is not None and last is not None
    assert last > first > 0


def test_facts_that_a_line_lacks_are_those_before() -> None:
    def drop(document: Any) -> None:
        document["neuron_hardware_info"] = {"error": "the driver does not answer"}
        document["instance_info"] = 3

    fed = stream()
    fed.add([TENANTS[0], changed(TENANTS[1], drop)], EPOCH_NS)
    assert fed.snapshot().devices == readings_of(TENANTS[:2])[-1].devices
    assert reasons(fed.snapshot(), "neuron_hardware_info") == "the driver does not answer"
    assert reasons(fed.snapshot(), "instance_info").startswith("cannot be read: ")
    assert fed.inventory().instance_type == "inf2.48xlarge"


def test_a_host_without_devices_says_why() -> None:
    fed = stream()
    fed.add([b'{"neuron_hardware_info":{"error":"no driver"},"instance_info":{"instance_type":"trn1.2xlarge"}}'], 0)
    assert fed.snapshot().devices == ()
    assert fed.inventory().why_no_devices == "no driver"


@pytest.mark.parametrize(
    ("damage", "why"), [(b"garbage", "malformed"), (TENANTS[1][:500], "truncated"), (None, "more than 16 MiB")]
)
def test_after_a_line_that_cannot_be_read_counting_begins_anew(damage: bytes | None, why: str) -> None:
    fed = stream()
    fed.add([TENANTS[0]], EPOCH_NS)
    before = fed.snapshot()
    fed.add([damage, TENANTS[2]], EPOCH_NS)
    now, past = fed.snapshot(), fed.past(0)
    assert now.head.boot_id != before.head.boot_id
    with pytest.raises(NoInterval):
        between(before, now)
    assert past is not None
    assert between(past, now).processes == between(*readings_of(TENANTS[2:])).processes
    assert reasons(now, STREAM).startswith("1 line could not be read, the last because: ")
    assert why in reasons(now, STREAM)


def test_a_banner_before_the_first_line_harms_nobody() -> None:
    fed = stream()
    fed.add([b"starting", b"", b"   ", TENANTS[0]], EPOCH_NS)
    assert fed.snapshot().devices == readings_of(TENANTS[:1])[-1].devices
    assert reasons(fed.snapshot(), STREAM).startswith("1 line could not be read")


@pytest.mark.parametrize("key", [("instance_info", "instance_id"), ("neuron_hardware_info", "neuron_device_count")])
def test_another_host_is_another_boot(key: tuple[str, str]) -> None:
    def move(document: Any) -> None:
        document[key[0]][key[1]] = "i-1" if key[1] == "instance_id" else 3

    fed = stream()
    fed.add([TENANTS[0]], EPOCH_NS)
    before = fed.snapshot()
    fed.add([changed(TENANTS[1], move)], EPOCH_NS)
    assert fed.snapshot().head.boot_id != before.head.boot_id
    assert len(fed.inventory().devices) == (12 if key[1] == "instance_id" else 3)


def test_live_lines_after_a_hole_begin_anew() -> None:
    fed = stream(live=True)
    fed.add([TENANTS[0]], EPOCH_NS)
    fed.add([TENANTS[1]], EPOCH_NS + 5 * SECOND_NS)
    boot = fed.snapshot().head.boot_id
    fed.add([TENANTS[2]], EPOCH_NS + 60 * SECOND_NS)
    past = fed.past(0)
    assert (boot, fed.snapshot().head.boot_id) == ("boot", "boot/2")
    assert past is not None and fed.snapshot().head.time_ns - past.head.time_ns == 5 * SECOND_NS


def test_live_rates_do_not_depend_on_when_a_line_arrives() -> None:
    fed, steady = stream(live=True), intervals_of(TENANTS)
    fed.add([TENANTS[0]], EPOCH_NS)
    before = fed.snapshot()
    fed.add([TENANTS[1]], EPOCH_NS + 5_200_000_000)
    interval = between(before, fed.snapshot())
    for core, expected in zip(interval.cores, steady[1].cores, strict=True):
        assert core.utilization_percent == pytest.approx(expected.utilization_percent)
        assert core.flops_per_s == pytest.approx(expected.flops_per_s)


def test_the_past_is_there_from_the_first_line_on_and_as_old_as_its_period() -> None:
    fed = stream()
    assert fed.past(0) is None
    fed.add([TENANTS[0]], EPOCH_NS)
    past = fed.past(5 * SECOND_NS)
    assert past is not None and past.head.time_ns == EPOCH_NS - 5 * SECOND_NS
    assert fed.past(5 * SECOND_NS + 1) is None
    assert set(busy_of(past)) == {0}


def test_events_that_are_not_kept_are_counted() -> None:
    fed = stream()
    alone = b'{"neuron_runtime_data":[{"pid":%d,"report":{"memory_used":{"period":1}}}]}'
    fed.add([alone % pid for pid in range(600)], EPOCH_NS)
    events = fed.events(0)
    assert len(events.events) == 1000
    assert events.lost == 600 + 599 - 1000
    assert fed.events(events.events[-1].seq).events == ()
