"""A simulated host, printed as AWS's tool prints, read as a source, and printed again: the same numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

import pytest

from neurontools.exporters.report import encode
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.interval import between
from tests.exporters.nodes import interval_of, inventory_for, report_of
from tests.sources.aws.feeds import line_of, printed, readings_of, stream

MINUTE = (60, 65, 70, 75)
HOSTS = [
    ("two-tenants", "inf2.48xlarge", MINUTE),
    ("two-tenants", "trn2.48xlarge", MINUTE),
    ("training-trn1", "trn1.32xlarge", MINUTE),
    ("idle", "trn2.3xlarge", MINUTE),
    ("ecc-storm", "inf2.24xlarge", (180, 210, 240, 270)),
    pytest.param("pipeline-inf1", "inf1.6xlarge", MINUTE, marks=pytest.mark.slow),
    pytest.param("faults-tour", "trn2.48xlarge", tuple(range(1080, 1400, 60)), marks=pytest.mark.slow),
]

_LATENCY = 1e-9
_TWO_PLACES = 0.011
_WHOLE = 1.0
ROUNDED = {
    "p0": _LATENCY,
    "p1": _LATENCY,
    "p25": _LATENCY,
    "p50": _LATENCY,
    "p75": _LATENCY,
    "p99": _LATENCY,
    "p100": _LATENCY,
    "vcpu_usage": _TWO_PLACES,
    "usage_data": 2 * _TWO_PLACES,
    "average_usage": 2 * _TWO_PLACES,
    "flops": _WHOLE,
    "effective_flops": _WHOLE,
    "neuroncore_utilization": 1e-6,
    "period": 1e-9,
}
"""By how much a number may differ below a key, the nearest one of its path: to whole ns, to two places of a percent,
twice of one that is a share of shares which do not quite add up to 100, or to whole FLOP/s. All others are equal."""

DIFFERENT = {
    "average_usage": "made vCPUs spend unlike times in a second, and a line does not say how much each of them weighs",
}
"""Of the hosts made by hand: keys below which the numbers are others, and why."""


def leaves(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with the keys that lead to it."""
    if isinstance(document, dict | list) and document:
        items = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in items:
            yield from leaves(value, (*path, str(key)))
    else:
        yield path, document


def tolerance(path: tuple[str, ...]) -> float:
    return next((ROUNDED[key] for key in reversed(path) if key in ROUNDED), 0.0)


def check_same(printed_line: bytes, again: bytes, different: Collection[str] = ()) -> None:
    first, second = dict(leaves(json.loads(printed_line))), dict(leaves(json.loads(again)))
    assert first.keys() == second.keys()
    for path, value in first.items():
        if set(path) & set(different):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert abs(second[path] - value) <= tolerance(path), path
        else:
            assert second[path] == value, path


def printed_again(lines: tuple[bytes, ...]) -> list[bytes]:
    fed = stream()
    readings = readings_of(lines, fed)
    inventory = fed.inventory()
    return [line_of(inventory, between(*pair)) for pair in pairwise(readings)]


@pytest.mark.parametrize(("scenario", "instance", "seconds"), HOSTS)
def test_a_simulated_host_is_printed_the_same_again(scenario: str, instance: str, seconds: tuple[int, ...]) -> None:
    lines = printed(scenario, instance, seconds)
    again = printed_again(lines)
    assert len(again) == len(lines)
    for line, copy in zip(lines, again, strict=True):
        check_same(line, copy)


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_type(name: str) -> None:
    """Every number of these is another one."""
    inventory, interval = inventory_for(INSTANCES[name]), interval_of(INSTANCES[name])
    line = encode(report_of(inventory, interval))
    (again,) = printed_again((line,))
    check_same(line, again, DIFFERENT)


def test_a_copy_of_the_copy_is_the_copy() -> None:
    once = printed_again(printed("two-tenants", "trn2.48xlarge"))
    assert printed_again(tuple(once)) == once


def test_the_marks_of_a_simulated_host_come_back() -> None:
    (line, *_) = printed_again(printed("idle", "trn2.3xlarge"))
    info = json.loads(line)["instance_info"]
    assert (info["instance_id"], info["instance_region"]) == ("i-00000000000000000", "simulated")
    assert info["instance_name"] == "simulated:idle"


def test_only_what_is_listed_may_differ() -> None:
    line = printed("two-tenants", "inf2.48xlarge")[0]
    document = json.loads(line)
    document["neuron_runtime_data"][0]["report"]["execution_stats"]["execution_summary"]["completed"] += 1
    with pytest.raises(AssertionError, match="completed"):
        check_same(line, json.dumps(document).encode())
