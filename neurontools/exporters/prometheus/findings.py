"""What is wrong with a host, and which rules could look, as families; of several findings that are alike the worst."""

from __future__ import annotations

from collections.abc import Iterator

from neurontools.exporters.prometheus.family import GAUGE, Family, Labels, Point, View
from neurontools.schema.finding import SEVERITIES, Finding


def _findings(view: View) -> Iterator[Point]:
    worst: dict[Labels, int] = {}
    for finding in view.diagnosis.findings if view.diagnosis is not None else ():
        labels = _labels(finding)
        worst[labels] = max(worst.get(labels, 0), SEVERITIES.index(finding.severity))
    yield from ((labels, float(severity)) for labels, severity in worst.items())


def _labels(finding: Finding) -> Labels:
    """The rule and the place. A process has none here: its series would end with it."""
    device, core = finding.scope.device, finding.scope.core
    return finding.rule, "" if device is None else str(device), "" if core is None else str(core)


def _checked(view: View) -> Iterator[Point]:
    if view.diagnosis is not None:
        checked = set(view.diagnosis.checked)
        unable = [each.rule for each in view.diagnosis.cannot_tell if each.rule not in checked]
        yield from (((rule,), 1.0) for rule in view.diagnosis.checked)
        yield from (((rule,), 0.0) for rule in unable)


FINDING = Family(
    "neuron_finding",
    GAUGE,
    "What is wrong by neuron-doctor's rules: 0 worth knowing, 1 a warning, 2 degraded, 3 replace it.",
    ("rule", "neuron_device", "neuroncore"),
    _findings,
)

CHECKED = Family(
    "neuron_rule_checked",
    GAUGE,
    "Whether a rule of neuron-doctor could look; 0 where the source does not give what it needs.",
    ("rule",),
    _checked,
)
