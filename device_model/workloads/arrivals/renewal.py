"""Clients at a steady rate: gaps that are drawn independently of each other, and gaps that are all the same."""

from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS


class Renewal(NamedTuple):
    """Independent gaps, gamma distributed with mean `mean_gap_ns` and coefficient of variation `cv`.

    1 is a Poisson process: many clients who do not know of each other. More comes in clusters, less is more regular.
    """

    chance: Chance
    entity: str
    mean_gap_ns: float
    cv: float

    def following(self, index: int, time_ns: int) -> int:
        """A gap after `time_ns`; the first gap begins with the service."""
        return time_ns + max(1, round(self.chance.gamma(self.entity, "arrival", index, self.mean_gap_ns, self.cv)))


class Constant(NamedTuple):
    """A client every 1/`per_second` seconds. Gaps differ by the ns that keeps the rate exact for ever."""

    per_second: float

    def following(self, index: int, time_ns: int) -> int:
        """The next beat; the first comes one gap after the beginning of service."""
        requests, seconds = self.per_second.as_integer_ratio()
        return time_ns + (index + 1) * seconds * NS // requests - index * seconds * NS // requests
