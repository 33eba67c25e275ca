"""What the files of a driver of some version show: the node behind it, with counters credited when it credits them."""

from typing import NamedTuple

from msgspec.structs import replace

from device_model.build import World
from device_model.machine.core import Core
from device_model.reading.snapshot import whole_snapshot, with_counters
from neurontools.hardware.driver import DRIVER_KEPT_OTHER_INFO, LIVE_COUNTERS_SINCE, version_tuple
from neurontools.schema import snapshot as schema


class Published(NamedTuple):
    """The node at one instant, and the driver that shows it: its version, whether it is loaded, whether others than
    root can read its files."""

    snapshot: schema.Snapshot
    version: str
    loaded: bool
    readable: bool


def take_published(world: World, head: schema.Head, version: str) -> Published:
    """What a driver of a version shows, or of the older one that stands in its place."""
    driver = world.node.driver
    shown = min(version, driver.version or version, key=version_tuple)
    whole = whole_snapshot(world, head)
    if version_tuple(shown) < version_tuple(LIVE_COUNTERS_SINCE):
        whole = replace(whole, devices=tuple([_folded(world, device) for device in whole.devices]))
    return Published(whole, shown, not driver.missing_by, not driver.unreadable_by)


def _folded(world: World, device: schema.Device) -> schema.Device:
    cores = world.node.devices[device.index].cores
    return replace(device, cores=tuple([_closed(core, cores[core.index]) for core in device.cores]))


def _closed(reading: schema.Core, core: Core) -> schema.Core:
    """A core with what processes have counted that have closed the device."""
    live = {name: core.shown(name, core.tallies) for name in DRIVER_KEPT_OTHER_INFO}
    return with_counters(reading, live | {name: core.shown(name, core.folded, live=False) for name in core.folded})
