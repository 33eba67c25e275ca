"""What is published: names, units and series of every instance type, statistic sets, and requests within limits."""

from __future__ import annotations

import json
import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet, merged
from neurontools.exporters.cloudwatch.estimate import estimate, price, text_of
from neurontools.exporters.cloudwatch.render import DIMENSIONS, Layout, layout_of, lost, render, runtime_name
from neurontools.exporters.cloudwatch.requests import MOST_METRICS, OLDEST_S, member, packed, problem_of
from neurontools.exporters.cloudwatch.table import ROWS, SOURCE_UP, WORST_FINDING
from neurontools.hardware.instances import INSTANCES
from neurontools.metrics import BY_NAME
from neurontools.schema.finding import Diagnosis, Finding, Scope
from neurontools.schema.interval import ProcessInterval
from tests.conftest import ROOT, Golden
from tests.exporters.cloudwatch.strict import check
from tests.exporters.nodes import interval_of, inventory_for

TRN1, TRN2 = INSTANCES["trn1.2xlarge"], INSTANCES["trn2.48xlarge"]
finite = st.floats(-1e12, 1e12)
values = st.lists(finite, min_size=1, max_size=20)
names = st.sampled_from(("A", "B", "C"))


def data_of(*dimensions: str, instance: str = "trn1.2xlarge") -> list[Datum]:
    chosen = INSTANCES[instance]
    return render(interval_of(chosen), layout_of(dimensions or ("InstanceId",), inventory_for(chosen)))


def lines(data: list[Datum]) -> str:
    return "".join(json.dumps(member(datum), default=str) + "\n" for datum in data)


@pytest.mark.parametrize("dimensions", [(), ("InstanceType", "NeuronDevice", "NeuronCore", "RuntimeTag")])
def test_the_data_of_a_host(dimensions: tuple[str, ...], golden: Golden) -> None:
    name = "parts" if dimensions else "host"
    golden(f"cloudwatch/{name}.jsonl", lines(data_of(*dimensions)))


@pytest.mark.parametrize("name", INSTANCES)
def test_a_host_has_at_most_twenty_series_by_default(name: str) -> None:
    chosen = INSTANCES[name]
    layout = layout_of(("InstanceId",), inventory_for(chosen))
    series = [datum.series for datum in render(interval_of(chosen), layout, Diagnosis(time_ns=0, checked=("a",)))]
    assert len(series) == len(set(series)) <= 20
    assert {name for name, _ in series} == {SOURCE_UP, WORST_FINDING, *(row.name for row in ROWS)}


@pytest.mark.parametrize(
    ("checked", "severities", "worst"),
    [((), (), None), (("a",), (), 0), (("a",), ("info",), 0), (("a", "b"), ("warn", "replace", "info"), 3)],
)
def test_the_worst_finding_is_a_number_where_a_rule_could_look(
    checked: tuple[str, ...], severities: tuple[str, ...], worst: float | None
) -> None:
    found = tuple(
        Finding(rule="a", severity=severity, category="c", scope=Scope(kind="node"), since_ns=0, message="m")
        for severity in severities
    )
    layout = layout_of(("InstanceId",), inventory_for(TRN1))
    data = render(interval_of(TRN1), layout, Diagnosis(time_ns=0, checked=checked, findings=found))
    assert [datum.values.maximum for datum in data if datum.name == WORST_FINDING] == ([] if worst is None else [worst])


def test_every_row_is_a_metric_of_the_catalogue() -> None:
    assert [row.metric for row in ROWS if row.metric not in BY_NAME] == []
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_unknown_numbers_are_not_there() -> None:
    interval = interval_of(TRN1)
    bare = replace(interval, cores=(), devices=(), processes=(), processes_known=False, host=None)
    published = {datum.name: datum.values.total for datum in render(bare, Layout(()))}
    assert published == {SOURCE_UP: 1, "NeuronDevices": 0}


def test_a_host_knows_the_lowest_and_the_highest_of_its_cores() -> None:
    (datum,) = [datum for datum in data_of(instance="trn2.48xlarge") if datum.name == "NeuronCoreUtilization"]
    seen = [core.utilization_percent for core in interval_of(TRN2).cores if core.utilization_percent is not None]
    assert datum.values == StatisticSet(len(seen), sum(seen), min(seen), max(seen))


def test_no_pid_ever_makes_a_series() -> None:
    interval = interval_of(TRN2)
    data = render(interval, layout_of(DIMENSIONS, inventory_for(TRN2)))
    found = {value for datum in data for name, value in datum.dimensions if name == "RuntimeTag"}
    pids = {str(process.pid) for process in interval.processes}
    assert found and not found & pids


