"""The table of all metrics of the page, for people: docs/metrics.md."""

from collections.abc import Iterable

from dashboards.series_table import counts
from neurontools.exporters.prometheus import FAMILIES, OFFICIAL, OWN, Family
from neurontools.metrics import BY_NAME
from neurontools.metrics.metric import Supply

_HEAD = """\
# Metrics

Every metric of the lean page of [neuron-monitor-prometheus](prometheus.md), written by `make dashboards`.

A device model has all of them. On a host they come from the driver's files, from the driver version that is named on,
and from AWS's neuron-monitor where that is installed; the exporter reads both. What neither has is absent, never 0.
With `--kubernetes` what is of one device, core or process has the labels `namespace`, `pod` and `container` besides.
"""

_TITLES = (
    ("Under AWS's names", OFFICIAL),
    ("Under our own", OWN),
)
_COLUMNS = ("metric", "type", "unit", "labels", "what it is", "the driver's files", "AWS's neuron-monitor")

_BESIDE_THE_CATALOGUE = {"neuron_runtime_job": ("yes: the process's control group", "no")}
"""Who supplies what is no number of the catalogue; the others come with whatever is read."""


_SERIES = """
## How many series a host has

Counted on simulated hosts, with nothing running and with one process on all cores; `--count-series` counts on yours.
The lean page has one more for each rule of neuron-doctor and for what these find, AWS's page 16 of its library. On the
lean page a process has 100 to 150 and 6 for each of its cores; one that ended has none.

"""
_SERIES_COLUMNS = ("instance", "cores", "lean, idle", "lean, busy", "AWS's, idle", "AWS's, busy")


def metrics_text() -> str:
    """The document."""
    parts = [_HEAD]
    for title, families in _TITLES:
        rows = [_row(family) for family in families]
        parts += [f"\n## {title}\n\n", _line(_COLUMNS), _line(["---"] * len(_COLUMNS)), *map(_line, rows)]
    parts += [_SERIES, _line(_SERIES_COLUMNS), _line(["---"] * len(_SERIES_COLUMNS))]
    parts += [_line(map(str, count)) for count in counts()]
    assert sum(len(families) for _, families in _TITLES) == len(FAMILIES)
    return "".join(parts)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _row(family: Family) -> tuple[str, ...]:
    names = ", ".join(f"`{name}`" for name in family.sample_names)
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return names, family.kind, family.unit, labels, family.help, *_supplies(family)


def _supplies(family: Family) -> tuple[str, str]:
    if not family.metrics:
        return _BESIDE_THE_CATALOGUE.get(family.name, ("yes", "yes"))
    supplied = [BY_NAME[name].supplied_by for name in family.metrics]
    return _words(each["sysfs"] for each in supplied), _words(each["aws"] for each in supplied)


def _words(supplies: Iterable[Supply]) -> str:
    return "; ".join(dict.fromkeys(map(_word, supplies)))


def _word(supply: Supply) -> str:
    told = "no" if not supply.available else "yes" if supply.since is None else f"from {supply.since}"
    return f"{told}: {supply.note}" if supply.note else told
