"""What a job did: against a model that knows, with every driver, and with others on the host."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from device_model.simulation import NS, Simulation
from neurontools.commands.job_account import Account, Meter
from neurontools.commands.job_text import render
from neurontools.schema.document import decode, encode
from neurontools.schema.interval import NoInterval
from neurontools.schema.snapshot import MemoryUse, Snapshot
from neurontools.sources.sysfs.options import Options
from neurontools.sources.sysfs.source import SysfsSource
from tests.conftest import Golden
from tests.device_model.hosts import host, server
from tests.device_model.publish.tree.trees import published


def nobody(pid: int) -> bool:
    return False


def watched(model: Simulation, seconds: int, sample_s: int = 5, own: tuple[int, ...] = ()) -> Account:
    """A job of so many seconds on a host."""
    meter = Meter(model.snapshot(), lambda pid: pid in own)
    for second in range(1, seconds + 1):
        model.advance(model.now_ns + NS)
        if second % sample_s == 0 and second < seconds:
            meter.add(model.snapshot())
    return meter.account(model.snapshot(), ("python", "train.py", "--name", "a b"), 0, model.instance)


def busy_host(**faults: Any) -> Simulation:
    return host(server("a", start="2s", stop="20s"), server("b"), instance="inf2.24xlarge", **faults)


def flat(snapshot: Snapshot) -> list[Any]:
    return [core for device in snapshot.devices for core in device.cores]


def test_the_sums_are_those_of_the_counters() -> None:
    model = busy_host()
    before = flat(model.snapshot())
    account = watched(model, 30)
    after = flat(model.snapshot())

    def grown(name: str) -> int:
        totals = [sum(int(core.other_info[name].total) for core in cores) for cores in (before, after)]
        return totals[1] - totals[0]

    assert account.core_seconds == pytest.approx(grown("nc_time_in_use") / 1e6)
    assert (account.flops, account.executions) == (grown("flop_count"), grown("inference_count"))
    assert account.duration_s == 30
    assert sum(share.flops or 0 for share in account.cores) == account.flops
    assert {share.core for share in account.cores} == {0, 1, 2, 3}
    (status,) = account.statuses
    assert (status.name, status.code, status.count) == ("NRT_SUCCESS", 0, account.executions)


def test_the_peak_is_what_memory_was_at_most() -> None:
    """Looked at every tenth of a second nothing is missed; the account has it from two looks and the driver's marks."""
    model, twin = busy_host(), busy_host()
    most: dict[str, dict[int, int]] = {}
    for _ in range(300):
        twin.advance(twin.now_ns + NS // 10)
        for core in flat(twin.snapshot()):
            for category, use in core.memory.items():
                cores = most.setdefault(category, {})
                cores[core.core] = max(cores.get(core.core, 0), use.total)
    account = watched(model, 30, sample_s=1000)
    found = {peak.category: peak.bytes for peak in account.memory if peak.exact}
    assert found.keys() >= {"constants", "tensors"}
    assert found == {category: sum(most[category].values()) for category in found}
    first = {peak.category: peak.before_bytes for peak in account.memory}
    assert first["tensors"] == 0


def test_a_mark_that_was_as_high_before_says_only_what_was_never_exceeded() -> None:
    """A server that loads its model again needs as much as the first time, so that no mark rises."""
    model = host(server("a", reload={"every": "6s", "pause": "2s"}), instance="inf2.xlarge")
    model.advance(model.now_ns + 5 * NS)

    def constants() -> MemoryUse:
        found: MemoryUse = flat(model.snapshot())[0].memory["constants"]
        return found

    while 2 * (constants().total or 0) > (constants().peak or 0):
        model.advance(model.now_ns + NS // 4)
    account = watched(model, 5, sample_s=1)
    found = next(peak for peak in account.memory if peak.category == "constants")
    assert not found.exact
    assert found.before_bytes < found.bytes <= 2 * (constants().peak or 0)


def test_own_and_others_are_told_apart() -> None:
    model = busy_host()
    started = {process.pid for process in model.snapshot().processes or ()}
    model.advance(model.now_ns + 3 * NS)
    later = {process.pid for process in model.snapshot().processes or ()} - started
    account = watched(busy_host(), 30, sample_s=1, own=tuple(later))
    assert {user.pid for user in account.own} == later
    assert {user.pid for user in account.others} == started
    (own,), (other,) = account.own, account.others
    assert (own.left, other.left) == (False, True)
    assert (own.cores, other.cores) == ((2, 3), (0, 1)) or (own.cores, other.cores) == ((0, 1), (2, 3))
    assert own.executions is not None and own.executions["completed"] > 0


def test_errors_and_ecc_are_told_by_code_and_device() -> None:
    faults = [
        {"fault": "out-of-memory", "process": "b", "at": "9s"},
        {"fault": "hbm-corrected", "core": 2, "at": "3s", "for": "20s", "parameters": {"rate": 7200}},
    ]
    account = watched(busy_host(faults=faults), 30)
    assert {status.name for status in account.statuses} == {"NRT_SUCCESS", "NRT_RESOURCE"}
    assert {(each.device, each.counter) for each in account.ecc} == {(1, "mem_ecc_corrected")}
    assert "memory, on the device or the host, ran out" in " ".join(render(account).split())
    assert "device 1: mem_ecc_corrected +" in render(account)


@pytest.mark.parametrize("version", ["2.21.37", "2.24", "2.30.2"])
def test_it_is_right_with_every_driver(version: str) -> None:
    """Old drivers take over what a process counted when it closes its devices: before that they show nothing of it."""
    model = host(server("a", start="2s", stop="20s"), instance="inf2.8xlarge")
    socket = Meter(model.snapshot(), nobody)
    with published(model, version) as (root, publisher):
        source = SysfsSource(str(root), Options(imds=False, at_close=True))
        tree = Meter(source.snapshot(), nobody)
        for _ in range(5):
            model.advance(model.now_ns + 5 * NS)
            publisher.refresh()
            tree.add(source.snapshot())
        found = tree.account(source.snapshot(), ("true",), 0, model.instance)
        source.close()
    expected = socket.account(model.snapshot(), ("true",), 0, model.instance)
    assert expected.executions and expected.core_seconds
    assert (found.executions, found.flops, found.statuses) == (expected.executions, expected.flops, expected.statuses)
    assert found.core_seconds == pytest.approx(expected.core_seconds, rel=1e-6)
    peaks = {peak.category: peak.bytes for peak in found.memory}
    assert peaks == {peak.category: peak.bytes for peak in expected.memory}


def test_what_is_unknown_is_not_zero() -> None:
    model = busy_host()
    before = model.snapshot()
    model.advance(model.now_ns + NS)
    after = model.snapshot()

    def bare(snapshot: Snapshot) -> Snapshot:
        devices = tuple(
            replace(
                device,
                cores=tuple(
                    replace(core, busy_ns=None, flops=None, other_info=None, status=None, memory=None)
                    for core in device.cores
                ),
            )
            for device in snapshot.devices
        )
        return replace(snapshot, devices=devices, processes=None)

    account = Meter(bare(before), nobody).account(bare(after), ("true",), 0, "inf2.24xlarge")
    assert (account.core_seconds, account.flops, account.executions) == (None, None, None)
    assert (account.processes_known, account.memory) == (False, ())
    text = " ".join(render(account).split())
    assert "compute unknown core-seconds, unknown FLOP, unknown executions" in text
    assert "others unknown: processes could not be seen" in text


def test_a_time_that_stands_still_bounds_no_period() -> None:
    model = busy_host()
    with pytest.raises(NoInterval, match="both readings are of the same instant"):
        Meter(model.snapshot(), nobody).account(model.snapshot(), ("true",), 0, "inf2.24xlarge")


def test_as_text_and_as_json(golden: Golden) -> None:
    account = watched(busy_host(), 30, own=(4157,))
    golden("job/account.txt", render(account))
    golden("job/account.json", f"{encode(account).decode()}\n")
    assert decode(Account, encode(account)) == account
