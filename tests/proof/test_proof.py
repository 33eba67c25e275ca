"""The diagnosis is right: each fault through each source, and nothing on hosts with which nothing is wrong."""

from __future__ import annotations

import pytest

from neurontools.schema.finding import Finding, Scope
from tests.conftest import Golden
from tests.proof.__main__ import DAY_S, DOCUMENT, proved
from tests.proof.cases import CASES, HEALTHY
from tests.proof.document import NOT_WATCHED, renewed, renewed_days
from tests.proof.sources import SOCKET, SOURCES
from tests.proof.trial import trial, works


@pytest.mark.parametrize("source", SOURCES)
def test_a_hang_is_told_as_far_as_the_source_allows(source: str) -> None:
    (case,) = [case for case in CASES if case.name == "hang"]
    outcome = trial(case, source)
    assert outcome.ok, outcome


def test_the_document_tells_of_a_day_of_every_healthy_host() -> None:
    document = DOCUMENT.read_text()
    assert NOT_WATCHED not in document
    assert renewed_days(document, {}) == document
    assert renewed_days(document, {name: () for name in HEALTHY}) == document


def test_what_a_day_raises_is_told_in_its_row_alone() -> None:
    document = DOCUMENT.read_text()
    finding = Finding(
        rule="hang",
        severity="degraded",
        category="progress",
        scope=Scope(kind="node"),
        since_ns=1,
        message="It stands still.",
    )
    told = renewed_days(document, {"idle": (finding,)})
    assert told == document.replace("| idle | nothing |\n", "| idle | hang |\n")
    assert renewed_days(told, {"idle": ()}) == document


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tables_of_the_document_are_what_the_trials_show(golden: Golden) -> None:
    proof = proved()
    assert [outcome for outcome in proof.outcomes if not outcome.ok] == []
    assert {key: findings for key, findings in proof.healthy.items() if findings} == {}
    golden("../../docs/diagnosis.md", renewed(DOCUMENT.read_text(), proof))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", ["static-server", "busy-day"])
def test_a_day_of_serving_raises_nothing(scenario: str) -> None:
    assert works(scenario, SOCKET, DAY_S, step_s=15) == ()


@pytest.mark.nightly
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("scenario", HEALTHY)
def test_a_day_of_any_healthy_host_raises_nothing(scenario: str) -> None:
    assert works(scenario, SOCKET, DAY_S, step_s=15) == ()
