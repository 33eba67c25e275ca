"""The kernel's log: what the driver wrote to it, from /dev/kmsg, or an ordinary file of its records below another root.

Reads and nothing else; a record is "priority,number,microseconds,flags;text" and further lines that begin with a blank.
"""

import os
import re
import stat
from errno import EPIPE
from typing import NamedTuple

from neurontools.sources.sysfs.files import DENIED, Root, why
from neurontools.sources.sysfs.reasons import Reason

PATH = "dev/kmsg"

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_RECORD_BYTES = 1 << 13
_PIECE_BYTES = 1 << 16
_MOST_US = 1 << 53

_DRIVER = re.compile(r"NEURON_HW_ERR=|neuron.*\bn[dc]\[?\d", re.IGNORECASE)
_DEVICE = re.compile(r"\bnd(?:-id=|\[?)(\d{1,2})(?!\d)")
_CORE = re.compile(r"\bnc(?:-id=|\[?)(\d{1,2})(?!\d)")

_NEEDS_SYSLOG = "root, or the capability SYSLOG"


class Line(NamedTuple):
    """A line of the driver's; `core` is a number inside the device."""

    time_us: int
    text: str
    device: int | None
    core: int | None


class KernelLog:
    """Gives each line once. `reason` says why there are none, where the log cannot be read."""

    def __init__(self, root: Root) -> None:
        self.reason: Reason | None = None
        self._path = root.of(PATH)
        self._descriptor: int | None = None
        self._is_device = False
        self._rest = b""

    def lines(self) -> list[Line]:
        """The driver's lines since the last call; at first all that the log still holds."""
        try:
            records = self.records()
        except OSError as error:
            self.close()
            supply = _NEEDS_SYSLOG if error.errno in DENIED else None
            self.reason = f"the kernel's log cannot be read: {why(error)}", supply
            return []
        self.reason = None
        return [line for record in records if (line := parse(record)) is not None]

    def close(self) -> None:
        """Lets go of the file; safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def records(self) -> list[bytes]:
        """All records since the last call, whoever wrote them. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, _FLAGS)
            self._is_device = stat.S_ISCHR(os.fstat(self._descriptor).st_mode)
            self._rest = b""
        return self._of_device(self._descriptor) if self._is_device else self._of_file(self._descriptor)

    def _of_device(self, descriptor: int) -> list[bytes]:
        """One record at each reading, until there are no more."""
        records: list[bytes] = []
        while True:
            try:
                record = os.read(descriptor, _RECORD_BYTES)
            except BlockingIOError:
                return records
            except OSError as error:
                # What was not read in time is overwritten; the next record is the oldest that is left.
                if error.errno == EPIPE:
                    continue
                raise
            if not record:
                return records
            records.append(record)

    def _of_file(self, descriptor: int) -> list[bytes]:
        """Whole lines; one that is still being written waits for the next call."""
        pieces = [self._rest]
        while piece := os.read(descriptor, _PIECE_BYTES):
            pieces.append(piece)
        whole, newline, self._rest = b"".join(pieces).rpartition(b"\n")
        return whole.split(b"\n") if newline else []


def parse(record: bytes) -> Line | None:
    """A record as a line; None where it is not the driver's, or no record."""
    prefix, semicolon, rest = record.partition(b";")
    fields = prefix.split(b",")
    if not semicolon or len(fields) < 3 or not fields[2].isdigit():
        return None
    text = rest.split(b"\n", 1)[0].decode("utf-8", "replace")
    time_us = int(fields[2][:20])
    if not _DRIVER.search(text) or time_us > _MOST_US:
        return None
    device, core = _DEVICE.search(text), _CORE.search(text)
    return Line(time_us, text, int(device[1]) if device else None, int(core[1]) if core else None)
