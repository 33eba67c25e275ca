"""What a rule is: an entry of a table that says what it needs, looks for, claims and advises, and a small function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from neurontools.schema.finding import Scope
from neurontools.units import NS_PER_S, format_duration_ns

if TYPE_CHECKING:
    from neurontools.diagnosis.window import Window

INFO, WARN, DEGRADED, REPLACE = "info", "warn", "degraded", "replace"

MINUTE_NS = 60 * NS_PER_S

Evidence = Mapping[str, int | float | str]

NODE = Scope(kind="node")


class Found(NamedTuple):
    """A rule's condition holds. None stands for the rule's own words, and for the time of the reading."""

    scope: Scope
    message: str
    evidence: Evidence
    since_ns: int | None = None
    severity: str | None = None
    advice: str | None = None


class Unknown(NamedTuple):
    """It cannot be told, or only in part, why, and what would help."""

    reason: str
    supply: str | None = None


def watched_too_shortly(needed_ns: int, watched_ns: int) -> Unknown:
    """What a rule says that takes more watching than there was."""
    needed, had = (format_duration_ns(ns, 0) for ns in (needed_ns, watched_ns))
    return Unknown(f"it takes {needed} of watching, this was {had}", f"--window {needed}")


Outcome = Found | Unknown
Find = Callable[["Window", "Rule"], Iterable[Outcome]]


class Rule(NamedTuple):
    """One rule. `find` looks at a window whose newest reading has all of `needs` (see `diagnosis.parts`).

    `watched_ns` is how long a host must have been watched before the rule can tell anything, `threshold` the number
    that `find` compares with and `meaning` what it is. A finding is kept for `hold_ns` after it was last found, which
    `clears` says in words. `cannot` are the words for why the rule cannot be checked, `supply` what would help.
    With `hidden_by` findings are left out that a finding of another rule about the same place explains; "RULE@KIND"
    stands for those of that rule about such places only.
    """

    id: str
    title: str
    needs: tuple[str, ...]
    find: Find
    scope: str
    severity: str
    category: str
    advice: str
    clears: str
    cannot: str = ""
    supply: str | None = None
    threshold: float = 0.0
    meaning: str = ""
    watched_ns: int = 0
    hold_ns: int = 0
    codes: tuple[int, ...] = ()
    hidden_by: tuple[str, ...] = ()


def core_scope(core: int, device: int) -> Scope:
    """A logical core, counted over the node, of a device."""
    return Scope(kind="core", core=core, device=device)


def device_scope(device: int) -> Scope:
    """One device."""
    return Scope(kind="device", device=device)


def process_scope(pid: int) -> Scope:
    """One process."""
    return Scope(kind="process", pid=pid)


def link_scope(one: int, other: int) -> Scope:
    """A link, from the device with the smaller number."""
    return Scope(kind="link", device=min(one, other), peer=max(one, other))
