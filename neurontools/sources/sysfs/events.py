"""What happened on a host: the driver's lines in the kernel's log, and processes that took and left its devices."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from neurontools.schema.events import KERNEL_LOG, PROCESS_END, PROCESS_START, Event, Events
from neurontools.sources.sysfs.clock import Clock
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.host import TICK_NS, read_system_stat
from neurontools.sources.sysfs.kernel_log import KernelLog, Line
from neurontools.sources.sysfs.layout import Layout, look
from neurontools.sources.sysfs.marker import read_marker
from neurontools.sources.sysfs.people import People
from neurontools.sources.sysfs.reasons import Reason, Reasons
from neurontools.sources.sysfs.watch import Watch
from neurontools.units import NS_PER_S, NS_PER_US

KEPT = 10_000
"""Events kept; who comes later is told how many are lost."""

_HOW_UNKNOWN = "ended"


class _Seen(NamedTuple):
    """A process that held a device when it was last looked for."""

    started_ns: int
    command: str


class HostEvents:
    """Events in order, numbered from 1 at the first call; each call looks for new ones."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._log = KernelLog(root)
        self._watch = Watch(root)
        self._people = People(root)
        self._clock = Clock()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._last = 0
        self._seen: dict[int, _Seen] = {}

    @property
    def reason(self) -> Reason | None:
        """Why the kernel's lines are missing; None where they are not."""
        return self._log.reason

    def since(self, seq: int) -> Events:
        """Events with a number greater than `seq`."""
        self._look()
        first = self._last - len(self._events) + 1
        kept = islice(self._events, max(0, seq + 1 - first), None)
        return Events(events=tuple(kept), lost=max(0, first - 1 - max(seq, 0)))

    def close(self) -> None:
        """Lets go of the log."""
        self._log.close()

    def _look(self) -> None:
        layout = look(self._root, True, Reasons())
        boot_ns = (read_system_stat(self._root, Reasons()).boot_s or 0) * NS_PER_S
        found = [self._of_kernel(line, layout, boot_ns) for line in self._log.lines()]
        found += self._of_processes(layout, boot_ns)
        for event in sorted(found, key=lambda event: event.time_ns):
            self._last += 1
            self._events.append(replace(event, seq=self._last))

    def _of_kernel(self, line: Line, layout: Layout, boot_ns: int) -> Event:
        core = None
        if line.device is not None and line.core is not None and layout.cores_per_device:
            core = line.device * layout.cores_per_device + line.core
        return Event(
            seq=0,
            time_ns=boot_ns + line.time_us * NS_PER_US,
            kind=KERNEL_LOG,
            text=line.text,
            device=line.device,
            core=core,
        )

    def _of_processes(self, layout: Layout, boot_ns: int) -> list[Event]:
        """Processes that began or ceased to hold a device since the last look, ended ones at the time of this look."""
        held = [each for each in self._watch.look(time.monotonic_ns(), layout.nodes) if each.handles.runtime]
        now = {
            each.pid: _Seen(boot_ns + each.stat.started_ticks * TICK_NS, self._people.person(each).command)
            for each in held
        }
        ended = [(pid, seen) for pid, seen in self._seen.items() if now.get(pid) != seen]
        began = [(pid, seen) for pid, seen in now.items() if self._seen.get(pid) != seen]
        self._seen = now
        self._people.keep(set(now))
        now_ns = self._now_ns()
        return [
            *(_event(PROCESS_END, now_ns, f"{seen.command}: {_HOW_UNKNOWN}", pid) for pid, seen in ended),
            *(_event(PROCESS_START, seen.started_ns, seen.command, pid) for pid, seen in began),
        ]

    def _now_ns(self) -> int:
        marker = read_marker(self._root)
        return self._clock.now_ns() if marker is None or marker.time_ns is None else marker.time_ns


def _event(kind: str, time_ns: int, text: str, pid: int) -> Event:
    return Event(seq=0, time_ns=time_ns, kind=kind, text=text, pid=pid)
