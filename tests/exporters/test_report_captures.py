"""Lines of AWS's own neuron-monitor, and lines of the same form made by hand, decode and encode back to themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurontools.exporters.report import ReportError, decode, encode, inventory_of, whole
from tests.conftest import GOLDEN

MADE = GOLDEN / "neuron-monitor" / "made-by-hand.jsonl"
OFFICIAL = "neuron-monitor.*.jsonl"
REORDERED = "cwagent-test"
"""A capture that another program has sorted and stripped of blanks: its values hold, its bytes do not."""


def made() -> list[bytes]:
    return MADE.read_bytes().splitlines()


@pytest.mark.parametrize("number", range(5))
def test_a_made_line_comes_back_byte_for_byte(number: int) -> None:
    line = made()[number]
    assert encode(decode(line)) == line


def test_no_made_line_is_forgotten() -> None:
    assert len(made()) == 5


def test_every_captured_line_comes_back(captures: Path) -> None:
    lines = [(path, line) for path in sorted(captures.glob(OFFICIAL)) for line in path.read_bytes().splitlines()]
    assert len(lines) >= 4
    for path, line in lines:
        back = encode(decode(line))
        assert json.loads(back) == json.loads(line), path.name
        assert back == line or REORDERED in path.name


def test_a_captured_line_is_an_interval(captures: Path) -> None:
    _, line = (captures / "neuron-monitor.inf1.xlarge.idle-then-busy.jsonl").read_bytes().splitlines()
    report = decode(line)
    interval = whole(report)
    (process,) = interval.processes
    assert process.executions is not None and process.executions["completed"] == 14
    assert process.latency_total is not None and process.latency_total.p50 == 0.003278970718383789
    assert process.memory_used_bytes == sum(sum(used.values()) for used in (process.memory or {}).values())
    assert [core.utilization_percent for core in interval.cores] == [89.01827638996558, 0, 0, 0]
    assert interval.cores[0].flops_per_s is None
    assert interval.host is not None and interval.host.context_switches == 1978
    assert not interval.head.origin.simulated
    inventory = inventory_of(report)
    assert (inventory.chip, len(inventory.devices), inventory.lnc_assumed) == ("Inferentia", 1, True)
    assert (inventory.ami_id, inventory.subnet_id) == ("ami-071c33e7823c066b5", "subnet-dd4589b6")
    assert inventory.availability_zone_id == "use2-az1"


def test_a_zero_in_a_group_with_an_error_is_unknown(captures: Path) -> None:
    (line,) = (captures / "neuron-monitor.trn1n-32xl.cwagent-test-e804ad6c.jsonl").read_bytes().splitlines()
    interval = whole(decode(line))
    assert [process.vcpu_user_percent for process in interval.processes] == [None, None]
    assert "nosuchfile" in interval.head.gaps["neuron_runtime_vcpu_usage"].reason
    assert len(interval.cores) == 32


def test_utilization_of_a_core_that_two_runtimes_show_is_added() -> None:
    interval = whole(decode(made()[3]))
    shown = {process.pid: process.cores for process in interval.processes}
    assert shown == {70: (0, 1), 71: (1,)}
    assert [core.utilization_percent for core in interval.cores] == [25, 75]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"neuron_runtime_data":[{}]}', b'{"system_data":{"memory_info":3}}', b"\xff"]
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ReportError, match="not a document of neuron-monitor"):
        decode(line)


def test_keys_that_are_not_known_are_ignored() -> None:
    line = made()[0]
    assert encode(decode(line.replace(b'{"neuron_runtime_data"', b'{"new":1,"neuron_runtime_data"'))) == line


def test_a_report_without_numbers_is_no_interval() -> None:
    with pytest.raises(ReportError, match="no group with numbers"):
        whole(decode(b'{"system_data":{}}'))
