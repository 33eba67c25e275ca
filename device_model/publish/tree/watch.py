"""Notices when somebody else has written to a file: inotify, as far as a published tree needs it."""

import ctypes
import errno
import os
import struct
from contextlib import suppress

_CLOSED_AFTER_WRITING = 0x8
_IGNORED = 0x8000
_EVENT = struct.Struct("iIII")
_BYTES = 1 << 16
_SHORT = {
    errno.ENOSPC: "no inotify watch is left, raise fs.inotify.max_user_watches",
    errno.EMFILE: "no inotify instance is left, raise fs.inotify.max_user_instances",
}
"""What the system's own words do not say."""


class Watcher:
    """The directories that are watched. Its own writer must keep the files open that it writes to, or is seen, too.

    Raises OSError where the system grants no (further) watch.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._directories: dict[int, str] = {}

    def watch(self, directory: str) -> None:
        """From now on files in this directory, below the root, are looked at. Once is enough."""
        path = os.fsencode(os.path.join(self._root, directory))
        number = self._checked(self._libc.inotify_add_watch(self.fd, path, _CLOSED_AFTER_WRITING))
        self._directories[number] = directory

    def written(self) -> list[str]:
        """The files that somebody has closed after writing since the last call, by their paths below the root."""
        found: dict[str, None] = {}
        with suppress(BlockingIOError):
            while data := os.read(self.fd, _BYTES):
                for number, mask, name in _events(data):
                    if mask & _IGNORED:
                        self._directories.pop(number, None)
                    elif number in self._directories:
                        found[f"{self._directories[number]}/{name}"] = None
        return list(found)

    def close(self) -> None:
        """Watches nothing any more."""
        os.close(self.fd)

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, _SHORT.get(number, os.strerror(number)))
        return result


def _events(data: bytes) -> list[tuple[int, int, str]]:
    events, at = [], 0
    while at < len(data):
        number, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        events.append((number, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
        at += length
    return events
