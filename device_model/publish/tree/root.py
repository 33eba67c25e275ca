"""The directory that a tree is written to: taken, told from other people's directories, and given back."""

import fcntl
import os
import shutil
from typing import NamedTuple

from device_model.publish.tree.marker import writer_of

PARTS = ("sys", "proc", "dev")
"""All that a tree is made of, below its root."""


class RootError(Exception):
    """The directory cannot be written to; one line says why, and `hint` what to do next."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class Root(NamedTuple):
    """A directory that is ours while `fd` is open: it is locked, and the lock dies with its holder. `made` is whether
    it was made for the tree."""

    path: str
    fd: int
    made: bool


def take(path: str) -> Root:
    """Makes a directory ready for a tree. The remains of one whose writer has ended are removed.

    Raises RootError, and OSError where the system refuses.
    """
    if os.path.realpath(path) == "/":
        raise RootError("a simulated tree is never written over this machine's own", "name a new directory")
    if os.path.exists(path) and not os.path.isdir(path):
        raise RootError(f"{path} is not a directory", "name a new directory")
    made = not os.path.isdir(path)
    os.makedirs(path, mode=0o755, exist_ok=True)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(path, fd)
        there = _parts_in(path)
        if there and writer_of(path) is None:
            raise RootError(f"{path} holds {' and '.join(there)}, and no simulated host", "name a new directory")
        _remove(path)
    except BaseException:
        os.close(fd)
        raise
    return Root(path, fd, made)


def remove_remains(path: str) -> None:
    """Removes a tree whose writer has died, if there is one; raises OSError where the system refuses."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(path, fd)
        if writer_of(path) is not None:
            _remove(path)
    except RootError:
        return
    finally:
        os.close(fd)


def _lock(path: str, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        writer = writer_of(path)
        who = "" if writer is None else f" (pid {writer})"
        raise RootError(f"{path} is the tree of a device model that runs{who}", "name another directory") from None


def _parts_in(path: str) -> list[str]:
    return [part for part in PARTS if os.path.lexists(os.path.join(path, part))]


def _remove(path: str) -> None:
    for part in _parts_in(path):
        shutil.rmtree(os.path.join(path, part))
