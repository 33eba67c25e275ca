"""The operating system's numbers from /proc, against what the kernel's own files of this machine say."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from neurontools.schema.snapshot import CpuTimes, Host
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.host import TICK_NS, read_host, read_system_stat
from neurontools.sources.sysfs.reasons import Reasons
from tests.sources.trees import BOOT_S, Tree


def host_of(root: str) -> tuple[Host, Reasons]:
    reasons, place = Reasons(), Root(root)
    return read_host(place, read_system_stat(place, reasons), reasons), reasons


def test_a_host_s_numbers(tmp_path: Path) -> None:
    tree = Tree(tmp_path, counters=False)
    host, reasons = host_of(str(tree.root))
    times = [CpuTimes(*(ticks * TICK_NS for ticks in (100 + i, 1, 50, 9000, 2, 0, 3))) for i in range(4)]
    assert host == Host(
        cpus=tuple(times),
        memory_total_bytes=1000 * 1024,
        memory_used_bytes=400 * 1024,
        swap_total_bytes=0,
        swap_used_bytes=0,
        context_switches=4242,
    )
    assert reasons.found == {}
    assert read_system_stat(Root(str(tree.root)), reasons).boot_s == BOOT_S


def test_this_machine_is_what_psutil_says() -> None:
    host, reasons = host_of("/")
    assert reasons.found == {}
    assert host.cpus is not None
    assert len(host.cpus) == psutil.cpu_count()
    for found, expected in zip(host.cpus, psutil.cpu_times(percpu=True), strict=True):
        for name, state in (("user", "user"), ("idle", "idle"), ("io_wait", "iowait"), ("soft_irq", "softirq")):
            # psutil leaves out the time of guests from that of users.
            guest = expected.guest if name == "user" else 0.0
            assert getattr(found, name) / 1e9 == pytest.approx(getattr(expected, state) + guest, abs=2.0)
    memory = psutil.virtual_memory()
    assert host.memory_total_bytes == memory.total
    assert host.memory_used_bytes == pytest.approx(memory.total - memory.available, rel=0.2)
    assert host.swap_total_bytes == psutil.swap_memory().total
    switches = psutil.cpu_stats().ctx_switches
    assert host.context_switches is not None and 0.5 < host.context_switches / switches <= 1
    assert read_system_stat(Root("/"), Reasons()).boot_s == int(psutil.boot_time())
    assert TICK_NS * os.sysconf("SC_CLK_TCK") == 10**9


MEMORY = {"memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes"}


@pytest.mark.parametrize(
    ("path", "text", "unknown"),
    [
        ("proc/stat", None, {"cpus", "context_switches"}),
        ("proc/stat", "", {"cpus", "context_switches"}),
        ("proc/stat", "cpu 1\ncpu0 x y\nctxt z\n", {"cpus", "context_switches"}),
        ("proc/stat", "cpu 1\ncpu0 1 2 3\nctxt 7\n", {"cpus"}),
        ("proc/meminfo", None, MEMORY),
        ("proc/meminfo", "MemTotal: 5 kB\n", {"memory_used_bytes", "swap_total_bytes", "swap_used_bytes"}),
        (
            "proc/meminfo",
            "MemTotal: -5 kB\nSwapTotal:\nSwapFree: x\n",
            MEMORY,
        ),
    ],
)
def test_what_cannot_be_read_is_unknown_and_the_rest_is_right(
    path: str, text: str | None, unknown: set[str], tmp_path: Path
) -> None:
    tree = Tree(tmp_path, counters=False)
    if text is None:
        tree.path(path).unlink()
    else:
        tree.write(path, text)
    host, reasons = host_of(str(tree.root))
    assert {name for name in Host.__struct_fields__ if getattr(host, name) is None} == unknown
    assert bool(reasons.found) == (text is None or "cpus" in unknown)
