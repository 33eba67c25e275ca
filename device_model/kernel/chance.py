"""Keyed randomness: each draw is a hash of who draws, for what and which time, so that no draw disturbs another."""

import math
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_SCALE = 2.0**-52
_LEAST_CV = 1e-6
"""Below this variation a gamma draw is its mean: the arithmetic of the method loses what distinguishes them."""


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
        # 52 bits: half a step more still fits a double, where 53 would round to 1 at the top.
        return ((self.bits(entity, purpose, index) >> 12) + 0.5) * _SCALE

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

    def gamma(self, entity: str, purpose: str, index: int, mean: float, cv: float) -> float:
        """A number, not negative, with the given mean and coefficient of variation.

        cv 1 is an exponential draw, the same as that of `exponential_ns`; 0 is the mean. The method is Marsaglia and
        Tsang's ("A simple method for generating gamma variables", ACM TOMS 26, 2000), each attempt with its own keys.
        """
        if cv < _LEAST_CV:
            return mean
        if cv == 1:
            return -mean * math.log(self.uniform(entity, purpose, index))
        shape = 1 / (cv * cv)
        if shape >= 1:
            return mean / shape * self._gamma(entity, purpose, index, shape)
        power: float = self.uniform(entity, f"{purpose}/power", index) ** (1 / shape)
        return mean / shape * self._gamma(entity, purpose, index, shape + 1) * power

    def _gamma(self, entity: str, purpose: str, index: int, shape: float) -> float:
        """A gamma draw of scale 1 and a shape of at least 1; fewer than one attempt in twenty fails."""
        d = shape - 1 / 3
        attempt = 0
        while True:
            z = _NORMAL.inv_cdf(self.uniform(entity, f"{purpose}/normal/{attempt}", index))
            v = (1 + z / math.sqrt(9 * d)) ** 3
            if v > 0:
                accepted = z * z / 2 + d - d * v + d * math.log(v)
                if math.log(self.uniform(entity, f"{purpose}/accept/{attempt}", index)) < accepted:
                    return d * v
            attempt += 1
