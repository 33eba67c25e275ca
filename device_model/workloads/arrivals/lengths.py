"""How long prompts and answers are."""

from typing import Literal, NamedTuple

from device_model.kernel.chance import Chance

Distribution = Literal["log-normal", "gamma"]


class Lengths(NamedTuple):
    """Token counts: of a distribution with mean and coefficient of variation (0: constant), cut to a range.

    Log-normal ones are like what people write; gamma distributed ones of variation 1 are exponential.
    """

    mean: float
    cv: float
    least: int
    most: int
    distribution: Distribution = "log-normal"

    def draw(self, chance: Chance, entity: str, purpose: str, index: int) -> int:
        """The length of request number `index`."""
        draw = chance.lognormal if self.distribution == "log-normal" else chance.gamma
        return min(self.most, max(self.least, round(draw(entity, purpose, index, self.mean, self.cv))))
