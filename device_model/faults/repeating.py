"""Faults that are a row of events: each plans the next one, until they are undone or nothing is left to happen to."""

from collections.abc import Callable

from device_model.faults.fault import Undo
from device_model.kernel.queue import Order, Ticket
from device_model.runtime.runtime import Runtime


class Repeating:
    """Events from `time_ns` on: number `index`, counted from 0, follows `gap_ns(index)` after the one before.

    `happens` is called with each one's time in ns, and says whether there is to be another.
    """

    def __init__(
        self, runtime: Runtime, id: int, time_ns: int, gap_ns: Callable[[int], int], happens: Callable[[int], bool]
    ) -> None:
        self._queue = runtime.queue
        self._name = f"fault {id}"
        self._gap_ns = gap_ns
        self._happens = happens
        self._index = 0
        self._ticket = self._plan(time_ns)

    @property
    def undo(self) -> Undo:
        """What ends the row."""
        return lambda _: self._ticket.cancel()

    def _plan(self, time_ns: int) -> Ticket:
        return self._queue.schedule(time_ns + self._gap_ns(self._index), Order.FAULT, self._name, self._event)

    def _event(self, time_ns: int) -> None:
        if self._happens(time_ns):
            self._index += 1
            self._ticket = self._plan(time_ns)
