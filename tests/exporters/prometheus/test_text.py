"""What a scrape would get: the client library reads it, the numbers are the interval's, and nothing is made up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from device_model.simulation import NS, Simulation
from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.exporters.prometheus.family import BOUNDS_S, numbers, runtime_tags
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.histogram import GAMMA
from neurontools.schema.interval import Interval, ProcessInterval, between
from neurontools.schema.snapshot import Snapshot
from tests.conftest import Golden
from tests.device_model.hosts import CLOSED, forward, host, server
from tests.exporters.nodes import interval_of, inventory_for
from tests.exporters.prometheus.shown import Series, parsed, values
from tests.recording.recorded import inventory
from tests.schema.strategies import Shape, histogram_of, later, series, shapes, snapshot_of

KNOWN = Shape(devices=2, cores_per_device=2, core_size=2, processes=2, vcpus=2, unknown=0.0)
MADE = INSTANCES["inf2.xlarge"]


def shown(interval: Interval) -> dict[Series, float]:
    """What a scrape shows of an interval."""
    return parsed(render(View.of(interval, inventory(2, "")), FAMILIES))


def number(found: dict[Series, float], name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def test_a_scrape_of_a_small_host(golden: Golden) -> None:
    golden("prometheus/inf2.xlarge.txt", render(View.of(interval_of(MADE), inventory_for(MADE)), FAMILIES))


@given(series(2))
def test_what_is_rendered_is_read_as_it_is(taken: tuple[Snapshot, Snapshot]) -> None:
    view = View.of(between(*taken), inventory(1, "x"))
    found = parsed(render(view, FAMILIES))
    assert sorted(found.values()) == sorted(values(view).values())
    assert len(found) == len(values(view))


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_name_is_read_as_it_is(tag: str, scenario: str) -> None:
    taken = snapshot_of(KNOWN, 1)
    processes = (replace((taken.processes or ())[0], tag=tag, command=None),)
    origin = replace(taken.head.origin, scenario=scenario)
    first = replace(taken, processes=processes, head=replace(taken.head, origin=origin))
    found = shown(between(first, later(first, 2)))
    tags = {value for _, labels in found for name, value in labels if name == "runtime_tag"}
    assert tags == {tag or "unknown"}
    scenarios = [dict(labels).get("scenario", "") for name, labels in found if name == "neuron_source_info"]
    assert scenarios == [scenario]


def test_numbers_are_those_of_the_interval() -> None:
    first = snapshot_of(KNOWN, 5)
    interval = between(first, later(first, 6))
    found = shown(interval)
    core, process, device = interval.cores[1], interval.processes[1], interval.devices[1]
    assert core.utilization_percent is not None
    assert core.busy_ns_total is not None
    where = {"neuroncore": "1", "neuron_device": str(core.device)}
    assert number(found, "neuron_core_utilization_ratio", **where) == core.utilization_percent / 100
    assert number(found, "neuron_core_busy_seconds_total", **where) == core.busy_ns_total / 1e9
    assert process.executions_total is not None
    for status, count in process.executions_total.items():
        assert number(found, "execution_status_total", runtime_tag="server-1", status_type=status) == count
    assert process.latency_total is not None
    latency = number(found, "execution_latency_seconds", runtime_tag="server-1", percentile="p99")
    assert latency == process.latency_total.p99
    on_core = number(found, "neuroncore_utilization_ratio", runtime_tag="server-1", neuroncore=str(process.cores[0]))
    assert on_core == (interval.cores[process.cores[0]].utilization_percent or 0) / 100
    assert device.ecc_total is not None
    corrected = number(found, "hardware_ecc_events_total", neuron_device_index="1", event_type="mem_ecc_corrected")
    assert corrected == device.ecc_total["mem_ecc_corrected"]
    assert interval.host is not None
    assert interval.host.average is not None
    user = interval.host.average.user + interval.host.average.nice
    assert number(found, "system_vcpu_usage_ratio", usage_type="user") == pytest.approx(user / 100)


@given(shapes(unknown=(1.0,)))
def test_what_is_unknown_is_absent(shape: Shape) -> None:
    first = snapshot_of(shape, 1)
    found = shown(between(first, later(first, 2)))
    known = (
        "neuron_source",
        "neuron_hardware",
        "instance",
        "neuron_node_",
        "neuron_bank_total",
        "neuron_device_memory_t",
    )
    assert [name for name, _ in found if not name.startswith(known)] == []


@given(st.lists(st.integers(1, 10**12), max_size=60))
def test_buckets_hold_what_is_below_their_bound(durations_ns: list[int]) -> None:
    *buckets, count, sum_s = numbers(histogram_of(durations_ns))
    assert (count, sum_s) == (len(durations_ns), sum(durations_ns) / 1e9)
    assert buckets == sorted(buckets)
    for bound_s, reached in zip((*BOUNDS_S, float("inf")), buckets, strict=True):
        surely = sum(duration <= bound_s * 1e9 / GAMMA for duration in durations_ns)
        perhaps = sum(duration <= bound_s * 1e9 * GAMMA for duration in durations_ns)
        assert surely <= reached <= perhaps


def process(pid: int, **known: Any) -> ProcessInterval:
    return ProcessInterval(**{"pid": pid, "started_ns": pid} | known)


@pytest.mark.parametrize(
    ("processes", "tags"),
    [
        ((process(1, tag="chat", command="python serve.py"),), ["chat"]),
        ((process(1, command="/usr/bin/python3 serve.py"),), ["python3"]),
        ((process(1, tag="", command=" "), process(2)), ["unknown", "unknown#2"]),
        ((process(2, tag="a"), process(1, tag="a"), process(3, tag="b")), ["a#2", "a", "b"]),
        ((process(9, tag="a", started_ns=1), process(5, tag="a", started_ns=2)), ["a", "a#2"]),
    ],
)
def test_a_process_is_called_by_its_tag_or_program(processes: tuple[ProcessInterval, ...], tags: list[str]) -> None:
    interval = replace(interval_of(MADE), processes=processes)
    found = runtime_tags(interval)
    assert [found[each.pid, each.started_ns] for each in processes] == tags


def named(model: Simulation) -> dict[Series, float]:
    before = model.snapshot()
    return parsed(render(View.of(between(before, forward(model, 1).snapshot()), model.inventory()), FAMILIES))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.booleans())
def test_a_page_is_of_its_instant_whatever_was_rendered_before(seconds: list[int], shared: bool) -> None:
    """What is kept of a page for the next one changes nothing of what that says."""
    for second in seconds:
        view = View.of(interval_of(MADE, second), inventory_for(MADE))
        lines = render(view if shared else view._replace(kept=None), FAMILIES).splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert found == {name: repr(value) for name, value in values(view).items()}


def test_restarts_leave_the_number_of_series_flat() -> None:
    model = forward(host(server("a", restart="1s", arrivals=CLOSED), instance="inf2.xlarge"), 80)
    first = {name for name, _ in named(model)}, len(named(model))
    pids = set()
    for _ in range(12):
        pid = (model.snapshot().processes or ())[0].pid
        pids.add(str(pid))
        model.signal(pid, 9)
        forward(model, 8)
    last = named(model)
    assert ({name for name, _ in last}, len(last)) == first
    assert len(pids) == 12
    assert not {value for _, labels in last for _, value in labels} & pids


def test_a_process_that_ended_has_no_series() -> None:
    model = forward(host(server("a", stop="8s"), instance="inf2.xlarge"), 6)
    assert any("a" in dict(labels).values() for _, labels in named(model))
    forward(model, 3)
    assert not any("a" in dict(labels).values() for _, labels in named(model))
    assert model.now_ns - model.epoch_ns > 10 * NS


def test_simulated_readings_are_marked() -> None:
    found = named(forward(host(server("a")), 1))
    assert number(found, "neuron_source_info", origin="model", simulated="true", scenario="test") == 1
    marks = [dict(labels) for name, labels in found if name == "instance_info"]
    assert [(mark["instance_id"], mark["region"]) for mark in marks] == [("i-00000000000000000", "simulated")]
