"""What each section shows: made from an interval, the inventory and what the person chose, without any drawing."""

from __future__ import annotations

from typing import NamedTuple

from neurontools.hardware.chips import CHIPS, core_share, official_core_version
from neurontools.schema.interval import CoreInterval, Interval, ProcessInterval, totals
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Head
from neurontools.views.top.memory import Memory, memory
from neurontools.views.top.spans import clean
from neurontools.views.top.tree import Path, Rows, tree_rows

ALL = "all"
_PEAK_TYPE = "bf16"
_TERA = 1e12
_SUPPLIERS = {"driver": "sysfs"}


class View(NamedTuple):
    """What the person chose. `tab` is the pid and start of a process, None for all of them together."""

    tab: tuple[int, int] | None = None
    flops: bool = False
    opened: frozenset[Path] = frozenset()
    selected: Path | None = None


class Title(NamedTuple):
    """Which host this is; `marks` say that it is none, or not now."""

    instance_id: str
    instance_type: str
    tokens_per_s: float | None
    marks: tuple[str, ...]
    scenario: str


class Cell(NamedTuple):
    """One logical core: its value in the unit of the section, None if unknown, and what part of the bar that fills.

    `shown` is False for a core that the process of this tab does not have.
    """

    core: int
    value: float | None
    share: float
    shown: bool = True


class DeviceRow(NamedTuple):
    """The cores of one device."""

    device: int
    cells: tuple[Cell, ...]
    selected: bool


class Cores(NamedTuple):
    """The core grid: percent, or TFLOP/s of which `summary` is the sum; of percent it is the mean."""

    version: str
    flops: bool
    summary: float | None
    rows: tuple[DeviceRow, ...]
    why_unknown: str = ""


class Vcpu(NamedTuple):
    """Percent of all vCPUs as (user, system), of the instance and of the processes of this tab; None if unknown."""

    system: tuple[float, float] | None
    runtime: tuple[float, float] | None
    why_unknown: str = ""


class Tab(NamedTuple):
    """A tab: `key` is what View.tab holds, `name` the pid or "all", `tag` the process's own name if it has another."""

    key: tuple[int, int] | None
    name: str
    tag: str = ""
    current: bool = False


class Contents(NamedTuple):
    """Everything that the screen shows at one instant."""

    title: Title
    cores: Cores
    vcpu: Vcpu
    memory: Memory
    tree: Rows
    tabs: tuple[Tab, ...]
    why_no_tabs: str = ""


def contents(interval: Interval, inventory: Inventory, view: View) -> Contents:
    """All sections. A tab whose process has ended shows all processes."""
    process = find_process(interval, view.tab)
    rows = tree_rows(interval, process, view.opened, view.selected)
    return Contents(
        title=_title(interval, inventory, process),
        cores=_cores(interval, inventory, process, view.flops, rows.device),
        vcpu=_vcpu(interval, process),
        memory=memory(interval, process, lambda: _why(interval.head, "core_memory_bytes")),
        tree=rows,
        tabs=tabs(interval, None if process is None else view.tab),
        why_no_tabs="" if interval.processes_known else _why(interval.head, "node_process_count"),
    )


def find_process(interval: Interval, tab: tuple[int, int] | None) -> ProcessInterval | None:
    """The process of a tab; None for the tab of all, and for a process that is no more."""
    return next((process for process in interval.processes if (process.pid, process.started_ns) == tab), None)


def tabs(interval: Interval, current: tuple[int, int] | None) -> tuple[Tab, ...]:
    """All, and one for each process."""
    processes = (
        Tab(
            key=(process.pid, process.started_ns),
            name=str(process.pid),
            tag=clean(process.tag) if process.tag and process.tag != str(process.pid) else "",
            current=(process.pid, process.started_ns) == current,
        )
        for process in interval.processes
    )
    return (Tab(key=None, name=ALL, current=current is None), *processes)