@pytest.mark.parametrize(
    ("tag", "command", "expected"),
    [("serve", "python a.py", "serve"), ("", "/usr/bin/python3 a.py", "python3"), (None, None, "unnamed")],
)
def test_what_a_process_is_called(tag: str | None, command: str | None, expected: str) -> None:
    assert runtime_name(ProcessInterval(pid=1, started_ns=0, tag=tag, command=command)) == expected


def test_what_a_host_does_not_say_is_no_dimension() -> None:
    inventory = inventory_for(TRN1)._replace(instance_name="")
    assert layout_of(["InstanceName", "InstanceType"], inventory).host == (("InstanceType", "trn1.2xlarge"),)


def test_a_lost_host_is_told() -> None:
    (datum,) = lost(7, Layout((("InstanceId", "i-1"),)))
    assert (datum.name, datum.values.maximum, datum.time_s) == (SOURCE_UP, 0, 7)


@given(st.lists(st.tuples(names, values), min_size=1, max_size=10))
def test_merging_keeps_what_cloudwatch_keeps(parts: list[tuple[str, list[float]]]) -> None:
    data = [Datum(name, "Count", (), StatisticSet.of(seen), i) for i, (name, seen) in enumerate(parts)]
    for datum in merged(data):
        own = [(i, seen) for i, (name, seen) in enumerate(parts) if name == datum.name]
        everything = [value for _, seen in own for value in seen]
        assert (datum.values.count, datum.values.minimum, datum.values.maximum) == (
            len(everything),
            min(everything),
            max(everything),
        )
        assert math.isclose(datum.values.total, math.fsum(everything), rel_tol=1e-9, abs_tol=1e-3)
        assert datum.time_s == own[-1][0]


@given(st.integers(0, 2500), st.integers(0, 30), st.integers(1, 300))
def test_requests_keep_the_limits_and_lose_nothing(count: int, dimensions: int, length: int) -> None:
    labels = tuple((f"dimension{i}", "v" * length) for i in range(dimensions))
    now_s = int(time.time())
    data = [Datum("M", "Count", labels, StatisticSet.of([i, i + 1]), now_s) for i in range(count)]
    requests = list(packed(data))
    assert [datum for request in requests for datum in request] == data
    assert all(len(request) <= MOST_METRICS for request in requests)
    for request in (requests[:1], requests[-1:]):
        for each in request:
            check("N", [member(datum) for datum in each])


@pytest.mark.parametrize(
    ("datum", "problem"),
    [
        (Datum("M", "Count", (), StatisticSet.of([1]), 10**6), ""),
        (Datum("M", "Count", (), StatisticSet.of([math.nan]), 10**6), "a value is not finite"),
        (Datum("M", "Count", (("A", ""),), StatisticSet.of([1]), 10**6), "the dimension A has the value ''"),
        (Datum("M", "Count", (("A", "é"),), StatisticSet.of([1]), 10**6), "the dimension A has the value 'é'"),
        (Datum("M", "Count", (("A", "b"),) * 31, StatisticSet.of([1]), 10**6), "it has 31 dimensions, at most 30"),
        (Datum("", "Count", (), StatisticSet.of([1]), 10**6), "its name has 0 characters"),
        (Datum("M", "Count", (), StatisticSet.of([1]), 10**6 - OLDEST_S - 1), "it is more than two weeks old"),
        (Datum("M", "Count", (), StatisticSet.of([1]), 10**6 + 7201), "it is more than two hours ahead"),
    ],
)
def test_what_the_service_would_refuse_is_known(datum: Datum, problem: str) -> None:
    found = problem_of(datum, 10**6)
    assert found.startswith(problem) and bool(found) == bool(problem)


def test_an_estimate(golden: Golden) -> None:
    data = data_of("InstanceId", "NeuronCore", instance="trn2.48xlarge")
    golden("cloudwatch/estimate.txt", text_of(estimate(data, 60, len(list(packed(data))))) + "\n")


@pytest.mark.parametrize(
    ("series", "usd"), [(0, 0), (1, 0.3), (10_000, 3000), (20_000, 4000), (1_000_000, 64_500), (1_000_001, 64_500.02)]
)
def test_the_price_falls_by_tiers(series: int, usd: float) -> None:
    assert price(series) == pytest.approx(usd)


def test_the_document_lists_every_metric() -> None:
    text = (ROOT / "docs" / "cloudwatch.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| ([\w/]+) \|", text, re.MULTILINE)
    assert listed == [(SOURCE_UP, "Count"), *((row.name, row.unit) for row in ROWS), (WORST_FINDING, "None")]
