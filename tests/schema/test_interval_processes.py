"""Processes in an interval: what they are counted from, and by which cores and vCPUs they are shown."""

from __future__ import annotations

from typing import Any

from neurontools.schema.interval import between
from neurontools.schema.snapshot import Core, CpuTimes, Device, Host, Model, Process, Snapshot, Subgraph, Workload
from tests.schema.strategies import SECOND_NS, histogram_of, node_at


def _one_process(time_ns: int, **counted: Any) -> Snapshot:
    return node_at(time_ns, processes=(Process(pid=7, started_ns=0, **counted),))


def test_a_process_that_started_since_counts_from_zero_and_an_older_one_is_unknown() -> None:
    counted: dict[str, Any] = {"executions": {"completed": 3}, "latency_total": histogram_of([5, 6]), "vcpu_user_ns": 8}
    young = Process(pid=1, started_ns=11, workload=Workload(kind="llm", completed=2), **counted)
    old = Process(pid=2, started_ns=9, workload=Workload(kind="llm", completed=2), **counted)
    first, second = between(node_at(10, processes=()), node_at(20, processes=(young, old))).processes
    assert (first.executions, first.vcpu_user_ns) == ({"completed": 3}, 8)
    assert first.latency_total is not None
    assert first.latency_total.count == 2
    assert first.workload is not None
    assert first.workload.requests is not None
    assert first.workload.requests["completed"] == 2
    assert (second.executions, second.vcpu_user_ns, second.latency_total) == (None, None, None)
    assert second.workload is not None
    assert second.workload.requests is None
    assert second.executions_total == {"completed": 3}


def test_another_process_with_the_same_pid_is_not_continued() -> None:
    before = node_at(10, processes=(Process(pid=1, started_ns=2, vcpu_user_ns=50),))
    after = node_at(20, processes=(Process(pid=1, started_ns=12, vcpu_user_ns=3),))
    interval = between(before, after)
    assert interval.processes[0].vcpu_user_ns == 3
    assert interval.resets == ()


def test_processes_that_cannot_be_seen_are_not_none() -> None:
    assert not between(node_at(1), node_at(2)).processes_known
    assert between(node_at(1), node_at(2, processes=())).processes_known


def test_an_outcome_that_appears_in_a_tally_stood_at_zero() -> None:
    before = _one_process(0, executions={"completed": 4})
    after = _one_process(2 * SECOND_NS, executions={"completed": 8, "completed_with_err": 2, "timed_out": 6})
    process = between(before, after).processes[0]
    assert process.executions == {"completed": 4, "completed_with_err": 2, "timed_out": 6}
    assert process.executions_per_s == 3.0


def test_a_process_is_shown_by_logical_core() -> None:
    piece: dict[str, Any] = {"name": "sg_00", "device": 0, "device_memory": {"constants": 3}}
    model = Model(
        model_id=1,
        name="m",
        uuid="u",
        running=True,
        subgraphs=tuple(Subgraph(core=core, **piece) for core in (4, 5, 6)),
    )
    process = Process(
        pid=7,
        started_ns=0,
        cores=(4, 5, 6, 7),
        groups=((4, 5), (6, 7)),
        memory={4: {"tensors": 1}, 5: {"tensors": 2, "constants": 4}, 6: {"tensors": 8}},
        models=(model,),
    )
    found = between(node_at(1, core_size=2), node_at(2, core_size=2, processes=(process,))).processes[0]
    assert (found.cores, found.groups) == ((2, 3), ((2,), (3,)))
    assert found.memory == {2: {"tensors": 3, "constants": 4}, 3: {"tensors": 8}}
    assert found.memory_used_bytes == 15
    assert found.models is not None
    assert [(part.core, part.device_memory) for part in found.models[0].subgraphs] == [
        (2, {"constants": 6}),
        (3, {"constants": 3}),
    ]
    assert model.subgraphs[0].device_memory == {"constants": 3}


def test_a_process_has_the_utilization_of_its_cores() -> None:
    def node(time_ns: int, *busy_ns: int) -> Snapshot:
        cores = tuple(Core(core=number, index=number, busy_ns=busy) for number, busy in enumerate(busy_ns))
        process = Process(pid=7, started_ns=0, cores=(1, 2))
        return node_at(time_ns, Device(index=0, cores=cores), processes=(process,))

    assert between(node(0, 0, 0, 0), node(100, 90, 20, 40)).processes[0].utilization_percent == 30.0


def test_vcpu_percent_is_of_all_vcpus_as_in_the_capture() -> None:
    """A capture of inf1.xlarge (4 vCPUs) has 4 for a period of 62.523811 ms: one tick of 10 ms."""
    idle = Host(cpus=(CpuTimes(0, 0, 0, 0, 0, 0, 0),) * 4)

    def node(time_ns: int, user_ns: int) -> Snapshot:
        process = Process(pid=7, started_ns=0, vcpu_user_ns=user_ns, vcpu_system_ns=0)
        return node_at(time_ns, processes=(process,), host=idle)

    process = between(node(0, 0), node(62_523_811, 10_000_000)).processes[0]
    assert process.vcpu_user_percent is not None
    assert round(process.vcpu_user_percent) == 4
    assert (process.vcpu_user_ns, process.vcpu_system_percent) == (10_000_000, 0.0)
