"""How the files of a host are read: only ever read, within the limit of open files, and every failure as a reason."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from errno import EACCES, EIO, ENODEV, ENOENT, ENOTDIR, EPERM
from itertools import repeat
from os import pread

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""Counters are cleared by writing, and a device node that is opened for writing attaches to the device. What is no
ordinary file must not make a reader wait either."""

NUMBER_BYTES = 64
"""Enough for any number that the driver writes, and for seeing that something is none."""
TEXT_BYTES = 1 << 16
"""The longest file that is read whole; sysfs gives at most a page."""

SPARE_DESCRIPTORS = 256
"""What is left of the limit of open files for everything else that a program opens."""

GONE = (ENOENT, ENODEV, ENOTDIR)
DENIED = (EACCES, EPERM)

Raw = bytes | OSError
"""What a file held, or why that is not known."""


class Root:
    """A directory that holds sys, proc and dev of one host; paths below it are given without a leading slash."""

    def __init__(self, path: str = "/") -> None:
        self.path = os.path.abspath(path)
        self._prefix = self.path.rstrip("/") + "/"

    @property
    def is_this_machine(self) -> bool:
        """Whether it is the root that this program runs in, where pids and device numbers mean what they say."""
        return self.path == "/"

    def exists(self) -> bool:
        """Whether there is such a directory."""
        return os.path.isdir(self.path)

    def of(self, path: str) -> str:
        """The whole path of a file."""
        return self._prefix + path

    def read(self, path: str, most: int = TEXT_BYTES) -> bytes:
        """What a file holds, at most so many bytes of it. Raises OSError."""
        return read(self._prefix + path, most)

    def try_read(self, path: str) -> Raw:
        """What a file holds, or why that is not known."""
        try:
            return self.read(path)
        except OSError as error:
            return error

    def text(self, path: str) -> str:
        """A short text without the white space around it; nothing where it cannot be read."""
        try:
            return self.read(path).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def names(self, path: str) -> list[str]:
        """What a directory lists; nothing where it cannot be read."""
        try:
            return os.listdir(self._prefix + path)
        except OSError:
            return []

    def numbered(self, path: str, prefix: str) -> list[int]:
        """The numbers of the entries `prefix`N of a directory, in order. Raises OSError."""
        return numbered(os.listdir(self._prefix + path), prefix)


def numbered(names: Iterable[str], prefix: str) -> list[int]:
    """The N of the names that are `prefix`N, in order."""
    ends = (name[len(prefix) :] for name in names if name.startswith(prefix))
    return sorted(int(end) for end in ends if end.isascii() and end.isdigit() and (end == "0" or end[0] != "0"))


def read(path: str, most: int = TEXT_BYTES) -> bytes:
    """What a file holds, at most so many bytes of it. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        held = os.read(descriptor, most)
        # Most of /proc gives a page or so at a time.
        while held and len(held) < most and (more := os.read(descriptor, most - len(held))):
            held += more
        return held
    finally:
        os.close(descriptor)


def read_short(path: str, most: int) -> bytes:
    """As `read`, of a file that is given in one piece, which those of sysfs are."""
    descriptor = os.open(path, _FLAGS)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def why(error: OSError) -> str:
    """The system's words for what kept a file from being read."""
    name = {EACCES: " (EACCES)", EIO: " (EIO)"}.get(error.errno or 0, "")
    return f"{(error.strerror or 'cannot be read').lower()}{name}"


class Descriptors:
    """How many descriptors all kept files together may take; the limit of this process is raised when it is needed."""

    def __init__(self, spare: int = SPARE_DESCRIPTORS) -> None:
        self._spare = spare
        self._free: int | None = None

    def take(self) -> bool:
        """Whether one more may be kept open."""
        if self._free is None:
            self._free = _raised_limit() - self._spare
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        """One was closed."""
        self._free = (self._free or 0) + 1


def _raised_limit() -> int:
    """The limit of open files, the soft one raised to the hard one where the system lets us."""
    # Imported where it is needed: a program that reads once keeps nothing open.
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft != hard and hard != RLIM_INFINITY:
        try:
            setrlimit(RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
        return hard
    return soft if soft != RLIM_INFINITY else 1 << 20


class Batch:
    """Files that belong together: read all at once, or some of them. What is read a second time is kept open from then
    on, as far as there are descriptors; a file that is gone is let go."""

    __slots__ = ("_descriptors", "_kept", "_most", "_once_read", "_whole", "paths")

    def __init__(self, paths: Sequence[str], descriptors: Descriptors, most: int = NUMBER_BYTES) -> None:
        self.paths = paths
        self._descriptors = descriptors
        self._most = most
        self._once_read: set[int] = set()
        self._kept: dict[int, int] = {}
        self._whole: list[int] | None = None

    def read(self) -> list[Raw]:
        """What each file holds now, or why it cannot be read."""
        if self._whole is not None:
            # A file that fails costs the others their short way, for this reading.
            with suppress(OSError):
                return list(map(pread, self._whole, repeat(self._most), repeat(0)))
        raws = self.read_some(range(len(self.paths)))
        if len(self._kept) == len(self.paths):
            self._whole = [self._kept[i] for i in range(len(self.paths))]
        return raws

    def read_some(self, which: Iterable[int]) -> list[Raw]:
        """As `read`, for the files with these places in `paths` only."""
        return [self._one(i) for i in which]

    def close(self) -> None:
        """Lets go of all files; the next readings begin anew."""
        for i in [*self._kept]:
            self._let_go(i)
        self._once_read.clear()

    def _one(self, i: int) -> Raw:
        descriptor = self._kept.get(i)
        try:
            if descriptor is None and i not in self._once_read:
                self._once_read.add(i)
                return read_short(self.paths[i], self._most)
            if descriptor is None:
                if not self._descriptors.take():
                    return read_short(self.paths[i], self._most)
                descriptor = self._keep(i)
            return pread(descriptor, self._most, 0)
        except OSError as error:
            if error.errno in GONE and descriptor is not None:
                self._let_go(i)
            return error

    def _keep(self, i: int) -> int:
        try:
            self._kept[i] = os.open(self.paths[i], _FLAGS)
        except OSError:
            self._descriptors.give_back()
            raise
        return self._kept[i]

    def _let_go(self, i: int) -> None:
        os.close(self._kept.pop(i))
        self._descriptors.give_back()
        self._whole = None
