"""The tables of docs/diagnosis.md, made from the rules and from what the trials showed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from neurontools.diagnosis import RULES
from neurontools.schema.finding import Finding
from neurontools.units import NS_PER_S, format_bytes, format_duration_ns
from tests.proof.cases import CANNOT, HEALTHY, NOT_THERE, WORKS
from tests.proof.sources import SOURCES
from tests.proof.trial import Outcome

NOT_WATCHED = "not watched"

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Proof(NamedTuple):
    """All outcomes, and by healthy scenario and source what was raised."""

    outcomes: Sequence[Outcome]
    healthy: dict[tuple[str, str], tuple[Finding, ...]]


def renewed(document: str, proof: Proof) -> str:
    """The document with its tables as the proof shows them."""
    tables: dict[str, Callable[[], Iterable[str]]] = {
        "rules": _rules,
        "faults": lambda: _faults(proof.outcomes),
        "scores": lambda: _scores(proof.outcomes),
        "healthy": lambda: _healthy(proof),
    }
    for name, rows in tables.items():
        document = _with_table(document, name, rows())
    return document


def renewed_days(document: str, raised: Mapping[str, Sequence[Finding]]) -> str:
    """The document with what was raised in a day of these scenarios; of others it says what it said."""
    cells = (row.strip("| ").split(" | ") for row in _rows(document, "days"))
    told = {row[0]: row[1] for row in cells if row[0] in HEALTHY}
    told |= {name: _named(findings) for name, findings in raised.items()}
    rows = (_row(name, told.get(name, NOT_WATCHED)) for name in HEALTHY)
    return _with_table(document, "days", (*_head("scenario", "raised in 24 hours"), *rows))


def _rows(document: str, name: str) -> list[str]:
    return [line for found in _TABLE.finditer(document) if found[2] == name for line in found[0].splitlines()]


def _with_table(document: str, name: str, rows: Iterable[str]) -> str:
    text = "\n".join(rows)
    return _TABLE.sub(lambda found: f"{found[1]}\n{text}\n\n{found[3]}" if found[2] == name else found[0], document)


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _rules() -> Iterator[str]:
    yield from _head("rule", "severity", "about a", "found at", "when it cannot tell", "ends")
    for rule in RULES:
        size = format_bytes(round(rule.threshold)) if rule.meaning.startswith("bytes") else f"{rule.threshold:g}"
        limit = f"{size} {rule.meaning.removeprefix('bytes ')}" if rule.meaning else rule.title
        yield _row(f"`{rule.id}`", rule.severity, rule.scope, limit, rule.cannot or "", rule.clears)


def _faults(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield from _head("fault", *SOURCES)
    by_case: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        by_case.setdefault(outcome.case.name, {})[outcome.source] = outcome
    for name, found in by_case.items():
        yield _row(name, *(_told(found[source]) for source in SOURCES))


def _told(outcome: Outcome) -> str:
    mark = "" if outcome.ok else "WRONG: "
    if outcome.expected == NOT_THERE:
        return f"{mark}–"
    if outcome.expected.startswith(CANNOT):
        return f"{mark}cannot tell `{outcome.expected.removeprefix(CANNOT)}`"
    rule, _, where = outcome.expected.partition("@")
    if outcome.time_s is None:
        return f"{mark}`{rule}` not found"
    when = "always" if outcome.time_s < 0 else format_duration_ns(round(outcome.time_s) * NS_PER_S)
    return f"{mark}`{rule}`, {where}: {when}"


def _scores(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield from _head("source", "to be found", "found", "recall", "true findings", "false", "precision", "cannot tell")
    for source in SOURCES:
        own = [outcome for outcome in outcomes if outcome.source == source]
        wanted = [each for each in own if each.expected != NOT_THERE and not each.expected.startswith(CANNOT)]
        found = sum(each.found for each in wanted)
        right, wrong = sum(each.right for each in own), sum(len(each.wrong) for each in own)
        honest = [each for each in own if each.expected.startswith(CANNOT)]
        said = f"{sum(each.ok for each in honest)} of {len(honest)}"
        yield _row(
            source, len(wanted), found, _percent(found, len(wanted)), right, wrong, _percent(right, right + wrong), said
        )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _healthy(proof: Proof) -> Iterator[str]:
    yield from _head("scenario", "watched for", *SOURCES)
    for scenario, seconds in WORKS.items():
        raised = (_named(proof.healthy[scenario, source]) for source in SOURCES)
        yield _row(scenario, format_duration_ns(seconds * NS_PER_S), *raised)


def _named(findings: Sequence[Finding]) -> str:
    return ", ".join(sorted({each.rule for each in findings})) or "nothing"
