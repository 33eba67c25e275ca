"""What one line tells: the groups that were due, each with its interval, and the facts that are always written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from neurontools.report_format.format import HardwareInfo, InstanceInfo, RuntimeReport, SystemData
from neurontools.schema.interval_records import Interval

RUNTIME_GROUPS = RuntimeReport.__struct_fields__
SYSTEM_GROUPS = SystemData.__struct_fields__
GROUPS = RUNTIME_GROUPS + SYSTEM_GROUPS
"""The metric groups by their official names, in the order of the document."""

SIMULATED = "simulated"
NAME_MARK = f"{SIMULATED}:"
"""How an instance name begins whose readings are not of a real host."""


class Group(NamedTuple):
    """A group that is due: the interval that it is taken from, and why numbers of it, or all of it, are missing."""

    interval: Interval | None
    period_ns: int = 0
    error: str = ""

    @classmethod
    def of(cls, interval: Interval) -> Group:
        """A group over the whole of an interval."""
        return cls(interval, interval.duration_ns)


class Runtime(NamedTuple):
    """A process with its due groups by name; `error` says why there are none."""

    pid: int
    tag: str
    groups: Mapping[str, Group]
    error: str = ""


class Report(NamedTuple):
    """One document before it is text, or after it was."""

    instance: InstanceInfo
    hardware: HardwareInfo
    runtimes: tuple[Runtime, ...] = ()
    system: Mapping[str, Group] = {}
    extended: Mapping[str, Any] | None = None
