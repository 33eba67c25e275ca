"""The boards as Grafana reads them, made with Grafana's own builders."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.boards.board import BARS, GRAPH, HEATMAP, NUMBER, STACK, STATES, TABLE, Board, Panel, Query
from dashboards.supply import supply_of

_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_GREEN, _RED = "green", "red"
_INSTANT = (NUMBER, BARS, TABLE)
"""Kinds of panel that show what is now."""


def grafana_text(board: Board) -> str:
    """The JSON of a dashboard."""
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["neuron", "generated"])
        .editable()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            builders.DashboardLink("Neuron")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["neuron"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for label, metric in board.variables:
        made.with_variable(_variable(label, metric, board.many or label != "instance"))
    numbers = count(1)
    for row in board.rows:
        made.with_row(builders.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(_panel(panel).id(next(numbers)))
    document = json.loads(JSONEncoder().encode(made.build()))
    _renew(document)
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _renew(document: dict[str, Any]) -> None:
    """Takes out what the builders, which are of Grafana 10, say and later Grafanas no longer know."""
    del document["style"]
    for variable in document["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min", "id"):
            variable.pop(name, None)
    for panel in document["panels"]:
        if panel["type"] == "heatmap":
            panel["options"]["tooltip"] = {"mode": words.TooltipDisplayMode.SINGLE}
        elif panel["type"] == "table":
            del panel["options"]["footer"]


def _variable(label: str, metric: str, many: bool) -> builders.QueryVariable:
    query = f"label_values({metric}, {label})"
    return (
        builders.QueryVariable(label)
        .label(label)
        .datasource(_SOURCE)
        .query({"query": query, "refId": label})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(many)
        .include_all(many)
        .all_value(".+")
    )


def _panel(panel: Panel) -> Any:
    made = _MAKERS[panel.kind](panel)
    made.title(panel.title).description(f"{panel.about} {supply_of(panel)}".rstrip())
    made.datasource(_SOURCE).unit(panel.unit).span(panel.width).height(panel.height)
    if any(query.in_trouble for query in panel.queries):
        made.no_value("nothing is wrong")
    for name, query in zip("ABCDEF", panel.queries, strict=False):
        made.with_target(_target(name, query, panel.kind))
    return made


def _target(name: str, query: Query, kind: str) -> Dataquery:
    target = Dataquery().ref_id(name).expr(query.expression).legend_format(query.legend or "__auto")
    if kind == TABLE:
        target.format(PromQueryFormat.TABLE)
    elif kind == HEATMAP:
        target.format(PromQueryFormat.HEATMAP)
    return target.instant() if kind in _INSTANT else target.range()


def _graph(panel: Panel) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(words.VisibilityMode.NEVER)
        .legend(common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(words.TooltipDisplayMode.MULTI).sort(words.SortOrder.DESCENDING))
    )


def _stack(panel: Panel) -> timeseries.Panel:
    stacking = common.StackingConfig().mode(words.StackingMode.NORMAL)
    return _graph(panel).stacking(stacking).fill_opacity(40)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _number(panel: Panel) -> stat.Panel:
    made = stat.Panel().reduce_options(_last()).graph_mode(words.BigValueGraphMode.NONE)
    return made.thresholds(_thresholds(panel))


def _bars(panel: Panel) -> bargauge.Panel:
    made = bargauge.Panel().reduce_options(_last()).min(0).max(1)
    return made.orientation(words.VizOrientation.HORIZONTAL).thresholds(_thresholds(panel))


def _thresholds(panel: Panel) -> builders.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=_GREEN)]
    if panel.bad_from is not None:
        steps.append(models.Threshold(value=panel.bad_from, color=_RED))
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _states(panel: Panel) -> statetimeline.Panel:
    down = models.ValueMap(options={"0": models.ValueMappingResult(text="down", color=_RED)})
    up = models.ValueMap(options={"1": models.ValueMappingResult(text="up", color=_GREEN)})
    return statetimeline.Panel().mappings([down, up]).merge_values(True).show_value(words.VisibilityMode.NEVER)


def _table(panel: Panel) -> table.Panel:
    hidden = dict.fromkeys(("Time", "__name__", "job", "Value"), True)
    options = {"excludeByName": hidden, "indexByName": {}, "renameByName": {}}
    return (
        table.Panel()
        .show_header(True)
        .with_transformation(models.DataTransformerConfig(id_val="organize", options=options))
    )


def _heatmap(panel: Panel) -> heatmap.Panel:
    return heatmap.Panel().calculate(False).y_axis(heatmap.YAxisConfig().unit(panel.unit)).show_legend()


_MAKERS: dict[str, Callable[[Panel], Any]] = {
    GRAPH: _graph,
    STACK: _stack,
    NUMBER: _number,
    BARS: _bars,
    STATES: _states,
    TABLE: _table,
    HEATMAP: _heatmap,
}
