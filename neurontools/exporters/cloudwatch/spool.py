"""Data on disk between the moment they are made and the moment the service has them: a kill at any time loses none.

A batch is what one request takes, in a file that appears whole, by renaming, and goes when it was sent. The directory
belongs to one process.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from neurontools.exporters.cloudwatch.datum import Datum

DEFAULT_MOST_BYTES = 64 * 1024 * 1024

_BATCH, _UNFINISHED, _REFUSED = ".batch", ".unfinished", ".refused"
_MOST_REFUSED = 20
_DIGITS = 16


class SpoolError(OSError):
    """The directory cannot be used; the text says why, in one line."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """What a file holds: the namespace that the data belong to, and they."""

    namespace: str
    data: list[Datum]


_decoder = msgspec.json.Decoder(Stored)
_encoder = msgspec.json.Encoder()


class Batch(NamedTuple):
    """What waits in the file `name`."""

    name: str
    stored: Stored


class Spool:
    """The batches in a directory, the oldest first. One thread may put them there while another takes them away."""

    def __init__(self, directory: str, most_bytes: int = DEFAULT_MOST_BYTES) -> None:
        """Makes the directory and takes it; raises SpoolError where that cannot be."""
        self._directory = directory
        self._most_bytes = most_bytes
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(f"cannot use the spool {directory}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SpoolError(f"the spool {directory} is in use by another process; give this one another") from None
        self._changing = threading.Lock()
        self._adopt()
        self._sizes = {name: os.path.getsize(self._path(name)) for name in self._names()}
        self._next = 1 + max([int(name[:_DIGITS]) for name in self._sizes], default=0)

    def put(self, namespace: str, data: Sequence[Datum]) -> int:
        """Stores a batch so that it outlives a crash of the machine; returns how many older data had to go for it.

        Raises SpoolError when it cannot be written.
        """
        text = _encoder.encode(Stored(namespace, list(data)))
        dropped = self._make_room(len(text))
        name = f"{self._next:0{_DIGITS}d}{_BATCH}"
        unfinished = self._path(name) + _UNFINISHED
        try:
            _write(unfinished, text)
            os.rename(unfinished, self._path(name))
            self._sync_directory()
        except OSError as error:
            with suppress(OSError):
                os.unlink(unfinished)
            raise SpoolError(f"cannot write to the spool {self._directory}: {error.strerror}") from None
        self._next += 1
        with self._changing:
            self._sizes[name] = len(text)
        return dropped

    def oldest(self) -> Batch | None:
        """The batch to send next; None where none waits. A file that is damaged is set aside."""
        while (name := self._first()) is not None:
            stored = self._read(name)
            if stored is not None:
                return Batch(name, stored)
            self.refuse(name)
        return None

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all batches that wait."""
        with self._changing:
            return sum(self._sizes.values())

    def done(self, name: str) -> None:
        """The batch was sent; one that had to make room meanwhile is gone already."""
        self._forget(name)
        with suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def refuse(self, name: str) -> None:
        """Sets aside a batch that the service will never take; of those only the newest are kept."""
        self._forget(name)
        with suppress(FileNotFoundError):
            os.rename(self._path(name), self._path(name) + _REFUSED)
        refused = sorted(each for each in os.listdir(self._directory) if each.endswith(_REFUSED))
        for each in refused[:-_MOST_REFUSED]:
            os.unlink(self._path(each))

    def close(self) -> None:
        """Gives up the directory; what waits stays for the next process."""
        os.close(self._lock)

    def _make_room(self, size: int) -> int:
        dropped = 0
        while self.waiting_bytes + size > self._most_bytes and (name := self._first()) is not None:
            stored = self._read(name)
            dropped += len(stored.data) if stored is not None else 0
            self.done(name)
        return dropped

    def _first(self) -> str | None:
        with self._changing:
            return min(self._sizes, default=None)

    def _forget(self, name: str) -> None:
        with self._changing:
            self._sizes.pop(name, None)

    def _adopt(self) -> None:
        """What a kill left between writing and renaming is whole or worthless."""
        for name in os.listdir(self._directory):
            if not name.endswith(_UNFINISHED):
                continue
            if self._read(name) is None:
                os.unlink(self._path(name))
            else:
                os.rename(self._path(name), self._path(name.removesuffix(_UNFINISHED)))

    def _names(self) -> list[str]:
        names = os.listdir(self._directory)
        return [name for name in names if name.endswith(_BATCH) and name[:_DIGITS].isdecimal()]

    def _read(self, name: str) -> Stored | None:
        try:
            with open(self._path(name), "rb") as file:
                return _decoder.decode(file.read())
        except (OSError, msgspec.DecodeError):
            return None

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: str, text: bytes) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
