"""Puts a source's readings together into neuron-monitor's documents, also while the source is away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neurontools.commands.monitor_plan import EXTENDED, SYSTEM, Key, Plan
from neurontools.exporters.report import (
    Group,
    Report,
    Runtime,
    extended,
    hardware_info,
    instance_info,
    needed,
    needed_kind,
)
from neurontools.schema.interval import NoInterval
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Process
from neurontools.schema.source import Source, SourceError, narrow, pace
from neurontools.sources.choose import NO_DEVICES
from neurontools.sources.sampling import Sampler

Talk = Callable[[int, str], None]
"""Says a line of a verbosity level, 1 to 4, on stderr."""


class Collector:
    """Readings of one source as reports.

    While the source is away every due group carries the reason as its error, and the processes of the last reading
    are listed with it; when it is back the periods go on, but never across a restart.
    """

    def __init__(self, source: Source, plan: Plan, talk: Talk) -> None:
        """Takes the first reading. Raises SourceError when it cannot, or when there are no devices."""
        self._source = source
        self._plan = plan
        self._talk = talk
        self._sampler = Sampler(source, None if plan.extended else needed)
        if not plan.extended:
            narrow(source, needed_kind())
        pace(source, min(plan.periods().values()))
        self._lost = False
        # A source may know more of the host once it has been read.
        self._snapshot = self._sampler.take()
        self._inventory = _inventory(source)

    def has_interval(self) -> bool:
        """Whether there is an interval that ends at the latest reading."""
        return self._group(None).interval is not None

    def collect(self, due: Iterable[Key]) -> Report:
        """Takes a reading and reports the groups that are due."""
        keys = set(due)
        try:
            self._take()
        except SourceError as error:
            return self._report(keys, error.reason)
        return self._report(keys, "")

    def _take(self) -> None:
        try:
            snapshot = self._sampler.take()
            if not snapshot.devices:
                raise SourceError(NO_DEVICES)
            if self._lost or snapshot.head.boot_id != self._snapshot.head.boot_id:
                self._inventory = _inventory(self._source)
        except SourceError as error:
            self._talk(2 if self._lost else 1, f"the source is away: {error.reason}")
            self._lost = True
            raise
        if self._lost:
            self._talk(1, "the source is back")
        self._lost = False
        self._snapshot = snapshot

    def _report(self, keys: set[Key], failure: str) -> Report:
        # Every due group is asked for, used or not: its next period begins here.
        groups = {key: self._group(key, failure) for key in keys}
        processes = self._snapshot.processes or ()
        return Report(
            instance=instance_info(self._inventory),
            hardware=hardware_info(self._inventory, failure),
            runtimes=tuple(runtime for process in processes for runtime in self._runtime(process, groups, failure)),
            system={name: groups[SYSTEM, name] for name in self._plan.system if (SYSTEM, name) in groups},
            extended=_extended(groups[EXTENDED, ""]) if self._plan.extended and (EXTENDED, "") in groups else None,
        )

    def _runtime(self, process: Process, groups: Mapping[Key, Group], failure: str) -> Iterable[Runtime]:
        tag = process.tag or str(process.pid)
        # Of several entries of the configuration that name a group, the first holds.
        keys = {
            name: (number, name)
            for number, runtimes in reversed([*enumerate(self._plan.runtimes)])
            if runtimes.takes(tag)
            for name in runtimes.groups
        }
        due = {name: groups[key] for name, key in keys.items() if key in groups}
        return (Runtime(process.pid, tag, {} if failure else due, failure),) if due else ()

    def _group(self, key: Key | None, failure: str = "") -> Group:
        if failure:
            return Group(None, 0, failure)
        try:
            return Group.of(self._sampler.interval(key))
        except NoInterval as reason:
            return Group(None, 0, reason.reason)


def _extended(group: Group) -> dict[str, Any]:
    return {"error": group.error} if group.interval is None else extended(group.interval)


def _inventory(source: Source) -> Inventory:
    inventory = source.inventory()
    if not inventory.devices:
        raise SourceError(NO_DEVICES, inventory.why_no_devices)
    return inventory
