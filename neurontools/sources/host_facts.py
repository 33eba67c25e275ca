"""Reads of a host, below a root, what a diagnosis asks beside a snapshot; it writes nothing and opens no device."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.driver import CORE_DIRECTORY_PREFIX, PCI_VENDOR_ID, STATUS_NAMES, version_tuple
from neurontools.schema.host_facts import EfaPort, HolderFacts, HostFacts, Notice
from neurontools.schema.snapshot import Gap
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.holders import pids, runtime_version
from neurontools.sources.sysfs.layout import device_nodes, driver_version, look
from neurontools.sources.sysfs.metadata import MetadataError, notices
from neurontools.sources.sysfs.parsing import integer
from neurontools.sources.sysfs.reasons import Reasons

_PCI = "sys/bus/pci/devices"
_VERSION = "sys/module/neuron/version"
_PACKAGES = (("usr/src", "aws-neuronx-"), ("var/lib/dkms/aws-neuronx", ""), ("var/lib/dkms/aws-neuron", ""))
"""Where the driver's package leaves its sources: directories, and what stands before the version in their names."""

_RUNTIME = "opt/aws/neuron/lib"
"""Where the runtime's package leaves its library, named with its version."""

_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
_OWNERS = re.compile(r"\.service\b|/kubepods|/docker[-/]|/ecs/|\.slice/.*\.scope.*(cri-|crio-|docker-|libpod-)")
_COMPILER = re.compile(r"neuronx?-cc\b|walrus_driver|hlo2penguin")
_LINE_CHARACTERS = 512
_COMMANDS_S = 60.0
_SILENCE_S = 300.0
"""How long nobody asks a metadata service that did not answer."""

_EFA = "sys/class/infiniband"
_EFA_PREFIX = "efa"

_NOT_ASKED = Gap(reason="the instance metadata service was not asked", supply="without --no-imds, on the host itself")
_NO_INFINIBAND = Gap(reason="no EFA here")
_NO_PROC = Gap(reason="there is no /proc", supply="the host's /proc")


