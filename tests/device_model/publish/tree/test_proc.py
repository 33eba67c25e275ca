"""The /proc of a tree as psutil reads it, which reads real hosts: the host, and every process."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.publish.tree.proc import boot_uuid, user_number
from device_model.simulation import NS, Simulation
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.units import format_ranges
from tests.device_model.hosts import forward, host, server
from tests.device_model.publish.tree.trees import published

TICK_S = 0.01
PAGE_BYTES = 4096

Seen = tuple[Simulation, Path]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """A host with two processes on a chip of logical cores, and where psutil looks at it."""
    process = {"command": "/usr/bin/python3 serve.py --port 8000", "user": "ec2-user"}
    model = host(server("a", tp=2, **process), server("b", tp=2, user="alice", start="3s"), instance="trn2.3xlarge")
    before = psutil.PROCFS_PATH
    with published(forward(model, 20)) as (root, _):
        psutil.PROCFS_PATH = str(root / "proc")
        try:
            yield model, root
        finally:
            psutil.PROCFS_PATH = before


def test_psutil_reads_the_host(seen: Seen) -> None:
    model, _ = seen
    known = model.snapshot().host
    assert known is not None
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    assert memory.total == known.memory_total_bytes
    assert known.memory_used_bytes is not None
    assert 0 <= memory.used - known.memory_used_bytes < 1024
    assert memory.total - memory.available == memory.used
    assert (swap.total, swap.used, swap.sin, swap.sout) == (0, 0, 0, 0)
    assert psutil.boot_time() == model.epoch_ns / NS
    assert psutil.cpu_stats().ctx_switches == known.context_switches
    for read, cpu in zip(psutil.cpu_times(percpu=True), known.cpus or (), strict=True):
        pairs = ((read.user, cpu.user), (read.system, cpu.system), (read.idle, cpu.idle), (read.nice, cpu.nice))
        assert all(0 <= ns / NS - seconds < TICK_S for seconds, ns in pairs)
    assert psutil.cpu_times().user >= max(cpu.user for cpu in known.cpus or ()) / NS


def test_psutil_reads_the_processes(seen: Seen) -> None:
    model, _ = seen
    known = model.snapshot().processes or ()
    assert psutil.pids() == [process.pid for process in known]
    for process in known:
        read = psutil.Process(process.pid)
        assert " ".join(read.cmdline()) == process.command
        assert 0 <= process.started_ns / NS - read.create_time() < TICK_S
        times = read.cpu_times()
        assert 0 <= (process.vcpu_user_ns or 0) / NS - times.user < TICK_S
        assert 0 <= (process.vcpu_system_ns or 0) / NS - times.system < TICK_S
        assert 0 <= (process.resident_bytes or 0) - read.memory_info().rss < PAGE_BYTES
        assert read.environ()["NEURON_PROCESS_TAG"] == process.tag
        assert (read.status(), read.ppid()) == (psutil.STATUS_SLEEPING, process.parent_pid)
        assert read.num_threads() == 1 + len(process.cores)
    assert [psutil.Process(process.pid).name() for process in known] == ["python3", "python"]
    assert [psutil.Process(process.pid).uids().real for process in known] == [1000, user_number("alice")]
    assert psutil.Process(known[0].pid).environ()["USER"] == "ec2-user"


def test_a_launcher_is_the_parent_of_its_processes_and_holds_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    model = forward(host(server("a", tp=2, replicas=2, launched=True), server("b", tp=2)), 20)
    with published(model) as (root, _):
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(root / "proc"))
        source = SysfsSource(str(root))
        found = source.snapshot().processes or ()
        source.close()
        parents = {process.pid: psutil.Process(process.pid).ppid() for process in found}
        (launcher,) = set(parents.values()) - {1}
        known = psutil.Process(launcher)
        assert [psutil.Process(pid).ppid() for pid in parents if parents[pid] == launcher] == [launcher] * 2
        assert known.ppid() == 1
        assert known.name() == "launcher"
        assert set(os.listdir(root / "proc" / str(launcher) / "fd")) == {"0", "1", "2"}
        assert not any(name.startswith("NEURON_") for name in known.environ())
    assert parents == {process.pid: process.parent_pid for process in model.snapshot().processes or ()}


def test_a_process_shows_its_devices_and_logical_cores(seen: Seen) -> None:
    model, root = seen
    for process in model.snapshot().processes or ():
        home = root / "proc" / str(process.pid)
        links = {name: os.readlink(home / "fd" / name) for name in os.listdir(home / "fd")}
        assert links == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null", "3": "/dev/neuron0"}
        info = dict(line.split(":\t") for line in (home / "fdinfo" / "3").read_text().splitlines())
        assert int(info["flags"], 8) & 3 == os.O_RDWR, "a runtime holds it, it is not only looked at"
        variables = dict(word.split("=", 1) for word in (home / "environ").read_text().split("\0") if word)
        first, *_, last = sorted(process.cores)
        assert variables["NEURON_RT_VISIBLE_CORES"] == format_ranges(range(first // 2, last // 2 + 1), ",")
        assert variables["NEURON_LOGICAL_NC_CONFIG"] == "2"
        assert (home / "environ").stat().st_mode & 0o777 == 0o400


def test_the_kernel_knows_the_drivers_number_and_its_boot(seen: Seen) -> None:
    model, root = seen
    character, _, block = (root / "proc" / "devices").read_text().partition("\n\n")
    assert "241 neuron" in character.splitlines()
    assert block.startswith("Block devices:\n")
    text = (root / "proc" / "sys" / "kernel" / "random" / "boot_id").read_text()
    assert text == f"{boot_uuid(model.snapshot().head.boot_id)}\n"
    assert uuid.UUID(text.strip()).version == 4
    up, idle = (root / "proc" / "uptime").read_text().split()
    assert up == "20.00"
    assert float(idle) > 20


def test_boots_are_told_apart() -> None:
    ids = {boot_uuid(host(seed=seed).snapshot().head.boot_id) for seed in range(5)}
    assert len(ids) == 5


@given(st.sets(st.integers(0, 130)))
def test_ranges_can_be_read_back(numbers: set[int]) -> None:
    text = format_ranges(numbers, ",")
    read: set[int] = set()
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == numbers
    assert ",," not in text


def test_users_have_numbers() -> None:
    assert [user_number(name) for name in ("root", "ubuntu", "ec2-user")] == [0, 1000, 1000]
    assert user_number("alice") == user_number("alice") > 1000
    assert user_number("alice") != user_number("bob")
