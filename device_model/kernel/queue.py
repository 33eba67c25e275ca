"""The order of events: by time, then by class, then by entity, then by age, so that ties never depend on chance."""

import heapq
from collections.abc import Callable
from enum import IntEnum

Action = Callable[[int], None]
"""What an event does; it is given the time in ns at which it happens."""


class Order(IntEnum):
    """Which event goes first among those of one instant."""

    FAULT = 0
    PROCESS = 1
    ALLOCATION = 2
    COMPLETION = 3
    ARRIVAL = 4
    LAUNCH = 5
    TRAFFIC = 6


class Ticket:
    """A scheduled event, kept by who may want to cancel it."""

    __slots__ = ("action", "time_ns")

    def __init__(self, time_ns: int, action: Action) -> None:
        self.time_ns = time_ns
        self.action: Action | None = action

    def cancel(self) -> None:
        """The event will not happen; harmless if it has."""
        self.action = None


class EventQueue:
    """Events to come. Work per event is O(log n); an empty queue costs nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Order, str, int, Ticket]] = []
        self._count = 0

    def schedule(self, time_ns: int, order: Order, entity: str, action: Action) -> Ticket:
        """`action` will be called with `time_ns`; `entity` names who it happens to and settles ties."""
        ticket = Ticket(time_ns, action)
        self._count += 1
        heapq.heappush(self._heap, (time_ns, order, entity, self._count, ticket))
        return ticket

    def next_time(self) -> int | None:
        """When the next event happens, in ns; None when nothing is to come."""
        while self._heap and self._heap[0][4].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Lets the first event happen; the caller has looked at next_time."""
        time_ns, _, _, _, ticket = heapq.heappop(self._heap)
        action, ticket.action = ticket.action, None
        if action is not None:
            action(time_ns)
