"""The line under the tabs: busiest and idlest core, cores held without work, and what the workloads do."""

from __future__ import annotations

from neurontools.units import format_percent
from neurontools.views.top.quantities import latency, rate
from neurontools.views.top.spans import Block, Line, Span, cut, width_of
from neurontools.views.top.state import Vitals

_GAP = "   "


def render(vitals: Vitals, width: int) -> Block:
    """As many of the vital signs as there is room for, the most telling first; what is unknown is not there."""
    shown: list[Span] = []
    for sign in _signs(vitals):
        piece = (Span(_GAP if shown else " "), *sign)
        if width_of(shown) + width_of(piece) <= width:
            shown += piece
    return Block(rows=(Line(cut(shown, width)),))


def _signs(vitals: Vitals) -> list[tuple[Span, ...]]:
    signs: list[tuple[Span, ...]] = []
    if vitals.idle_held:
        cores = "core" if vitals.idle_held == 1 else "cores"
        signs.append((Span(f"◇ {vitals.idle_held} {cores} held, idle", "held"),))
    for name, extreme in (("busiest", vitals.busiest), ("idlest", vitals.idlest)):
        if extreme is not None:
            core, percent = extreme
            signs.append((Span(f"{name} ", "dim"), Span(f"NC{core} {format_percent(percent, 1)}", "strong")))
    works: tuple[tuple[str, str | None], ...] = (
        ("tokens/s", None if vitals.tokens_per_s is None else rate(vitals.tokens_per_s)),
        ("running", None if vitals.running is None else str(vitals.running)),
        ("queued", None if vitals.queued is None else str(vitals.queued)),
        ("executions/s", None if vitals.executions_per_s is None else rate(vitals.executions_per_s)),
        ("p99 of executions", None if vitals.p99_s is None else latency(vitals.p99_s)),
    )
    signs += [(Span(f"{name} ", "dim"), Span(value, "strong")) for name, value in works if value is not None]
    return signs
