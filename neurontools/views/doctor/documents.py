"""A diagnosis as one JSON object, with instants in words and every key always there."""

from __future__ import annotations

import json
from typing import Any

from msgspec import to_builtins

from neurontools.schema.finding import CannotTell, Diagnosis, Finding
from neurontools.schema.inventory import RECORDING, Inventory
from neurontools.units import format_time_ns

VERSION = 1


def document(diagnosis: Diagnosis, inventory: Inventory | None) -> dict[str, Any]:
    """The object. `findings` are ordered by severity; of `cannot_tell` a rule that is in `checked` too was checked in
    part."""
    host: dict[str, Any] = {
        "instance_type": "",
        "simulated": False,
        "replayed": False,
        "scenario": None,
        "driver": None,
        "devices": 0,
    }
    if inventory is not None:
        host = {
            "instance_type": inventory.instance_type,
            "simulated": inventory.simulated,
            "replayed": inventory.origin == RECORDING,
            "scenario": inventory.scenario,
            "driver": inventory.driver_version,
            "devices": len(inventory.devices),
        }
    return {
        "version": VERSION,
        "time": format_time_ns(diagnosis.time_ns),
        "host": host,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "cannot_tell": [_cannot_tell(each) for each in diagnosis.cannot_tell],
        "checked": list(diagnosis.checked),
    }


def render(diagnosis: Diagnosis, inventory: Inventory | None) -> str:
    """The object as a line of JSON."""
    return json.dumps(document(diagnosis, inventory), ensure_ascii=False, separators=(",", ":")) + "\n"


def change_document(finding: Finding, began: bool, now_ns: int) -> dict[str, Any]:
    """A finding that began or ended."""
    return {"time": format_time_ns(now_ns), "change": "began" if began else "ended", **_finding(finding)}


def _finding(finding: Finding) -> dict[str, Any]:
    scope = {name: value for name, value in to_builtins(finding.scope).items() if value is not None}
    until = {} if finding.until_ns is None else {"until": format_time_ns(finding.until_ns)}
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "category": finding.category,
        "scope": scope,
        "since": format_time_ns(finding.since_ns),
        **until,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "advice": finding.advice,
    }


def _cannot_tell(each: CannotTell) -> dict[str, Any]:
    return {"rule": each.rule, "reason": each.reason, "supply": each.supply}
