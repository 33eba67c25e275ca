"""What a metric family is: its name, type and labels, and how its numbers are read from an interval."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from neurontools.metrics import Placed, records
from neurontools.schema.deltas import NS_PER_S
from neurontools.schema.finding import Diagnosis
from neurontools.schema.histogram import Histogram, middle_of
from neurontools.schema.interval_records import Interval, ProcessInterval
from neurontools.schema.inventory import Inventory
from neurontools.schema.owners import Owners

COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"

SECONDS, BYTES, RATIO = "seconds", "bytes", "ratio"
"""Prometheus' base units; a family that has one ends with it."""

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)
"""Upper bounds of a histogram's buckets; a reading's are finer, and each counts where its middle lies: within 1 %."""

Labels = tuple[str, ...]
"""The values of a family's labels."""

Point = tuple[Labels, float | Histogram]
"""A number, or a distribution in ns, and its labels' values."""


T = TypeVar("T")


class View(NamedTuple):
    """What is rendered: an interval, what is installed, what each process is called, by pid and start, who was given
    what where that is known, and what is wrong where somebody has looked.
    """

    interval: Interval
    inventory: Inventory
    tags: Mapping[tuple[int, int], str]
    owners: Owners | None = None
    diagnosis: Diagnosis | None = None
    kept: dict[str, tuple[Any, ...]] | None = None
    """What several families look at, so that they share one look."""

    def shared(self, name: str, make: Callable[[], Iterable[T]]) -> Iterable[T]:
        """What `make` gives, made once for all who ask under this name."""
        if self.kept is None:
            return make()
        found = self.kept.get(name)
        if found is None:
            found = self.kept[name] = tuple(make())
        return found

    def records(self, scope: str) -> Iterable[Placed]:
        """The records of a scope with its labels' values."""
        return self.shared(scope, lambda: records(self.interval, scope))

    @classmethod
    def of(
        cls,
        interval: Interval,
        inventory: Inventory,
        owners: Owners | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> View:
        """A view in which each process has a name that its successor will have again."""
        return cls(interval, inventory, runtime_tags(interval), owners, diagnosis, {})


class Family(NamedTuple):
    """A metric family under its name in OpenMetrics, which is without a counter's `_total` and an info's `_info`.

    `metrics` names what of the catalogue it shows.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[View], Iterable[Point]]
    unit: str = ""
    metrics: tuple[str, ...] = ()

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What its samples' names end with after its own."""
        return _SUFFIXES[self.kind]

    @property
    def sample_names(self) -> tuple[str, ...]:
        """What its samples are called in a query."""
        return tuple(self.name + suffix for suffix in self.suffixes)


_SUFFIXES = {COUNTER: ("_total",), GAUGE: ("",), HISTOGRAM: ("_bucket", "_count", "_sum"), INFO: ("_info",)}


def runtime_tags(interval: Interval) -> dict[tuple[int, int], str]:
    """A name for each process: its tag, else its program's name, never its pid."""
    return numbered(interval, lambda process: process.tag or _program(process.command) or "unknown")


def numbered(interval: Interval, name_of: Callable[[ProcessInterval], str]) -> dict[tuple[int, int], str]:
    """The name of each process. Of several with one name the youngest have a number: else their series would be one."""
    tags: dict[tuple[int, int], str] = {}
    taken: dict[str, int] = {}
    for process in sorted(interval.processes, key=lambda process: (process.started_ns, process.pid)):
        name = name_of(process)
        taken[name] = taken.get(name, 0) + 1
        tags[process.pid, process.started_ns] = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return tags


def _program(command: str | None) -> str:
    words = (command or "").split(maxsplit=1)
    return words[0].rpartition("/")[2] if words else ""


@lru_cache(1 << 16)
def series(name: str, kind: str, names: tuple[str, ...], values: Labels) -> tuple[str, ...]:
    """The series of a point as text, `name{label="value"}`, in the order of `numbers`.

    Labels are in the order of their names, as AWS's are; one without a value is left out, which to Prometheus is the
    same.
    """
    labels = [f'{label}="{escaped(value)}"' for label, value in sorted(zip(names, values, strict=True)) if value]
    if kind != HISTOGRAM:
        return (_series(name + _SUFFIXES[kind][0], labels),)
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    buckets = [_series(f"{name}_bucket", [*labels, f'le="{bound}"']) for bound in bounds]
    return (*buckets, _series(f"{name}_count", labels), _series(f"{name}_sum", labels))


def _series(name: str, labels: list[str]) -> str:
    return f"{name}{{{','.join(labels)}}}" if labels else name


def escaped(text: str) -> str:
    """A label's value, or OpenMetrics help, as it stands between quotes."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def numbers(value: float | Histogram) -> tuple[float, ...]:
    """The numbers of a point: one, or those of a histogram's buckets, its count and its sum in seconds."""
    if not isinstance(value, Histogram):
        return (float(value),)
    counts = [0] * (len(BOUNDS_S) + 1)
    for index, count in value.counts.items():
        counts[bisect_left(_LAST_INDICES, index)] += count
    reached = list(map(float, accumulate(counts)))
    return (*reached, reached[-1], value.sum_ns / NS_PER_S)


def _last_index(bound_s: float) -> int:
    """The last of a reading's buckets whose middle is not above a bound."""
    index = 0
    while middle_of(index + 1) <= bound_s * NS_PER_S:
        index += 1
    return index


_LAST_INDICES = [_last_index(bound_s) for bound_s in BOUNDS_S]
