"""What the catalogue says of one number, and how its values are read from an interval's record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Struct

from neurontools.schema.histogram import Histogram
from neurontools.schema.interval import Percentiles

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"
KINDS = (COUNTER, GAUGE, HISTOGRAM)

NODE = "node"
DEVICE = "device"
CORE = "core"
BANK = "bank"
LINK = "link"
PROCESS = "process"
SCOPES = (NODE, DEVICE, CORE, BANK, LINK, PROCESS)

FREE = "free"
FILE = "file"
REGISTER = "register"
COSTS = (FREE, FILE, REGISTER)
"""What one more reading on a real host takes: nothing, a file, or an access to the device's registers."""

SOURCES = ("model", "sysfs", "aws", "host")
"""Who can supply a number. A recording has what its source had; host is the operating system."""


class Supply(NamedTuple):
    """Whether a source has a number: `since` which driver version, and in `note` why not or what to mind."""

    available: bool
    since: str | None = None
    note: str = ""


Sample = tuple[tuple[str, ...], int | float]
"""The values of a metric's own labels, and the number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of the suite.

    `path` leads to it from the record of its scope: Totals for the node, else the Interval's
    record. A counter also has `period_path`, what was counted in the interval, for suppliers
    without totals and consumers of tallies. `labels` name the keys of a number that comes in
    several, beside the labels of its scope. A histogram's value is a Histogram, in nanoseconds.
    """

    name: str
    kind: str
    unit: str
    scope: str
    title: str
    help: str
    reading: str
    path: str
    supplied_by: Mapping[str, Supply]
    cost: str = FREE
    period_path: str | None = None
    labels: tuple[str, ...] = ()
    get: Any = field(init=False, repr=False, compare=False)
    get_period: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", _getter(self.path))
        object.__setattr__(self, "get_period", _getter(self.period_path) if self.period_path else None)

    def samples(self, record: object) -> list[Sample]:
        """The numbers of a counter or gauge in one record of its scope; what is unknown is not there."""
        return _samples(self.get(record))

    def period_samples(self, record: object) -> list[Sample]:
        """What a counter counted in the interval, in the same form."""
        return list(flat(self.get_period(record))) if self.get_period is not None else []

    def histogram(self, record: object) -> Histogram | None:
        """The cumulative distribution of a metric of the kind histogram."""
        value = self.get(record)
        return value if isinstance(value, Histogram) else None


def _samples(value: object) -> list[Sample]:
    """What `flat` gives; one number and numbers by one key, which are most of what there is, in a third of the time."""
    kind = type(value)
    if kind is float or kind is int:
        return [((), value)]  # type: ignore[list-item]
    if kind is not dict:
        return list(flat(value))
    found: list[Sample] = []
    for key, inner in value.items():  # type: ignore[attr-defined]
        kind = type(inner)
        if kind is float or kind is int:
            found.append(((str(key),), inner))
        elif inner is not None:
            return list(flat(value))
    return found


def flat(value: object) -> Iterator[Sample]:
    """The numbers in a value with the keys that lead to each; None and text hold none."""
    if isinstance(value, int | float):
        yield (), int(value) if isinstance(value, bool) else value
        return
    for key, inner in _parts(value):
        for keys, number in flat(inner):
            yield (str(key), *keys), number


def _parts(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, tuple):
        return enumerate(value)
    if isinstance(value, Percentiles):
        return ((name, getattr(value, name)) for name in Percentiles.__struct_fields__ if name.startswith("p"))
    if isinstance(value, Struct) and not isinstance(value, Histogram):
        return ((name, getattr(value, name)) for name in value.__struct_fields__)
    return ()


class _Path:
    """A getter for a dotted path, any part of which may be None."""

    __slots__ = ("names",)

    def __init__(self, path: str) -> None:
        self.names = path.split(".")

    def __call__(self, record: object) -> object:
        for name in self.names:
            if record is None:
                return None
            record = getattr(record, name)
        return record


def _getter(path: str) -> Any:
    return _Path(path) if "." in path else attrgetter(path)
