"""Watches one host: each reading joins a window, every rule looks at it, and findings live as long as they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from neurontools.diagnosis.parts import NOT_GIVEN, ON_THE_HOST, lacking
from neurontools.diagnosis.rule import DEGRADED, NODE, Found, Outcome, Rule, Unknown, watched_too_shortly
from neurontools.diagnosis.rules import BLIND, RULES
from neurontools.diagnosis.window import Window
from neurontools.schema.events import Event
from neurontools.schema.finding import SEVERITIES, CannotTell, Diagnosis, Finding, Scope
from neurontools.schema.host_facts import HostFacts
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Snapshot

MOST_FINDINGS = 256
"""Findings that are held at a time; of more the least severe are dropped."""

Key = tuple[str, Scope]


class Reading(NamedTuple):
    """What a source gave at one instant: the events are those since the reading before."""

    inventory: Inventory
    snapshot: Snapshot
    events: Sequence[Event] = ()
    facts: HostFacts | None = None


class _Held(NamedTuple):
    """A finding, and until when it is shown if it is not found again."""

    finding: Finding
    until_ns: int


def diagnose(readings: Iterable[Reading], rules: Sequence[Rule] = RULES) -> Diagnosis:
    """What the rules say at the last of some readings, having seen them all, oldest first; ValueError for none."""
    doctor, diagnosis = Doctor(rules), None
    for reading in readings:
        diagnosis = doctor.see(*reading)
    if diagnosis is None:
        raise ValueError("a diagnosis needs at least one reading")
    return diagnosis


class Doctor:
    """To be told of every reading of one host, once a period; what it keeps is bounded."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._rules = rules
        self._window: Window | None = None
        self._held: dict[Key, _Held] = {}

    def see(
        self,
        inventory: Inventory,
        snapshot: Snapshot,
        events: Sequence[Event] = (),
        facts: HostFacts | None = None,
    ) -> Diagnosis:
        """What is wrong at a reading, with the events since the one before and, where they were looked at anew, the
        facts of the host. Another boot begins anew."""
        window = self._window
        if window is None or window.now.boot_id != snapshot.head.boot_id:
            window = self._window = Window(inventory, snapshot)
            self._held.clear()
        window.add(inventory, snapshot, events, facts)
        now_ns = window.now.time_ns
        found, cannot_tell = self._look(window)
        self._hold(found, now_ns)
        shown = sorted((held.finding for held in self._held.values()), key=_order)
        unable = {each.rule for each in cannot_tell}
        told = {finding.rule for finding in shown}
        checked = tuple(rule.id for rule in self._rules if rule.id not in unable or rule.id in told)
        return Diagnosis(time_ns=now_ns, checked=checked, findings=tuple(shown), cannot_tell=tuple(cannot_tell))

    def blind(self, time_ns: int, reason: str, hint: str = "") -> Diagnosis:
        """What to say where there is no reading at all: nothing could be checked, and what was found before stands."""
        finding = _finding(BLIND, Found(NODE, f"nothing can be read: {reason}", {}, advice=hint or None), time_ns)
        cannot_tell = tuple(CannotTell(rule=rule.id, reason=reason) for rule in self._rules if rule is not BLIND)
        shown = sorted((finding, *(held.finding for held in self._held.values())), key=_order)
        return Diagnosis(time_ns=time_ns, checked=(BLIND.id,), findings=tuple(shown), cannot_tell=cannot_tell)

    def _look(self, window: Window) -> tuple[list[tuple[Rule, Finding]], list[CannotTell]]:
        found: list[tuple[Rule, Finding]] = []
        cannot_tell: list[CannotTell] = []
        for rule in self._rules:
            unknown: Unknown | None = None
            for outcome in _outcomes(rule, window):
                if isinstance(outcome, Unknown):
                    unknown = unknown or outcome
                else:
                    found.append((rule, _finding(rule, outcome, window.now.time_ns)))
            if unknown is not None:
                cannot_tell.append(CannotTell(rule=rule.id, reason=unknown.reason, supply=unknown.supply))
        return found, cannot_tell

    def _visible(self) -> list[Finding]:
        """The findings that are held and that no other one explains. A more special place is never hidden by one that
        is less so."""
        hidden_by = {rule.id: rule.hidden_by for rule in self._rules}
        found = sorted(
            (held.finding for held in self._held.values()),
            key=lambda finding: (
                _SPECIAL.index(finding.scope.kind),
                _depth(finding.rule, finding.scope.kind, hidden_by),
            ),
        )
        kept: list[Finding] = []
        signs: set[tuple[str, tuple[str, int | None]]] = set()
        for finding in found:
            places = _places(finding.scope)
            hiders = hidden_by.get(finding.rule, ())
            if any((name, place) in signs for name in hiders for place in places):
                continue
            kept.append(finding)
            signs |= {
                (name, place) for name in (finding.rule, f"{finding.rule}@{finding.scope.kind}") for place in places
            }
        return kept

    def _hold(self, found: Iterable[tuple[Rule, Finding]], now_ns: int) -> None:
        """Renews what is found again, lets go of what is not when its time is over."""
        for rule, finding in found:
            key = _key(finding)
            held = self._held.get(key)
            if held is not None:
                since_ns = min(held.finding.since_ns, finding.since_ns)
                finding = replace(finding, since_ns=since_ns, evidence={**held.finding.evidence, **finding.evidence})
            self._held[key] = _Held(finding, now_ns + rule.hold_ns)
        self._held = {key: held for key, held in self._held.items() if now_ns <= held.until_ns}
        # What is explained now stays explained, also when the next process fails on the same core.
        explained = self._held.keys() - {_key(finding) for finding in self._visible()}
        for key in explained:
            del self._held[key]
        for finding in sorted((held.finding for held in self._held.values()), key=_order)[MOST_FINDINGS:]:
            del self._held[_key(finding)]


