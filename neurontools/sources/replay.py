"""The source that reads a recording: its readings one after the other, at the pace at which they were taken."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic_ns

from msgspec.structs import replace

from neurontools.recording import Frame, Player, RecordingError, Series, SeveralError, files_of, replayed
from neurontools.recording.directory import default_directory
from neurontools.recording.instants import GRAMMAR, instant_ns
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Snapshot
from neurontools.schema.source import SourceError
from neurontools.units import NS_PER_S, format_time_ns

DAMAGE = "recording"
"""The gap that says what of a recording could not be read."""

_NO_FILE = "make one with: neuron-recorder record, or neuron-model record --for 1h FILE"
_LEAST_LAST_NS = 2 * NS_PER_S

_LEAST_GAP_NS, _GAP_STEPS, _LONGEST_STEP_NS = 60 * NS_PER_S, 3, 3600 * NS_PER_S
"""Longer than the first, and than so many steps from one reading to the next, is a gap."""


class ReplaySource:
    """A Source of what was recorded. `playback` moves it; it begins to play with the first reading."""

    def __init__(
        self, series: Series, at_ns: int | None = None, about: str = "", clock: Callable[[], int] = monotonic_ns
    ) -> None:
        """Begins at an instant; where none is given with the second reading, the first that has one before it."""
        self._series = series
        first_ns, last_ns = series.span
        begin_ns = series.after(first_ns) or first_ns if at_ns is None else at_ns
        self.playback = Player(series, begin_ns, clock)
        self._begun = False
        self._about = about
        # The last reading stands for as long as the one before it did.
        self._last_lasts_ns = max(_LEAST_LAST_NS, last_ns - (series.before(last_ns) or last_ns))

    @property
    def about(self) -> str:
        """What is replayed, in a few words."""
        return f"REPLAY of {self._about} from {format_time_ns(self.playback.position_ns)}"

    def inventory(self) -> Inventory:
        """What was installed."""
        return self._frame().inventory

    def snapshot(self) -> Snapshot:
        """The last reading that is not after the instant that is played. Raises SourceError beyond the end."""
        if not self._begun:
            self._begun = True
            self.playback.resume()
        with self._reading():
            self._skip_gap()
        if self.playback.beyond_ns > self._last_lasts_ns:
            raise SourceError(f"the recording ends at {format_time_ns(self._series.span[1])}")
        return self._with_damage(self._frame().snapshot)

    def past(self, age_ns: int = 0) -> Snapshot | None:
        """The newest reading of the same boot that is at least `age_ns` older; None where there is none."""
        head = self._frame().snapshot.head
        with self._reading():
            frame = self._series.at(head.time_ns - max(1, age_ns))
        if frame is None or frame.snapshot.head.boot_id != head.boot_id:
            return None
        return self._with_damage(replayed(frame).snapshot)

    def events(self, since: int = 0) -> Events:
        """Events up to the instant that have a number greater than `since`, those of the last hour."""
        with self._reading():
            return self._series.events(since, self.playback.position_ns)

    def allocations(self, device: int) -> Allocations:
        """The bank map that was recorded last. Raises SourceError where none was in the last hour."""
        with self._reading():
            found = self._series.allocations(device, self.playback.position_ns)
        if found is None:
            raise SourceError(
                f"no bank map of device {device} was recorded in the hour before "
                f"{format_time_ns(self.playback.position_ns)}",
                "a recorder keeps the bank map when memory runs out",
            )
        return found

    def close(self) -> None:
        """Closes the files; safe to call twice."""
        self._series.close()

    def _skip_gap(self) -> None:
        """Goes on to the next reading where the recorder was not at work: nobody waits for nothing."""
        series, position_ns = self._series, self.playback.position_ns
        shown_ns, next_ns = series.before(position_ns + 1), series.after(position_ns)
        before_ns = None if shown_ns is None else series.before(shown_ns)
        if shown_ns is None or before_ns is None or next_ns is None or self.playback.paused:
            return
        step_ns = min(shown_ns - before_ns, _LONGEST_STEP_NS)
        if next_ns - shown_ns > max(_LEAST_GAP_NS, _GAP_STEPS * step_ns) and position_ns - shown_ns > step_ns:
            self.playback.seek(next_ns)

    def _frame(self) -> Frame:
        position_ns = self.playback.position_ns
        with self._reading():
            frame = self._series.at(position_ns)
        if frame is None:
            raise SourceError(f"there is no reading up to {format_time_ns(position_ns)} that is whole")
        return replayed(frame)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(f"cannot read {self._about}: {error.strerror}") from None

    def _with_damage(self, snapshot: Snapshot) -> Snapshot:
        damage = self._series.damage
        if not damage:
            return snapshot
        more = f", and {len(damage) - 1} places more" if len(damage) > 1 else ""
        gaps = snapshot.head.gaps | {DAMAGE: Gap(reason=f"not all of it can be read: {damage[0]}{more}")}
        return replace(snapshot, head=replace(snapshot.head, gaps=gaps))


def open_replay(named: str, environ: Mapping[str, str]) -> ReplaySource:
    """The source that PATH or PATH@TIME names; without a path, what this host's recorder wrote.

    Raises SourceError, and ValueError for the TIME.
    """
    path, at, instant = named.rpartition("@")
    if not at or os.path.exists(named):
        path, instant = named, ""
    path = path or default_directory(environ)
    series = _series(path)
    try:
        at_ns = instant_ns(instant, series.span) if instant else None
    except ValueError:
        series.close()
        raise ValueError(f"after @ stands {GRAMMAR}, not {instant!r:.40}") from None
    first_ns, last_ns = series.span
    if at_ns is not None and not first_ns <= at_ns <= last_ns:
        series.close()
        raise SourceError(
            f"there is nothing at {format_time_ns(at_ns)} in {path}",
            f"it reaches from {format_time_ns(first_ns)} to {format_time_ns(last_ns)}",
        )
    return ReplaySource(series, at_ns, path)


def _series(path: str) -> Series:
    try:
        return Series(files_of(path))
    except RecordingError as error:
        hint = f"`neuron-recorder list {path}` shows what is in it" if isinstance(error, SeveralError) else _NO_FILE
        raise SourceError(f"cannot read {path}: {error}", hint) from None
    except OSError as error:
        hint = _NO_FILE if error.errno == errno.ENOENT else ""
        raise SourceError(f"cannot read {path}: {error.strerror}", hint) from None
