"""The catalogue covers every number of an interval, once, and every getter works on any interval."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from neurontools.metrics import BY_NAME, CATALOGUE, LABELS, Metric, of_scope, records
from neurontools.metrics.metric import (
    BANK,
    CORE,
    COSTS,
    COUNTER,
    DEVICE,
    HISTOGRAM,
    KINDS,
    LINK,
    NODE,
    PROCESS,
    SCOPES,
    SOURCES,
    flat,
)
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval import (
    BankInterval,
    CoreInterval,
    DeviceInterval,
    HostInterval,
    Interval,
    LinkInterval,
    Percentiles,
    ProcessInterval,
    Totals,
    WorkloadInterval,
    between,
    totals,
)
from neurontools.schema.snapshot import Head, Origin, Snapshot
from tests.schema.strategies import series, shapes

_RECORDS: dict[str, dict[str, type[Struct]]] = {
    NODE: {"": Totals, "host.": HostInterval},
    DEVICE: {"": DeviceInterval},
    CORE: {"": CoreInterval},
    BANK: {"": BankInterval},
    LINK: {"": LinkInterval},
    PROCESS: {
        "": ProcessInterval,
        "latency_total.": Percentiles,
        "latency_device.": Percentiles,
        "workload.": WorkloadInterval,
        "workload.time_to_first_token.": Percentiles,
        "workload.request_latency.": Percentiles,
    },
}
"""Where the numbers of each scope are."""

_NOT_METRICS = {
    (DEVICE, "device"): "identity",
    (CORE, "core"): "identity",
    (CORE, "device"): "identity",
    (CORE, "parts"): "identity",
    (BANK, "bank"): "identity",
    (BANK, "cores"): "identity",
    (LINK, "peer"): "identity",
    (PROCESS, "pid"): "identity",
    (PROCESS, "started_ns"): "identity",
    (PROCESS, "parent_pid"): "identity",
    (PROCESS, "cores"): "identity",
    (PROCESS, "groups"): "identity",
    (PROCESS, "duration_ns"): "how long it was watched, not what it did",
    (DEVICE, "power_epoch_s"): "the age of the power numbers, not a number of the device",
    (PROCESS, "latency_total.count"): "process_executions_total and the histogram have it",
    (PROCESS, "latency_device.count"): "process_executions_total and the histogram have it",
    (PROCESS, "workload.time_to_first_token.count"): "process_requests_total and the histogram have it",
    (PROCESS, "workload.request_latency.count"): "process_requests_total and the histogram have it",
}
_OWN_RECORDS = (BankInterval, CoreInterval, DeviceInterval, HostInterval, LinkInterval, WorkloadInterval)
_SUFFIX_OF_UNIT = {
    "percent": r"_percent",
    "bytes": r"_bytes(_total)?",
    "bytes/s": r"_bytes_per_s",
    "FLOP": r"_flops_total",
    "FLOP/s": r"_flops_per_s",
    "executions": r"_executions_total",
    "executions/s": r"_executions_per_s",
    "requests": r"_requests_(total|queued|running)",
    "requests/s": r"_requests_per_s",
    "tokens": r"_tokens(_total)?",
    "tokens/s": r"_tokens_per_s",
    "events": r"_total",
    "ns": r"_ns_total",
    "s": r"_s",
    "1": r"[a-z]",
}


def _holds_numbers(hint: Any) -> bool:
    """Whether a field holds numbers that no record of their own has."""
    if get_origin(hint) in (Union, UnionType, tuple, dict):
        return any(_holds_numbers(argument) for argument in get_args(hint) if argument is not Ellipsis)
    if isinstance(hint, type) and issubclass(hint, Struct):
        numeric = hint is Histogram or any(_holds_numbers(inner) for inner in get_type_hints(hint).values())
        return numeric and hint not in _OWN_RECORDS and not hint.__name__.startswith("Loaded")
    return hint in (int, float, bool)


def _numeric_fields() -> Iterator[tuple[str, str]]:
    for scope, kinds in _RECORDS.items():
        for prefix, kind in kinds.items():
            hints = get_type_hints(kind)
            for name in kind.__struct_fields__:
                if _holds_numbers(hints[name]) and not (kind is Percentiles and name.startswith("p")):
                    yield scope, prefix + name


def _paths() -> list[tuple[str, str]]:
    paths = [(metric.scope, metric.path) for metric in CATALOGUE]
    return paths + [(metric.scope, metric.period_path) for metric in CATALOGUE if metric.period_path]


def test_every_number_is_in_the_catalogue_or_excluded_for_a_reason() -> None:
    fields = set(_numeric_fields())
    assert fields - set(_paths()) == set(_NOT_METRICS)


def test_every_number_is_there_once() -> None:
    paths = _paths()
    assert len(paths) == len(set(paths))
    assert set(paths) <= set(_numeric_fields())
    assert len(BY_NAME) == len(CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_an_entry_says_all_that_there_is_to_say(metric: Metric) -> None:
    assert re.fullmatch(r"(node|host|device|core|bank|link|process)(_[a-z0-9]+)+", metric.name)
    assert re.search(_SUFFIX_OF_UNIT[metric.unit] + "$", metric.name)
    assert (metric.kind in KINDS, metric.scope in SCOPES, metric.cost in COSTS) == (True, True, True)
    assert (metric.kind == COUNTER) == metric.name.endswith("_total") == (metric.period_path is not None)
    assert metric.title
    assert len(metric.title) <= 32
    for sentence in (metric.help, metric.reading):
        assert sentence.endswith(".")
        assert len(sentence) <= 110
    assert not set(metric.labels) & set(LABELS[metric.scope])


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_source_says_whether_and_since_when_it_has_a_number(metric: Metric) -> None:
    assert tuple(metric.supplied_by) == SOURCES
    assert any(supply.available for supply in metric.supplied_by.values())
    for supply in metric.supplied_by.values():
        assert supply.available or (supply.note and supply.since is None)
        assert supply.since is None or re.fullmatch(r"\d+(\.\d+)+", supply.since)


@settings(max_examples=30, deadline=None)
@given(series(2))
def test_every_getter_works_on_any_interval(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    for scope in SCOPES:
        for labels, record in records(interval, scope):
            assert len(labels) == len(LABELS[scope])
            for metric in of_scope(scope):
                _check(metric, record)


def _check(metric: Metric, record: object) -> None:
    if metric.kind == HISTOGRAM:
        assert metric.get(record) is None or isinstance(metric.histogram(record), Histogram)
        assert metric.samples(record) == []
        return
    for keys, number in metric.samples(record) + metric.period_samples(record):
        assert len(keys) == len(metric.labels)
        assert type(number) in (int, float)
    assert metric.kind == COUNTER or metric.period_samples(record) == []


@settings(max_examples=5, deadline=None)
@given(series(2, shapes(unknown=(0.0,)).filter(lambda shape: shape.devices > 1 and shape.processes > 0)))
def test_on_a_node_that_knows_everything_every_metric_has_a_value(taken: tuple[Snapshot, Snapshot]) -> None:
    interval = between(*taken)
    without = {
        metric.name
        for metric in CATALOGUE
        if all(metric.get(record) is None for _, record in records(interval, metric.scope))
    }
    in_the_period_only = {name for name in without if "latency" in name or "time_to_first_token" in name}
    assert without == in_the_period_only


def test_numbers_are_found_under_their_keys() -> None:
    core = CoreInterval(
        core=3, device=1, parts=(6, 7), status={"success": 4}, status_total={"success": 9, "timeout": 0}
    )
    process = ProcessInterval(pid=5, started_ns=0, memory={3: {"tensors": 8}})
    head = Head(time_ns=1, boot_id="", origin=Origin(kind="aws"))
    interval = Interval(head=head, duration_ns=1, cores=(core,), processes=(process,))
    assert [placed.labels for placed in records(interval, CORE)] == [("3", "1")]
    assert [placed.labels for placed in records(interval, PROCESS)] == [("5", "5")]
    assert [placed.record for placed in records(interval, NODE)] == [totals(interval)]
    assert BY_NAME["core_status_total"].samples(core) == [(("success",), 9), (("timeout",), 0)]
    assert BY_NAME["core_status_total"].period_samples(core) == [(("success",), 4)]
    assert BY_NAME["process_memory_bytes"].samples(process) == [(("3", "tensors"), 8)]
    assert BY_NAME["process_generated_tokens_total"].samples(process) == []


def test_percentiles_are_told_from_their_mean_and_text_is_no_number() -> None:
    percentiles = Percentiles(p0=0, p1=1, p25=2, p50=3, p75=4, p99=5, p100=6, mean=3.5, count=7)
    assert [keys for keys, _ in flat(percentiles)] == [(f"p{percent}",) for percent in (0, 1, 25, 50, 75, 99, 100)]
    assert list(flat({"count": 2, "unhealthy_components": "none"})) == [(("count",), 2)]
    assert list(flat(True)) == [((), 1)]


_NUMBERS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
_VALUES = st.recursive(
    _NUMBERS,
    lambda inner: st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(_VALUES)
def test_samples_are_all_that_is_in_a_value(value: object) -> None:
    """Also in the quick way by which most of them are found."""
    (metric,) = [each for each in CATALOGUE if each.name == "core_memory_bytes"]
    assert metric.samples(SimpleNamespace(memory=value)) == list(flat(value))
