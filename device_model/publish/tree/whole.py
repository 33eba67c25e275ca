"""All that a published tree holds at one instant, from what a model says of itself."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from device_model.publish.tree.entries import Entry, File, Link
from device_model.publish.tree.marker import marker_of
from device_model.publish.tree.proc import host_files, process_files
from device_model.publish.tree.sysfs import Tree
from device_model.reading.published import Published
from device_model.runtime.process import INIT_PID
from device_model.simulation import Simulation
from neurontools.hardware.driver import DEVICE_NODE
from neurontools.hardware.instances import Instance, chip_of, lookup
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.snapshot import Process

KERNEL_LOG_FILE = "dev/kmsg"
KERNEL_LOG_MODE = 0o644
_ERROR = 3
"""The priority at which the driver writes (the facility, in the higher bits, is the kernel's: 0)."""

_LAUNCHER = "launcher"
"""What a launcher is called: a scenario does not say it."""

_AT_REST = 2
"""The marker's sequence of a tree that is written once: even, nobody is writing."""

_DEVICE_MODE = 0o666
"""As AWS's images let their users have the devices."""


def driver_files(instance: Instance, tree: Tree, published: Published) -> Iterator[Entry]:
    """The driver's part of a tree: sysfs and device nodes; of an absent driver what the kernel shows without it."""
    if not published.loaded:
        yield from tree.hardware()
        return
    yield from tree.fixed(published.readable)
    yield from tree.moving(None, published)
    for device in range(instance.devices):
        yield File(DEVICE_NODE.format(device=device).lstrip("/"), _DEVICE_MODE, "")


def processes(instance: Instance, published: Published, boot_ns: int) -> Iterator[Entry]:
    """The part that the kernel shows of the host and its processes."""
    snapshot, per_device = published.snapshot, chip_of(instance).cores
    yield from host_files(snapshot, boot_ns, published.loaded)
    running = snapshot.processes or ()
    for process in sorted((*running, *_launchers(running)), key=lambda process: process.pid):
        devices = sorted({core // per_device for core in process.cores})
        yield from process_files(process, devices, boot_ns, snapshot.head.logical_neuroncore_config)


def _launchers(running: Sequence[Process]) -> Iterator[Process]:
    """The programs that started some of the processes: there as long as one of these is, on no device."""
    pids = {process.pid for process in running}
    first: dict[int, Process] = {}
    for process in running:
        parent = process.parent_pid or INIT_PID
        if parent != INIT_PID and parent not in pids:
            first.setdefault(parent, process)
    for pid, child in first.items():
        yield Process(pid=pid, started_ns=child.started_ns, user=child.user, command=_LAUNCHER, parent_pid=INIT_PID)


def kernel_log(events: Iterable[Event], boot_ns: int, first: int = 0) -> list[str]:
    """The kernel's lines among some events as records of its log, numbered from `first`."""
    lines = [event for event in events if event.kind == KERNEL_LOG]
    return [
        f"{_ERROR},{first + i},{(event.time_ns - boot_ns) // 1000},-;{event.text}\n" for i, event in enumerate(lines)
    ]


def whole(model: Simulation, published: Published) -> list[Entry]:
    """Everything that a driver shows now, but the marker."""
    instance = lookup(model.instance)
    log = "".join(kernel_log(model.events(0).events, model.epoch_ns))
    return [
        *driver_files(instance, Tree(instance, published.version), published),
        *processes(instance, published, model.epoch_ns),
        File(KERNEL_LOG_FILE, KERNEL_LOG_MODE, log),
    ]


def document(model: Simulation, version: str, pid: int) -> dict[str, Any]:
    """Everything as plain values, the marker last; `pid` is of who will write it."""
    published = model.published(version)
    entries = whole(model, published)
    marker = marker_of(published.snapshot.head, _AT_REST, pid).file
    return {
        "driver_version": published.version,
        "links": [entry for entry in entries if isinstance(entry, Link)],
        "files": [*(entry for entry in entries if isinstance(entry, File)), marker],
    }
