"""What a fault is: an entry of a table that says what it does to the machine, what shows of it, and what undoes it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from device_model.machine.core import Core
from device_model.machine.device import Device
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.driver import version_tuple
from neurontools.spelling import did_you_mean

Kind = Literal["device", "core", "link", "process", "node"]
"""What a fault is injected into."""

Where = Literal["target", "first core", "processes", "peers", "node"]
"""Whose number or event a change is: the target's own; of a target's cores the first one's; the processes' that use the
target, with all their cores and devices; of those cores the ones that are not the target's; or the whole node's."""

Value = float | int | bool | str
Parameters = Mapping[str, Any]

Undo = Callable[[int], None]
"""Ends a lasting fault at a time in ns."""


class FaultError(ValueError):
    """A fault that cannot be injected or healed; one line says why and what could be."""


class Target(NamedTuple):
    """What a fault is injected into.

    `cores` are its physical ones: both of a logical core, all of a device or a process. A link and the node have none.
    """

    kind: Kind
    name: str
    devices: tuple[Device, ...] = ()
    cores: tuple[Core, ...] = ()
    process: Process | None = None


class Parameter(NamedTuple):
    """What can be said of a fault beside its target; `range` says in words what `accepts` takes."""

    name: str
    default: Value
    range: str
    unit: str
    help: str
    accepts: Callable[[Any], bool]

    def check(self, value: object) -> None:
        """Raises FaultError for a value that is out of range or of another type."""
        if not self.accepts(value):
            raise FaultError(f"{self.name}: expected {self.range}, found {value!r:.40}")


class Change(NamedTuple):
    """A number that a fault changes: its path in a snapshot, the inventory, the bank maps or the events, and whose.

    `*` stands for the numbers of devices, cores, banks, links and processes and for the buckets of histograms. The
    extremes of power follow the work, but also how it is divided into runs: they are not named.
    `families` are the chips that have it; None: all.
    """

    path: str
    where: Where
    families: tuple[str, ...] | None = None


Begin = Callable[[Runtime, Target, Parameters, int, int], Undo | None]
"""Does something to the machine: called with the runtime, the target, the parameters, the time in ns and a number that
no other injection has, under which what lasts is kept. Returns what undoes it; None for what happens once."""


class Fault(NamedTuple):
    """A kind of fault. `shows` and `recovery` are sentences for people.

    `changes` are all numbers that may and must differ from the same host's without the fault, while the target is busy.
    `lasts_ns` says how long it lasts by itself (None: until it is healed), and `families` on which chips there is any.
    """

    name: str
    target: Kind
    lasting: bool
    shows: tuple[str, ...]
    recovery: str
    changes: tuple[Change, ...]
    begin: Begin
    parameters: tuple[Parameter, ...] = ()
    lasts_ns: Callable[[Parameters], int | None] = lambda _: None
    families: tuple[str, ...] | None = None

    @property
    def chips(self) -> tuple[str, ...]:
        """The chips on which there is such a fault."""
        return tuple(chip.name for chip in CHIPS.values() if self.families is None or chip.family in self.families)

    def checked(self, given: Parameters) -> dict[str, Any]:
        """All parameters, the defaults where none is given. Raises FaultError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                takes = ", ".join(known) or "none"
                raise FaultError(
                    f"{self.name} has no parameter {name!r:.40}{did_you_mean(name, known)}; it takes {takes}"
                )
            known[name].check(value)
        return {name: given.get(name, parameter.default) for name, parameter in known.items()}


def number(name: str, default: float, least: float, most: float, unit: str, help: str) -> Parameter:
    """A parameter that is a number from `least` to `most`."""

    def accepts(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    return Parameter(name, default, f"a number from {least:,.15g} to {most:,.15g}", unit, help, accepts)


def flag(name: str, help: str) -> Parameter:
    """A parameter that is given or not."""
    return Parameter(name, False, "true or false", "", help, lambda value: isinstance(value, bool))


def version(name: str, default: str, least: str, most: str, help: str) -> Parameter:
    """A parameter that is a version of the driver, from `least` to `most`."""

    def accepts(value: Any) -> bool:
        try:
            return isinstance(value, str) and version_tuple(least) <= version_tuple(value) <= version_tuple(most)
        except ValueError:
            return False

    return Parameter(name, default, f"a version from {least} to {most}", "", help, accepts)


def share(help: str, default: float) -> Parameter:
    """The parameter of a fault that not every execution meets."""
    return number("share", default, 1e-6, 1.0, "of 1", help)


def factor(help: str, default: float) -> Parameter:
    """The parameter of a fault that makes something slower."""
    return number("factor", default, 1.0, 1000.0, "times as long", help)


def per_hour(value: float) -> int:
    """The mean time in ns between events of which there are so many an hour."""
    return math.ceil(3600e9 / value)


def disturb(runtime: Runtime, target: Target, time_ns: int) -> None:
    """Lets the processes on a target's cores go on by what has changed there."""
    for process in runtime.processes_on(target.cores):
        runtime.disturbed(time_ns, process)
