"""The time of readings: the wall's, but without its jumps, which would be periods that never were."""

import time

_clock_id = time.CLOCK_BOOTTIME


class Clock:
    """Begins at the wall clock's time and moves with the time since boot, sleep included."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.clock_gettime_ns(_clock_id)

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; never runs backwards."""
        return self._offset_ns + time.clock_gettime_ns(_clock_id)
