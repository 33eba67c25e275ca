"""What of a panel a real host's driver files alone can show, from what the catalogue says of each number."""

from collections.abc import Iterable, Iterator

from dashboards.boards.board import Panel
from dashboards.recordings import RECORDINGS
from dashboards.selectors import selectors
from neurontools.exporters.prometheus import FAMILIES
from neurontools.metrics import BY_NAME
from neurontools.metrics.metric import Supply

VARIABLES = {"$__rate_interval": "5m", "$instance": ".+", "$runtime_tag": ".+"}
"""Grafana's variables, and what stands for them where an expression is read without Grafana."""

_RECORDED = {each.name: each.expression for each in RECORDINGS}
_METRICS = {name: family.metrics for family in FAMILIES for name in family.sample_names}


def plain(expression: str) -> str:
    """An expression without variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def metrics_in(expression: str) -> Iterator[str]:
    """The numbers of the catalogue that an expression shows, through recordings too."""
    for selector in selectors(plain(expression)):
        if selector.name in _RECORDED:
            yield from metrics_in(_RECORDED[selector.name])
        yield from _METRICS.get(selector.name, ())


def supply_of(panel: Panel) -> str:
    """A sentence for each thing that the driver's files alone lack or have only lately; nothing where they have all."""
    names = [name for query in panel.queries for name in metrics_in(query.expression)]
    return " ".join(dict.fromkeys(_sentences(BY_NAME[name].supplied_by["sysfs"] for name in names)))


def _sentences(supplies: Iterable[Supply]) -> Iterator[str]:
    for supply in supplies:
        if not supply.available:
            yield f"Not from the driver's files alone: {supply.note}."
        elif supply.since is not None:
            note = f" ({supply.note})" if supply.note else ""
            yield f"From the driver's files alone since driver {supply.since}{note}."
