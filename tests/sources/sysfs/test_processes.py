"""Processes of a host's /proc: who holds which device, what that costs the host, and what stays hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.snapshot import Process, Snapshot
from neurontools.sources.sysfs import holders
from neurontools.sources.sysfs.claims import core_numbers, cores_of
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.holders import Handles
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.sources.sysfs.watch import Watch
from neurontools.units import NS_PER_S
from tests.sources.trees import BOOT_S, Tree

SECRETS = {"AWS_SECRET_ACCESS_KEY": "hunter2", "PATH": "/bin"}
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "inf2.24xlarge", "2.26.5.0", counters=False)


def read(tree: Tree) -> Snapshot:
    source = SysfsSource(str(tree.root))
    try:
        return source.snapshot()
    finally:
        source.close()


def processes(tree: Tree) -> tuple[Process, ...]:
    found = read(tree).processes
    assert found is not None
    return found


def test_a_process_with_all_that_its_files_tell(tree: Tree) -> None:
    environ = {"NEURON_RT_VISIBLE_CORES": "2-3,5", "NEURON_PROCESS_TAG": "llama", **SECRETS}
    tree.process(4200, {1: os.O_RDWR, 2: os.O_RDWR}, environ, command="python serve.py", uid=1000, started=500)
    tree.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n")
    (process,) = processes(tree)
    assert process == Process(
        pid=4200,
        started_ns=(BOOT_S + 5) * NS_PER_S,
        user="ubuntu",
        tag="llama",
        command="python serve.py",
        runtime_version="unknown",
        cores=(2, 3, 5),
        resident_bytes=1024 * PAGE_BYTES,
        vcpu_user_ns=250 * NS_PER_S // 100,
        vcpu_system_ns=50 * NS_PER_S // 100,
        parent_pid=1,
    )


def test_a_parent_outside_the_container_is_unknown_and_why(tree: Tree) -> None:
    tree.process(4200, {1: os.O_RDWR}, parent=0)
    tree.process(4300, {1: os.O_RDWR}, parent=4200)
    snapshot = read(tree)
    assert [process.parent_pid for process in snapshot.processes or ()] == [None, 4200]
    assert snapshot.head.gaps["parent_pid"].supply == "the host's pid namespace"


@pytest.mark.parametrize("uid", ["9" * 5000, "\u00b2", "-1", ""], ids=["huge", "superscript", "negative", "empty"])
def test_a_list_of_users_that_is_none_gives_numbers(uid: str, tree: Tree) -> None:
    tree.process(4200, {1: os.O_RDWR}, {}, command="python serve.py", uid=1000, started=500)
    tree.write("etc/passwd", f"ubuntu:x:{uid}:1000::/home/ubuntu:/bin/bash\n")
    (process,) = processes(tree)
    assert process.user == "1000"


def test_a_tool_is_no_runtime(tree: Tree) -> None:
    tree.process(4200, {0: os.O_WRONLY}, command="neuron-monitor")
    assert processes(tree) == ()


def test_of_an_environment_nothing_else_is_kept(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR}, {"NEURON_RT_NUM_CORES": "2", **SECRETS})
    assert holders.environment(Root(str(tree.root)), 4200) == {"NEURON_RT_NUM_CORES": "2"}


def test_what_the_driver_does_not_tell_of_processes_says_so(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR})
    gaps = read(tree).head.gaps
    for part in ("execution_stats", "memory_used", "executions", "models"):
        assert gaps[part].reason == "the driver publishes this by core, not by process"
        assert gaps[part].supply == "AWS's neuron-monitor: --source aws"


def test_in_another_pid_namespace_the_inner_pid_is_the_tag(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR})
    tree.write("proc/4200/status", "Uid:\t0\t0\t0\t0\nNSpid:\t4200\t17\n")
    (process,) = processes(tree)
    assert (process.tag, process.user) == ("17", "0")


def test_processes_that_may_not_be_looked_into_are_said_to_be_missing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.process(4200, {0: os.O_RDWR})
    tree.process(4300, {1: os.O_RDWR}, command="python other.py")
    tree.process(4400, {}, command="")
    hide(monkeypatch, tree, 4300, 4400)
    snapshot = read(tree)
    assert [process.pid for process in snapshot.processes or ()] == [4200]
    gap = snapshot.head.gaps["processes"]
    assert gap.reason == "processes of other users cannot be looked into"
    assert "SYS_PTRACE" in (gap.supply or "")


def test_where_none_can_be_seen_it_is_unknown_whether_there_is_one(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.process(4300, {1: os.O_RDWR})
    hide(monkeypatch, tree, 4300)
    snapshot = read(tree)
    assert snapshot.processes is None
    assert "node_process_count" in snapshot.head.gaps


def test_threads_of_the_kernel_hide_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.process(2, {}, command="")
    hide(monkeypatch, tree, 2)
    snapshot = read(tree)
    assert snapshot.processes == ()
    assert "processes" not in snapshot.head.gaps


def hide(monkeypatch: pytest.MonkeyPatch, tree: Tree, *pids: int) -> None:
    """Lets nobody list the descriptors of these processes: root, as whom tests may run, may list any."""
    hidden = {f"{tree.root}/proc/{pid}/fd" for pid in pids}
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path in hidden:
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr("neurontools.sources.sysfs.holders.os.listdir", refuse)


def test_processes_come_and_go(tree: Tree) -> None:
    source = SysfsSource(str(tree.root))
    found = []
    for step in range(4):
        if step == 1:
            tree.process(4200, {0: os.O_RDWR}, started=100)
        if step == 3:
            tree.path("proc/4200").rename(tree.root / "away")
        found.append([process.pid for process in source.snapshot().processes or ()])
    source.close()
    assert found == [[], [4200], [4200], []]


def test_a_pid_that_is_used_again_is_another_process(tree: Tree) -> None:
    source = SysfsSource(str(tree.root))
    tree.process(4200, {0: os.O_RDWR}, {"NEURON_PROCESS_TAG": "first"}, started=100)
    (first,) = source.snapshot().processes or ()
    tree.path("proc/4200").rename(tree.root / "away")
    tree.process(4200, {0: os.O_RDWR}, {"NEURON_PROCESS_TAG": "second"}, started=900)
    (second,) = source.snapshot().processes or ()
    source.close()
    assert [first.tag, second.tag] == ["first", "second"]
    assert first.started_ns != second.started_ns


def test_others_are_looked_at_ever_more_seldom(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.process(4200, {0: os.O_RDWR})
    tree.process(4300, {})
    looked: list[tuple[int, int]] = []
    handles = holders.handles

    def counting(root: Root, pid: int, nodes: dict[int, int]) -> Handles | None:
        looked.append((second, pid))
        return handles(root, pid, nodes)

    monkeypatch.setattr(holders, "handles", counting)
    watch = Watch(Root(str(tree.root)))
    for second in range(60):
        watch.look(second * NS_PER_S, {})
    assert [second for second, pid in looked if pid == 4200] == list(range(60))
    assert [second for second, pid in looked if pid == 4300] == [0, 1, 3, 7, 15, 31, 47]


@pytest.mark.parametrize(
    ("stat", "name"),
    [
        ("7 (a) b) S", "a) b"),
        ("7 (\n) S", "\n"),
        ("7 () S", ""),
    ],
)
def test_a_name_may_hold_anything(tree: Tree, stat: str, name: str) -> None:
    numbers = " ".join(["3"] + ["0"] * 9 + ["11", "12"] + ["0"] * 6 + ["19", "0", "21"])
    tree.write("proc/7/stat", f"{stat} {numbers}\n")
    found = holders.read_stat(Root(str(tree.root)), 7)
    assert found == (name, 3, 11, 12, 19, 21)


@pytest.mark.parametrize("text", ["", "7", "7 (a) S", "7 (a) S " + "x " * 30, "7 (a) S " + "-5 " * 30])
def test_a_stat_that_is_none(tree: Tree, text: str) -> None:
    tree.write("proc/7/stat", text)
    assert holders.read_stat(Root(str(tree.root)), 7) is None


def test_a_process_whose_stat_is_garbage_is_left_out(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR})
    tree.process(4300, {1: os.O_RDWR})
    tree.write("proc/4300/stat", "garbage")
    assert [process.pid for process in processes(tree)] == [4200]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0-3,5", (0, 1, 2, 3, 5)),
        ("7", (7,)),
        (" 1 , 0-1 ", (1, 0)),
        ("3-1", ()),
        ("", None),
        ("a", None),
        ("0-", None),
        ("-1", None),
        ("1,,2", None),
        ("0-99999999999", None),
    ],
)
def test_lists_of_cores(text: str, numbers: tuple[int, ...] | None) -> None:
    assert core_numbers(text) == numbers


@given(st.text(max_size=20))
def test_no_list_of_cores_is_too_strange(text: str) -> None:
    numbers = core_numbers(text)
    assert numbers is None or all(0 <= number < 10_000 for number in numbers)


def held(*devices: int) -> Handles:
    return Handles(frozenset(devices), frozenset(), {device: device for device in devices})


@pytest.mark.parametrize(
    ("environment", "alone", "expected"),
    [
        ({"NEURON_RT_VISIBLE_CORES": "4-5"}, False, (8, 9, 10, 11)),
        ({"NEURON_RT_VISIBLE_CORES": "0,4"}, True, (8, 9)),
        ({"NEURON_RT_VISIBLE_CORES": "0"}, True, ()),
        ({}, True, tuple(range(8, 16))),
        ({}, False, ()),
        ({"NEURON_RT_NUM_CORES": "4"}, True, tuple(range(8, 16))),
        ({"NEURON_RT_NUM_CORES": "1"}, True, ()),
        ({"NEURON_RT_VISIBLE_CORES": "nonsense"}, True, tuple(range(8, 16))),
        (None, True, ()),
    ],
)
def test_the_cores_that_a_process_claims(
    environment: dict[str, str] | None, alone: bool, expected: tuple[int, ...]
) -> None:
    """On device 1 of a chip with eight cores, two to each logical one."""
    assert cores_of(held(1), environment, alone, cores_per_device=8, size=2) == expected


def test_this_machine_s_own_processes_can_be_looked_through() -> None:
    root = Root("/")
    assert os.getpid() in holders.pids(root)
    assert holders.handles(root, os.getpid(), None) is None
    stat = holders.read_stat(root, os.getpid())
    assert stat is not None and stat.resident_pages > 0
    assert "python" in holders.command_line(root, os.getpid())
    assert holders.environment(root, os.getpid()) is not None
    assert Watch(root).look(0, {}) == []