def _title(interval: Interval, inventory: Inventory, process: ProcessInterval | None) -> Title:
    origin = interval.head.origin
    if process is None:
        tokens_per_s = totals(interval).generated_tokens_per_s
    else:
        tokens_per_s = None if process.workload is None else process.workload.generated_tokens_per_s
    marks = {
        "REPLAY": origin.kind == "recording",
        "SIMULATED": origin.simulated or inventory.simulated,
        "PINNED": bool(origin.pinned),
    }
    return Title(
        instance_id=clean(inventory.instance_id),
        instance_type=clean(inventory.instance_type),
        tokens_per_s=tokens_per_s,
        marks=tuple(mark for mark, applies in marks.items() if applies),
        scenario=clean(origin.scenario or ""),
    )


def _cores(
    interval: Interval, inventory: Inventory, process: ProcessInterval | None, flops: bool, selected: int | None
) -> Cores:
    by_device: dict[int, list[CoreInterval]] = {device.device: [] for device in inventory.devices}
    for core in interval.cores:
        by_device.setdefault(core.device, []).append(core)
    own = None if process is None else set(process.cores)
    peak = _peak_flops(inventory, interval) if flops else None
    count = inventory.logical_cores_per_device
    rows = []
    for place, (device, cores) in enumerate(sorted(by_device.items())):
        cells = [_cell(core, peak, flops, own) for core in cores]
        missing = range(place * count + len(cells), (place + 1) * count)
        cells += [Cell(core, None, 0.0, own is None) for core in missing]
        rows.append(DeviceRow(device, tuple(cells), device == selected))
    values = [cell.value for row in rows for cell in row.cells if cell.shown]
    known = [value for value in values if value is not None]
    name = "core_flops_per_s" if flops else "core_utilization_percent"
    lnc = inventory.logical_neuroncore_config
    return Cores(
        version=official_core_version(inventory.chip, lnc) or inventory.neuroncore_version,
        flops=flops,
        summary=sum(known) / (1 if flops else len(known)) if known else None,
        rows=tuple(rows),
        why_unknown=_why(interval.head, name) if len(known) < len(values) else "",
    )


def _cell(core: CoreInterval, peak: float | None, flops: bool, own: set[int] | None) -> Cell:
    if flops:
        value = None if core.flops_per_s is None else core.flops_per_s / _TERA
        share = value * _TERA / peak if value is not None and peak else 0.0
    else:
        value = core.utilization_percent
        share = (value or 0.0) / 100.0
    return Cell(core.core, value, share, own is None or core.core in own)


def _peak_flops(inventory: Inventory, interval: Interval) -> float | None:
    """What fills a core's bar: its dense peak, or the fastest core where the chip is unknown."""
    chip = CHIPS.get(inventory.chip)
    share = core_share(chip, _PEAK_TYPE) if chip is not None else None
    if share is not None:
        return share * inventory.logical_neuroncore_config
    return max((core.flops_per_s or 0.0 for core in interval.cores), default=None)


def _vcpu(interval: Interval, process: ProcessInterval | None) -> Vcpu:
    """The instance's states as AWS's exporter adds them up: nice is user time, interrupts and waiting are system."""
    host = interval.host
    average = host.average if host is not None else None
    system = None
    if average is not None:
        kernel = average.system + average.io_wait + average.irq + average.soft_irq
        system = (average.user + average.nice, kernel)
    own = interval.processes if process is None else (process,)
    known = [
        (each.vcpu_user_percent, each.vcpu_system_percent)
        for each in own
        if each.vcpu_user_percent is not None and each.vcpu_system_percent is not None
    ]
    runtime = (sum(user for user, _ in known), sum(system for _, system in known))
    runtime_known = interval.processes_known and len(known) == len(own)
    unknown = "host_vcpu_percent" if system is None else "" if runtime_known else "process_vcpu_user_percent"
    return Vcpu(system, runtime if runtime_known else None, _why(interval.head, unknown) if unknown else "")


def _why(head: Head, name: str) -> str:
    """Why a number of the catalogue is unknown: the source's own words, else what is known of such sources."""
    # Imported where it is needed: a host that reports everything starts without the catalogue.
    from neurontools.metrics import BY_NAME

    metric = BY_NAME[name]
    for part in (name, metric.scope):
        if part in head.gaps:
            return clean(head.gaps[part].reason)
    supply = metric.supplied_by.get(_SUPPLIERS.get(head.origin.kind, head.origin.kind))
    return supply.note if supply is not None and supply.note else "the source did not report it"
