"""Lines whose groups have periods of their own: what was not due in a line stands as it was last printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from neurontools.commands.feed import Lost, Read, piped
from neurontools.report_format import RUNTIME_GROUPS
from neurontools.schema.interval import Interval
from tests.sources.aws.feeds import changed, printed

RATIOS = ("neuroncore_counters", "execution_stats", "neuron_runtime_vcpu_usage", "vcpu_usage")
RATES = ("latency_total", "latency_device", "vcpu_user_percent", "vcpu_system_percent", "executions_per_s")


def reads_of(lines: Sequence[bytes], path: Path) -> list[Read]:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return [item for item in piped(descriptor, 5, lambda _: None, lambda _: None) if not isinstance(item, Lost)]
    finally:
        os.close(descriptor)


def without(*names: str) -> Callable[[Any], None]:
    """A line in which these groups were not due."""

    def change(document: Any) -> None:
        for group in names:
            document["system_data"].pop(group, None)
            for runtime in document["neuron_runtime_data"]:
                runtime["report"].pop(group, None)

    return change


def thrice_as_long(document: Any) -> None:
    """A line whose ratios are of three periods."""
    groups = [document["system_data"], *(runtime["report"] for runtime in document["neuron_runtime_data"])]
    for name, group in ((name, group) for each in groups for name, group in each.items()):
        group["period"] *= 3 if name in RATIOS else 1


def ratios(interval: Interval) -> dict[str, Any]:
    """Every number that is a ratio, a rate or a percentile."""
    assert interval.host is not None
    return {
        "cores": [(core.utilization_percent, core.flops_per_s) for core in interval.cores],
        "devices": [device.utilization_percent for device in interval.devices],
        "processes": [
            [getattr(each, name) for name in (*RATES, "utilization_percent", "flops_per_s")]
            for each in interval.processes
        ],
        "host": (interval.host.average, interval.host.cpus),
    }


@pytest.mark.parametrize(("scenario", "instance"), [("two-tenants", "inf2.48xlarge"), ("two-tenants", "trn2.48xlarge")])
def test_what_is_not_due_stands_as_it_was_printed(scenario: str, instance: str, tmp_path: Path) -> None:
    line, again, _ = printed(scenario, instance)
    rest = changed(again, without(*RATIOS))
    due = changed(line, thrice_as_long)
    first, *between, last = reads_of([due, rest, rest, due], tmp_path / "lines")
    assert any(utilization for utilization, _ in ratios(first.interval)["cores"])
    for read in (*between, last):
        assert ratios(read.interval) == ratios(first.interval)
    for read in between:
        assert {sum((each.executions or {}).values()) for each in read.interval.processes} == {0}


def test_the_rates_of_a_line_are_over_the_period_of_their_group(tmp_path: Path) -> None:
    line = printed("two-tenants", "inf2.48xlarge")[0]
    due = changed(line, thrice_as_long)
    rest = changed(line, without(*RATIOS))
    last = reads_of([due, rest, rest, due], tmp_path / "lines")[-1].interval
    for runtime, process in zip(json.loads(due)["neuron_runtime_data"], last.processes, strict=True):
        stats = runtime["report"]["execution_stats"]
        completed = stats["execution_summary"]["completed"]
        assert process.executions_per_s == pytest.approx(completed / stats["period"])
        in_use = runtime["report"]["neuroncore_counters"]["neuroncores_in_use"].values()
        assert process.flops_per_s == pytest.approx(sum(core["effective_flops"] for core in in_use))


def test_a_group_that_fails_is_unknown_and_not_as_before(tmp_path: Path) -> None:
    line = printed("two-tenants", "inf2.48xlarge")[0]

    def fail(document: Any) -> None:
        report = document["neuron_runtime_data"][0]["report"]
        report["execution_stats"] = {"error": "no access"}
        report["neuroncore_counters"] = {"error": "no access"}

    _, failed, after = reads_of([line, changed(line, fail), changed(line, without(*RATIOS))], tmp_path / "lines")
    for read in (failed, after):
        lost, other = read.interval.processes[:2]
        assert (lost.latency_total, lost.utilization_percent) == (None, None)
        assert other.latency_total is not None and other.utilization_percent


def test_a_runtime_that_fails_as_a_whole_or_has_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    line = printed("two-tenants", "inf2.48xlarge")[0]

    def fail(document: Any) -> None:
        document["neuron_runtime_data"][0] |= {"error": "no access", "report": {}}

    def end(document: Any) -> None:
        document["neuron_runtime_data"] = []

    _, failed, ended = reads_of([line, changed(line, fail), changed(line, end)], tmp_path / "lines")
    assert failed.interval.processes[0].latency_total is None
    assert failed.interval.processes[0].utilization_percent is None
    assert ended.interval.processes == ()
    assert not any(core.utilization_percent for core in ended.interval.cores)


def test_after_a_line_that_cannot_be_read_nothing_of_before_stands(tmp_path: Path) -> None:
    line = printed("two-tenants", "inf2.48xlarge")[0]
    rest = changed(line, without(*RUNTIME_GROUPS, "vcpu_usage"))
    reads = reads_of([line, b"{", rest], tmp_path / "lines")
    assert {each.latency_total for each in reads[-1].interval.processes} == {None}
    assert reads[-1].interval.host is not None and reads[-1].interval.host.average is None
