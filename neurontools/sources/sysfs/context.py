"""What all parts of one reading share: where, which driver, what is looked at, and why things are missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from neurontools.hardware.driver import KERNEL, LIVE_COUNTERS_SINCE, version_tuple
from neurontools.sources.sysfs.counters import Place
from neurontools.sources.sysfs.files import Descriptors, Root
from neurontools.sources.sysfs.layout import Layout
from neurontools.sources.sysfs.reasons import Reason, Reasons, needs_driver, not_live
from neurontools.sources.sysfs.wants import Wants

_KNOWN_AS = {
    "nc_time_in_use": ("busy_ns", "utilization_percent", "core_utilization_percent"),
    "flop_count": ("flops", "core_flops_per_s"),
}
"""Under what else the reason is looked for why a counter is unknown."""


class Context(NamedTuple):
    """`absent` collects why parts are missing for as long as the same files are there."""

    root: Root
    layout: Layout
    wants: Wants
    descriptors: Descriptors
    absent: Reasons
    at_close: bool = False

    @property
    def version(self) -> str | None:
        """The driver's."""
        return self.layout.version

    @property
    def live(self) -> bool:
        """Whether the counters that the runtime keeps move while it runs."""
        return self.version is not None and version_tuple(self.version) >= version_tuple(LIVE_COUNTERS_SINCE)

    def miss(self, part: str, since: str, families: Iterable[str], path: str) -> None:
        """Notes that this host has no such file."""
        self.absent.add(known_as(part), self._why(since, families, path))

    def leave_out(self, wanted: Iterable[Place]) -> list[Place]:
        """The counters that are worth reading; those that are not live are noted, and never shown as if they were."""
        wanted = list(wanted)
        if self.live or self.at_close:
            return wanted
        for place in wanted:
            if place.kept_by == "runtime":
                parts = (place.field,) if place.field == "status" else known_as(place.key)
                self.absent.add(parts, not_live(self.version))
        return [place for place in wanted if place.kept_by != "runtime"]

    def _why(self, since: str, families: Iterable[str], path: str) -> Reason:
        chip = self.layout.chip
        if chip is not None and chip.family not in families:
            return f"{chip.name} has no such files", None
        if since != KERNEL and (self.version is None or version_tuple(self.version) < version_tuple(since)):
            return needs_driver(since, self.version)
        return f"the driver's file {path} is not there", None


def known_as(part: str) -> tuple[str, ...]:
    """The part, and the other names under which the reason is looked for."""
    return (part, *_KNOWN_AS.get(part, ()))
