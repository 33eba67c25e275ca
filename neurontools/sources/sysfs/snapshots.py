"""Everything that a snapshot holds, read again and again from one host: devices, processes, the host around them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from neurontools.schema.snapshot import Gap, Head, Host, Origin, Process, Snapshot
from neurontools.sources.sysfs.clock import Clock
from neurontools.sources.sysfs.context import Context
from neurontools.sources.sysfs.devices import DeviceReader
from neurontools.sources.sysfs.files import Descriptors, Root
from neurontools.sources.sysfs.host import SystemStat, read_host, read_system_stat
from neurontools.sources.sysfs.layout import Layout, identity, look
from neurontools.sources.sysfs.marker import Marker, read_marker
from neurontools.sources.sysfs.options import Options, core_size_on
from neurontools.sources.sysfs.people import People
from neurontools.sources.sysfs.processes import Surroundings, process_records
from neurontools.sources.sysfs.reasons import NO_ADDRESSES, NO_LINK_COUNTERS, Reason, Reasons
from neurontools.sources.sysfs.wants import wants_of
from neurontools.sources.sysfs.watch import Held, Watch
from neurontools.units import NS_PER_S

_TRIES = 20
_PAUSE_S = 0.005
_LOOK_AGAIN_NS = 10 * NS_PER_S
_PROCESS_PARTS = ("processes", "node_process_count", "process_vcpu_user_percent", "neuron_runtime_vcpu_usage")

_NOT_LIVE: Reason = ("the simulated host is a picture of one instant: whoever wrote it has ended", None)
_TORN: Reason = ("the simulated host was being renewed whenever it was read", None)
_NO_PROC: Reason = ("there is no /proc", None)


class Snapshots:
    """Reads snapshots of one host. Between two of them it remembers which files there are and keeps them open."""

    def __init__(self, root: Root, options: Options, watch: Watch, people: People) -> None:
        self._root = root
        self._options = options
        self._watch = watch
        self._people = people
        self._clock = Clock()
        self._descriptors = Descriptors()
        self._kind = Snapshot
        self._known_by: object = None
        self._context: Context | None = None
        self._devices: list[DeviceReader] = []
        self._looked_ns = 0

    def narrow(self, kind: type[Snapshot]) -> None:
        """From now on only that is read which this kind of snapshot looks at."""
        self._kind = kind
        self.forget()

    def take(self, known: Mapping[str, Reason] = {}) -> Snapshot:
        """The host now, with reasons that are known besides. A simulated one is read again where it was renewed
        meanwhile."""
        for _ in range(_TRIES):
            before = read_marker(self._root)
            if before is not None and before.being_written:
                time.sleep(_PAUSE_S)
                continue
            snapshot = self._read(before, _with(known))
            if before == read_marker(self._root):
                return snapshot
        return self._read(read_marker(self._root), _with({"snapshot": _TORN, **known}))

    def forget(self) -> None:
        """Lets go of all files; the next reading looks anew for what there is."""
        for device in self._devices:
            device.close()
        self._devices = []
        self._context = None

    def _read(self, marker: Marker | None, reasons: Reasons) -> Snapshot:
        context = self._renewed(marker)
        now_ns = self._clock.now_ns() if marker is None or marker.time_ns is None else marker.time_ns
        wants = context.wants.snapshot
        stat = read_system_stat(self._root, reasons) if wants & {"host", "processes"} else SystemStat()
        devices = tuple([device.read(now_ns, reasons) for device in self._devices])
        if self._is_time_to_look_again():
            self.forget()
        held = self._watch.look(time.monotonic_ns(), context.layout.nodes) if "processes" in wants else []
        environments = [self._people.person(each).environment for each in held]
        size, assumed = core_size_on(context.layout, self._options, marker, environments)
        processes = self._processes(held, stat, context.layout, size, reasons) if "processes" in wants else None
        host: Host | None = read_host(self._root, stat, reasons) if "host" in wants else None
        if marker is not None and marker.writer_is_gone:
            reasons.one("snapshot", _NOT_LIVE)
        gaps = {**context.absent.found, **reasons.found}
        head = Head(
            time_ns=now_ns,
            boot_id=self._boot_id(marker, stat),
            origin=_origin(context.version, marker),
            logical_neuroncore_config=size,
            lnc_assumed=assumed,
            gaps={part: Gap(reason=reason, supply=supply) for part, (reason, supply) in sorted(gaps.items())},
        )
        return Snapshot(head=head, devices=devices, processes=processes, host=host)

    def _is_time_to_look_again(self) -> bool:
        """Whether files have gone away since it was looked which there are, unless that was just now."""
        if time.monotonic_ns() < self._looked_ns + _LOOK_AGAIN_NS:
            return False
        return any([device.vanished for device in self._devices])

    def _renewed(self, marker: Marker | None) -> Context:
        """What is known of this host's files, looked for anew after it changed."""
        known_by = (identity(self._root), None if marker is None else (marker.boot_id, marker.pid))
        if self._context is not None and known_by == self._known_by:
            return self._context
        self.forget()
        absent = Reasons()
        layout = look(self._root, self._options.all_devices, absent)
        absent.one("bank", NO_ADDRESSES)
        absent.one("link", NO_LINK_COUNTERS)
        context = Context(self._root, layout, wants_of(self._kind), self._descriptors, absent, self._options.at_close)
        if "devices" in context.wants.snapshot:
            self._devices = [DeviceReader(device, context) for device in layout.devices]
        self._context, self._known_by, self._looked_ns = context, known_by, time.monotonic_ns()
        return context

    def _processes(
        self, held: list[Held], stat: SystemStat, layout: Layout, size: int, reasons: Reasons
    ) -> tuple[Process, ...] | None:
        if not self._root.names("proc"):
            reasons.add(_PROCESS_PARTS, _NO_PROC)
            return None
        self._people.keep({each.pid for each in held})
        around = Surroundings(stat.boot_s, os.sysconf("SC_PAGE_SIZE"), layout.cores_per_device, size)
        records = process_records(held, self._people, around, time.monotonic_ns(), reasons)
        incomplete = self._watch.incomplete()
        if incomplete is None:
            return records
        reasons.add(_PROCESS_PARTS, incomplete)
        return records or None

    def _boot_id(self, marker: Marker | None, stat: SystemStat) -> str:
        said = marker.boot_id if marker is not None else None
        return said or self._root.text("proc/sys/kernel/random/boot_id") or f"started {stat.boot_s}"


def _with(known: Mapping[str, Reason]) -> Reasons:
    reasons = Reasons()
    reasons.found.update(known)
    return reasons


def _origin(version: str | None, marker: Marker | None) -> Origin:
    if marker is None:
        return Origin(kind="driver", detail=version)
    return Origin(kind="driver", detail=version, simulated=True, scenario=marker.scenario)
