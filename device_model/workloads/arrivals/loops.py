"""What a server sees of its clients: those who wait for their answer, and those who come whatever it does."""

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

    def lengths_of(self, index: int) -> tuple[int, int] | None:
        """Tokens of prompt and answer of request `index`, at least 1 each; None where the server draws them."""
        ...


class Clients(Protocol):
    """Clients who come one after another and do not know what the server does. Pure: equal arguments, equal times."""

    def following(self, index: int, time_ns: int) -> int | None:
        """When arrival number `index` is, where the one before it, or the beginning of service, was at `time_ns`."""
        ...


class OpenLoop(NamedTuple):
    """A stream of `clients`; `lengths` are tokens of prompt and answer, over and over, or empty."""

    clients: Clients
    lengths: tuple[tuple[int, int], ...] = ()

    def opening(self, time_ns: int) -> list[int]:
        """The first client, if there is one."""
        first_ns = self.clients.following(0, time_ns)
        return [] if first_ns is None else [first_ns]

    def after_arrival(self, index: int, time_ns: int) -> int | None:
        """The next client."""
        return self.clients.following(index + 1, time_ns)

    def after_completion(self, index: int, time_ns: int) -> int | None:
        """Other clients do not know of it."""
        return None

    def after_rejection(self, index: int, time_ns: int) -> int | None:
        """Other clients do not know of it."""
        return None

    def lengths_of(self, index: int) -> tuple[int, int] | None:
        """What the client wants, where that is given."""
        return self.lengths[index % len(self.lengths)] if self.lengths else None


class ClosedLoop(NamedTuple):
    """`users` clients, each of which thinks when its answer is complete, and asks again.

    Thinking takes `think_ns` on average, gamma distributed with the coefficient of variation `think_cv` (0: constant).
    """

    chance: Chance
    entity: str
    users: int
    think_ns: int
    think_cv: float

    def opening(self, time_ns: int) -> list[int]:
        """One request of every user."""
        return [time_ns] * self.users

    def after_arrival(self, index: int, time_ns: int) -> int | None:
        """A waiting user sends nothing."""
        return None

    def after_completion(self, index: int, time_ns: int) -> int | None:
        """The same user's next request."""
        return time_ns + self._thinking(index)

    def after_rejection(self, index: int, time_ns: int) -> int | None:
        """The same user's next attempt, later than now: a server that is full stays full for this instant."""
        return time_ns + max(self._thinking(index), RETRY_NS)

    def lengths_of(self, index: int) -> tuple[int, int] | None:
        """Users want what the server draws."""
        return None

    def _thinking(self, index: int) -> int:
        return round(self.chance.gamma(self.entity, "think", index, self.think_ns, self.think_cv))
