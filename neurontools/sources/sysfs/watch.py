"""Finds the processes that hold a device: known holders at every look, all others ever more seldom."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from neurontools.sources.sysfs import holders
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.holders import Handles, HiddenError, Stat
from neurontools.sources.sysfs.reasons import AS_ROOT, Reason
from neurontools.units import NS_PER_S

_FIRST_PAUSE_NS = NS_PER_S
_LONGEST_PAUSE_NS = 16 * NS_PER_S

_FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""The kernel has a fixed number for it."""

_OTHERS: Reason = ("processes of other users cannot be looked into", f"{AS_ROOT}, or with the capability SYS_PTRACE")
_NAMESPACE: Reason = ("only the processes of this container can be seen", "the host's pid namespace")


class Held(NamedTuple):
    """One process that has a device open."""

    pid: int
    handles: Handles
    stat: Stat


class _Pause(NamedTuple):
    """When a process that holds nothing is looked into again, and how long that was put off."""

    until_ns: int
    length_ns: int


class Watch:
    """A process that opens a device late in its life is found within 16 s: looking at every descriptor of a host at
    every reading would cost more than all the rest of it."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._pauses: dict[int, _Pause] = {}
        self._hidden: set[int] = set()

    def look(self, now_ns: int, nodes: Mapping[int, int] | None) -> list[Held]:
        """The processes that hold a device now, in order of their pids."""
        present = holders.pids(self._root)
        found = []
        for pid in present:
            pause = self._pauses.get(pid)
            if pause is not None and now_ns < pause.until_ns:
                continue
            held = self._held(pid, nodes)
            if held is None:
                self._put_off(pid, now_ns, pause)
            else:
                self._pauses.pop(pid, None)
                found.append(held)
        for gone in self._pauses.keys() - set(present):
            del self._pauses[gone]
        self._hidden.intersection_update(present)
        return found

    def incomplete(self) -> Reason | None:
        """Why processes may be missing in what was found; None where they are all there."""
        if self._root.is_this_machine and _namespace() not in (None, _FIRST_PID_NAMESPACE):
            return _NAMESPACE
        return _OTHERS if self._hidden else None

    def _held(self, pid: int, nodes: Mapping[int, int] | None) -> Held | None:
        try:
            handles = holders.handles(self._root, pid, nodes)
        except HiddenError:
            # Threads of the kernel have no command, and hold nothing.
            if holders.command_line(self._root, pid):
                self._hidden.add(pid)
            return None
        self._hidden.discard(pid)
        stat = holders.read_stat(self._root, pid) if handles is not None else None
        return Held(pid, handles, stat) if handles is not None and stat is not None else None

    def _put_off(self, pid: int, now_ns: int, before: _Pause | None) -> None:
        length_ns = _FIRST_PAUSE_NS if before is None else min(2 * before.length_ns, _LONGEST_PAUSE_NS)
        self._pauses[pid] = _Pause(now_ns + length_ns, length_ns)


def _namespace() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
