"""Paths to what an interval holds, as scenarios write them: checked against the contract, then read."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from neurontools.hardware.driver import CORE_MEMORY, ECC_COUNTERS, HEALTH_FILES, HOST_MEMORY, OTHER_INFO, STATUS_NAMES
from neurontools.hardware.nrt import ERROR_KINDS, OUTCOMES
from neurontools.schema.interval import (
    BankInterval,
    CoreInterval,
    DeviceInterval,
    HostInterval,
    Interval,
    LinkInterval,
    ProcessInterval,
    Totals,
    totals,
)
from neurontools.spelling import did_you_mean

Value = int | float | str | bool
"""What a path can lead to."""

ROOTS: Mapping[str, Any] = {
    "node": Totals,
    "cores": tuple[CoreInterval, ...],
    "devices": tuple[DeviceInterval, ...],
    "processes": tuple[ProcessInterval, ...],
    "host": HostInterval,
}
"""What a path begins with -> what is there."""

IDENTITIES: Mapping[Any, str] = {
    CoreInterval: "core",
    DeviceInterval: "device",
    BankInterval: "bank",
    LinkInterval: "peer",
    ProcessInterval: "tag",
}
"""Records of which there are several -> the field by whose value a path chooses one."""

_REQUESTS = ("submitted", "completed", "rejected", "failed", "timed_out", "cancelled")

_KEYS: Mapping[str, Collection[str]] = {
    "ecc": ECC_COUNTERS,
    "ecc_total": ECC_COUNTERS,
    "errors": ERROR_KINDS,
    "errors_total": ERROR_KINDS,
    "executions": OUTCOMES,
    "executions_total": OUTCOMES,
    "health": HEALTH_FILES,
    "host_memory": HOST_MEMORY,
    "memory": CORE_MEMORY,
    "other_info": OTHER_INFO,
    "other_info_total": OTHER_INFO,
    "requests": _REQUESTS,
    "requests_total": _REQUESTS,
    "status": STATUS_NAMES,
    "status_total": STATUS_NAMES,
}
"""Fields with a number for each of several names -> those names."""

_PATH = re.compile(r"[a-z]\w*(\.\w+|\[[\w.-]+\])*", re.ASCII)
_PART = re.compile(r"\[(?P<key>[\w.-]+)\]|\.?(?P<name>\w+)", re.ASCII)


class Absent(LookupError):  # noqa: N818 (an outcome that callers expect, not a fault)
    """What a path leads to is not there in an interval, or not known; one clause says which."""


class Step(NamedTuple):
    """One part of a path: a field, a key, or the value of the field `identity` by which one of several is chosen.

    `text` is the path up to here.
    """

    key: str | int
    identity: str | None
    text: str

    def of(self, found: Any) -> Any:
        """What it leads to from there; raises Absent. Of processes with one tag it is the last."""
        if self.identity is not None:
            chosen = [record for record in found if getattr(record, self.identity) == self.key]
            value = chosen[-1] if chosen else None
        elif isinstance(found, dict):
            value = found.get(self.key)
        else:
            value = getattr(found, str(self.key))
            if value is None:
                raise Absent(f"{self.text} is not known")
        if value is None:
            raise Absent(f"there is no {self.text}")
        return value


class MetricPath(NamedTuple):
    """A path to one value of an interval, which is of one of `kinds`."""

    text: str
    steps: tuple[Step, ...]
    kinds: frozenset[type]

    @property
    def chosen(self) -> tuple[str, str | int] | None:
        """The one of several that the path begins at, as ("cores", 7)."""
        root, second = self.steps[0], self.steps[1]
        return (root.text, second.key) if second.identity else None

    def read(self, interval: Interval) -> Value:
        """The value in an interval; raises Absent."""
        found: Any = {"node": totals(interval)} if self.steps[0].key == "node" else interval
        for step in self.steps:
            found = step.of(found)
        value: Value = found
        return value


class _Place(NamedTuple):
    """Where a path has come to: its text, what is there, and the last field."""

    text: str
    kind: Any
    field: str


def metric_path(text: str) -> MetricPath:
    """The path that a text spells. Raises ValueError with what is known there and the nearest name."""
    if not _PATH.fullmatch(text):
        raise ValueError(f"expected a path such as cores[7].utilization_percent, found {text!r:.100}")
    first, *rest = _PART.finditer(text)
    root = first["name"]
    if root not in ROOTS:
        raise _unknown("no path begins with", root, ROOTS)
    place, steps = _Place(root, ROOTS[root], root), [Step(root, None, root)]
    for part in rest:
        steps.append(_step(place, part["name"], part["key"], text[: part.end()]))
        place = _next(place, steps[-1])
    kinds = _plain(place.kind)
    if not kinds:
        raise _unfinished(place)
    return MetricPath(text, tuple(steps), kinds)


def _step(place: _Place, name: str | None, key: str | None, text: str) -> Step:
    record, keys = _one_of_several(place.kind), _keys(place.kind)
    if record is not None and key is not None:
        identity = IDENTITIES[record]
        return Step(_key(key, _fields(record)[identity], place), identity, text)
    if keys is not None:
        word = key or name or ""
        if keys is str and word not in (known := _KEYS.get(place.field, (word,))):
            raise _unknown(f"{place.text} has no", word, known)
        return Step(_key(word, keys, place), None, text)
    fields = _fields(place.kind)
    if name is None or not fields:
        raise _unfinished(place)
    if name not in fields:
        raise _unknown(f"{place.text} has no", name, fields)
    return Step(name, None, text)


def _next(place: _Place, step: Step) -> _Place:
    if step.identity is not None:
        return _Place(step.text, _one_of_several(place.kind), place.field)
    if _keys(place.kind) is not None:
        return _Place(step.text, get_args(place.kind)[1], place.field)
    field = str(step.key)
    return _Place(step.text, _known(_fields(place.kind)[field]), field)


def _key(word: str, kind: Any, place: _Place) -> str | int:
    if kind is not int:
        return word
    if not (word.isdecimal() and len(word) < 10):
        raise ValueError(f"expected a number in the brackets after {place.text}, found {word!r:.40}")
    return int(word)


def _known(annotation: Any) -> Any:
    """A field's type where it is known: without None."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return parts[0] if len(parts) == 1 and NoneType in get_args(annotation) else annotation


