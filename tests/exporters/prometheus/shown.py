"""What families show, read back by the client library's own parsers."""

import re
from collections.abc import Iterable
from itertools import groupby

from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from neurontools.exporters.prometheus import FAMILIES, Family, View
from neurontools.exporters.prometheus.family import numbers, series

Series = tuple[str, tuple[tuple[str, str], ...]]


def parsed(text: str) -> dict[Series, float]:
    """The samples of one instant, by name and labels; fails where a series comes twice."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def parsed_openmetrics(text: str) -> dict[tuple[Series, float], float]:
    """The samples of a history, by name, labels and time.

    The library's parser takes the second instant of a histogram for the first once more, so that it gets those one by
    one; of everything else it sees that what belongs together stands together.
    """
    *families, end = re.split(r"^(?=# (?:TYPE|EOF))", text, flags=re.MULTILINE)
    assert end == "# EOF\n"
    texts = [part for family in families if family for part in _readable(family)]
    found: dict[tuple[Series, float], float] = {}
    for part in texts:
        for family in openmetrics_parser.text_string_to_metric_families(part + end):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items()))), float(sample.timestamp)
                assert key not in found
                found[key] = sample.value
    return found


def _readable(family: str) -> list[str]:
    if " histogram\n" not in family:
        return [family]
    lines = family.splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#")]
    samples = sorted(lines[len(head) :], key=lambda line: float(line.split()[-1]))
    times = groupby(samples, key=lambda line: line.split()[-1])
    return ["".join([*head, *same]) for _, same in times]


def values(view: View, families: Iterable[Family] = FAMILIES) -> dict[str, float]:
    """What the families show, by the text of the series."""
    return {
        name: number
        for family in families
        for labels, value in family.read(view)
        for name, number in zip(series(family.name, family.kind, family.labels, labels), numbers(value), strict=True)
    }
