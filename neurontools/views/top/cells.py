"""What the core grid shows of each core: one of four measures, its recent past, and whether it is held without work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from neurontools.hardware.chips import CHIPS, core_share, official_core_version
from neurontools.schema.interval import CoreInterval, Interval, ProcessInterval
from neurontools.schema.inventory import Inventory
from neurontools.units import GIB

BUSY, FLOPS, ENGINES, MEMORY = "busy", "flops", "engines", "memory"
MODES = (BUSY, FLOPS, ENGINES, MEMORY)
"""The measures of the grid, in the order in which a key goes through them."""

METRICS = {
    BUSY: "core_utilization_percent",
    FLOPS: "core_flops_per_s",
    ENGINES: "core_engine_percent",
    MEMORY: "core_memory_used_bytes",
}
NOTHING = "0"
"""A reading in a trend in which a core did nothing."""

SEEN = 26
"""The last readings of a trend, of which a cell shows no more."""

Trends = Mapping[int, str]
"""Of each logical core its last utilizations, a digit each for how many dots it is high, the newest last."""

_PEAK_TYPE = "bf16"
_TERA = 1e12
_IDLE_PERCENT = 0.5
_IDLE_READINGS = 5
_SUMS = frozenset({FLOPS, MEMORY})


class Cell(NamedTuple):
    """One core: its value in the unit of the grid, None if unknown, and what part of the bar that fills.

    `shown` is False for a core that the process of this tab does not have. `engines` are the percents of tensor,
    vector, scalar and GPSIMD engine. `idle` says that a process holds the core and nothing runs on it.
    """

    core: int
    value: float | None
    share: float
    shown: bool = True
    trend: str = ""
    engines: tuple[float | None, ...] = ()
    idle: bool = False


class DeviceRow(NamedTuple):
    """The cores of one device."""

    device: int
    cells: tuple[Cell, ...]
    selected: bool


class Cores(NamedTuple):
    """The core grid. `summary` is the sum of TFLOP/s or GiB, of percents the mean; the extremes are (core, value)."""

    version: str
    mode: str
    summary: float | None
    rows: tuple[DeviceRow, ...]
    why_unknown: str = ""
    physical: bool = False
    busiest: tuple[int, float] | None = None
    idlest: tuple[int, float] | None = None


class Choice(NamedTuple):
    """What of the grid was asked for: measure, cores as the hardware numbers them, the tab's process, the device."""

    mode: str = BUSY
    physical: bool = False
    process: ProcessInterval | None = None
    selected: int | None = None


def cores(interval: Interval, inventory: Inventory, choice: Choice, trends: Trends, why: Callable[[str], str]) -> Cores:
    """The grid; `why` is asked for the reason when the value of a core is unknown."""
    lnc = inventory.logical_neuroncore_config
    physical = choice.physical and lnc > 1
    make = _Maker(interval, inventory, choice, {} if physical else trends, physical)
    rows = tuple(make.rows(interval.physical if physical else interval.cores))
    shown = [cell for row in rows for cell in row.cells if cell.shown]
    known = [(cell.core, cell.value) for cell in shown if cell.value is not None]
    total = sum(value for _, value in known)
    version = official_core_version(inventory.chip, 1 if physical else lnc)
    return Cores(
        version=version or inventory.neuroncore_version,
        mode=choice.mode,
        summary=total / (1 if choice.mode in _SUMS else len(known)) if known else None,
        rows=rows,
        why_unknown=why(METRICS[choice.mode]) if len(known) < len(shown) else "",
        physical=physical,
        busiest=max(known, key=lambda each: each[1], default=None),
        idlest=min(known, key=lambda each: each[1], default=None),
    )


def idle_held(rows: Sequence[DeviceRow]) -> int:
    """How many cores are held by a process and do nothing."""
    return sum(cell.idle for row in rows for cell in row.cells)


class _Maker:
    """Makes the rows of one grid."""

    def __init__(
        self, interval: Interval, inventory: Inventory, choice: Choice, trends: Trends, physical: bool
    ) -> None:
        self.inventory = inventory
        self.mode = choice.mode
        self.selected = choice.selected
        self.trends = trends
        self.size = 1 if physical else inventory.logical_neuroncore_config
        self.held = _of_processes(interval, interval.processes, physical)
        self.own = None if choice.process is None else _of_processes(interval, (choice.process,), physical)
        self.full = self._full(interval)

    def rows(self, cores: Sequence[CoreInterval]) -> list[DeviceRow]:
        by_device: dict[int, list[CoreInterval]] = {device.device: [] for device in self.inventory.devices}
        for core in cores:
            by_device.setdefault(core.device, []).append(core)
        devices = self.inventory.devices
        count = devices[0].cores // self.size if devices else 0
        rows = []
        for place, (device, of_device) in enumerate(sorted(by_device.items())):
            cells = [self._cell(core) for core in of_device]
            missing = range(place * count + len(cells), (place + 1) * count)
            cells += [Cell(core, None, 0.0, self.own is None) for core in missing]
            rows.append(DeviceRow(device, tuple(cells), device == self.selected))
        return rows

    def _cell(self, core: CoreInterval) -> Cell:
        value, full = self._value(core), self.full
        trend = self.trends.get(core.core, "")
        return Cell(
            core.core,
            value,
            value / full if value is not None and full else 0.0,
            self.own is None or core.core in self.own,
            _seen(trend) if self.mode == BUSY else "",
            _engines(core) if self.mode == ENGINES else (),
            core.core in self.held and _does_nothing(core, trend),
        )

    def _value(self, core: CoreInterval) -> float | None:
        if self.mode == FLOPS:
            return None if core.flops_per_s is None else core.flops_per_s / _TERA
        if self.mode == MEMORY:
            return None if core.memory_used_bytes is None else core.memory_used_bytes / GIB
        if self.mode == ENGINES:
            return None if core.engines is None else core.engines.tensor
        return core.utilization_percent

    def _full(self, interval: Interval) -> float | None:
        """The value at which a core's bar is full."""
        if self.mode == FLOPS:
            return self._peak_teraflops(interval)
        if self.mode == MEMORY:
            devices = self.inventory.devices
            return devices[0].memory_bytes * self.size / devices[0].cores / GIB if devices else None
        return 100.0

    def _peak_teraflops(self, interval: Interval) -> float | None:
        """The core's dense peak, or the fastest core where the chip is unknown."""
        chip = CHIPS.get(self.inventory.chip)
        share = core_share(chip, _PEAK_TYPE) if chip is not None else None
        if share is not None:
            return share * self.size / _TERA
        return max((core.flops_per_s or 0.0 for core in interval.cores), default=0.0) / _TERA or None


def _seen(trend: str) -> str:
    """A trend without what nobody sees of it, so that a core that stands still has the same cell as before."""
    return trend[-SEEN:].lstrip(f"{NOTHING} ") or trend[-1:].strip()


def _engines(core: CoreInterval) -> tuple[float | None, ...]:
    each = core.engines
    return () if each is None else (each.tensor, each.vector, each.scalar, each.gpsimd)


def _does_nothing(core: CoreInterval, trend: str) -> bool:
    """Whether a core's utilization is known to be nothing, and was for as long as is remembered."""
    percent = core.utilization_percent
    return percent is not None and percent < _IDLE_PERCENT and not trend[-_IDLE_READINGS:].strip(NOTHING)


def _of_processes(interval: Interval, processes: Sequence[ProcessInterval], physical: bool) -> frozenset[int]:
    held = frozenset(core for process in processes for core in process.cores)
    if not physical:
        return held
    return frozenset(part for core in interval.cores if core.core in held for part in core.parts)
