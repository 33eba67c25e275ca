"""Metrics in a real receiver process, by gRPC and HTTP, also when it refuses or is not there at first."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest

from neurontools.exporters.otlp.naming import published
from neurontools.exporters.otlp.points import BOUNDS_S, Points, resource_of
from neurontools.exporters.otlp.send import Protocol, Sender, Target, make_exporter, metrics_data
from neurontools.hardware.instances import INSTANCES
from tests.conftest import ROOT
from tests.exporters.nodes import interval_of, inventory_for

pytestmark = pytest.mark.slow

TRN1 = INSTANCES["trn1.2xlarge"]
INTERVAL = interval_of(TRN1)
SOON_S = 60
PROTOCOLS: tuple[Protocol, ...] = ("grpc", "http/protobuf")


@contextmanager
def receiver(*answers: str) -> Iterator[tuple[dict[Protocol, str], IO[str]]]:
    words = [sys.executable, "-m", "tests.exporters.otlp.receiver", *answers]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        grpc_port, http_port = process.stdout.readline().split()
        urls: dict[Protocol, str] = {
            "grpc": f"http://127.0.0.1:{grpc_port}",
            "http/protobuf": f"http://127.0.0.1:{http_port}",
        }
        yield urls, process.stdout
        process.kill()


def sent(time_ns: int) -> Any:
    resource = resource_of(INTERVAL, inventory_for(TRN1))
    return metrics_data(Points().of(INTERVAL), resource, time_ns, "1")


def metrics_in(line: str) -> dict[str, Any]:
    (resource,) = json.loads(line)["resourceMetrics"]
    (scope,) = resource["scopeMetrics"]
    return {metric["name"]: metric for metric in scope["metrics"]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_arrives(protocol: Protocol) -> None:
    with receiver() as (urls, lines):
        sender = Sender(make_exporter(Target(protocol, urls[protocol], {"key": "v"}, 10)), "there", print)
        sender.put(sent(INTERVAL.head.time_ns))
        found = metrics_in(lines.readline())
        assert sender.drain(SOON_S)
    assert set(found) <= {name.name for name in published().values()}
    flops = found["aws.neuron.core.flops"]["sum"]
    assert flops["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_CUMULATIVE" and flops["isMonotonic"]
    (histogram, *_) = found["aws.neuron.process.latency"]["histogram"]["dataPoints"]
    assert histogram["explicitBounds"] == list(BOUNDS_S)
    assert sum(map(int, histogram["bucketCounts"])) == int(histogram["count"]) > 0
    assert found["hw.errors"]["unit"] == "{error}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_failed_export_is_told_and_made_up_for_in_order(protocol: Protocol) -> None:
    said: list[str] = []
    with receiver("ok", "fail", "fail") as (urls, lines):
        sender = Sender(make_exporter(Target(protocol, urls[protocol], {}, 1)), "there", said.append, retry_s=0.1)
        times = [INTERVAL.head.time_ns + i for i in range(4)]
        for time_ns in times:
            sender.put(sent(time_ns))
        arrived = [metrics_in(lines.readline()) for _ in times]
        assert sender.drain(SOON_S)
    stamps = [metrics["aws.neuron.core.flops"]["sum"]["dataPoints"][0]["timeUnixNano"] for metrics in arrived]
    assert stamps == [str(time_ns) for time_ns in times]
    assert [line.split(",")[0] for line in said] == ["cannot export to there", "there takes data again"]


def test_a_receiver_that_is_not_there_is_told() -> None:
    said: list[str] = []
    told = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        told.set()

    sender = Sender(make_exporter(Target("http/protobuf", "http://127.0.0.1:9", {}, 1)), "there", say, retry_s=0.1)
    sender.put(sent(1))
    assert told.wait(SOON_S) and not sender.drain(0.5)
    assert len(said) == 1 and said[0].startswith("cannot export to there, what is measured meanwhile is sent later: ")
