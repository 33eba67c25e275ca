"""Device power as the driver publishes it: percent of the maximum, per full minute, idle power backed out.

The weights of the parts are assumed: only the idle (0 to 2 %) and the loaded range (up to 25 %
under one inference job) of an Inferentia2 were observed.
"""

from functools import lru_cache
from typing import NamedTuple

from device_model.machine.activity import NS_PER_MINUTE, Lockstep, activity_in

ENGINE_WEIGHT = {"tensor_ns": 0.45, "vector_ns": 0.12, "scalar_ns": 0.10, "gpsimd_ns": 0.05}
MEMORY_WEIGHT = 0.28
"""Share of the maximum that the memory takes at full bandwidth; all weights together are 1."""


Workers = tuple[tuple[Lockstep, float], ...]
"""The groups that work on a device, each with the share of the device's cores that it has."""


class Minute(NamedTuple):
    """Percent of the maximum over the minute that ended at `end_ns`."""

    end_ns: int
    low: float
    high: float
    mean: float


@lru_cache(maxsize=1024)
def run_percent(per_step: tuple[int, ...], step_ns: int, memory_bytes_per_s: float) -> float:
    """Percent of one core's maximum power while such steps run; the bandwidth is the core's share."""
    step = activity_in(per_step)
    engines = sum(weight * getattr(step, name) for name, weight in ENGINE_WEIGHT.items())
    moved = (step.hbm_read_bytes + step.hbm_written_bytes) / memory_bytes_per_s * 1e9
    percent: float = 100.0 * (engines + MEMORY_WEIGHT * moved) / step_ns
    return min(100.0, percent)


def last_full_minute(time_ns: int, boot_ns: int) -> int | None:
    """End of the last full wall-clock minute since boot; None while there is none."""
    end_ns = time_ns - time_ns % NS_PER_MINUTE
    return end_ns if end_ns - NS_PER_MINUTE >= boot_ns else None


class PowerMeter:
    """Device power by minute. What was derived for the latest minute is remembered: most devices share their work."""

    def __init__(self, memory_bytes_per_s: float) -> None:
        self._memory_bytes_per_s = memory_bytes_per_s
        self._end_ns = -1
        self._minutes: dict[Workers, Minute] = {}

    def minute(self, end_ns: int, workers: Workers) -> Minute:
        """Power of a device over the minute that ended at `end_ns`, by the groups that worked on it."""
        if end_ns != self._end_ns:
            self._end_ns = end_ns
            self._minutes.clear()
        if workers not in self._minutes:
            self._minutes[workers] = self._derive(end_ns, workers)
        return self._minutes[workers]

    def _derive(self, end_ns: int, workers: Workers) -> Minute:
        start_ns = end_ns - NS_PER_MINUTE
        steps: list[tuple[int, float]] = []
        for group, share in workers:
            for stretch in group.meter.stretches():
                begin, end = max(stretch.start_ns, start_ns), min(stretch.end_ns, end_ns)
                if begin < end:
                    percent = share * run_percent(stretch.per_step, stretch.step_ns, self._memory_bytes_per_s)
                    steps += [(begin, percent), (end, -percent)]
        steps.sort()
        return _extremes(steps, start_ns, end_ns)


def _extremes(steps: list[tuple[int, float]], start_ns: int, end_ns: int) -> Minute:
    level, low, high, area, since = 0.0, 100.0, 0.0, 0.0, start_ns
    for at_ns, change in [*steps, (end_ns, 0.0)]:
        if at_ns > since:
            shown = max(0.0, level)
            low, high = min(low, shown), max(high, shown)
            area += shown * (at_ns - since)
            since = at_ns
        level += change
    return Minute(end_ns, round(low, 2), round(high, 2), round(area / NS_PER_MINUTE, 2))
