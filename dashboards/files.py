"""Which files are made from the tables, and what each holds."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dashboards import promtool
from dashboards.boards import BOARDS
from dashboards.grafana_json import grafana_text
from dashboards.metrics_table import metrics_text
from dashboards.rule_files import ALERTS_FILE, RECORDINGS_FILE, alerts_text, recordings_text
from dashboards.scenes import SCENES

HERE = Path(__file__).resolve().parent
TESTS = "prometheus/tests"
METRICS_FILE = "../docs/metrics.md"


def rule_files() -> Iterator[tuple[str, str]]:
    """The rules, by their paths below this directory."""
    yield f"prometheus/{ALERTS_FILE}", alerts_text()
    yield f"prometheus/{RECORDINGS_FILE}", recordings_text()


def rule_tests() -> dict[str, Callable[[], str]]:
    """What makes each of the rules' tests; that takes a simulation of some minutes to an hour."""
    of_scenes = {f"{TESTS}/{scene.name}.yml": partial(promtool.scene_text, scene) for scene in SCENES}
    return {f"{TESTS}/{RECORDINGS_FILE}": promtool.recordings_text, **of_scenes}


def grafana_files() -> Iterator[tuple[str, str]]:
    """The dashboards."""
    for board in BOARDS:
        yield f"grafana/{board.uid}.json", grafana_text(board)


def files() -> Iterator[tuple[str, str]]:
    """All of them."""
    yield METRICS_FILE, metrics_text()
    yield from rule_files()
    yield from grafana_files()
    for name, make in rule_tests().items():
        yield name, make()
