"""The numbered record of what happened on the node, as tools may read it."""

from collections import deque
from itertools import islice

from neurontools.schema.events import Event, Events

KEPT = 10_000
"""Events kept; who comes later is told how many are lost."""


class EventLog:
    """Events in order; numbers grow by one from 1."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._last = 0

    def add(self, time_ns: int, kind: str, text: str, pid: int | None, device: int | None, core: int | None) -> None:
        """Records one event; `device` and `core` (over the node) are None where the event is about neither."""
        self._last += 1
        self._events.append(
            Event(seq=self._last, time_ns=time_ns, kind=kind, text=text, pid=pid, device=device, core=core)
        )

    def since(self, seq: int) -> Events:
        """Events with a number greater than `seq`."""
        first = self._last - len(self._events) + 1
        skip = max(0, seq + 1 - first)
        return Events(events=tuple(islice(self._events, skip, None)), lost=max(0, first - 1 - max(seq, 0)))
