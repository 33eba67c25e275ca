"""What series an expression looks at: its selectors, and whether they take a series."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import promql_parser

_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_EXPORTERS_OWN = frozenset({"instance", "job"})
"""Labels that a scrape adds: a series as the exporter shows it has none of them."""


class Selector(NamedTuple):
    """A metric's name, and conditions on its labels, each a label's name and a pattern that must match or not."""

    name: str
    conditions: tuple[tuple[str, str, bool], ...]

    def takes(self, series: str) -> bool:
        """Whether it selects a series, which is written `name{label="value"}`."""
        name, labels = parts(series)
        return name == self.name and all(
            (re.fullmatch(pattern, labels.get(label, "")) is not None) is wanted
            for label, pattern, wanted in self.conditions
            if label not in _EXPORTERS_OWN
        )


def selectors(expression: str) -> list[Selector]:
    """The selectors of an expression. Raises ValueError where it is no PromQL."""
    found: list[Selector] = []

    def look(part: Any) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            found.append(Selector(str(part.name), tuple(_conditions(part.matchers.matchers))))
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


def _conditions(matchers: Iterable[Any]) -> Iterator[tuple[str, str, bool]]:
    op = promql_parser.MatchOp
    for each in matchers:
        pattern = each.value if each.op in (op.Re, op.NotRe) else re.escape(each.value)
        yield each.name, pattern, each.op in (op.Re, op.Equal)


def parts(series: str) -> tuple[str, dict[str, str]]:
    """The name and the labels of a series."""
    match = _SERIES.match(series)
    if match is None:
        raise ValueError(f"no series: {series!r}")
    return match[1], dict(_LABEL.findall(match[2] or ""))
