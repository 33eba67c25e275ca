"""Who has a device open, found in /proc by what descriptors point at: the only thing that plain files tell of it."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from errno import ENOENT, ESRCH
from typing import NamedTuple

from neurontools.sources.sysfs.files import Root, read

_NODE = "/dev/neuron"
_ACCESS_MODE = 3
_GONE = (ENOENT, ESRCH)

VISIBLE_CORES = "NEURON_RT_VISIBLE_CORES"
NUM_CORES = "NEURON_RT_NUM_CORES"
TAG = "NEURON_PROCESS_TAG"
LNC_VARIABLES = ("NEURON_LOGICAL_NC_CONFIG", "NEURON_RT_VIRTUAL_CORE_SIZE")
_KEPT = (VISIBLE_CORES, NUM_CORES, TAG, *LNC_VARIABLES)
"""All that is looked at in a process's environment, which may hold secrets."""

_RUNTIME_LIBRARY = b"/libnrt.so."
_MAPS_BYTES = 8 << 20
_ENVIRONMENT_BYTES = 1 << 20
_LINE_BYTES = 1 << 14
_MOST_CPU = 1 << 62

UNKNOWN_VERSION = "unknown"
"""Stands for the version of a runtime that is there but cannot be told."""


class Handles(NamedTuple):
    """The device files that a process has open. `names` gives the device for the number that the process knows."""

    runtime: frozenset[int]
    """Devices that it is attached to."""
    watched: frozenset[int]
    """Devices that it only looks at: opened for writing alone, the handle of a monitoring tool."""
    names: Mapping[int, int]

    @property
    def devices(self) -> frozenset[int]:
        """Both."""
        return self.runtime | self.watched


class Stat(NamedTuple):
    """What /proc/PID/stat says, in clock ticks and pages; `parent` is 0 where that is in another pid namespace."""

    command: str
    parent: int
    user_ticks: int
    system_ticks: int
    started_ticks: int
    resident_pages: int


class HiddenError(Exception):
    """The process may not be looked into."""


def pids(root: Root) -> list[int]:
    """All processes that can be seen, in order."""
    return sorted(int(name) for name in root.names("proc") if name.isascii() and name.isdigit())


def handles(root: Root, pid: int, nodes: Mapping[int, int] | None) -> Handles | None:
    """The device files that a process has open, None for none or where it has ended. Raises HiddenError.

    `nodes` gives the device for the number of a node where it cannot be asked for its own minor number.
    """
    directory = root.of(f"proc/{pid}/fd")
    try:
        names = os.listdir(directory)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise HiddenError from None
    runtime: set[int] = set()
    watched: set[int] = set()
    known: dict[int, int] = {}
    for name in names:
        number = _node_number(f"{directory}/{name}")
        if number is None:
            continue
        device = _device(root, f"{directory}/{name}", number, nodes)
        known[number] = device
        (watched if _only_looks(root, pid, name) else runtime).add(device)
    return Handles(frozenset(runtime), frozenset(watched), known) if known else None


def command_line(root: Root, pid: int) -> str:
    """The words of a process's command with blanks between them; nothing where it has none or cannot be read."""
    try:
        words = root.read(f"proc/{pid}/cmdline", _LINE_BYTES)
    except OSError:
        return ""
    return words.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def environment(root: Root, pid: int) -> dict[str, str] | None:
    """What a process was started with of the variables that matter here; None where it cannot be read."""
    try:
        pairs = root.read(f"proc/{pid}/environ", _ENVIRONMENT_BYTES).split(b"\0")
    except OSError:
        return None
    split = (pair.partition(b"=") for pair in pairs)
    found = {name.decode("ascii", "replace"): value.decode("utf-8", "replace") for name, _, value in split}
    return {name: found[name] for name in _KEPT if name in found}


def read_stat(root: Root, pid: int) -> Stat | None:
    """Times, memory and name of a process; None where it has ended or the file is not understood."""
    try:
        # The name is in parentheses and may hold anything, more of them too.
        before, _, after = root.read(f"proc/{pid}/stat", _LINE_BYTES).decode("utf-8", "replace").rpartition(")")
        fields = after.split()
        parent, user, system, started, resident = (int(fields[i]) for i in (1, 11, 12, 19, 21))
    except (OSError, ValueError, IndexError):
        return None
    if min(parent, user, system, started) < 0 or max(parent, user, system, started, resident) > _MOST_CPU:
        return None
    return Stat(before.partition("(")[2], parent, user, system, started, max(0, resident))


def runtime_version(root: Root, pid: int) -> str | None:
    """The version in the name of the runtime's library that a process has loaded; None where it cannot be told."""
    try:
        maps = read(root.of(f"proc/{pid}/maps"), _MAPS_BYTES)
    except OSError:
        return None
    at = maps.find(_RUNTIME_LIBRARY)
    if at < 0:
        return None
    version = maps[at + len(_RUNTIME_LIBRARY) :].split(None, 1)[:1]
    text = version[0].decode("ascii", "replace") if version else ""
    # A library that is known by its major number alone says nothing.
    return text if text.count(".") >= 2 and text.replace(".", "").isdigit() else None


def _node_number(path: str) -> int | None:
    """The number in the name of the device file that a descriptor points at; None for anything else."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    if not target.startswith(_NODE):
        return None
    end = target[len(_NODE) :].removesuffix(" (deleted)")
    return int(end) if end.isascii() and end.isdigit() else None


def _device(root: Root, path: str, number: int, nodes: Mapping[int, int] | None) -> int:
    """The device behind a descriptor: by its minor number here, by its name in the files of another host."""
    if root.is_this_machine:
        with suppress(OSError):
            held = os.stat(path)
            if stat.S_ISCHR(held.st_mode):
                return os.minor(held.st_rdev)
    return (nodes or {}).get(number, number)


def _only_looks(root: Root, pid: int, descriptor: str) -> bool:
    """Whether a device file was opened for writing alone, which does not attach; taken for no where it is not known."""
    try:
        lines = root.read(f"proc/{pid}/fdinfo/{descriptor}").split(b"\n")
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith(b"flags:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return False
    return flags & _ACCESS_MODE == os.O_WRONLY
