"""A recorder's directory: segments written one after the other, the older ones thinned, the oldest ones removed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from time import gmtime, strftime
from typing import NamedTuple

from neurontools.recording.frames import Frame
from neurontools.recording.reader import Recording, RecordingError
from neurontools.recording.series import SEGMENT, SUFFIX, THINNED
from neurontools.recording.thinning import thin
from neurontools.recording.writer import Writer, create
from neurontools.units import NS_PER_S

SEGMENT_NS = 3600 * NS_PER_S
SEGMENTS_AT_LEAST = 16
"""A segment is no larger than this part of the directory: so much goes at once when there is no more room."""

FULL_RATE_NS = 24 * 3600 * NS_PER_S
THINNED_STEP_NS = 10 * NS_PER_S

STATE_DIRECTORY = "STATE_DIRECTORY"
"""Where systemd has made room for a service."""

_PART = ".part"
_LOCK = ".lock"


def default_directory(environ: Mapping[str, str]) -> str:
    """Where a recorder writes unless told: what systemd says, else among the state of the machine or of the user."""
    if environ.get(STATE_DIRECTORY):
        return environ[STATE_DIRECTORY].split(":")[0]
    if os.geteuid() == 0:
        return "/var/lib/neuron-recorder"
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "neurontools", "recordings")


class LockedError(Exception):
    """Another recorder writes there; `pid` is its own, if it is known."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"another recorder writes there{f', pid {pid}' if pid else ''}")


class Limits(NamedTuple):
    """How long recordings are kept, in the time of their own readings, and how many bytes they may take."""

    keep_ns: int
    most_bytes: int


class _Segment(NamedTuple):
    path: str
    first_ns: int
    last_ns: int
    bytes: int
    thinned: bool


