"""`python -m tests.proof` runs every trial and renews the tables of docs/diagnosis.md."""

import sys
from pathlib import Path

from tests.proof.cases import CASES, WORKS
from tests.proof.document import Proof, renewed
from tests.proof.sources import SOURCES
from tests.proof.trial import trial, works

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md"


def proved() -> Proof:
    """The outcome of every case and healthy scenario through every source."""
    outcomes = [trial(case, source) for case in CASES for source in SOURCES]
    healthy = {(name, source): works(name, source, seconds) for name, seconds in WORKS.items() for source in SOURCES}
    return Proof(outcomes, healthy)


def main() -> int:
    """Writes the document; returns 1 where something was not as it should be."""
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
    sys.exit(main())
