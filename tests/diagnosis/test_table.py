"""The table of rules: every entry says what the schema, the runtime's codes and the other entries can bear out."""

import pytest

from neurontools.diagnosis import BY_ID, RULES, Rule
from neurontools.diagnosis.parts import PARTS
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.finding import SCOPES, SEVERITIES


def test_every_rule_is_in_the_order_once() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) == len(BY_ID)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_an_entry_names_only_what_there_is(rule: Rule) -> None:
    assert rule.scope in SCOPES
    assert rule.severity in SEVERITIES
    assert set(rule.needs) <= set(PARTS)
    assert {name.partition("@")[0] for name in rule.hidden_by} <= set(BY_ID)
    assert set(rule.codes) <= set(STATUSES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_an_entry_is_written_for_people(rule: Rule) -> None:
    assert rule.advice.endswith(".")
    assert not rule.title.endswith(".")
    assert rule.clears
    assert bool(rule.meaning) == bool(rule.threshold)