def _key(finding: Finding) -> Key:
    """What makes two findings one: a core that fails process after process is the same core."""
    scope = finding.scope
    return finding.rule, scope if scope.kind != "core" else replace(scope, pid=None)


_SPECIAL = ("core", "link", "device", "process", "node")
"""Kinds of places, the most special first."""


def _depth(rule: str, kind: str, hidden_by: Mapping[str, Sequence[str]], above: tuple[str, ...] = ()) -> int:
    """How long the chain is of rules about such places that hide one another, up to this one."""
    own = [name.partition("@") for name in hidden_by.get(rule, ())]
    names = [name for name, _, place in own if place in ("", kind) and name not in above]
    return max((1 + _depth(name, kind, hidden_by, (*above, rule)) for name in names), default=0)


def _outcomes(rule: Rule, window: Window) -> Iterable[Outcome]:
    """What a rule says, or why it cannot be checked here."""
    gap = lacking(window, rule.needs)
    if gap is not None:
        yield Unknown(_reason(rule, gap), gap.supply or rule.supply)
    elif window.watched_ns < rule.watched_ns:
        yield watched_too_shortly(rule.watched_ns, window.watched_ns)
    else:
        yield from rule.find(window, rule)


def _reason(rule: Rule, gap: Gap) -> str:
    """The rule's words and the reading's, where they do not say the same."""
    if not rule.cannot or gap is ON_THE_HOST:
        return gap.reason
    return rule.cannot if gap is NOT_GIVEN or gap.reason.startswith(rule.cannot) else f"{rule.cannot}: {gap.reason}"


def _finding(rule: Rule, found: Found, now_ns: int) -> Finding:
    return Finding(
        rule=rule.id,
        severity=found.severity or rule.severity,
        category=rule.category,
        scope=found.scope,
        since_ns=now_ns if found.since_ns is None else found.since_ns,
        message=found.message,
        evidence=dict(found.evidence),
        advice=found.advice or rule.advice,
    )


def _places(scope: Scope) -> tuple[tuple[str, int | None], ...]:
    """Where a scope is: a core is also on its device, a link on both of its ends."""
    pairs = (("core", scope.core), ("device", scope.device), ("device", scope.peer), ("process", scope.pid))
    return tuple(pair for pair in pairs if pair[1] is not None) or (("node", None),)


def _order(finding: Finding) -> tuple[object, ...]:
    """The most severe first, then the oldest."""
    scope = finding.scope
    numbers = tuple(-1 if number is None else number for number in (scope.device, scope.core, scope.peer, scope.pid))
    return -SEVERITIES.index(finding.severity), finding.since_ns, finding.rule, numbers


def is_blind(diagnosis: Diagnosis) -> bool:
    """Whether it was not, or only in part, possible to look."""
    return any(finding.rule == BLIND.id for finding in diagnosis.findings)


def worst(diagnosis: Diagnosis) -> str | None:
    """The highest severity of a finding about the host; that nobody could look says nothing of it."""
    seen = [finding.severity for finding in diagnosis.findings if finding.rule != BLIND.id]
    return max(seen, key=SEVERITIES.index, default=None)


_SERIOUS = SEVERITIES[SEVERITIES.index(DEGRADED) :]


def is_serious(severity: str | None) -> bool:
    """Whether a host with such a finding should get no new work."""
    return severity in _SERIOUS
