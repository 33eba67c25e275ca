"""The table of processes: which columns there are, their values, and the rows in the order that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.units import format_ranges
from neurontools.views.top import quantities
from neurontools.views.top.kinship import Kin, forest
from neurontools.views.top.quantities import Sizes
from neurontools.views.top.spans import clean

Key = tuple[int, int]
Value = str | int | float | None

_MOST_COMMAND = 10_000
_MOST_JOB = 10
INDENT = 2
"""Columns by which the tree shifts what is below a row."""
_MOST_PID = 24


class Column(NamedTuple):
    """A column. `value` is what rows are sorted by, `metric` the number of the catalogue that says why it is unknown.

    `known` says whether a process has such a number at all, where its value may be missing for other reasons.
    `width` is in terminal columns; the last column that is shown takes what is left. The lower `rank`, the longer
    the column stays when the terminal gets narrow. Columns of numbers sort from the largest on.
    """

    name: str
    width: int
    rank: int
    value: Callable[[ProcessInterval], Value]
    text: Callable[[Value], str] = str
    metric: str = ""
    number: bool = True
    known: Callable[[ProcessInterval], bool] | None = None


class Row(NamedTuple):
    """A line of the table: a process, or in the tree one of its models, or (without a `key`) what processes belong to.

    `texts` are by the name of the column.
    """

    key: Key | None
    texts: dict[str, str]
    depth: int = 0
    model: bool = False
    busy: bool = True
    failing: bool = False


class Order(NamedTuple):
    """What the person asked for: the column to sort by, whether the other way round, words to find, and the tree."""

    column: str = "UTIL"
    reverse: bool = False
    words: str = ""
    tree: bool = False


class Table(NamedTuple):
    """The rows found `of` so many processes; `known` are the columns that some process has a value in."""

    rows: tuple[Row, ...]
    known: tuple[Column, ...]
    hidden: tuple[Column, ...]
    of: int


def key_of(process: ProcessInterval) -> Key:
    """What tells a process from all others, also from a later one with its pid."""
    return process.pid, process.started_ns


def columns(sizes: Sizes) -> tuple[Column, ...]:
    """All columns from left to right."""
    size = partial(_sized, sizes)
    percent, plain = partial(_number, "{:.1f}"), partial(_number, "{:,}")
    of_process = "process_"
    return (
        Column("PID", 8, 0, lambda p: p.pid, str),
        Column("TAG", 14, 2, lambda p: clean(p.tag) if p.tag and p.tag != str(p.pid) else None, _text, number=False),
        Column("USER", 9, 10, lambda p: p.user and clean(p.user), _text, number=False),
        Column("JOB", 14, 14, _job, _text, number=False),
        Column("CORES", 11, 3, lambda p: len(p.cores) or None, str),
        Column("UTIL", 7, 1, lambda p: p.utilization_percent, percent, f"{of_process}utilization_percent"),
        Column("DEV MEM", 12, 4, lambda p: p.memory_used_bytes, size, f"{of_process}memory_used_bytes"),
        Column("HOST MEM", 12, 12, lambda p: p.host_memory_bytes, size, f"{of_process}host_memory_used_bytes"),
        Column("RESIDENT", 12, 13, lambda p: p.resident_bytes, size, f"{of_process}resident_bytes"),
        Column("EXEC/S", 9, 5, lambda p: p.executions_per_s, _rate, f"{of_process}executions_per_s"),
        Column("P50", 9, 9, _p50, _latency, f"{of_process}latency_s", known=_is_timed),
        Column("P99", 9, 6, _p99, _latency, f"{of_process}latency_s", known=_is_timed),
        Column("ERRORS", 8, 7, errors_of, plain, f"{of_process}errors_total"),
        Column("vCPU", 7, 11, _vcpu, percent, f"{of_process}vcpu_user_percent"),
        Column("COMMAND", 20, 8, lambda p: p.command and clean(p.command[:_MOST_COMMAND]), _text, number=False),
    )


def _job(process: ProcessInterval) -> str | None:
    """A Slurm job by its number, a pod by the beginning of its UID, which is all that has room."""
    if process.job is None:
        return None
    word = {"kubernetes": "pod", "slurm": "job"}.get(process.job.kind, clean(process.job.kind))
    return f"{word} {clean(process.job.id)[:_MOST_JOB]}"


def errors_of(process: ProcessInterval) -> int | None:
    """All errors of a process since it started."""
    return None if process.errors_total is None else sum(process.errors_total.values())


def table(interval: Interval, order: Order, every: Sequence[Column]) -> Table:
    """The processes that hold all words of the filter, sorted; processes with equal values by their pid."""
    shown = tuple(column for column in every if any(_has(column, process) for process in interval.processes))
    words = order.words.lower().split()
    found = [process for process in interval.processes if all(word in _searched(process) for word in words)]
    by = next((column for column in every if column.name == order.column), every[0])
    found.sort(key=lambda process: process.pid)
    found.sort(key=partial(_sorting, by), reverse=by.number != order.reverse)
    hidden = tuple(column for column in every if column not in shown)
    rows = tuple(_tree(found, every) if order.tree else (_row(process, every) for process in found))
    return Table(rows, _with_room(shown, rows), hidden, len(interval.processes))


def _has(column: Column, process: ProcessInterval) -> bool:
    return column.value(process) is not None or (column.known is not None and column.known(process))


def _is_timed(process: ProcessInterval) -> bool:
    """Whether its executions have latencies: in a period in which none has ended there is none to show."""
    return process.latency_total_histogram is not None


def _sorting(column: Column, process: ProcessInterval) -> tuple[bool, str | int | float]:
    """What is unknown comes last where the largest comes first."""
    value = column.value(process)
    missing: str | int = 0 if column.number else ""
    text = value.lower() if isinstance(value, str) else value
    return (value is not None) == column.number, missing if text is None else text


def _with_room(shown: Sequence[Column], rows: Iterable[Row]) -> tuple[Column, ...]:
    """The columns, the first of them wide enough for the tree."""
    pid, *others = shown or (None,)
    if pid is None:
        return ()
    needed = max((INDENT * row.depth + len(row.texts.get(pid.name, "")) for row in rows), default=0)
    return pid._replace(width=max(pid.width, min(_MOST_PID, needed))), *others


def _tree(processes: Sequence[ProcessInterval], every: Sequence[Column]) -> Iterator[Row]:
    """Users, what started their processes, these below each other, and the models of each."""
    by_user: dict[str, list[Kin]] = {}
    for kin in forest(processes):
        by_user.setdefault(clean(next(kin.processes()).user or "user unknown"), []).append(kin)
    for user, own in by_user.items():
        count = quantities.counted(sum(1 for kin in own for _ in kin.processes()), "process")
        yield Row(None, {"PID": user, "COMMAND": count, "TAG": count}, busy=False)
        for kin in own:
            yield from _branch(kin, every, 1)


def _branch(kin: Kin, every: Sequence[Column], depth: int) -> Iterator[Row]:
    """A program, the models that it has loaded, and the programs that it started."""
    if kin.process is None:
        count = f"parent of {len(kin.children)}"
        yield Row(None, {"PID": str(kin.pid), "TAG": count, "COMMAND": count}, depth, busy=False)
    else:
        yield _row(kin.process, every)._replace(depth=depth)
        yield from _models(kin.process, every, depth + 1)
    for child in kin.children:
        yield from _branch(child, every, depth + 1)


def _models(process: ProcessInterval, every: Sequence[Column], depth: int) -> Iterator[Row]:
    size = next(column.text for column in every if column.name == "DEV MEM")
    for model in process.models or ():
        held = sum(sum(piece.device_memory.values()) for piece in model.subgraphs)
        cores = format_ranges({piece.core for piece in model.subgraphs})
        name = clean(model.name)
        texts = {"PID": str(model.model_id), "TAG": name, "CORES": cores, "DEV MEM": size(held), "COMMAND": name}
        yield Row(key_of(process), texts, depth, model=True, busy=model.running)


def _row(process: ProcessInterval, every: Sequence[Column]) -> Row:
    values = {column.name: (column, column.value(process)) for column in every}
    texts = {name: column.text(value) for name, (column, value) in values.items() if value is not None}
    if process.cores:
        texts["CORES"] = format_ranges(process.cores)
    failing = bool(sum((process.errors or {}).values()))
    return Row(key_of(process), texts, busy=bool(process.utilization_percent), failing=failing)


def _searched(process: ProcessInterval) -> str:
    parts = (str(process.pid), process.tag, process.user, process.command, process.job and process.job.id)
    return " ".join(part for part in parts if part).lower()


def _p50(process: ProcessInterval) -> float | None:
    return None if process.latency_total is None else process.latency_total.p50


def _p99(process: ProcessInterval) -> float | None:
    return None if process.latency_total is None else process.latency_total.p99


def _vcpu(process: ProcessInterval) -> float | None:
    if process.vcpu_user_percent is None or process.vcpu_system_percent is None:
        return None
    return process.vcpu_user_percent + process.vcpu_system_percent


def _text(value: Value) -> str:
    return str(value)


def _number(form: str, value: Value) -> str:
    return form.format(value)


def _sized(sizes: Sizes, value: Value) -> str:
    return sizes(int(value or 0))


def _rate(value: Value) -> str:
    return quantities.rate(float(value or 0))


def _latency(value: Value) -> str:
    return quantities.latency(float(value or 0))
