"""Owns the driver's memory accounting of one device: total, last change and high-water mark, per core and category."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from neurontools.hardware.driver import CORE_MEMORY, HOST_MEMORY
from neurontools.schema.snapshot import MemoryUse


class Use(NamedTuple):
    """The three files of a memory counter, in bytes: in use now, size of the last change, high-water mark.

    `forgotten` is in use as well, but was zeroed in `total` by a write to that file.
    """

    total: int
    present: int
    peak: int
    forgotten: int = 0

    @property
    def reading(self) -> MemoryUse:
        """What the files say."""
        return MemoryUse(self.total, self.present, self.peak)


NOTHING = Use(0, 0, 0)


class CoreReading(NamedTuple):
    """One core's memory as snapshots show it; made anew only after a change, so not to be altered."""

    host: MemoryUse
    device: MemoryUse
    categories: dict[str, MemoryUse]


_Change = Callable[[Use, int], Use]


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
        self._core_readings: dict[int, CoreReading] = {}
        self._host_reading: dict[str, MemoryUse] | None = None

    def allocate_device(self, core: int, category: str, size: int) -> None:
        """Book `size` bytes of device memory; KeyError for an unknown core or category, ValueError for size < 0."""
        self._enter_device(core, category, size, _increased)

    def free_device(self, core: int, category: str, size: int) -> None:
        """Take `size` bytes of device memory off the books; ValueError, and no change, if that much is not there."""
        self._enter_device(core, category, size, _decreased)

    def allocate_host(self, core: int | None, category: str, size: int) -> None:
        """Book `size` bytes of host memory, for `core` or, with None, for the device alone; errors as for device."""
        self._enter_host(core, category, size, _increased)

    def free_host(self, core: int | None, category: str, size: int) -> None:
        """Take `size` bytes of host memory off the books; errors as for device memory."""
        self._enter_host(core, category, size, _decreased)

    def device_category(self, core: int, category: str) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/device_mem/<category>."""
        return self._device_category[core, category]

    def device_core(self, core: int) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/device_mem."""
        return self._device_core[core]

    def host_category(self, category: str) -> Use:
        """The device's counter stats/memory_usage/host_mem/<category>."""
        return self._host_category[category]

    def host_core(self, core: int) -> Use:
        """The counter neuron_core<core>/stats/memory_usage/host_mem."""
        return self._host_core[core]

    def core_reading(self, core: int) -> CoreReading:
        """All that the driver says of one core's memory."""
        if core not in self._core_readings:
            categories = {name: self._device_category[core, name].reading for name in CORE_MEMORY}
            host, device = self._host_core[core].reading, self._device_core[core].reading
            self._core_readings[core] = CoreReading(host, device, categories)
        return self._core_readings[core]

    def host_reading(self) -> dict[str, MemoryUse]:
        """The device's host memory by category; made anew only after a change, so not to be altered."""
        if self._host_reading is None:
            self._host_reading = {name: use.reading for name, use in self._host_category.items()}
        return self._host_reading

    def zero_device(self, core: int, category: str | None, file: str) -> None:
        """Zeroes a file of a category, or with None of all of a core's device memory, as a write to it does."""
        if category is None:
            self._device_core[core] = _zeroed(self._device_core[core], file)
        else:
            self._device_category[core, category] = _zeroed(self._device_category[core, category], file)
        self._core_readings.pop(core, None)

    def zero_host(self, core: int | None, category: str | None, file: str) -> None:
        """Zeroes a file of one of the device's categories of host memory, or of a core's host memory."""
        if category is not None:
            self._host_category[category] = _zeroed(self._host_category[category], file)
            self._host_reading = None
        elif core is not None:
            self._host_core[core] = _zeroed(self._host_core[core], file)
            self._core_readings.pop(core, None)

    def _enter_device(self, core: int, category: str, size: int, changed: _Change) -> None:
        category_use = changed(self._device_category[core, category], size)
        self._device_core[core] = changed(self._device_core[core], size)
        self._device_category[core, category] = category_use
        self._core_readings.pop(core, None)

    def _enter_host(self, core: int | None, category: str, size: int, changed: _Change) -> None:
        category_use = changed(self._host_category[category], size)
        if core is not None:
            self._host_core[core] = changed(self._host_core[core], size)
            self._core_readings.pop(core, None)
        self._host_category[category] = category_use
        self._host_reading = None


def _increased(use: Use, size: int) -> Use:
    if size < 0:
        raise ValueError(f"cannot book {size} bytes")
    total = use.total + size
    return Use(total, size, max(use.peak, total), use.forgotten)


def _decreased(use: Use, size: int) -> Use:
    if not 0 <= size <= use.total + use.forgotten:
        raise ValueError(f"cannot take {size} bytes off {use.total}")
    # What was zeroed is released without a trace (assumed: whether the driver's number falls below zero is not known).
    total = max(0, use.total - size)
    return Use(total, size, use.peak, use.forgotten - (size - (use.total - total)))


def _zeroed(use: Use, file: str) -> Use:
    if file == "total":
        return use._replace(total=0, forgotten=use.forgotten + use.total)
    return use._replace(**{file: 0})