class Directory:
    """Keeps frames in a directory, which it alone writes to. Calls may raise OSError; what was written before stays."""

    def __init__(
        self, path: str, limits: Limits, command_lines: bool = False, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Makes the directory if need be. Raises OSError, and LockedError where another recorder writes."""
        os.makedirs(path, mode=0o700, exist_ok=True)
        self._path = path
        self._limits = limits
        self._command_lines = command_lines
        self._say = say
        self._lock = _locked(os.path.join(path, _LOCK))
        self._writing: _Writing | None = None
        self._thinning: Generator[None, None, None] | None = None
        self._thinned_path = ""
        self._not_thinned: set[str] = set()
        self._now_ns = 0
        self._segments = sorted(self._found(), key=lambda segment: segment.first_ns)

    @property
    def bytes(self) -> int:
        """What all recordings take."""
        now = 0 if self._writing is None else self._writing.writer.size
        return now + sum(segment.bytes for segment in self._segments)

    @property
    def oldest_ns(self) -> int | None:
        """The instant of the first reading; None without any."""
        if self._segments:
            return self._segments[0].first_ns
        return None if self._writing is None else self._writing.first_ns

    def write(self, frame: Frame) -> None:
        """Appends a frame; when this returns, a loss of power does not lose it."""
        if self._writing is not None and self._writing.is_over(frame, self._limits.most_bytes // SEGMENTS_AT_LEAST):
            self._end_segment()
        if self._writing is None:
            self._writing = self._begin_segment(frame)
        self._writing.write(frame)
        self._now_ns = frame.time_ns
        self._remove_oldest()

    def tidy(self, may_go_on: Callable[[], bool]) -> None:
        """Thins what has become old, a frame at a time while it may."""
        while may_go_on():
            if self._thinning is None:
                segment = next(filter(self._is_to_be_thinned, self._segments), None)
                if segment is None:
                    return
                self._thinned_path, self._thinning = segment.path, self._thin(segment)
            try:
                next(self._thinning)
            except StopIteration:
                self._thinning = None
            except OSError as error:
                self._thinning = None
                self._not_thinned.add(self._thinned_path)
                self._say(f"cannot thin {self._thinned_path}: {error.strerror}")

    def close(self) -> None:
        """Ends the segment under way and lets others write; safe to call twice."""
        try:
            self._stop_thinning()
            self._end_segment()
        finally:
            lock, self._lock = self._lock, -1
            if lock >= 0:
                os.close(lock)

    def _found(self) -> Iterator[_Segment]:
        """The segments of earlier recorders; what one left half-done is done away with."""
        names = set(os.listdir(self._path))
        for name in sorted(names):
            path = os.path.join(self._path, name)
            own = SEGMENT.fullmatch(name)
            if SEGMENT.fullmatch(name.removesuffix(_PART)) and name.endswith(_PART):
                os.unlink(path)
            elif own and not own[2] and f"{own[1]}{THINNED}{SUFFIX}" in names:
                # It had been thinned, but the recorder was killed before it could remove it.
                os.unlink(path)
            elif own:
                yield from _segment(path, thinned=bool(own[2]))

    def _begin_segment(self, frame: Frame) -> _Writing:
        second = strftime("%Y%m%dT%H%M%SZ", gmtime(frame.time_ns // NS_PER_S))
        # The host's clock may have been set back.
        for again in range(1, 1000):
            stem = second if again == 1 else f"{second}-{again}"
            if os.path.exists(os.path.join(self._path, f"{stem}{THINNED}{SUFFIX}")):
                continue
            with suppress(FileExistsError):
                path = os.path.join(self._path, stem + SUFFIX)
                writing = _Writing(path, create(path), frame, self._command_lines)
                self._sync_names()
                return writing
        raise FileExistsError(17, "there are a thousand recordings that begin in this second", self._path)

    def _end_segment(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                writing.end()
            finally:
                self._segments += _segment(writing.path, thinned=False)

    def _remove_oldest(self) -> None:
        while self._segments:
            oldest = self._segments[0]
            if oldest.last_ns >= self._now_ns - self._limits.keep_ns and self.bytes <= self._limits.most_bytes:
                return
            if oldest.path == self._thinned_path:
                self._stop_thinning()
            self._segments.pop(0)
            with suppress(FileNotFoundError):
                os.unlink(oldest.path)

    def _is_to_be_thinned(self, segment: _Segment) -> bool:
        old = segment.last_ns < self._now_ns - FULL_RATE_NS
        return old and not segment.thinned and segment.path not in self._not_thinned

    def _thin(self, segment: _Segment) -> Generator[None, None, None]:
        final = f"{segment.path.removesuffix(SUFFIX)}{THINNED}{SUFFIX}"
        part = final + _PART
        fd = create(part, replace=True)
        try:
            with Recording(segment.path) as recording:
                yield from thin(recording.passed(), Writer(fd), THINNED_STEP_NS)
                for damage in recording.damage:
                    self._say(f"{segment.path}: {damage}")
            os.fsync(fd)
            os.rename(part, final)
        except RecordingError:
            self._not_thinned.add(segment.path)
            return
        finally:
            os.close(fd)
            with suppress(FileNotFoundError):
                os.unlink(part)
        self._sync_names()
        os.unlink(segment.path)
        at = self._segments.index(segment)
        self._segments[at : at + 1] = _segment(final, thinned=True)

    def _stop_thinning(self) -> None:
        thinning, self._thinning, self._thinned_path = self._thinning, None, ""
        if thinning is not None:
            thinning.close()

    def _sync_names(self) -> None:
        """Lets the disk have the names, too; not every file system can."""
        fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):
                os.fsync(fd)
        finally:
            os.close(fd)


class _Writing:
    """The segment that is being written."""

    def __init__(self, path: str, fd: int, first: Frame, command_lines: bool) -> None:
        self.path = path
        self.writer = Writer(fd, command_lines)
        self._fd = fd
        self.first_ns = self._last_ns = first.time_ns

    def is_over(self, frame: Frame, most_bytes: int) -> bool:
        """Whether a frame belongs into the next one; so it does when somebody has removed this one."""
        age_ns = frame.time_ns - self.first_ns
        late = age_ns >= SEGMENT_NS or frame.time_ns < self._last_ns
        return late or self.writer.size >= most_bytes or not os.fstat(self._fd).st_nlink

    def write(self, frame: Frame) -> None:
        """Appends a frame and waits until the disk has it."""
        self.writer.write(frame)
        self._last_ns = frame.time_ns
        os.fdatasync(self._fd)

    def end(self) -> None:
        """Ends it; one that nothing could be written to is removed."""
        try:
            self.writer.end_block()
            os.fdatasync(self._fd)
        finally:
            os.close(self._fd)
            if not self.writer.size:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)


def _segment(path: str, thinned: bool) -> Iterator[_Segment]:
    """The segment as it lies there; nothing where it is gone. One without a reading is as old as its file."""
    try:
        known = os.stat(path)
    except OSError:
        return
    first_ns = last_ns = known.st_mtime_ns
    frames = 0
    with suppress(OSError, RecordingError), Recording(path) as recording:
        blocks = [block for block in recording.blocks if block.frames]
        frames = sum(block.frames for block in blocks)
        first_ns = min((block.first_ns for block in blocks), default=first_ns)
        last_ns = max((block.last_ns for block in blocks), default=last_ns)
    is_thin = frames < 2 or (last_ns - first_ns) // (frames - 1) >= THINNED_STEP_NS
    yield _Segment(path, first_ns, last_ns, known.st_size, thinned or is_thin)


def _locked(path: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
    except BlockingIOError:
        pid = os.read(fd, 32).decode(errors="replace").strip()
        os.close(fd)
        raise LockedError(pid if pid.isdigit() else "") from None
    except BaseException:
        os.close(fd)
        raise
    return fd
