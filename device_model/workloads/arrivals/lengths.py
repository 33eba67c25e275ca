"""How long prompts and answers are."""

from typing import NamedTuple

from device_model.kernel.chance import Chance


class Lengths(NamedTuple):
    """Token counts: log-normal with mean and coefficient of variation (0: constant), cut to a range."""

    mean: float
    cv: float
    least: int
    most: int

    def draw(self, chance: Chance, entity: str, purpose: str, index: int) -> int:
        """The length of request number `index`."""
        return min(self.most, max(self.least, round(chance.lognormal(entity, purpose, index, self.mean, self.cv))))
