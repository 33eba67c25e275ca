"""Scenes as the tests that `promtool test rules` runs: series, and which alerts fire when."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from dashboards.alerts import ALERTS, BY_NAME
from dashboards.recorded import STEP_S, Series, play
from dashboards.recordings import RECORDINGS
from dashboards.rule_files import ALERTS_FILE, RECORDINGS_FILE, annotations_of, labels_of, text_of
from dashboards.scenes import INSTANCE, JOB, RANGES, SCENES, Firing, Labels, Range, Scene
from dashboards.selectors import selectors

_HEAD = "# Made by `make dashboards`: played by the device model as dashboards/scenes.py says.\n"
_DIGITS = 5
_RECORDED_MINUTES = 12
_ABSENT, _STALE = "_", "stale"
_TEMPLATE = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def scene_text(scene: Scene) -> str:
    """The test of all alerts in a scene."""
    series = play(scene, [selector for alert in ALERTS for selector in selectors(alert.expression)])
    # Prometheus' own, to which the exporter always answers.
    series["up"] = [1.0] * _steps(scene.minutes)
    checks = [check for minute, firing in scene.checks for check in _checks(minute, firing)]
    return _text(f"{scene.name}: {scene.about}", series, scene.minutes, {"alert_rule_test": checks})


def recordings_text() -> str:
    """The test of all recordings on the sound host."""
    scene = SCENES[0]._replace(minutes=_RECORDED_MINUTES)
    series = play(scene, [selector for each in RECORDINGS for selector in selectors(each.expression)])
    checks = [check for each in RANGES for check in _within(each)]
    return _text(f"recordings of: {scene.about}", series, scene.minutes, {"promql_expr_test": checks})


def _steps(minutes: int) -> int:
    return minutes * 60 // STEP_S + 1


def _text(name: str, series: Series, minutes: int, checks: dict[str, Any]) -> str:
    inputs = [{"series": _named(each), "values": values(series[each], _steps(minutes))} for each in sorted(series)]
    document = {
        "rule_files": [f"../{ALERTS_FILE}", f"../{RECORDINGS_FILE}"],
        "evaluation_interval": f"{STEP_S}s",
        "tests": [{"name": name, "interval": f"{STEP_S}s", "input_series": inputs} | checks],
    }
    return _HEAD + text_of(document)


def _within(range_: Range) -> Iterator[dict[str, Any]]:
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(range_.labels.items()))
    for comparison, number in ((">", range_.least), ("<=", range_.most)):
        yield {
            "expr": f"{range_.selector} {comparison} bool {number:g}",
            "eval_time": f"{_RECORDED_MINUTES}m",
            "exp_samples": [{"labels": f"{{{labels}}}", "value": 1}],
        }


def _named(series: str) -> str:
    name, _, labels = series.partition("{")
    added = f'instance="{INSTANCE}",job="{JOB}"'
    return f"{name}{{{added},{labels}" if labels else f"{name}{{{added}}}"


def _checks(minute: float, firing: Firing) -> Iterator[dict[str, Any]]:
    for alert in ALERTS:
        expected = [_fired(alert.name, labels) for labels in firing.get(alert.name, ())]
        yield {"eval_time": f"{minute:g}m", "alertname": alert.name, "exp_alerts": expected}


def _fired(name: str, labels: Labels) -> dict[str, Any]:
    alert = BY_NAME[name]
    known = {"instance": INSTANCE, "job": JOB} | labels
    return {
        "exp_labels": known | labels_of(alert),
        "exp_annotations": {
            key: _TEMPLATE.sub(lambda match: known[match[1]], text) for key, text in annotations_of(alert).items()
        },
    }


def values(numbers: list[float | None], steps: int) -> str:
    """Numbers in promtool's notation: `1+0x3` for four of 1, `_x3` for three that are absent; five digits.

    Where a series ends Prometheus marks it stale at once, as it does when a page no longer has it.
    """
    words = [_ABSENT if number is None else f"{number:.{_DIGITS}g}" for number in numbers]
    words += [_ABSENT] * (steps - len(words))
    marked = [_STALE if word == _ABSENT and i and words[i - 1] != _ABSENT else word for i, word in enumerate(words)]
    return " ".join(_run(word, len(list(same))) for word, same in groupby(marked))


def _run(word: str, count: int) -> str:
    if word == _ABSENT:
        return f"_x{count}"
    return word if count == 1 else f"{word}+0x{count - 1}"
