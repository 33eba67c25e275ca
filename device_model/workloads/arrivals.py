"""When requests arrive and how long they are; every draw is keyed, so that a queue's length changes no request."""

from typing import NamedTuple, Protocol

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS

RETRY_NS = NS
"""A client that is turned away waits at least this long before it asks again (assumed)."""


class Arrivals(Protocol):
    """A stream of requests. Times are in ns; None means that nothing follows."""

    def opening(self, time_ns: int) -> list[int]:
        """Arrivals that the beginning of service brings about."""
        ...

    def after_arrival(self, index: int, time_ns: int) -> int | None:
        """The arrival that arrival number `index`, at `time_ns`, brings about."""
        ...

    def after_completion(self, index: int, time_ns: int) -> int | None:
        """The arrival that the completion of request `index`, at `time_ns`, brings about."""
        ...

    def after_rejection(self, index: int, time_ns: int) -> int | None:
        """The arrival that turning away request `index`, at `time_ns`, brings about."""
        ...


class ClosedLoop(NamedTuple):
    """`users` clients, each of which asks again `think_ns` after its answer was complete."""

    users: int
    think_ns: int

    def opening(self, time_ns: int) -> list[int]:
        """One request of every user."""
        return [time_ns] * self.users

    def after_arrival(self, index: int, time_ns: int) -> int | None:
        """A waiting user sends nothing."""
        return None

    def after_completion(self, index: int, time_ns: int) -> int | None:
        """The same user's next request."""
        return time_ns + self.think_ns

    def after_rejection(self, index: int, time_ns: int) -> int | None:
        """The same user's next attempt, later than now: a server that is full stays full for this instant."""
        return time_ns + max(self.think_ns, RETRY_NS)


class Poisson(NamedTuple):
    """Independent clients: exponential gaps of `mean_gap_ns`, whatever the server does."""

    chance: Chance
    entity: str
    mean_gap_ns: int

    def opening(self, time_ns: int) -> list[int]:
        """The first gap begins with the service."""
        return [time_ns + self._gap(0)]

    def after_arrival(self, index: int, time_ns: int) -> int | None:
        """The next client."""
        return time_ns + self._gap(index + 1)

    def after_completion(self, index: int, time_ns: int) -> int | None:
        """Other clients do not know of it."""
        return None

    def after_rejection(self, index: int, time_ns: int) -> int | None:
        """Other clients do not know of it."""
        return None

    def _gap(self, index: int) -> int:
        return self.chance.exponential_ns(self.entity, "arrival", index, self.mean_gap_ns)


class Lengths(NamedTuple):
    """Token counts: log-normal with mean and coefficient of variation (0: constant), cut to a range."""

    mean: float
    cv: float
    least: int
    most: int

    def draw(self, chance: Chance, entity: str, purpose: str, index: int) -> int:
        """The length of request number `index`."""
        return min(self.most, max(self.least, round(chance.lognormal(entity, purpose, index, self.mean, self.cv))))
