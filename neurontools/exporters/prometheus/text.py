"""Families as text: the exposition format that a scrape gets, and what OpenMetrics has before a family's samples."""

from __future__ import annotations

from collections.abc import Iterable

from neurontools.exporters.prometheus.family import (
    COUNTER,
    HISTOGRAM,
    INFO,
    Family,
    Labels,
    View,
    escaped,
    numbers,
    series,
)
from neurontools.schema.histogram import Histogram


def render(view: View, families: Iterable[Family]) -> str:
    """One instant in the text format of Prometheus, version 0.0.4."""
    lines: list[str] = []
    for family in families:
        samples = _distributions(view, family) if family.kind == HISTOGRAM else _numbers(view, family)
        if samples:
            lines += _head(family)
            lines += samples
    return "\n".join([*lines, ""])


def _distributions(view: View, family: Family) -> list[str]:
    return [
        f"{name} {number!r}"
        for labels, value in family.read(view)
        for name, number in zip(series(family.name, family.kind, family.labels, labels), numbers(value), strict=True)
    ]


def _numbers(view: View, family: Family) -> list[str]:
    """The lines of a family of plain numbers; most are as they were on the page before."""
    known = _KNOWN.setdefault((family.name, family.labels), {})
    if len(known) > _MOST_KNOWN:
        known.clear()
    lines: list[str] = []
    for labels, value in family.read(view):
        line = known.get(labels)
        if line is None:
            line = known[labels] = _Line(series(family.name, family.kind, family.labels, labels)[0] + " ")
        if value != line.value:
            line.value, line.text = value, f"{line.name}{float(value)!r}"  # type: ignore[arg-type]
        lines.append(line.text)
    return lines


class _Line:
    """A series as text, and its last number with the line that it made."""

    __slots__ = ("name", "text", "value")

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: float | Histogram | None = None
        self.text = ""


_KNOWN: dict[tuple[str, Labels], dict[Labels, _Line]] = {}
"""What pages had, by family and labels."""

_MOST_KNOWN = 1 << 14
"""Of a family; where pods and processes come and go, those that were are forgotten together."""


def sample(family: Family, labels: Labels, value: float) -> str:
    """A family with one number, in that format."""
    (name,) = series(family.name, family.kind, family.labels, labels)
    return "\n".join([*_head(family), f"{name} {value!r}", ""])


def openmetrics_head(family: Family) -> str:
    """What stands before a family's samples in OpenMetrics."""
    unit = f"# UNIT {family.name} {family.unit}\n" if family.unit else ""
    return f"# TYPE {family.name} {family.kind}\n{unit}# HELP {family.name} {escaped(family.help)}\n"


OPENMETRICS_END = "# EOF\n"


def _head(family: Family) -> tuple[str, str]:
    name = family.name + (family.suffixes[0] if family.kind in (COUNTER, INFO) else "")
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}", f"# TYPE {name} {'gauge' if family.kind == INFO else family.kind}"
