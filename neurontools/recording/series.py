"""Several recordings of a host as one: those of a recorder's directory, or one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from threading import RLock
from typing import NamedTuple

from neurontools.recording.frames import Frame
from neurontools.recording.reader import Recording, RecordingError
from neurontools.recording.reading import Told
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Event, Events

SUFFIX = ".nrec"
"""How names of recordings end."""

THINNED = "-10s"
SEGMENT = re.compile(rf"(\d{{8}}T\d{{6}}Z(?:-\d+)?)({THINNED})?{re.escape(SUFFIX)}")
"""How a recorder names its files: by the second of the first reading, and whether it has thinned them."""

EVENTS_BACK_NS = 3600 * 1_000_000_000
"""How far back events and bank maps are looked for: every block on the way has to be unpacked."""

_MOST_EVENTS = 10_000


class SeveralError(RecordingError):
    """A directory of recordings that need not be of one host: no recorder made it."""


def recordings_in(path: str) -> list[str]:
    """The file itself, or all recordings in a directory by name, but none in those below it. Raises OSError, and
    RecordingError where none is."""
    if not os.path.isdir(path):
        return [path]
    with os.scandir(path) as entries:
        found = sorted(entry.path for entry in entries if entry.name.endswith(SUFFIX) and entry.is_file())
    if not found:
        raise RecordingError(f"there is no recording in it: their names end in {SUFFIX}")
    return found


def files_of(path: str) -> list[str]:
    """The file itself, or the files of the recorder that wrote into a directory, and no others. Raises OSError,
    RecordingError where there is no recording, and SeveralError where none is a recorder's."""
    found = recordings_in(path)
    own = [each for each in found if SEGMENT.fullmatch(os.path.basename(each))]
    if not own and os.path.isdir(path):
        several = "its recording" if len(found) == 1 else f"one of its {len(found)} recordings"
        raise SeveralError(f"no recorder has written into it: name {several}")
    return own or found


class _Piece(NamedTuple):
    path: str
    first_ns: int
    last_ns: int


