"""What neuron-monitor reports and when: groups with their periods, and a schedule that does not drift."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from neurontools.exporters.report import RUNTIME_GROUPS, SYSTEM_GROUPS
from neurontools.units import NS_PER_S

DEFAULT_PERIOD_NS = 5 * NS_PER_S
"""AWS's, where the configuration names none."""

SYSTEM = "system"
EXTENDED = "neurontools"

Key = tuple[str | int, str]
"""A group of the node ("system", name), of a list of runtimes (its number, name), or our own key."""

Groups = Mapping[str, int]
"""Periods in ns by group."""


class Runtimes(NamedTuple):
    """Processes whose tag `tag_filter` is found in; None takes all."""

    groups: Groups
    tag_filter: re.Pattern[str] | None = None

    def takes(self, tag: str) -> bool:
        """Whether a process with this tag belongs to them."""
        return self.tag_filter is None or self.tag_filter.search(tag) is not None


class Plan(NamedTuple):
    """A checked configuration."""

    runtimes: tuple[Runtimes, ...]
    system: Groups
    period_ns: int = DEFAULT_PERIOD_NS
    extended: bool = False

    def periods(self) -> dict[Key, int]:
        """Every period by what it is for. A plan without any group still gives a document in each of its periods."""
        periods: dict[Key, int] = {(SYSTEM, name): period_ns for name, period_ns in self.system.items()}
        for number, runtimes in enumerate(self.runtimes):
            periods |= {(number, name): period_ns for name, period_ns in runtimes.groups.items()}
        if self.extended or not periods:
            periods[EXTENDED, ""] = self.period_ns
        return periods


def default_plan(period_ns: int = DEFAULT_PERIOD_NS) -> Plan:
    """Every group at one period."""
    runtimes = Runtimes(dict.fromkeys(RUNTIME_GROUPS, period_ns))
    return Plan((runtimes,), dict.fromkeys(SYSTEM_GROUPS, period_ns), period_ns)


class Schedule:
    """When things are due: at the start and then at every multiple of their period, however late the last one was."""

    def __init__(self, periods: Mapping[Key, int], start_ns: int) -> None:
        self._periods = periods
        self._start_ns = start_ns
        self._next_ns: dict[Key, int] = dict.fromkeys(periods, start_ns)

    def due(self, now_ns: int) -> list[Key]:
        """What is due, each once; periods that passed unused are left out."""
        due = [key for key, at_ns in self._next_ns.items() if at_ns <= now_ns]
        for key in due:
            period_ns = self._periods[key]
            self._next_ns[key] = now_ns + period_ns - (now_ns - self._start_ns) % period_ns
        return due

    def next_ns(self) -> int:
        """When something is due next."""
        return min(self._next_ns.values())
