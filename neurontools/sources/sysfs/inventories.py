"""What is installed on a host and who holds it, from its files. Loads little: neuron-ls waits for it."""

import time
from collections.abc import Sequence
from contextlib import suppress

from neurontools.hardware.chips import CORES
from neurontools.hardware.driver import CORE_DIRECTORY_PREFIX
from neurontools.hardware.instances import INSTANCES
from neurontools.hardware.topology import Adjacency, adjacency
from neurontools.schema.inventory import NO_INSTANCE_ID, Holder, Inventory, InventoryDevice
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.layout import DeviceLayout, Layout, instance_id, look
from neurontools.sources.sysfs.marker import Marker, read_marker
from neurontools.sources.sysfs.metadata import Metadata, MetadataError, ask
from neurontools.sources.sysfs.options import Options, core_size_on
from neurontools.sources.sysfs.parsing import numbers
from neurontools.sources.sysfs.pci import NOWHERE, Seat, seats
from neurontools.sources.sysfs.people import People
from neurontools.sources.sysfs.reasons import Reasons, unreadable
from neurontools.sources.sysfs.watch import Held, Watch

_SIMULATED = "simulated"
_CONNECTED = "connected_devices"


class Inventories:
    """Reads inventories of one host; the metadata service is asked until it has answered once."""

    def __init__(self, root: Root, options: Options, watch: Watch, people: People) -> None:
        self._root = root
        self._options = options
        self._watch = watch
        self._people = people
        self._metadata: Metadata | None = None

    def take(self) -> Inventory:
        """What is installed now; without devices, `gaps` says under "device" why there are none."""
        reasons = Reasons()
        marker = read_marker(self._root)
        layout = look(self._root, self._options.all_devices, reasons)
        held = self._watch.look(time.monotonic_ns(), layout.nodes)
        incomplete = self._watch.incomplete()
        if incomplete is not None:
            reasons.one("processes", incomplete)
        environments = [self._people.person(each).environment for each in held]
        size, assumed = core_size_on(layout, self._options, marker, environments)
        devices = self._devices(layout, held, reasons)
        instance = self._instance(layout, marker, reasons)
        return Inventory(
            instance_type=layout.instance_type or instance.instance_type,
            instance_id=instance.instance_id,
            chip=layout.chip.name if layout.chip else "",
            neuroncore_version=self._core_version(layout),
            topology=_topology(layout, [device.connected_to for device in devices]),
            logical_neuroncore_config=size,
            devices=devices,
            origin="driver",
            lnc_assumed=assumed,
            simulated=marker is not None,
            scenario=None if marker is None else marker.scenario,
            instance_name=instance.name,
            region=instance.region,
            availability_zone=instance.availability_zone,
            availability_zone_id=instance.availability_zone_id,
            ami_id=instance.ami_id,
            subnet_id=instance.subnet_id,
            driver_version=layout.version,
            gaps=reasons.pairs(),
        )

    def _devices(self, layout: Layout, held: Sequence[Held], reasons: Reasons) -> tuple[InventoryDevice, ...]:
        if not layout.readable:
            return ()
        found = seats(self._root, layout, reasons)
        return tuple(
            self._device(layout, device, found.get(device.device, NOWHERE), held, reasons) for device in layout.devices
        )

    def _device(
        self, layout: Layout, device: DeviceLayout, seat: Seat, held: Sequence[Held], reasons: Reasons
    ) -> InventoryDevice:
        now_ns = time.monotonic_ns()
        chip = layout.chip
        if chip is None:
            reasons.one("memory_bytes", ("the chip is not a known one", None))
        return InventoryDevice(
            device=device.device,
            cores=len(device.cores),
            memory_bytes=chip.memory_bytes if chip else 0,
            connected_to=self._connected(layout, device, reasons),
            bdf=seat.bdf,
            cpu_affinity=seat.cpu_affinity,
            numa_node=seat.numa_node,
            holders=tuple(
                Holder(each.pid, self._people.person(each).command, self._people.runtime_version(each, now_ns))
                for each in held
                if device.device in each.handles.devices
            ),
        )

    def _connected(self, layout: Layout, device: DeviceLayout, reasons: Reasons) -> tuple[int, ...]:
        """The neighbours in the driver's order: by its file, which older drivers show to root only, or its table."""
        path = f"{device.path}/{_CONNECTED}"
        raw = self._root.try_read(path)
        if isinstance(raw, bytes):
            with suppress(ValueError):
                return numbers(raw)
        reasons.one(_CONNECTED, unreadable(raw, f"/{path}"))
        instance = layout.instance
        return adjacency(instance)[device.device] if instance and device.device < instance.devices else ()

    def _core_version(self, layout: Layout) -> str:
        if layout.chip is not None:
            return layout.chip.core.version
        for device in layout.devices:
            for core in device.cores:
                arch = self._root.text(f"{device.path}/{CORE_DIRECTORY_PREFIX}{core}/info/architecture/arch_type")
                if arch in CORES:
                    return CORES[arch].version
        return ""

    def _instance(self, layout: Layout, marker: Marker | None, reasons: Reasons) -> Metadata:
        """What DMI tells of the instance, and the rest from the metadata service where somebody looks at it."""
        known = Metadata(instance_id=instance_id(self._root), instance_type=layout.instance_type)
        if marker is not None:
            return known._replace(
                instance_id=known.instance_id or NO_INSTANCE_ID,
                name=f"{_SIMULATED}:{marker.scenario or ''}",
                region=_SIMULATED,
                availability_zone=_SIMULATED,
            )
        wanted = self._options.place or not (known.instance_id and known.instance_type)
        if not wanted or not self._options.imds or not self._root.is_this_machine or not layout.devices:
            return known
        if self._metadata is None:
            try:
                self._metadata = ask()
            except MetadataError as error:
                reasons.one("instance_info", (str(error), "--no-imds does without"))
                return known
        return self._metadata._replace(
            instance_id=known.instance_id or self._metadata.instance_id,
            instance_type=known.instance_type or self._metadata.instance_type,
        )


def _topology(layout: Layout, connected: Adjacency | Sequence[tuple[int, ...]]) -> str:
    """How the devices are linked: the instance type's word, else that of one whose devices are linked like these."""
    if layout.instance is not None:
        return layout.instance.topology
    links = [set(row) for row in connected]
    for instance in INSTANCES.values():
        if instance.devices == len(links) and [set(row) for row in adjacency(instance)] == links:
            return instance.topology
    return "none"
