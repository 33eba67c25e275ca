"""Documents of a simulated host: consecutive ones add up, and the processes are all there is on the cores."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.exporters.report import encode
from neurontools.schema.interval import Interval, between
from tests.exporters.nodes import SECOND_NS, report_of

HOSTS = [("two-tenants", "inf2.48xlarge"), ("two-tenants", "trn2.48xlarge"), ("idle", "trn1.2xlarge")]


def document(model: Simulation, interval: Interval) -> Any:
    return json.loads(encode(report_of(model.inventory(), interval)))


def completed(shown: Any) -> int:
    return sum(
        runtime["report"]["execution_stats"]["execution_summary"]["completed"]
        for runtime in shown["neuron_runtime_data"]
    )


@pytest.mark.parametrize(("scenario", "instance"), HOSTS)
def test_documents_of_a_model_add_up(scenario: str, instance: str) -> None:
    model = Simulation(load(scenario), instance)
    readings = []
    for seconds in (60, 70, 80, 90):
        model.advance(model.epoch_ns + seconds * SECOND_NS)
        readings.append(model.snapshot())
    parts = [document(model, between(a, b)) for a, b in pairwise(readings)]
    whole = document(model, between(readings[0], readings[-1]))
    assert sum(map(completed, parts)) == completed(whole)
    assert (completed(whole) > 0) is (scenario != "idle")
    switches = [shown["system_data"]["vcpu_usage"]["context_switch_count"] for shown in (*parts, whole)]
    assert sum(switches[:-1]) == switches[-1]


@pytest.mark.parametrize(("scenario", "instance"), HOSTS)
def test_the_processes_hold_what_the_cores_show(scenario: str, instance: str) -> None:
    model = Simulation(load(scenario), instance)
    model.advance(model.epoch_ns + 60 * SECOND_NS)
    before = model.snapshot()
    model.advance(model.epoch_ns + 65 * SECOND_NS)
    interval = between(before, model.snapshot())
    shown = document(model, interval)
    reports = [runtime["report"] for runtime in shown["neuron_runtime_data"]]
    used = {key: core for each in reports for key, core in each["neuroncore_counters"]["neuroncores_in_use"].items()}
    held = {str(core.core): core for core in interval.cores if str(core.core) in used}
    assert {key: core["neuroncore_utilization"] for key, core in used.items()} == {
        key: core.utilization_percent for key, core in held.items()
    }
    assert not [core.core for core in interval.cores if core.flops and str(core.core) not in used]
    in_use = sum(each["memory_used"]["neuron_runtime_used_bytes"]["neuron_device"] for each in reports)
    assert in_use == sum(process.memory_used_bytes or 0 for process in interval.processes)
    assert in_use <= sum(core.memory_used_bytes or 0 for core in interval.cores)
