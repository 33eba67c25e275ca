"""Clients who follow the day: a rate that rises to a peak at the same hour of every day."""

from collections.abc import Iterator
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.workloads.arrivals.rates import Piece, when_due

DAY_NS = 86_400 * NS
_HALF_NS = DAY_NS // 2


class Diurnal(NamedTuple):
    """`per_second` over a day, most at `peak_ns` after midnight UTC, least twelve hours later, 1/`ratio` of the most.

    Between the two the rate changes in straight lines, so its integral has a closed form. Gaps, measured in requests
    due, are gamma distributed with coefficient of variation `cv`; 1 is a Poisson process.
    """

    chance: Chance
    entity: str
    per_second: float
    peak_ns: int
    ratio: float
    cv: float

    def following(self, index: int, time_ns: int) -> int:
        """When a gamma distributed number of requests has become due."""
        requests = self.chance.gamma(self.entity, "arrival", index, 1.0, self.cv)
        return when_due(self._pieces(time_ns), time_ns, requests)

    def _pieces(self, time_ns: int) -> Iterator[Piece]:
        least = 2 * self.per_second / NS / (1 + self.ratio)
        most = least * self.ratio
        slope = (most - least) / _HALF_NS
        while True:
            rising, passed_ns = divmod((time_ns - self.peak_ns) % DAY_NS, _HALF_NS)
            end_ns = time_ns + _HALF_NS - passed_ns
            yield (
                Piece(end_ns, least + slope * passed_ns, slope)
                if rising
                else Piece(end_ns, most - slope * passed_ns, -slope)
            )
            time_ns = end_ns
