"""Owns the driver's memory accounting of one device: total, last change and high-water mark, per core and category."""

from __future__ import annotations

from typing import NamedTuple

from neurontools.hardware.driver import CORE_MEMORY, HOST_MEMORY
from neurontools.schema.snapshot import MemoryUse


class Use(NamedTuple):
    """The three files of a memory counter, in bytes: in use now, size of the last change, high-water mark."""

    total: int
    present: int
    peak: int


NOTHING = Use(0, 0, 0)


class Ledger:
    """What the driver's sysfs says of one device's memory; cores are physical, within the device.

    Device memory is filed per (core, category) and per core; host memory per category of the device, and per core where
    it is attributed to one. An allocation adds to `total` and may raise `peak`, a release takes from `total`, and each
    sets `present` to its own size. A core's counter is kept beside those of its categories because `present` and `peak`
    have a history of their own: the peak of a sum is not the sum of peaks.
    """

    def __init__(self, cores: int) -> None:
        self._device_category = {(core, name): NOTHING for core in range(cores) for name in CORE_MEMORY}
        self._device_core = dict.fromkeys(range(cores), NOTHING)
        self._host_category = dict.fromkeys(HOST_MEMORY, NOTHING)
        self._host_core = dict.fromkeys(range(cores), NOTHING)
        self._readings: dict[int, dict[str, MemoryUse]] = {}

    def allocate_device(self, core: int, category: str, size: int) -> None:
        """Book `size` bytes of device memory; KeyError for an unknown core or category, ValueError for size < 0."""
        category_use = _increased(self._device_category[core, category], size)
        self._enter_device(core, category, category_use, _increased(self._device_core[core], size))

    def free_device(self, core: int, category: str, size: int) -> None:
        """Take `size` bytes of device memory off the books; ValueError, and no change, if that much is not there."""
        category_use = _decreased(self._device_category[core, category], size)
        self._enter_device(core, category, category_use, _decreased(self._device_core[core], size))

    def allocate_host(self, core: int | None, category: str, size: int) -> None:
        """Book `size` bytes of host memory, for `core` or, with None, for the device alone; errors as for device."""
        category_use = _increased(self._host_category[category], size)
        if core is not None:
            self._host_core[core] = _increased(self._host_core[core], size)
        self._host_category[category] = category_use

    def free_host(self, core: int | None, category: str, size: int) -> None:
        """Take `size` bytes of host memory off the books; errors as for device memory."""
        category_use = _decreased(self._host_category[category], size)
        if core is not None:
            self._host_core[core] = _decreased(self._host_core[core], size)
        self._host_category[category] = category_use

    def device_category(self, core: int, category: str) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/device_mem/<category>."""
        return self._device_category[core, category]

    def device_categories(self, core: int) -> dict[str, MemoryUse]:
        """All of a core's categories as snapshots show them; made anew only after a change, so not to be altered."""
        if core not in self._readings:
            self._readings[core] = {name: MemoryUse(*self._device_category[core, name]) for name in CORE_MEMORY}
        return self._readings[core]

    def device_core(self, core: int) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/device_mem."""
        return self._device_core[core]

    def host_category(self, category: str) -> Use:
        """The device's counter stats/memory_usage/host_mem/<category>."""
        return self._host_category[category]

    def host_core(self, core: int) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/host_mem."""
        return self._host_core[core]

    def _enter_device(self, core: int, category: str, category_use: Use, core_use: Use) -> None:
        self._device_category[core, category] = category_use
        self._device_core[core] = core_use
        self._readings.pop(core, None)


def _increased(use: Use, size: int) -> Use:
    if size < 0:
        raise ValueError(f"cannot book {size} bytes")
    total = use.total + size
    return Use(total, size, max(use.peak, total))


def _decreased(use: Use, size: int) -> Use:
    if not 0 <= size <= use.total:
        raise ValueError(f"cannot take {size} bytes off {use.total}")
    return Use(use.total - size, size, use.peak)
