"""Two hosts of one seed, one with a fault: every number and event that differs, by its path and by whose it is."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from device_model.faults.fault import Fault
from device_model.simulation import NS, Simulation
from neurontools.hardware.instances import chip_of, lookup
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.inventory import to_document
from neurontools.schema.snapshot import Snapshot
from tests.device_model.hosts import forward, host, server

INJECTED_S = 16
"""Seconds after the boot; all models are loaded by then and all batches full."""

LOOKS_S = (0.5, 2, 5, 9, 14, 20, 26, 32, 41, 53, 66)
"""Seconds after that at which the twins are compared: soon, after the time-out of executions, after a full minute."""

UNSTEADY = ("devices/*/power/min_percent", "devices/*/power/max_percent")
"""What also moves when equal work is divided into other runs: a minute's extremes are of means over up to a second."""

SERVING: dict[str, Any] = {
    "model": "opt-13b",
    "context": 2048,
    "arrivals": {"kind": "closed", "users": 4},
    "output": {"mean": 200, "cv": 0.5, "least": 50, "most": 500},
}
"""Long answers: the fewer requests end, the quicker is the model."""

Whose = tuple[str, int | str]
"""Such as ("core", 3), ("device", 1), ("process", "a") and ("node", ""); cores are physical."""

Differences = dict[str, set[Whose]]


class Scene(NamedTuple):
    """An instance type with process "a" on `degree` logical cores from core 0 on, and "b" on a device behind it."""

    instance: str
    degree: int
    neighbour: int

    @property
    def core_size(self) -> int:
        return chip_of(lookup(self.instance)).default_lnc

    def host(self) -> Simulation:
        """Both always busy: their users ask again as soon as they have their answer."""
        a, b = server("a", tp=self.degree, **SERVING), server("b", tp=self.neighbour, **SERVING)
        return forward(host(a, b, instance=self.instance), INJECTED_S)


INF2 = Scene("inf2.48xlarge", 8, 2)
TRN2 = Scene("trn2.48xlarge", 8, 4)

TARGETS: dict[str, dict[str, Any]] = {
    "device": {"device": 1},
    "core": {"core": 3},
    "link": {"link": [0, 1]},
    "process": {"process": "a"},
    "node": {},
}
"""Parts of process "a"; core 3 is neither the first nor alone on its device."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "hbm-corrected": {"rate": 3600.0},
    "sram-corrected": {"rate": 3600.0},
    "nan": {"share": 0.05},
    "bad-input": {"share": 0.01},
    "leak": {"bytes": 1.5e10},
    "device-reset": {"seconds": 10.0, "fails": True},
}
"""Others than the default, so that all that a fault declares is seen within the looks."""


class Look(NamedTuple):
    """All that tools can read of a host at one instant."""

    snapshot: Snapshot
    inventory: dict[str, Any]
    allocations: tuple[Allocations, ...]
    events: dict[tuple[Any, ...], Event]


def look(model: Simulation) -> Look:
    """The host now."""
    maps = tuple([model.allocations(device) for device in range(lookup(model.instance).devices)])
    events = {_key(event): event for event in model.events(0).events}
    return Look(model.snapshot(), to_document(model.inventory()), maps, events)


def looks(model: Simulation) -> Iterator[Look]:
    """The host at each of the looks, and left at the last of them."""
    for seconds in LOOKS_S:
        model.advance(model.epoch_ns + round((INJECTED_S + seconds) * NS))
        yield look(model)


@cache
def sound(scene: Scene) -> tuple[Look, ...]:
    """A scene without any fault."""
    return tuple(looks(scene.host()))


def twins(scene: Scene, fault: Fault) -> Differences:
    """All differences that a fault makes at any of the looks."""
    struck = scene.host()
    struck.inject(fault.name, TARGETS[fault.target], PARAMETERS.get(fault.name, {}))
    found: Differences = {}
    for before, after in zip(sound(scene), looks(struck), strict=True):
        for path, whose in differences(before, after):
            if path not in UNSTEADY:
                found.setdefault(path, set()).add(whose)
    return found


def differences(one: Look, other: Look) -> Iterator[tuple[str, Whose]]:
    """Where two hosts of one instance type differ."""
    yield from _of_records(one.snapshot, other.snapshot, "", ("node", ""))
    yield from _of_records(one.inventory, other.inventory, "inventory", ("node", ""))
    for before, after in zip(one.allocations, other.allocations, strict=True):
        if before.banks != after.banks:
            yield "allocations/*/banks/*/allocations", ("device", before.device)
    tags = {process.pid: process.tag or "" for process in one.snapshot.processes or ()}
    events = one.events | other.events
    for key in one.events.keys() ^ other.events.keys():
        yield _event_path(events[key]), _event_of(events[key], tags)


def _key(event: Event) -> tuple[Any, ...]:
    return event.time_ns, event.kind, event.text, event.pid, event.device, event.core


def _event_path(event: Event) -> str:
    if event.kind == KERNEL_LOG:
        error = re.search(r" NEURON_HW_ERR=(\w+) ", event.text)
        return f"events/{event.kind}/{error[1] if error else ''}"
    return f"events/{event.kind}"


def _event_of(event: Event, tags: Mapping[int, str]) -> Whose:
    if event.core is not None:
        return "core", event.core
    return ("node", "") if event.pid is None else ("process", tags[event.pid])


def _of_records(one: Any, other: Any, path: str, whose: Whose) -> Iterator[tuple[str, Whose]]:
    """What differs between two values of one kind; of what only one of them has, not what is in it."""
    if one == other:
        return
    before, after = _parts(one), _parts(other)
    if before is None or after is None:
        yield path, whose
        return
    for key in before | after:
        name = "*" if isinstance(key, int) or key.isdigit() else key
        inner = f"{path}/{name}" if path else name
        parts = before.get(key), after.get(key)
        yield from _of_records(*parts, inner, _whose(inner, key, parts, whose))


def _parts(value: Any) -> dict[Any, Any] | None:
    """The named parts of a record, the entries of a mapping or a sequence; None for a single value."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return {_number(each, position): each for position, each in enumerate(value)}
    return None


def _number(record: Any, position: int) -> int:
    """By what an entry of a sequence is found in another reading."""
    for name in ("pid", "core", "peer"):
        number = record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)
        if isinstance(number, int):
            return number
    return position


_OWNERS = {"devices/*": "device", "devices/*/cores/*": "core", "host/cpus/*": "core", "inventory/devices/*": "device"}


def _whose(path: str, key: Any, parts: tuple[Any, Any], outer: Whose) -> Whose:
    if path in _OWNERS:
        return _OWNERS[path], key
    if path == "processes/*":
        return "process", next(part.tag for part in parts if part is not None)
    return outer
