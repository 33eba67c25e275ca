"""The relation between real time, which only the daemon reads, and the model's own time."""

from typing import NamedTuple

from neurontools.units import NS_PER_S

NS = NS_PER_S
"""A second of the model's time."""

STEPPED_EPOCH_NS = 1_767_571_200 * NS
"""Where a stepped model starts: 2026-01-05T00:00:00Z, so that the same commands give the same bytes on any day."""


class Pace(NamedTuple):
    """Model time runs `speed` times as fast as the real time counted from `real_ns`; speed 0 stands still (stepped).

    `model_ns` is the model's time at `real_ns`, a reading of any monotonic clock in nanoseconds.
    """

    real_ns: int
    model_ns: int
    speed: float

    def model_time(self, real_ns: int) -> int:
        """Model time in ns at a reading of the real clock; never before the anchor."""
        return self.model_ns + max(0, int((real_ns - self.real_ns) * self.speed))

    def real_delay_s(self, model_ns: int, real_ns: int) -> float | None:
        """Seconds of real time until the model reaches `model_ns`; None if it never does by itself."""
        if self.speed == 0:
            return None
        return max(0.0, (model_ns - self.model_time(real_ns)) / self.speed / NS)
