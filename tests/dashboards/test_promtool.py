"""Prometheus' own tool accepts the rules, and finds that each alert fires on its scene, and no other one does."""

import shutil
from pathlib import Path

import pytest
import yaml

from dashboards.alerts import ALERTS
from dashboards.files import HERE, TESTS, rule_tests
from dashboards.promtool import values
from dashboards.rule_files import ALERTS_FILE, text_of
from dashboards.scenes import SCENES
from tests.commands.test_promtool import promtool

pytestmark = pytest.mark.slow


def test_promtool_accepts_the_rules() -> None:
    checked = promtool("check", "rules", *map(str, sorted((HERE / "prometheus").glob("*.yml"))))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_fire_on_their_scenes_and_on_no_others() -> None:
    tested = promtool("test", "rules", *map(str, sorted((HERE / TESTS).glob("*.yml"))))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(list((HERE / TESTS).glob("*.yml")))


@pytest.mark.parametrize("name", [alert.name for alert in ALERTS])
def test_an_alert_that_never_fires_fails_its_test(name: str, tmp_path: Path) -> None:
    """So the tests are no formality."""
    copied = shutil.copytree(HERE / "prometheus", tmp_path / "prometheus")
    rules = yaml.safe_load((copied / ALERTS_FILE).read_text())
    (rule,) = [rule for rule in rules["groups"][0]["rules"] if rule["alert"] == name]
    rule["expr"] = f"({rule['expr']}) and vector(1) == 2"
    (copied / ALERTS_FILE).write_text(text_of(rules))
    scenes = [scene.name for scene in SCENES if any(name in firing for _, firing in scene.checks)]
    tested = promtool("test", "rules", *(str(copied / "tests" / f"{scene}.yml") for scene in scenes))
    assert tested.returncode != 0 and f"alertname: {name}" in tested.stderr + tested.stdout


@pytest.mark.parametrize("name", rule_tests())
def test_a_scene_is_as_the_device_model_plays_it(name: str) -> None:
    assert (HERE / name).read_text() == rule_tests()[name](), "run `make dashboards`"


@pytest.mark.parametrize(
    ("numbers", "steps", "text"),
    [
        ([1.0, 1.0, 1.0, 2.0], 4, "1+0x2 2"),
        ([None, None, 0.123456, None, 3.0], 5, "_x2 0.12346 stale 3"),
        ([5.0], 4, "5 stale _x2"),
        ([1234567.0], 1, "1.2346e+06"),
    ],
)
def test_numbers_in_promtools_notation(numbers: list[float | None], steps: int, text: str) -> None:
    assert values(numbers, steps) == text
