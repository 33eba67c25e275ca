"""The alerts: each is documented, played, about what the exporter has, and the rules files are those of the tables."""

import re

import promql_parser
import pytest
import yaml

from dashboards.alerts import ALERTS, CRITICAL, INFO, RUNBOOKS, WARNING, Alert
from dashboards.files import HERE, TESTS, rule_files
from dashboards.recordings import RECORDINGS, Recording
from dashboards.scenes import RANGES, SCENES
from dashboards.selectors import selectors
from neurontools.exporters.prometheus import FAMILIES
from tests.conftest import ROOT
from tests.contracts.test_docs import anchors

NAMES = {name for family in FAMILIES for name in family.sample_names} | {"up"}
LABELS = {name: set(family.labels) for family in FAMILIES for name in family.sample_names}


def test_the_rules_files_are_those_of_the_tables() -> None:
    for name, text in rule_files():
        assert (HERE / name).read_text() == text, "run `make dashboards`"


def test_there_is_a_test_for_each_scene_and_none_besides() -> None:
    found = {path.stem for path in (HERE / TESTS).iterdir()}
    assert found == {scene.name for scene in SCENES} | {"recordings"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_it_is(alert: Alert) -> None:
    document, _, anchor = alert.runbook.partition("#")
    assert document == RUNBOOKS and anchor in anchors((ROOT / document).read_text())
    assert alert.severity in (CRITICAL, WARNING, INFO)
    assert f"| [{alert.name}](#{anchor}) | {alert.severity} |" in (ROOT / document).read_text()
    assert alert.description.endswith(".") and not alert.summary.endswith(".")
    assert re.search(r"driver's files alone|every source", alert.supply)
    assert "Cannot work" not in alert.supply or "| cannot work |" in (ROOT / document).read_text()


@pytest.mark.parametrize("rule", (*ALERTS, *RECORDINGS), ids=lambda rule: rule.name)
def test_an_expression_is_about_what_the_exporter_has(rule: Alert | Recording) -> None:
    promql_parser.parse(rule.expression)
    found = selectors(rule.expression)
    assert found
    for each in found:
        assert each.name in NAMES
        assert {label for label, _, _ in each.conditions} <= LABELS.get(each.name, set()) | {"job"}


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    fired = {name for scene in SCENES for _, firing in scene.checks for name in firing}
    assert fired == {alert.name for alert in ALERTS}
    for scene in SCENES:
        assert not scene.checks[0][1], f"{scene.name} begins with something wrong"
        assert scene.checks[-1][0] <= scene.minutes


def test_every_recording_is_tested_and_named_by_level_metric_and_operation() -> None:
    assert [each.selector.partition("{")[0] for each in RANGES] == [each.name for each in RECORDINGS]
    for each in RECORDINGS:
        level, metric, _ = each.name.split(":")
        assert level.startswith("instance")
        assert any(metric in selector.name for selector in selectors(each.expression))


@pytest.mark.parametrize(
    ("expression", "series", "taken"),
    [
        ('a{b=~"x|y",c!="z"} > 1', 'a{b="x"}', True),
        ('a{b=~"x|y",c!="z"} > 1', 'a{b="x",c="z"}', False),
        ('rate(a{b="x.y"}[5m])', 'a{b="x.y"}', True),
        ('rate(a{b="x.y"}[5m])', 'a{b="xzy"}', False),
        ("sum(a)", "ab", False),
        ('a{job="neuron",b!~"x.*"}', 'a{b="y"}', True),
    ],
)
def test_what_a_selector_takes(expression: str, series: str, taken: bool) -> None:
    (selector,) = selectors(expression)
    assert selector.takes(series) is taken


def test_alerts_are_one_group_of_their_own() -> None:
    (group,) = yaml.safe_load((HERE / "prometheus" / "alerts.yml").read_text())["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert.name for alert in ALERTS]
    assert all({"summary", "description", "runbook_url"} == rule["annotations"].keys() for rule in group["rules"])
