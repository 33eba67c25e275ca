"""Keyed randomness: each draw is a hash of who draws, for what and which time, so that no draw disturbs another."""

import math
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_SCALE = 2.0**-53


class Chance:
    """All draws of one simulation. Equal seed, entity, purpose and index give equal draws, in any order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def bits(self, entity: str, purpose: str, index: int) -> int:
        """64 uniform bits."""
        key = f"{self.seed}\x1f{entity}\x1f{purpose}\x1f{index}".encode()
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")

    def uniform(self, entity: str, purpose: str, index: int) -> float:
        """A number strictly between 0 and 1."""
        return ((self.bits(entity, purpose, index) >> 11) + 0.5) * _SCALE

    def exponential_ns(self, entity: str, purpose: str, index: int, mean_ns: int) -> int:
        """A waiting time in whole ns, at least 1."""
        return max(1, round(-mean_ns * math.log(self.uniform(entity, purpose, index))))

    def lognormal(self, entity: str, purpose: str, index: int, mean: float, cv: float) -> float:
        """A positive number with the given mean and coefficient of variation."""
        if cv == 0:
            return mean
        variance = math.log1p(cv * cv)
        z = _NORMAL.inv_cdf(self.uniform(entity, purpose, index))
        return mean * math.exp(z * math.sqrt(variance) - variance / 2.0)
