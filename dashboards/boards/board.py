"""What a dashboard is made of: rows of panels, each with queries."""

from typing import NamedTuple

GRAPH, STACK, NUMBER, BARS, TABLE, STATES, HEATMAP = "graph", "stack", "number", "bars", "table", "states", "heatmap"
"""Kinds of panel: lines, areas on each other, one number large, a bar a series, rows of labels, when a series had which
of a few values, and a distribution over time."""

PLAIN, BYTES, RATIO, SECONDS, PER_SECOND, BYTES_PER_SECOND, FLOPS = (
    "short",
    "bytes",
    "percentunit",
    "s",
    "cps",
    "Bps",
    "FLOP/s",
)
"""Grafana's names of units."""

HOST = 'instance=~"$instance"'
"""The condition on every query: the host or hosts that were chosen."""

RATE = "[$__rate_interval]"
"""Four scrapes or more, as Grafana reckons."""


class Query(NamedTuple):
    """`legend` is a template of labels. Only with `in_trouble` may it give nothing on a sound and busy host."""

    expression: str
    legend: str = ""
    in_trouble: bool = False


class Panel(NamedTuple):
    """`width` is in Grafana's columns, of which a row has 24. `bad_from` colours numbers from there on."""

    title: str
    kind: str
    queries: tuple[Query, ...]
    about: str
    unit: str = PLAIN
    width: int = 8
    height: int = 8
    bad_from: float | None = None


class Row(NamedTuple):
    """A heading, and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


class Board(NamedTuple):
    """`variables` are chosen above it: labels, each with the metric that knows their values; `many` says whether
    several hosts can be chosen at once."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    many: bool = True
    variables: tuple[tuple[str, str], ...] = (("instance", "neuron_source_up"),)


def number(title: str, expression: str, about: str, unit: str = PLAIN, bad_from: float | None = None) -> Panel:
    """A panel with one number."""
    return Panel(title, NUMBER, (Query(expression),), about, unit, width=4, height=4, bad_from=bad_from)


def quantiles(histogram: str, by: str, where: str) -> tuple[Query, ...]:
    """Median and 99th percentile of a distribution, a line each for the values of a label."""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by ({by}, le) (rate({histogram}_bucket{{{where}}}{RATE})))",
            f"{{{{{by}}}}} {name}",
        )
        for share, name in ((0.5, "p50"), (0.99, "p99"))
    )
