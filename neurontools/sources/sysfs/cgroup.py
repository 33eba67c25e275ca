"""Which pod or Slurm job a process belongs to, by the path of its control group."""

from __future__ import annotations

import re

from neurontools.schema.snapshot import Job
from neurontools.sources.sysfs.files import Root

KUBERNETES, SLURM = "kubernetes", "slurm"

_CGROUP_BYTES = 1 << 14

_HEX = "[0-9a-f]"
# systemd writes the hyphens of a pod's UID as underscores; a static pod's UID is 32 digits without either.
_POD = re.compile(rf"[/-]pod({_HEX}{{8}}(?:[-_]?{_HEX}{{4}}){{3}}[-_]?{_HEX}{{12}})(?:\.slice)?(?=/|$)")
_CONTAINER = re.compile(rf"/(?:[a-z-]+-)?({_HEX}{{64}})(?:\.scope)?(?=/|$)")
_SLURM_JOB = re.compile(r"slurm[^/]*(?:/[^/]+)*?/job_([0-9]{1,10})(?=/|$)")


def job_of(text: str) -> Job | None:
    """The job that a /proc/PID/cgroup names, of either version of control groups; None where it names none."""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        pod = _POD.search(path)
        if pod is not None:
            container = _CONTAINER.search(path, pod.end())
            return Job(kind=KUBERNETES, id=_uid(pod[1]), container=container[1] if container is not None else None)
        slurm = _SLURM_JOB.search(path)
        if slurm is not None:
            return Job(kind=SLURM, id=slurm[1])
    return None


def job_of_process(root: Root, pid: int) -> Job | None:
    """The job that a process belongs to; None where it belongs to none or that cannot be read."""
    try:
        return job_of(root.read(f"proc/{pid}/cgroup", _CGROUP_BYTES).decode("utf-8", "replace"))
    except OSError:
        return None


def _uid(text: str) -> str:
    """As Kubernetes prints it."""
    return text.replace("_", "-")
