"""Simulated hosts that a doctor watches, read directly: time moves when a test says so."""

from __future__ import annotations

from typing import Any

from device_model.simulation import NS, Simulation
from neurontools.diagnosis import Doctor
from neurontools.schema.events import Event
from neurontools.schema.finding import CannotTell, Diagnosis, Finding, Scope
from neurontools.schema.host_facts import HostFacts
from tests.device_model.hosts import forward, host, server


class Patient:
    """A host with a server "a" on its first cores, and the doctor that has seen it every `step` seconds."""

    def __init__(self, model: Simulation, step: float = 1.0, facts: HostFacts | None = None) -> None:
        self.model = model
        self.doctor = Doctor()
        self.facts = facts
        self.history: list[Diagnosis] = []
        self._step = step
        self._seen = 0
        self.look()

    def look(self) -> Diagnosis:
        """What the doctor says now."""
        events: tuple[Event, ...] = self.model.events(self._seen).events
        self._seen += len(events)
        said = self.doctor.see(self.model.inventory(), self.model.snapshot(), events, self.facts)
        self.history.append(said)
        return said

    def watch(self, seconds: float) -> Diagnosis:
        """What it says after so long, having looked all the while."""
        end_ns = self.model.now_ns + round(seconds * NS)
        while self.model.now_ns < end_ns:
            forward(self.model, min(self._step, (end_ns - self.model.now_ns) / NS))
            self.look()
        return self.history[-1]

    def inject(self, fault: str, target: dict[str, Any], **parameters: Any) -> None:
        self.model.inject(fault, target, parameters)


def busy(instance: str = "inf2.24xlarge", seconds: float = 12, **changes: Any) -> Patient:
    """A patient whose server is at work, on four logical cores."""
    settings: dict[str, Any] = {"tp": 4, "model": "opt-1.3b", "arrivals": {"kind": "closed", "users": 4}} | changes
    return Patient(forward(host(server("a", **settings), instance=instance), seconds))


def found(diagnosis: Diagnosis, rule: str) -> list[Finding]:
    """The findings of a rule."""
    return [finding for finding in diagnosis.findings if finding.rule == rule]


def rules(diagnosis: Diagnosis) -> dict[str, list[Scope]]:
    """The scopes of all findings by rule."""
    scopes: dict[str, list[Scope]] = {}
    for finding in diagnosis.findings:
        scopes.setdefault(finding.rule, []).append(finding.scope)
    return scopes


def unknown(diagnosis: Diagnosis, rule: str) -> CannotTell | None:
    """Why a rule cannot tell, if it cannot."""
    return next((each for each in diagnosis.cannot_tell if each.rule == rule), None)
