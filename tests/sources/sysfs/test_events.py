"""Events: the driver's lines of the kernel's log, once each and in order, and processes that come and go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurontools.schema.events import KERNEL_LOG, PROCESS_END, PROCESS_START
from neurontools.sources.sysfs.events import KEPT
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.kernel_log import KernelLog, parse
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.units import NS_PER_S
from tests.sources.trees import BOOT_S, Tree

ERROR = (
    "neuron:nd1: NEURON_HW_ERR=SRAM_UNCORRECTABLE_ERROR instance-id=i-0 hostname=h nd-id=1 nc-id=3 serial-num=0 "
    "action=TERMINATE_INSTANCE"
)


def record(seconds: float, text: str, number: int = 1) -> str:
    return f"3,{number},{round(seconds * 1e6)},-;{text}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path, "trn2.48xlarge", counters=False, devices=2)
    tree.write("dev/kmsg", record(1, "Linux version 6.1") + record(9, ERROR))
    return tree


@pytest.mark.parametrize(
    ("text", "device", "core"),
    [
        (ERROR, 1, 3),
        ("neuron:nd12: reset of nd12 failed", 12, None),
        ("neuron: nd[4] nc[2]: something", 4, 2),
        ("x NEURON_HW_ERR=DMA_ERROR y", None, None),
    ],
)
def test_lines_of_the_driver(text: str, device: int | None, core: int | None) -> None:
    line = parse(record(2.5, text).encode())
    assert line is not None
    assert (line.time_us, line.text, line.device, line.core) == (2_500_000, text, device, core)


@pytest.mark.parametrize(
    "held",
    [
        record(1, "usb 1-1: new device").encode(),
        record(1, "neuron: module loaded").encode(),
        record(1, "nd0: a memory device").encode(),
        b" SUBSYSTEM=pci",
        b"",
        b"3,1,x,-;" + ERROR.encode(),
        ERROR.encode(),
    ],
)
def test_other_lines_are_no_events(held: bytes) -> None:
    assert parse(held) is None


def test_lines_are_events_at_the_time_that_the_kernel_gives_them(tree: Tree) -> None:
    source = SysfsSource(str(tree.root))
    (event,) = source.events().events
    assert (event.seq, event.kind, event.text) == (1, KERNEL_LOG, ERROR)
    assert event.time_ns == (BOOT_S + 9) * NS_PER_S
    assert (event.device, event.core, event.pid) == (1, 8 + 3, None)
    with open(tree.path("dev/kmsg"), "a") as log:
        log.write(record(20, "neuron:nd0: more") + "3,4,21000000,-;neuron:nd0: cut")
        log.flush()
        assert [event.text for event in source.events(1).events] == ["neuron:nd0: more"]
        log.write(" off\n")
    assert [event.text for event in source.events(2).events] == ["neuron:nd0: cut off"]
    assert source.events(3).events == ()
    assert [event.seq for event in source.events().events] == [1, 2, 3]
    source.close()


def test_only_the_last_ones_are_kept(tree: Tree) -> None:
    tree.write("dev/kmsg", "".join(record(i, f"neuron:nd0: {i}") for i in range(KEPT + 5)))
    source = SysfsSource(str(tree.root))
    found = source.events(3)
    source.close()
    assert (found.lost, found.events[0].seq, len(found.events)) == (2, 6, KEPT)


def test_processes_that_take_and_leave_a_device(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR}, command="python serve.py", started=300)
    tree.process(4300, {0: os.O_WRONLY}, command="neuron-top")
    source = SysfsSource(str(tree.root))
    start, line = source.events().events
    assert (start.kind, start.pid, start.text) == (PROCESS_START, 4200, "python serve.py")
    assert (start.time_ns, line.kind) == ((BOOT_S + 3) * NS_PER_S, KERNEL_LOG)
    tree.path("proc/4200").rename(tree.root / "away")
    (end,) = source.events(2).events
    source.close()
    assert (end.kind, end.pid, end.text) == (PROCESS_END, 4200, "python serve.py: ended")


def test_a_log_that_may_not_be_read_says_what_is_needed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(1, "Operation not permitted", path)

    source = SysfsSource(str(tree.root))
    source.snapshot()
    monkeypatch.setattr(KernelLog, "records", lambda self: refuse("dev/kmsg", 0))
    assert source.events().events == ()
    gap = source.snapshot().head.gaps["kernel_log"]
    source.close()
    assert gap.reason == "the kernel's log cannot be read: operation not permitted"
    assert gap.supply == "root, or the capability SYSLOG"


def test_a_host_without_a_log(tree: Tree) -> None:
    tree.path("dev/kmsg").unlink()
    source = SysfsSource(str(tree.root))
    assert source.events().events == ()
    assert "no such file" in source.snapshot().head.gaps["kernel_log"].reason
    source.close()


def test_the_kernel_s_own_log_gives_a_record_at_each_reading(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What /dev/kmsg does: records one by one, EPIPE for what was overwritten, EAGAIN at the end."""
    answers: list[bytes | OSError] = [
        record(1, "Linux version 6.1").encode(),
        BrokenPipeError(32, "Broken pipe"),
        (record(9, ERROR) + " SUBSYSTEM=pci\n").encode(),
        BlockingIOError(11, "Resource temporarily unavailable"),
        BlockingIOError(11, "Resource temporarily unavailable"),
    ]

    def read(descriptor: int, most: int) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    log = KernelLog(Root(str(tree.root)))
    monkeypatch.setattr("neurontools.sources.sysfs.kernel_log.stat.S_ISCHR", lambda mode: True)
    monkeypatch.setattr("neurontools.sources.sysfs.kernel_log.os.read", read)
    assert [line.text for line in log.lines()] == [ERROR]
    assert log.lines() == []
    monkeypatch.undo()
    log.close()
