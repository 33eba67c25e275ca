"""The quantities that work produces, counted together by one meter for all cores that work in lockstep."""

from collections.abc import Sequence
from typing import NamedTuple

from device_model.kernel.clock import NS
from device_model.kernel.meter import Meter

NS_PER_MINUTE = 60 * NS

_KEEP_NS = 3 * NS_PER_MINUTE
"""Runs kept for the power of the last full minute, which began at most two minutes ago."""


_GRAIN_NS = NS
"""The power of what is shorter than this is its mean (the firmware's counters are sampled too, every 50 ms)."""


class Activity(NamedTuple):
    """Totals since a group began to work: per core up to `hbm_written_bytes`, then per process."""

    busy_ns: int = 0
    collectives_ns: int = 0
    tensor_ns: int = 0
    vector_ns: int = 0
    scalar_ns: int = 0
    gpsimd_ns: int = 0
    flops: int = 0
    hbm_read_bytes: int = 0
    hbm_written_bytes: int = 0
    user_ns: int = 0
    system_ns: int = 0
    context_switches: int = 0

    def plus(self, other: "Activity") -> "Activity":
        """The sum, quantity by quantity."""
        return other if self is NOTHING else Activity(*[a + b for a, b in zip(self, other, strict=True)])


NOTHING = Activity()
_WIDTH = len(NOTHING)


def activity_in(counted: Sequence[int]) -> Activity:
    """The activity in what a group's meter counts; behind it comes the traffic."""
    return Activity._make(counted[:_WIDTH])


Edge = tuple[int, int]
"""A directed link: the devices that it leads from and to."""


class Pattern(NamedTuple):
    """The links that a kind of traffic crosses: of every `parts` bytes a link carries as many as stand beside it."""

    name: str
    crossings: tuple[tuple[Edge, int], ...] = ()
    parts: int = 1


class Lockstep:
    """The meter of cores that execute the same step at the same time, and the ways that their traffic can take."""

    def __init__(self, cores: tuple[int, ...], patterns: tuple[Pattern, ...] = ()) -> None:
        self.cores = cores
        self.patterns = patterns
        self.meter = Meter(_WIDTH + len(patterns), _KEEP_NS, _GRAIN_NS)

    def read(self, time_ns: int) -> Activity:
        """The group's totals at `time_ns`."""
        return activity_in(self.meter.read(time_ns))

    def traffic(self, time_ns: int) -> tuple[int, ...]:
        """Bytes that went each of the patterns' ways by `time_ns`, before they are shared out to links."""
        return self.meter.read(time_ns)[_WIDTH:]
