"""Pods and Slurm jobs by control group: paths as kubelets and slurmd write them, and everything else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.snapshot import Job
from neurontools.sources.sysfs.cgroup import job_of
from neurontools.sources.sysfs.source import SysfsSource
from tests.sources.trees import Tree

UID, ID = "3c9f6b1e-0d4a-4f7e-9a55-1f2e3d4c5b6a", "0123456789abcdef" * 4
STATIC = UID.replace("-", "")
POD = Job(kind="kubernetes", id=UID, container=ID)


@pytest.mark.parametrize(
    ("text", "job"),
    [
        # systemd's driver on version 2, containerd and CRI-O; the same without a quality-of-service slice.
        (
            f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice"
            f"/cri-containerd-{ID}.scope",
            POD,
        ),
        (f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/crio-{ID}.scope/container", POD),
        # cgroupfs' driver on version 1, where the line of a controller comes first that is of no pod.
        (f"12:rdma:/\n11:memory:/kubepods/besteffort/pod{UID}/{ID}\n1:name=systemd:/", POD),
        # Seen from a container with a cgroup namespace of its own.
        (f"0::/../../kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope", POD),
        # A static pod's UID is a hash; a sandbox that is being made has no container yet.
        (f"0::/kubepods/pod{STATIC}/{ID}", Job(kind="kubernetes", id=STATIC, container=ID)),
        (f"0::/kubepods/pod{UID}", Job(kind="kubernetes", id=UID)),
        ("8:devices:/slurm/uid_1000/job_4711/step_0/task_0", Job(kind="slurm", id="4711")),
        ("0::/system.slice/slurmstepd.scope/job_4711/step_batch/user/task_0", Job(kind="slurm", id="4711")),
        ("0::/system.slice/node-1_slurmstepd.scope/job_4711/step_0/user", Job(kind="slurm", id="4711")),
        ("3:cpuset:/slurm_trn2-1/uid_1000/job_4711/step_extern", Job(kind="slurm", id="4711")),
        ("0::/user.slice/user-1000.slice/session-2.scope", None),
        ("0::/system.slice/docker-" + ID + ".scope", None),
        ("0::/", None),
        ("", None),
    ],
)
def test_paths(text: str, job: Job | None) -> None:
    assert job_of(f"{text}\n") == job


@given(st.text() | st.text("0:/podkubeslrmj_-.\n1a"))
def test_no_path_is_too_strange(text: str) -> None:
    job = job_of(text)
    assert job is None or job.kind in ("kubernetes", "slurm")


def test_a_process_has_its_job_as_long_as_it_lives(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.24xlarge", "2.26.5.0", counters=False)
    tree.process(4200, {0: os.O_RDWR}, {}, started=500)
    tree.write("proc/4200/cgroup", "0::/system.slice/slurmstepd.scope/job_7/step_0/user\n")
    tree.process(4201, {1: os.O_RDWR}, {}, started=500)
    source = SysfsSource(str(tree.root))
    try:
        jobs = [process.job for process in source.snapshot().processes or ()]
        assert jobs == [Job(kind="slurm", id="7"), None]
        shutil.rmtree(tree.root / "proc" / "4200")
        tree.process(4200, {0: os.O_RDWR}, {}, started=900)
        tree.write("proc/4200/cgroup", "0::/system.slice/slurmstepd.scope/job_8/step_0/user\n")
        jobs = [process.job for process in source.snapshot().processes or ()]
        assert jobs == [Job(kind="slurm", id="8"), None]
    finally:
        source.close()