class FactsReader:
    """Looks at one host again and again. `imds` allows questions to the instance's metadata service."""

    def __init__(
        self,
        root: str = "/",
        imds: bool = True,
        patience_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = Root(root)
        self._imds = imds and self._root.is_this_machine
        self._patience_s = patience_s
        self._clock = clock
        self._unanswered: Gap | None = None
        self._ask_again_s = 0.0
        self._others: set[int] = set()
        self._look_again_s = 0.0

    def read(self, time_ns: int, holders: Iterable[int] = ()) -> HostFacts:
        """The host now; `holders` are the pids that hold a device."""
        root, gaps = self._root, dict[str, Gap]()
        layout = look(root, True, Reasons())
        compilers = self._compilers()
        if compilers is None:
            gaps["holders"] = gaps["compilers"] = _NO_PROC
        ports = _efa_ports(root)
        if not ports:
            gaps["efa"] = _NO_INFINIBAND
        return HostFacts(
            time_ns=time_ns,
            instance_type=layout.instance_type,
            driver_loaded=os.path.exists(root.of(_VERSION)),
            driver_version=driver_version(root),
            installed_drivers=_versions(_PACKAGES, root),
            installed_runtimes=_versions([(_RUNTIME, "libnrt.so.")], root),
            pci_devices=_pci_devices(root),
            driver_devices=len(layout.devices),
            granted_devices=_granted(root),
            in_container=any(os.path.exists(root.of(mark)) for mark in _CONTAINER_MARKS),
            holders=None if compilers is None else tuple(_holders(root, holders)),
            compilers=compilers,
            efa=ports or None,
            notices=self._notices(gaps),
            gaps=gaps,
        )

    def closed_status(self) -> dict[int, dict[str, int]]:
        """The status counters of physical cores over the node, zeros and successes left out, read from files that older
        drivers move only when a process closes the device."""
        root, layout = self._root, look(self._root, True, Reasons())
        found: dict[int, dict[str, int]] = {}
        for device in layout.devices:
            for core in device.cores:
                path = f"{device.path}/{CORE_DIRECTORY_PREFIX}{core}/stats/status"
                counts = {name: _number(root, f"{path}/{name}/total") for name in STATUS_NAMES if name != "success"}
                number = device.device * layout.cores_per_device + core
                found[number] = {name: count for name, count in counts.items() if count}
        return found

    def _notices(self, gaps: dict[str, Gap]) -> tuple[Notice, ...] | None:
        if not self._imds:
            gaps["notices"] = _NOT_ASKED
            return None
        if self._unanswered is not None and self._clock() < self._ask_again_s:
            gaps["notices"] = self._unanswered
            return None
        try:
            found = notices(self._patience_s)
        except MetadataError as error:
            # Where the service cannot be reached each question takes as long as there is patience.
            self._unanswered = gaps["notices"] = Gap(reason=str(error), supply="a hop limit of 2 for containers")
            self._ask_again_s = self._clock() + _SILENCE_S
            return None
        self._unanswered = None
        return tuple(Notice(kind=kind, action=action, time=when) for kind, action, when in found)

    def _compilers(self) -> tuple[int, ...] | None:
        """The pids of compilers. What a process is seldom changes: command lines are read once a minute, new ones at
        once."""
        found = pids(self._root)
        if not found:
            return None
        if self._clock() >= self._look_again_s:
            self._others.clear()
            self._look_again_s = self._clock() + _COMMANDS_S
        self._others.intersection_update(found)
        compilers = tuple(pid for pid in found if pid not in self._others and self._compiles(pid))
        self._others.update(pid for pid in found if pid not in compilers)
        return compilers

    def _compiles(self, pid: int) -> bool:
        text = self._root.text(f"proc/{pid}/cmdline")[:_LINE_CHARACTERS].replace("\0", " ")
        return _COMPILER.search(text) is not None


def _versions(places: Iterable[tuple[str, str]], root: Root) -> tuple[str, ...] | None:
    """The versions in names in some directories, behind what they begin with, in order; None where none is found."""
    found = set()
    for directory, prefix in places:
        for name in root.names(directory):
            version = name.removeprefix(prefix)
            if name.startswith(prefix) and re.fullmatch(r"\d+(\.\d+)+", version):
                found.add(version)
    return tuple(sorted(found, key=version_tuple)) or None


def _pci_devices(root: Root) -> int | None:
    """How many functions of Neuron chips are on the bus; None where the bus cannot be seen."""
    known = {device_id for chip in CHIPS.values() for device_id in chip.pci_device_ids}
    functions = root.names(_PCI)
    if not functions:
        return None
    pairs = [(root.text(f"{_PCI}/{name}/vendor"), root.text(f"{_PCI}/{name}/device")) for name in functions]
    return sum(_hex(vendor) == PCI_VENDOR_ID and _hex(device) in known for vendor, device in pairs)


def _granted(root: Root) -> int | None:
    nodes = device_nodes(root)
    return None if nodes is None else len(nodes)


def _holders(root: Root, holders: Iterable[int]) -> Iterable[HolderFacts]:
    for pid in holders:
        try:
            fields = root.read(f"proc/{pid}/stat").decode("utf-8", "replace").rpartition(")")[2].split()
            state, parent = fields[0], int(fields[1])
        except (OSError, ValueError, IndexError):
            continue
        owned = _OWNERS.search(root.text(f"proc/{pid}/cgroup")) is not None
        yield HolderFacts(pid=pid, state=state, parent=parent, owned=owned, runtime_version=runtime_version(root, pid))


def _efa_ports(root: Root) -> tuple[EfaPort, ...]:
    ports = []
    for name in sorted(root.names(_EFA)):
        driver = os.path.basename(os.path.realpath(root.of(f"{_EFA}/{name}/device/driver")))
        if driver != _EFA_PREFIX and not name.startswith(_EFA_PREFIX):
            continue
        for port in sorted(root.names(f"{_EFA}/{name}/ports")):
            path = f"{_EFA}/{name}/ports/{port}"
            state = root.text(f"{path}/state").partition(":")[2].strip() or None
            counts = {each: _number(root, f"{path}/hw_counters/{each}") for each in root.names(f"{path}/hw_counters")}
            known = {each: count for each, count in counts.items() if count is not None}
            ports.append(EfaPort(name=name, port=int(port) if port.isdigit() else 0, state=state, counters=known))
    return tuple(ports)


def _number(root: Root, path: str) -> int | None:
    try:
        return integer(root.read(path))
    except (OSError, ValueError):
        return None


def _hex(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None
