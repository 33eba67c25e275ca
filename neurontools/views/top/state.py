"""What each section shows: made from an interval, the inventory and what the person chose, without any drawing."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from neurontools.schema.interval import Interval, ProcessInterval, totals
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Head
from neurontools.views.top.cells import BUSY, Choice, Cores, Trends, cores, idle_held
from neurontools.views.top.history.rows import makes_tokens
from neurontools.views.top.memory import Memory, memory
from neurontools.views.top.spans import clean
from neurontools.views.top.tree import Path, Rows, tree_rows

ALL = "all"
NO_TRENDS: Trends = MappingProxyType({})
_SUPPLIERS = {"driver": "sysfs"}

N = TypeVar("N", int, float)


class View(NamedTuple):
    """What the person chose. `tab` is the pid and start of a process, None for all of them together.

    `mode` is the measure of the core grid; with `physical` its cores are those of the hardware.
    """

    tab: tuple[int, int] | None = None
    mode: str = BUSY
    physical: bool = False
    opened: frozenset[Path] = frozenset()
    selected: Path | None = None


class Title(NamedTuple):
    """Which host this is; `marks` say that it is none, or not now."""

    instance_id: str
    instance_type: str
    tokens_per_s: float | None
    marks: tuple[str, ...]
    scenario: str


class Vitals(NamedTuple):
    """What one wants to know before anything else. Of work: None where no process reports it. Latencies in seconds."""

    busiest: tuple[int, float] | None = None
    idlest: tuple[int, float] | None = None
    idle_held: int = 0
    executions_per_s: float | None = None
    tokens_per_s: float | None = None
    queued: int | None = None
    running: int | None = None
    p99_s: float | None = None


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
    vitals: Vitals
    cores: Cores
    vcpu: Vcpu
    memory: Memory
    tree: Rows
    tabs: tuple[Tab, ...]
    why_no_tabs: str = ""


def contents(interval: Interval, inventory: Inventory, view: View, trends: Trends = NO_TRENDS) -> Contents:
    """All sections. A tab whose process has ended shows all processes."""
    process = find_process(interval, view.tab)
    rows = tree_rows(interval, process, view.opened, view.selected)
    choice = Choice(view.mode, view.physical, process, rows.device)
    grid = cores(interval, inventory, choice, trends, lambda name: why_unknown(interval.head, name))
    return Contents(
        title=title_of(interval, inventory, process),
        vitals=_vitals(interval, process, grid),
        cores=grid,
        vcpu=_vcpu(interval, process),
        memory=memory(interval, process, lambda: why_unknown(interval.head, "core_memory_bytes")),
        tree=rows,
        tabs=tabs(interval, None if process is None else view.tab),
        why_no_tabs="" if interval.processes_known else why_unknown(interval.head, "node_process_count"),
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


def title_of(interval: Interval, inventory: Inventory, process: ProcessInterval | None = None) -> Title:
    """Which host this is, and the tokens that it or one of its processes makes."""
    origin = interval.head.origin
    if process is None:
        tokens_per_s = totals(interval).generated_tokens_per_s
    else:
        tokens_per_s = None if process.workload is None else process.workload.generated_tokens_per_s
    if not makes_tokens(interval.processes if process is None else (process,)):
        tokens_per_s = None
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


def _vitals(interval: Interval, process: ProcessInterval | None, grid: Cores) -> Vitals:
    """The extremes of the grid, where it shows percents, and the work of the tab's processes."""
    processes = interval.processes if process is None else (process,)
    workloads = [each.workload for each in processes if each.workload is not None]
    latencies = [each.latency_total.p99 for each in processes if each.latency_total is not None]
    percents = grid.mode == BUSY
    return Vitals(
        busiest=grid.busiest if percents else None,
        idlest=grid.idlest if percents else None,
        idle_held=idle_held(grid.rows),
        executions_per_s=_total(each.executions_per_s for each in processes),
        tokens_per_s=_total(each.generated_tokens_per_s for each in workloads) if makes_tokens(processes) else None,
        queued=_total(each.queued for each in workloads),
        running=_total(each.running for each in workloads),
        p99_s=max(latencies, default=None),
    )


def _total(values: Iterable[N | None]) -> N | None:
    """The sum of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], start=known[0]) if known else None


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
    return Vcpu(system, runtime if runtime_known else None, why_unknown(interval.head, unknown) if unknown else "")


_THROUGH = {
    "process_utilization_percent": ("core_utilization_percent", "cores"),
    "process_flops_per_s": ("core_flops_per_s", "cores"),
}
"""What a process's number is made of, where that is not its own."""


def why_unknown(head: Head, name: str) -> str:
    """Why a number of the catalogue is unknown: the source's own words, else what is known of such sources."""
    # Imported where it is needed: a host that reports everything starts without the catalogue.
    from neurontools.metrics import BY_NAME

    metric = BY_NAME[name]
    for part in (name, *_THROUGH.get(name, ()), metric.scope):
        if part in head.gaps:
            return clean(head.gaps[part].reason)
    supply = metric.supplied_by.get(_SUPPLIERS.get(head.origin.kind, head.origin.kind))
    return supply.note if supply is not None and supply.note else "the source did not report it"
