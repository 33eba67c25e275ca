"""A diagnosis as one line for other checkers: Nagios and its kin, and the node problem detector of Kubernetes."""

from __future__ import annotations

from neurontools.schema.finding import SEVERITIES, Diagnosis
from neurontools.views.doctor.text import place, unchecked

NAGIOS_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}
_NPD_CHARACTERS = 80
"""What the node problem detector shows of a message unless it is told otherwise."""
_CUT = "..."


def nagios(diagnosis: Diagnosis, code: int) -> str:
    """A line in the manner of the Nagios plug-in guidelines: state, what was found, numbers after a bar."""
    counts = {severity: 0 for severity in SEVERITIES}
    for finding in diagnosis.findings:
        counts[finding.severity] += 1
    unable = len(unchecked(diagnosis))
    data = " ".join(f"{name}={count}" for name, count in counts.items())
    checked = f"{len(diagnosis.checked)} rules checked, {unable} cannot run here"
    return f"NEURON {NAGIOS_WORDS[code]} - {_found(diagnosis)}; {checked} | {data} unchecked={unable}\n"


def node_problem(diagnosis: Diagnosis) -> str:
    """A message short enough for the node problem detector."""
    text = _found(diagnosis)
    unable = len(unchecked(diagnosis))
    more = f" ({unable} rules cannot run)" if unable else ""
    room = _NPD_CHARACTERS - len(more)
    shown = text if len(text) <= room else f"{text[: room - len(_CUT)].rstrip(' ;,:')}{_CUT}"
    return f"{shown}{more}\n"


def _found(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return "nothing found"
    first = diagnosis.findings[0]
    more = f" and {len(diagnosis.findings) - 1} more" if len(diagnosis.findings) > 1 else ""
    return f"{first.rule} {place(first.scope)}: {first.message}{more}".replace("|", "/")
