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
    """One execution of a group: per core, but for `all_reduce_bytes`, the data that all its collectives reduce."""

    duration_ns: int
    collectives_ns: int
    tensor_ns: int
    vector_ns: int
    scalar_ns: int
    gpsimd_ns: int
    flops: int
    hbm_read_bytes: int
    hbm_written_bytes: int
    all_reduce_bytes: int


def device_ns(duration_ns: int) -> int:
    """The part of an execution's duration that it spends on the device."""
    return duration_ns - min(LAUNCH_NS, duration_ns // LAUNCH_SHARE_DIVISOR)


@lru_cache(maxsize=4096)
def activity_of(work: StepWork, cores: int, devices: int) -> Activity:
    """What one step adds to the totals of a group of `cores` on `devices`.

    A ring all-reduce of n bytes over d devices makes each send 2(d-1)/d of them to the next.
    """
    busy = device_ns(work.duration_ns)
    return Activity(
        busy_ns=busy,
        collectives_ns=min(busy, work.collectives_ns),
        tensor_ns=min(busy, work.tensor_ns),
        vector_ns=min(busy, work.vector_ns),
        scalar_ns=min(busy, work.scalar_ns),
        gpsimd_ns=min(busy, work.gpsimd_ns),
        flops=work.flops,
        hbm_read_bytes=work.hbm_read_bytes,
        hbm_written_bytes=work.hbm_written_bytes,
        ring_bytes=2 * (devices - 1) * work.all_reduce_bytes // devices,
        user_ns=USER_NS_PER_CORE * cores,
        system_ns=SYSTEM_NS_PER_CORE * cores,
        context_switches=SWITCHES_PER_CORE * cores,
    )
