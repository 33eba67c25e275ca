"""What stands at the right end of the tabs on every page: the instant that is looked at, and what is wrong."""

from __future__ import annotations

from typing import NamedTuple

from neurontools.schema.finding import SEVERITIES, Diagnosis, Finding
from neurontools.units import format_duration_ns, format_time_ns
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Span

SIGNS = {"info": ("·", "text"), "warn": ("▲", "warn"), "degraded": ("▲", "bad"), "replace": ("✖", "bad")}
"""The sign and the role of each severity."""

_HEALTH = "app.page('health')"


class Badge(NamedTuple):
    """When, how fast and how well. `time_ns` is None for a live host that is looked at now."""

    worst: Finding | None
    more: int
    looked: bool
    unchecked: int
    time_ns: int | None
    behind_s: int
    paused: bool
    speed: float


def contents(session: Session) -> Badge:
    """What the badge says."""
    diagnosis = session.diagnosis
    findings = diagnosis.findings if diagnosis is not None else ()
    worst = max(findings, key=lambda finding: SEVERITIES.index(finding.severity), default=None)
    playback = session.playback
    dated = session.replays or playback.paused
    return Badge(
        worst,
        max(0, len(findings) - 1),
        diagnosis is not None,
        unchecked(diagnosis),
        session.now_ns if dated else None,
        session.behind_s if session.rewound else 0,
        playback.paused,
        playback.speed,
    )


def unchecked(diagnosis: Diagnosis | None) -> int:
    """How many rules could not be checked at all."""
    if diagnosis is None:
        return 0
    return len({each.rule for each in diagnosis.cannot_tell} - set(diagnosis.checked))


def render(badge: Badge) -> list[tuple[Span, ...]]:
    """In full, and ever shorter: the signs are the last to go."""
    return [(*_when(badge, words), *_health(badge, words)) for words in (2, 1, 0)]


def _when(badge: Badge, words: int) -> tuple[Span, ...]:
    if badge.time_ns is None:
        return ()
    at = format_time_ns(badge.time_ns)[11:19]
    behind = f" −{format_duration_ns(badge.behind_s * 1_000_000_000)}" if badge.behind_s and words else ""
    state = "⏸" if badge.paused else f"▶ {badge.speed:g}×"
    text = f" {state} {at}{behind} " if words or not badge.behind_s else f" {state} −{badge.behind_s}s "
    return (Span(text, "mark" if badge.paused else "held", "app.pause"), Span(" "))


def _health(badge: Badge, words: int) -> tuple[Span, ...]:
    if not badge.looked:
        return ()
    if badge.worst is None:
        blind = f", {badge.unchecked} not checked" if badge.unchecked and words == 2 else ""
        return (Span("✓ nothing found" if words else "✓", "good", _HEALTH), Span(blind, "dim", _HEALTH), Span(" "))
    sign, role = SIGNS[badge.worst.severity]
    more = f" +{badge.more}" if badge.more else ""
    text = (f"{sign} {1 + badge.more}", f"{sign} {badge.worst.severity}{more}")
    full = f"{sign} {badge.worst.severity}: {badge.worst.rule}{more}"
    return (Span((*text, full)[words], role, _HEALTH), Span(" "))