def _plain(kind: Any) -> frozenset[type]:
    """The types of a value; none for what has parts."""
    parts = frozenset({kind, *([] if get_origin(kind) in (dict, tuple) else get_args(kind))})
    return parts & {int, float, str, bool}


def _one_of_several(kind: Any) -> Any:
    parts = get_args(kind) if get_origin(kind) is tuple else ()
    return parts[0] if parts and parts[0] in IDENTITIES else None


def _keys(kind: Any) -> Any:
    """What keys a mapping has, None for anything else."""
    return get_args(kind)[0] if get_origin(kind) is dict else None


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The fields of a record that a path can go on with."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    hints = {name: _known(annotation) for name, annotation in get_type_hints(kind).items()}
    return {
        name: kind
        for name, kind in hints.items()
        if _plain(kind) or _one_of_several(kind) or _keys(kind) or isinstance(kind, type)
    }


def _unfinished(place: _Place) -> ValueError:
    """What must follow, or that nothing can."""
    example = _KEYS.get(place.field, _fields(place.kind))
    if _one_of_several(place.kind) is not None or _keys(place.kind) is int:
        return ValueError(f"choose one of {place.text} in brackets, such as {place.text}[0]")
    if _plain(place.kind):
        return ValueError(f"{place.text} is a value: nothing can follow it")
    return ValueError(f"expected a value: {place.text} goes on, such as {place.text}.{next(iter(example))}")


def _unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    names = list(known)
    return ValueError(f"{what} {name!r}{did_you_mean(name, names)}; known: {', '.join(names)}")


def shown(value: Value) -> str:
    """A value for people: whole numbers in full, others to four digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
