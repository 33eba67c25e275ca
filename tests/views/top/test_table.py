"""The table of processes by itself: a job's column is there where a process has a job, and is searched whole."""

from __future__ import annotations

from msgspec.structs import replace

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.snapshot import Job
from neurontools.units import format_bytes
from neurontools.views.top.table import Order, columns, table
from tests.exporters.nodes import interval_of

INTERVAL = interval_of(INSTANCES["inf2.24xlarge"])
UID = "3c9f6b1e-0d4a-4f7e-9a55-1f2e3d4c5b6a"


def test_pods_and_slurm_jobs_have_a_column() -> None:
    first, second, *others = INTERVAL.processes
    pod = replace(first, job=Job(kind="kubernetes", id=UID, container="ab" * 32))
    slurm = replace(second, job=Job(kind="slurm", id="4711\x1b[2J"))
    interval = replace(INTERVAL, processes=(pod, slurm, *others))
    every = columns(format_bytes)
    found = table(interval, Order("PID", reverse=True), every)
    assert "JOB" in [column.name for column in found.known]
    assert [row.texts.get("JOB") for row in found.rows[:2]] == ["pod 3c9f6b1e-0", "job 4711?[2J"]
    assert [row.key for row in table(interval, Order(words=UID[20:]), every).rows] == [(pod.pid, pod.started_ns)]


def test_without_a_job_there_is_no_such_column() -> None:
    found = table(INTERVAL, Order(), columns(format_bytes))
    assert "JOB" in [column.name for column in found.hidden]
