"""Families as text: the exposition format that a scrape gets, and what OpenMetrics has before a family's samples."""

from __future__ import annotations

from collections.abc import Iterable

from neurontools.exporters.prometheus.family import COUNTER, INFO, Family, Labels, View, escaped, numbers, series


def render(view: View, families: Iterable[Family]) -> str:
    """One instant in the text format of Prometheus, version 0.0.4."""
    lines: list[str] = []
    for family in families:
        samples = [
            f"{name} {number!r}"
            for labels, value in family.read(view)
            for name, number in zip(
                series(family.name, family.kind, family.labels, labels), numbers(value), strict=True
            )
        ]
        if samples:
            lines += [*_head(family), *samples]
    return "\n".join([*lines, ""])


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
