"""Intervals from a source that is read again and again: who asks for a period gets it, across losses and restarts."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.snapshot import Head, Snapshot
from neurontools.schema.source import Source
from neurontools.units import NS_PER_S

FIRST_AGE_NS = NS_PER_S
"""How old the reading should be from which the first interval is counted; a younger one will do."""


class Sampler:
    """Readings of one source and the intervals between them.

    Each reader, whatever key it uses, gets the interval since it last asked; the first time since the source's past.
    Readers that ask at the same instants share one computation. `keep` may drop parts of a reading that no reader
    looks at. Nothing is ever computed across a restart of the node or back in time, and a loss of the source only makes
    the next interval longer.
    """

    def __init__(self, source: Source, keep: Callable[[Snapshot], Snapshot] | None = None) -> None:
        self._source = source
        self._keep = keep
        self._current: Snapshot | None = None
        self._past: Snapshot | None = None
        self._marks: dict[Hashable, Snapshot] = {}
        self._made: dict[int, Interval | NoInterval] = {}

    def take(self) -> Snapshot:
        """Reads the source; intervals end at this reading until the next. Raises SourceError, and forgets nothing."""
        snapshot = self._source.snapshot()
        if self._current is None or _begins_anew(self._current.head, snapshot.head):
            past = self._read_past()
            self._marks.clear()
            # Without a past this very reading is what the first intervals are counted from.
            self._past = snapshot if past is None else self._kept(past)
        self._current = self._kept(snapshot)
        self._made.clear()
        return self._current

    def interval(self, reader: Hashable = None) -> Interval:
        """What the node did since `reader` last asked.

        Raises NoInterval when the node's time has not moved since, or there was no earlier reading of this boot;
        RuntimeError before the first `take`.
        """
        current, past = self._current, self._past
        if current is None or past is None:
            raise RuntimeError("no reading has been taken")
        previous = self._marks.get(reader, past)
        made = self._made.get(id(previous))
        if made is None:
            made = self._made[id(previous)] = _between(previous, current)
        self._marks[reader] = current
        if isinstance(made, NoInterval):
            raise made
        return made

    def _read_past(self) -> Snapshot | None:
        return self._source.past(FIRST_AGE_NS) or self._source.past()

    def _kept(self, snapshot: Snapshot) -> Snapshot:
        return snapshot if self._keep is None else self._keep(snapshot)


def _begins_anew(before: Head, now: Head) -> bool:
    """Whether nothing counted before goes on: after a boot, and where a replay was set back."""
    return now.boot_id != before.boot_id or now.time_ns < before.time_ns


def _between(previous: Snapshot, current: Snapshot) -> Interval | NoInterval:
    try:
        return between(previous, current)
    except NoInterval as reason:
        return reason
