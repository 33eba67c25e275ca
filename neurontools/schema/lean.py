"""Snapshots without what their reader does not look at: what can be left out, how that is asked for, and done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import fields, replace

from neurontools.schema.document import Document, kind_of, left_out
from neurontools.schema.snapshot import Core, Device, Process, Snapshot

Unseen = Mapping[str, Sequence[str]]
"""By `core`, `device` and `process` the fields that nobody looks at."""

D = TypeVar("D", bound=Document)

_KINDS: Mapping[str, type[Document]] = {"core": Core, "device": Device, "process": Process}
_OMISSIBLE = {
    name: frozenset(field.name for field in fields(kind) if field.default is None) for name, kind in _KINDS.items()
}
"""What may be unknown can be left out."""


def unseen(kind: type[Snapshot]) -> dict[str, list[str]]:
    """What a reader of this kind of snapshot, see `schema.document.narrowed`, can do without."""
    device = kind_of(kind, "devices")
    kinds = {"core": kind_of(device, "cores"), "device": device, "process": kind_of(kind, "processes")}
    found = {name: [field for field in left_out(each) if field in _OMISSIBLE[name]] for name, each in kinds.items()}
    return {name: names for name, names in found.items() if names}


def to_unseen(value: Any) -> Unseen:
    """What a request says that nobody looks at. Raises ValueError, which says what was expected."""
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    for name, names in value.items():
        known = _OMISSIBLE.get(name)
        if known is None:
            raise ValueError(f"expected {', '.join(_OMISSIBLE)}, found {name!r:.40}")
        if not isinstance(names, list) or not all(isinstance(field, str) and field in known for field in names):
            raise ValueError(f"{name}: expected a list of its fields that may be unknown")
    return value


def without(snapshot: Snapshot, unseen: Unseen) -> Snapshot:
    """The snapshot without these fields."""
    blank = {name: dict.fromkeys(unseen.get(name, ())) for name in _OMISSIBLE}
    devices, processes = snapshot.devices, snapshot.processes
    if blank["core"] or blank["device"]:
        devices = tuple(
            [replace(device, cores=_each(device.cores, blank["core"]), **blank["device"]) for device in devices]
        )
    return replace(snapshot, devices=devices, processes=processes and _each(processes, blank["process"]))


def _each(documents: tuple[D, ...], blank: Mapping[str, None]) -> tuple[D, ...]:
    return tuple([replace(document, **blank) for document in documents]) if blank else documents