class Series:
    """The frames of files in the order of their times. Threads may share it. Reading may raise OSError.

    `damage` has what of them is no longer there or damaged, as far as it was met.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Looks for the blocks of all files. Raises OSError, and RecordingError where no file holds a reading."""
        self._damage: dict[str, tuple[str, ...]] = {}
        self._lock = RLock()
        self._open: tuple[str, Recording] | None = None
        self._found: tuple[int | None, Frame] | None = None
        pieces: list[_Piece] = []
        reasons: list[str] = []
        for path in paths:
            try:
                recording = Recording(path)
            except (OSError, RecordingError) as error:
                if len(paths) == 1:
                    raise
                reasons.append(getattr(error, "strerror", None) or str(error))
                self._damage[path] = (reasons[-1],)
                continue
            self.close()
            self._open = path, recording
            pieces += _pieces_of(path, recording)
            self._note(path, recording)
        if not pieces:
            self.close()
            raise RecordingError(reasons[0] if reasons else "there is no reading in it")
        self._pieces = sorted(pieces, key=lambda piece: (piece.first_ns, piece.last_ns))
        self._span = self._pieces[0].first_ns, max(piece.last_ns for piece in self._pieces)

    def __enter__(self) -> Series:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes what is open; safe to call twice."""
        with self._lock:
            if self._open is not None:
                self._open[1].close()
            self._open = None

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last instant with a reading, in ns."""
        return self._span

    @property
    def damage(self) -> list[str]:
        """What could not be read, as far as it was looked at: a line each, with its file."""
        return [f"{path}: {line}" for path, lines in self._damage.items() for line in lines]

    def at(self, time_ns: int) -> Frame | None:
        """The last frame that is not after an instant; None where there is none."""
        with self._lock:
            for piece, recording in self._backwards(time_ns):
                at_ns = recording.before(time_ns + 1)
                if self._found is not None and self._found[0] == at_ns:
                    return self._found[1]
                # Where the frame of that instant is damaged, an earlier one stands for it.
                frame = recording.at(time_ns)
                self._note(piece.path, recording)
                if frame is not None:
                    self._found = at_ns, frame
                    return frame
            return None

    def frames(self, from_ns: int | None = None, to_ns: int | None = None) -> Iterator[Frame]:
        """The frames of a span, both ends included; not to be used by two threads at a time."""
        first_ns = self._span[0] if from_ns is None else from_ns
        last_ns = self._span[1] if to_ns is None else to_ns
        for piece in self._pieces:
            if piece.first_ns <= last_ns and piece.last_ns >= first_ns:
                opened = self._opened(piece)
                if opened is not None:
                    with opened as recording:
                        yield from self._noting(piece.path, recording, recording.frames(first_ns, last_ns))

    def before(self, time_ns: int) -> int | None:
        """The instant of the last frame before one."""
        with self._lock:
            found = (recording.before(time_ns) for _, recording in self._backwards(time_ns - 1))
            return next((each for each in found if each is not None), None)

    def after(self, time_ns: int) -> int | None:
        """The instant of the first frame after one."""
        with self._lock:
            for piece in self._pieces:
                recording = self._recording(piece) if piece.last_ns > time_ns else None
                found = None if recording is None else recording.after(time_ns)
                if found is not None:
                    return found
            return None

    def events(self, since: int, to_ns: int) -> Events:
        """Events of the boot of an instant up to it that have a number greater than `since`.

        Not those of more than an hour before, and no more than 10,000: older ones count as lost.
        """
        happened: list[Event] = []
        for block in self._told(to_ns, with_events=True):
            for event in reversed(block.events):
                # Numbers begin anew with every boot.
                if event.seq <= since or len(happened) == _MOST_EVENTS or (happened and event.seq >= happened[-1].seq):
                    return _events(happened, since)
                happened.append(event)
        return _events(happened, since)

    def eventful_after(self, time_ns: int) -> int | None:
        """The instant of the first frame after one with which an event was recorded."""
        with self._lock:
            for piece in self._pieces:
                recording = self._recording(piece) if piece.last_ns > time_ns else None
                found = None if recording is None else recording.eventful_after(time_ns)
                if recording is not None:
                    self._note(piece.path, recording)
                if found is not None:
                    return found
            return None

    def allocations(self, device: int, to_ns: int) -> Allocations | None:
        """The last bank map of a device in the hour before an instant; None where none was recorded."""
        told = (each for block in self._told(to_ns) for each in reversed(block.allocations) if each.device == device)
        return next(told, None)

    def _told(self, to_ns: int, with_events: bool = False) -> Iterator[Told]:
        """What stands in blocks beside readings, from an instant backwards."""
        with self._lock:
            for piece, recording in self._backwards(to_ns):
                for block in recording.blocks_before(to_ns):
                    if block.last_ns < to_ns - EVENTS_BACK_NS:
                        return
                    if block.events != 0 or not with_events:
                        yield recording.told(block, to_ns)
                        self._note(piece.path, recording)

    def _backwards(self, time_ns: int) -> Iterator[tuple[_Piece, Recording]]:
        for piece in reversed(self._pieces):
            recording = self._recording(piece) if piece.first_ns <= time_ns else None
            if recording is not None:
                yield piece, recording

    def _recording(self, piece: _Piece) -> Recording | None:
        """The file, kept open."""
        if self._open is None or self._open[0] != piece.path:
            self.close()
            opened = self._opened(piece)
            if opened is None:
                return None
            self._open = piece.path, opened
        return self._open[1]

    def _opened(self, piece: _Piece) -> Recording | None:
        """The file, opened; a recorder that is at work may have deleted it."""
        try:
            return Recording(piece.path)
        except (OSError, RecordingError) as error:
            self._damage[piece.path] = (getattr(error, "strerror", None) or str(error),)
            return None

    def _noting(self, path: str, recording: Recording, frames: Iterator[Frame]) -> Iterator[Frame]:
        try:
            yield from frames
        finally:
            self._note(path, recording)

    def _note(self, path: str, recording: Recording) -> None:
        if recording.damage:
            self._damage[path] = tuple(map(str, recording.damage))


def _pieces_of(path: str, recording: Recording) -> list[_Piece]:
    blocks = [block for block in recording.blocks if block.frames]
    if not blocks:
        return []
    return [_Piece(path, min(block.first_ns for block in blocks), max(block.last_ns for block in blocks))]


def _events(happened: list[Event], since: int) -> Events:
    """Events that were found from the last one back; how many there were before them tells the first one's number."""
    lost = happened[-1].seq - since - 1 if happened else 0
    return Events(events=tuple(reversed(happened)), lost=max(0, lost))
