"""Hands on a core's busy time and FLOPs as they were spent, where the driver credits them when an execution ends.

A step of 5 s that is read once a second is credited as 0, 0, 0, 0 and then 5 s at once: rates from that would be 0 %
and 500 %. But a core in execution is busy all the time, so that whatever is more than the time since the last
reading was spent before it. Here the count grows by at most the time that passed, and the rest is handed on at the next
readings: nothing is invented, since only credited time is handed on, and nothing is lost. Long executions thus show as
the square wave that they are, one execution late; of executions shorter than the period between two readings, all but
the last one is handed on at once. Averages over several executions come from periods that long.

This is done where the driver is read and not where rates are computed: there two readings are known, and what belongs
to a period may only be credited three readings later.
"""

from typing import NamedTuple

from neurontools.hardware.driver import COUNTER_BITS
from neurontools.schema.deltas import is_reset

LONGEST_CARRIED_NS = 600 * 1_000_000_000
"""More than any execution takes: what is carried beyond this is no execution's time, and is handed on at once."""


class Counted(NamedTuple):
    """A core's counts since boot; the flops are None where they are not counted."""

    busy_ns: int
    flops: int | None


class Credit:
    """What one core was credited, and what of it was handed on."""

    __slots__ = ("_began_ns", "_credited", "_handed", "_moved", "_time_ns")

    def __init__(self, time_ns: int, credited: Counted) -> None:
        self._began_ns = self._time_ns = time_ns
        self._credited = self._handed = credited
        self._moved = False

    def take(self, time_ns: int, credited: Counted, last_ns: int) -> Counted | None:
        """What is to be taken for counted at `time_ns`, given the counters then and how long the last execution took.

        None while it cannot be known: nothing was credited since the first look, and an execution like the last one
        may have been under way all the while.
        """
        passed_ns, self._time_ns = max(0, time_ns - self._time_ns), max(time_ns, self._time_ns)
        if credited.busy_ns < self._credited.busy_ns:
            # Somebody cleared the counter, or loaded the driver anew.
            self._handed = credited
        self._moved = self._moved or credited.busy_ns != self._credited.busy_ns
        self._credited = credited
        self._hand_on(passed_ns)
        watched_ns = self._time_ns - self._began_ns
        return self._handed if self._moved or not watched_ns or watched_ns >= last_ns else None

    def _hand_on(self, passed_ns: int) -> None:
        credited, handed = self._credited, self._handed
        left_ns = credited.busy_ns - handed.busy_ns
        if left_ns <= passed_ns or left_ns > LONGEST_CARRIED_NS:
            self._handed = credited
            return
        self._handed = Counted(handed.busy_ns + passed_ns, _part(handed.flops, credited.flops, passed_ns, left_ns))


def _part(handed: int | None, credited: int | None, passed_ns: int, left_ns: int) -> int | None:
    """FLOPs spread over the busy time that they took; a count that was cleared is handed on as it is."""
    if credited is None or handed is None or is_reset(handed, credited, COUNTER_BITS):
        return credited
    wrap = 1 << COUNTER_BITS
    return (handed + (credited - handed) % wrap * passed_ns // left_ns) % wrap
