"""Alerts and recordings as the files that Prometheus reads."""

from typing import Any

import yaml

from dashboards.alerts import ALERTS, Alert
from dashboards.recordings import RECORDINGS

ALERTS_FILE, RECORDINGS_FILE = "alerts.yml", "recordings.yml"
_HEAD = "# Made by `make dashboards` from {table}.\n"


def alerts_text() -> str:
    """The alerts as a rules file."""
    group = {"name": "neuron-alerts", "rules": [_alert(alert) for alert in ALERTS]}
    return _HEAD.format(table="dashboards/alerts.py") + text_of({"groups": [group]})


def recordings_text() -> str:
    """The recordings as a rules file."""
    rules = [{"record": each.name, "expr": each.expression} for each in RECORDINGS]
    group = {"name": "neuron-recordings", "interval": "1m", "rules": rules}
    return _HEAD.format(table="dashboards/recordings.py") + text_of({"groups": [group]})


def labels_of(alert: Alert) -> dict[str, str]:
    """The labels that the rule adds to those of what its expression gives."""
    return {"severity": alert.severity}


def annotations_of(alert: Alert) -> dict[str, str]:
    """What the rule says, as templates."""
    return {
        "summary": alert.summary,
        "description": f"{alert.description} {alert.supply}",
        "runbook_url": alert.runbook,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.held,
        "labels": labels_of(alert),
        "annotations": annotations_of(alert),
    }


def text_of(document: Any) -> str:
    """A document as YAML, a long line as one."""
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1 << 20))
