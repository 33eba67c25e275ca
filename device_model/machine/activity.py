"""The quantities that work produces, counted together by one meter for all cores that work in lockstep."""

from typing import NamedTuple

from device_model.kernel.clock import NS
from device_model.kernel.meter import Meter

NS_PER_MINUTE = 60 * NS

_KEEP_NS = 3 * NS_PER_MINUTE
"""Runs kept for the power of the last full minute, which began at most two minutes ago."""


class Activity(NamedTuple):
    """Totals since a group began to work: per core up to `hbm_written_bytes`, then per device, then per process.

    `ring_bytes` is what each device of the group sent to the next one in ring all-reduces.
    """

    busy_ns: int = 0
    collectives_ns: int = 0
    tensor_ns: int = 0
    vector_ns: int = 0
    scalar_ns: int = 0
    gpsimd_ns: int = 0
    flops: int = 0
    hbm_read_bytes: int = 0
    hbm_written_bytes: int = 0
    ring_bytes: int = 0
    user_ns: int = 0
    system_ns: int = 0
    context_switches: int = 0

    def plus(self, other: "Activity") -> "Activity":
        """The sum, quantity by quantity."""
        return other if self is NOTHING else Activity(*[a + b for a, b in zip(self, other, strict=True)])


NOTHING = Activity()


class Lockstep:
    """The meter of cores that execute the same step at the same time, and the links that their collectives cross."""

    def __init__(self, cores: tuple[int, ...], ring: tuple[tuple[int, int], ...]) -> None:
        self.cores = cores
        self.ring = ring
        self.meter = Meter(len(NOTHING), _KEEP_NS)

    def read(self, time_ns: int) -> Activity:
        """The group's totals at `time_ns`."""
        return Activity._make(self.meter.read(time_ns))
