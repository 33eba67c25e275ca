"""The dashboards: each panel is what Grafana knows, each expression is about what there is, the files are current."""

import json
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from jsonschema import Draft7Validator

from dashboards.boards import BOARDS, Board
from dashboards.boards.board import Query
from dashboards.files import HERE, grafana_files
from dashboards.recordings import RECORDINGS
from dashboards.selectors import selectors
from dashboards.supply import plain, supply_of
from neurontools.exporters.prometheus import FAMILIES
from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "tests" / "dashboards" / "grafana" / "schema.json").read_text())
LABELS = {name: {*family.labels, "le"} for family in FAMILIES for name in family.sample_names}
LABELS |= {recording.name: {"runtime_tag", "outcome"} for recording in RECORDINGS}
LABELS |= {"ALERTS": {"alertname", "alertstate"}}

PANELS = [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]
QUERIES = [(board, query) for board, panel in PANELS for query in panel.queries]


def wrong(part: str, document: Any) -> list[str]:
    """What the schema of @grafana/schema says of a document."""
    validator = Draft7Validator(
        {"$ref": f"#/definitions/Checked/properties/{part}", "definitions": SCHEMA["definitions"]}
    )
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def panels() -> Iterator[Any]:
    for name, text in grafana_files():
        for panel in json.loads(text)["panels"]:
            yield pytest.param(panel, id=f"{name}: {panel['title']}")


def test_the_dashboards_are_those_of_the_tables() -> None:
    for name, text in grafana_files():
        assert (HERE / name).read_text() == text, "run `make dashboards`"
    assert {path.name for path in (HERE / "grafana").iterdir()} == {f"{board.uid}.json" for board in BOARDS}


def test_grafana_knows_every_dashboard() -> None:
    for name, text in grafana_files():
        assert not wrong("dashboard", json.loads(text)), name


@pytest.mark.parametrize("panel", panels())
def test_grafana_knows_every_panel_and_its_options(panel: dict[str, Any]) -> None:
    if panel["type"] == "row":
        assert not wrong("row", panel)
        return
    assert not wrong("panel", panel)
    custom = panel["fieldConfig"]["defaults"].get("custom")
    assert not wrong(panel["type"], {"options": panel["options"]} | ({"custom": custom} if custom else {}))


def test_a_mistake_in_a_panel_is_seen() -> None:
    text = dict(grafana_files())["grafana/neuron-node.json"]
    panel = next(each for each in json.loads(text)["panels"] if each["type"] == "timeseries")
    custom = panel["fieldConfig"]["defaults"]["custom"]
    assert wrong("timeseries", {"options": panel["options"], "custom": custom | {"drawStyle": "pencil"}})
    assert wrong("timeseries", {"options": panel["options"] | {"legends": {}}, "custom": custom})
    assert wrong("panel", panel | {"gridPos": {"x": 0}})


@pytest.mark.parametrize(("board", "query"), QUERIES)
def test_an_expression_is_about_what_there_is(board: Board, query: Query) -> None:
    promql_parser.parse(plain(query.expression))
    chosen = {label for label, _ in board.variables}
    for each in selectors(plain(query.expression)):
        labels = {label for label, _, _ in each.conditions}
        assert labels <= LABELS[each.name] | {"instance"}, each.name
    assert all(f'{label}=~"${label}"' in query.expression for label in chosen)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_says_what_it_shows(board: Board) -> None:
    for row in board.rows:
        titles = [panel.title for panel in row.panels]
        assert len(titles) == len(set(titles))
        assert all(panel.about.endswith(".") and panel.queries and panel.width <= 24 for panel in row.panels)


def test_what_the_drivers_files_alone_lack_is_said() -> None:
    said = {panel.title: supply_of(panel) for _, panel in PANELS}
    assert "the driver does not count HBM traffic" in said["HBM read"]
    assert "no link counters exist" in said["Link traffic"]
    assert "2.30.2" in said["Busy and nothing completed"]
    assert said["Can be read"] == ""


def test_identifiers_are_unique() -> None:
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    for _, text in grafana_files():
        numbers = [panel["id"] for panel in json.loads(text)["panels"]]
        assert len(set(numbers)) == len(numbers) and 0 not in numbers
