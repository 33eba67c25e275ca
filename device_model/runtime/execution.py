"""How one step of work becomes counted activity on cores, links and vCPUs."""

from functools import lru_cache
from typing import NamedTuple

from device_model.machine.activity import Activity

LAUNCH_NS = 108_000
"""Host side of one execution: the difference of total and device latency in a captured report (inf1, 2023)."""

LAUNCH_SHARE_DIVISOR = 10
"""A launch shows as at most one part in this many of a step; the step before hides the rest (assumed)."""

USER_NS_PER_CORE, SYSTEM_NS_PER_CORE = 60_000, 20_000
"""vCPU time of one launch for each core that takes part (assumed)."""

SWITCHES_PER_CORE = 2
"""Context switches of one launch for each core: to sleep and to wake up (assumed)."""


class StepWork(NamedTuple):
    """One execution of a group, per core; `traffic` is of the whole group: the bytes for each of its patterns.

    `idle_ns` is the part of the duration in which this group has nothing to do while others of its process work.
    """

    duration_ns: int
    collectives_ns: int
    tensor_ns: int
    vector_ns: int
    scalar_ns: int
    gpsimd_ns: int
    flops: int
    hbm_read_bytes: int
    hbm_written_bytes: int
    traffic: tuple[int, ...] = ()
    idle_ns: int = 0


def device_ns(duration_ns: int) -> int:
    """The part of an execution's duration that it spends on the device."""
    return duration_ns - min(LAUNCH_NS, duration_ns // LAUNCH_SHARE_DIVISOR)


def busy_ns(work: StepWork) -> int:
    """The part of an execution that a group's cores are busy."""
    return max(0, device_ns(work.duration_ns) - work.idle_ns)


@lru_cache(maxsize=4096)
def metered(work: StepWork, launched_cores: int) -> tuple[tuple[int, ...], int]:
    """What one step adds to a group's meter, see `counted`, and the time in ns that it is credited with."""
    return counted(work, launched_cores), busy_ns(work)


def counted(work: StepWork, launched_cores: int) -> tuple[int, ...]:
    """What one step adds to a group's meter; the host's work for `launched_cores` cores is counted with it."""
    busy = busy_ns(work)
    activity = Activity(
        busy_ns=busy,
        collectives_ns=min(busy, work.collectives_ns),
        tensor_ns=min(busy, work.tensor_ns),
        vector_ns=min(busy, work.vector_ns),
        scalar_ns=min(busy, work.scalar_ns),
        gpsimd_ns=min(busy, work.gpsimd_ns),
        flops=work.flops,
        hbm_read_bytes=work.hbm_read_bytes,
        hbm_written_bytes=work.hbm_written_bytes,
        user_ns=USER_NS_PER_CORE * launched_cores,
        system_ns=SYSTEM_NS_PER_CORE * launched_cores,
        context_switches=SWITCHES_PER_CORE * launched_cores,
    )
    return (*activity, *work.traffic)
