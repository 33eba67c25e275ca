"""Names, units and points: what OpenTelemetry is given of a host, before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.exporters.otlp.naming import FINDING, published
from neurontools.exporters.otlp.points import BOUNDS_S, Points, Series, buckets_of, resource_of
from neurontools.hardware.instances import INSTANCES
from neurontools.metrics import BY_NAME
from neurontools.metrics.metric import COUNTER
from neurontools.schema.finding import Diagnosis, Finding, Scope
from neurontools.schema.histogram import Histogram, bucket_of
from neurontools.schema.interval import Interval, between
from tests.conftest import ROOT, Golden
from tests.exporters.nodes import interval_of, inventory_for, reading

TRN1, TRN2 = INSTANCES["trn1.2xlarge"], INSTANCES["trn2.48xlarge"]


def by_name(series: list[Series]) -> dict[str, Series]:
    return {each.name.name: each for each in series}


def interval(from_s: int, to_s: int) -> Interval:
    return between(reading(TRN1, from_s), reading(TRN1, to_s))


def test_the_names(golden: Golden) -> None:
    lines = [f"{key:42}{name.name:40}{name.unit:14}{', '.join(name.attributes)}" for key, name in published().items()]
    golden("otlp/names.txt", "\n".join(lines) + "\n")


def test_the_points_of_a_host(golden: Golden) -> None:
    lines = [
        f"{each.name.name} {each.name.unit} {dict(point.attributes)} {point.value}"
        for each in Points().of(interval_of(TRN1))
        for point in each.points
    ]
    golden("otlp/points.txt", "\n".join(lines) + "\n")


def test_one_metric_has_one_unit_and_one_set_of_attributes() -> None:
    shapes: dict[str, set[object]] = {}
    for key, name in published().items():
        kind = BY_NAME[key].kind
        shapes.setdefault(name.name, set()).add((name.unit, name.attributes, tuple(sorted(name.fixed)), kind))
    assert {name: found for name, found in shapes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", INSTANCES)
def test_every_point_of_a_metric_is_another(name: str) -> None:
    for each in Points().of(interval_of(INSTANCES[name])):
        attributes = [point.attributes for point in each.points]
        assert len(attributes) == len(set(attributes)), each.name.name


def test_names_and_units_are_of_the_conventions_form() -> None:
    for name in published().values():
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", name.name)
        assert re.fullmatch(r"1|By(/s)?|s|\{[a-z]+\}", name.unit)
        assert not name.name.endswith(("_total", "_bytes", "_percent", "_ns", "_s"))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_sums_count_from_the_first_interval_on(steps: list[int]) -> None:
    points, at_s = Points(), 10
    for step in steps:
        found = by_name(points.of(interval(at_s, at_s + step)))
        at_s += step
        for key in ("core_flops_total", "process_executions_total", "host_context_switches_total"):
            for point in found[published()[key].name].points:
                assert point.start_ns == interval(10, 11).head.time_ns - 10**9
    whole = by_name(Points().of(interval(10, at_s)))
    for name, each in found.items():
        if each.kind == COUNTER:
            assert [p.value for p in each.points] == pytest.approx([p.value for p in whole[name].points])


def test_what_is_no_longer_seen_is_forgotten() -> None:
    points = Points()
    points.of(interval(10, 11))
    gone = replace(interval(11, 12), processes=())
    assert not [each for each in points.of(gone) if each.name.name.startswith("aws.neuron.process")]
    (again,) = [each for each in points.of(interval(12, 13)) if each.name.name == "aws.neuron.process.executions"]
    assert {point.start_ns for point in again.points} == {interval(12, 13).head.time_ns - 10**9}


@given(st.lists(st.integers(1, 10**12), max_size=50))
def test_buckets_hold_every_duration_within_their_precision(durations_ns: list[int]) -> None:
    counts: dict[int, int] = {}
    for duration in durations_ns:
        counts[bucket_of(duration)] = counts.get(bucket_of(duration), 0) + 1
    buckets = buckets_of(Histogram(counts=counts, sum_ns=sum(durations_ns)))
    assert len(buckets) == len(BOUNDS_S) + 1 and sum(buckets) == len(durations_ns)
    for i, bound_s in enumerate(BOUNDS_S):
        within = sum(duration <= bound_s * 1e9 * 0.98 for duration in durations_ns)
        most = sum(duration <= bound_s * 1e9 * 1.02 for duration in durations_ns)
        assert within <= sum(buckets[: i + 1]) <= most


def test_the_host_is_described_and_marked() -> None:
    resource = resource_of(interval_of(TRN2), inventory_for(TRN2)._replace(instance_name=""))
    assert resource["host.type"] == "trn2.48xlarge" and resource["aws.neuron.simulated"] is True
    assert "host.name" not in resource


def test_findings_are_points_by_rule_and_place() -> None:
    def found(severity: str, **where: int) -> Finding:
        scope = Scope(kind="core" if where else "node", **where)
        return Finding(rule="hang", severity=severity, category="c", scope=scope, since_ns=0, message="m")

    diagnosis = Diagnosis(time_ns=0, findings=(found("warn", device=1, core=2), found("replace", device=1, core=2)))
    both = replace(diagnosis, findings=(*diagnosis.findings, found("info")))
    (series,) = [each for each in Points().of(interval_of(TRN2), both) if each.name == FINDING]
    assert [(point.attributes, point.value) for point in series.points] == [
        ((("aws.neuron.rule", "hang"), ("aws.neuron.device", "1"), ("aws.neuron.core", "2")), 3),
        ((("aws.neuron.rule", "hang"),), 0),
    ]
    assert all(each.name != FINDING for each in Points().of(interval_of(TRN2), Diagnosis(time_ns=0)))


def test_the_document_lists_every_metric() -> None:
    listed = set(re.findall(r"^\| `([\w.]+)` \|", Path(ROOT / "docs" / "otlp.md").read_text(), re.MULTILINE))
    assert listed == {FINDING.name, *(name.name for name in published().values())}
