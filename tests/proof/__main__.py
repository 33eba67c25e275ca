"""`python -m tests.proof` runs every trial and renews the tables of docs/diagnosis.md.

`python -m tests.proof days [SCENARIO…]` watches 24 hours of healthy hosts instead: all, or the named ones. Those with
millions of requests an hour take half an hour and more.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.proof.cases import CASES, HEALTHY, WORKS
from tests.proof.document import Proof, renewed, renewed_days
from tests.proof.sources import SOCKET, SOURCES
from tests.proof.trial import trial, works

DAY_S = 24 * 3600

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md"


def proved() -> Proof:
    """The outcome of every case and healthy scenario through every source."""
    outcomes = [trial(case, source) for case in CASES for source in SOURCES]
    healthy = {(name, source): works(name, source, seconds) for name, seconds in WORKS.items() for source in SOURCES}
    return Proof(outcomes, healthy)


def days(scenarios: Sequence[str]) -> int:
    """Writes what a day of each raises into the document, one after the other; returns 1 where anything was raised."""
    wrong = False
    for name in scenarios:
        raised = works(name, SOCKET, DAY_S, step_s=15)
        DOCUMENT.write_text(renewed_days(DOCUMENT.read_text(), {name: raised}))
        print(f"{name}: {', '.join(finding.rule for finding in raised) or 'nothing'}", flush=True)
        wrong = wrong or bool(raised)
    return int(wrong)


def main(words: Sequence[str]) -> int:
    """Writes the document; returns 1 where something was not as it should be."""
    if words[:1] == ["days"]:
        return days(words[1:] or HEALTHY)
    proof = proved()
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(), proof))
    wrong = [outcome for outcome in proof.outcomes if not outcome.ok]
    for each in wrong:
        print(f"{each.case.name}, {each.source}: expected {each.expected}, found {each.wrong or 'nothing'}")
    raised = {key: findings for key, findings in proof.healthy.items() if findings}
    for (scenario, source), findings in raised.items():
        print(f"{scenario}, {source}: {', '.join(sorted({each.rule for each in findings}))}")
    return 1 if wrong or raised else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
