"""Copies a recording with fewer frames: counters are cumulative, so that only resolution is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from neurontools.recording.reading import BlockReading
from neurontools.recording.writer import Text, Writer
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Event, Events


class _Between:
    """What was told beside the frames since the last one that was kept."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._allocations: list[Allocations] = []
        self._lost = 0

    def add(self, passed: BlockReading) -> None:
        self._events += passed.events.events
        self._lost += passed.events.lost
        self._allocations += passed.allocations

    def with_text(self, passed: BlockReading) -> Text:
        """The frame as text, with what was told since the one before."""
        inventory, command_lines = passed.begin()
        events = Events(events=tuple(self._events), lost=self._lost)
        return Text(passed.text(), passed.time_ns, inventory, command_lines, events, tuple(self._allocations))


def thin(frames: Iterable[BlockReading], writer: Writer, step_ns: int) -> Iterator[None]:
    """Writes the first frame of each step, the last one of all, and all that was told; pauses after each frame.

    Reading it to its end does it. May raise OSError.
    """
    between, step, waiting = _Between(), None, None
    for passed in frames:
        between.add(passed)
        waiting = passed
        if passed.time_ns // step_ns != step:
            step = passed.time_ns // step_ns
            writer.write_text(between.with_text(passed))
            between, waiting = _Between(), None
        yield
    if waiting is not None:
        writer.write_text(between.with_text(waiting))
    writer.end_block()
