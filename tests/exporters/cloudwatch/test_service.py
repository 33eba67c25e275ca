"""The published data, found again in a CloudWatch server at the end of a connection on which everything goes wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from neurontools.exporters.cloudwatch.assets import alarms, dashboard_text
from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet
from neurontools.exporters.cloudwatch.requests import packed
from neurontools.exporters.cloudwatch.send import Sender, make_client
from neurontools.exporters.cloudwatch.spool import Spool
from neurontools.exporters.report import encode
from neurontools.hardware.instances import INSTANCES
from tests.commands.test_monitor_cloudwatch import command
from tests.exporters.nodes import interval_of, inventory_for, report_of

pytestmark = pytest.mark.slow

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
SOON_S = 60

Trouble = str
"""What a proxy does to one request: pass it on, answer 500 or throttling, hang up before or be slow."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end_s = time.monotonic() + SOON_S
        while not _listens(port) and time.monotonic() < end_s:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server, each after the next trouble of a list; with none left it only passes on."""

    daemon_threads = True

    def __init__(self, target: str, troubles: list[Trouble]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target.removeprefix("http://")
        self.troubles = troubles
        self.encodings: set[str] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.encodings.add(self.headers.get("Content-Encoding", ""))
        trouble = self.server.troubles.pop(0) if self.server.troubles else "pass"
        if trouble == "refuse":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if trouble in ("500", "400"):
            self._answer(int(trouble), b'{"__type": "Throttling", "message": "Rate exceeded"}')
            return
        if trouble == "slow":
            time.sleep(1)
        with closing(HTTPConnection(self.server.target)) as connection:
            connection.request("POST", self.path, body, dict(self.headers))
            response = connection.getresponse()
            text, headers = response.read(), dict(response.getheaders())
        with suppress(OSError):
            self._answer(response.status, text, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {"x-amzn-query-error": "Throttling;Sender"}).items():
            if name.lower() not in ("content-length", "connection", "date", "server", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def found(url: str, namespace: str, metric: str, statistic: str, dimensions: dict[str, str] | None = None) -> float:
    """A statistic over everything that the server has of a metric."""
    now = datetime.now(UTC)
    wanted = {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in (dimensions or {}).items()],
    }
    (result,) = boto3.client("cloudwatch", endpoint_url=url).get_metric_data(
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(hours=3),
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": wanted, "Period": 21600, "Stat": statistic}}],
    )["MetricDataResults"]
    return float(sum(result["Values"]))


def test_every_datum_is_found_again_whatever_happens_on_the_way(server: str, tmp_path: Path) -> None:
    troubles = ["500", "pass", "400", "refuse", "slow", "500", "refuse", "pass", "400"]
    proxy = Proxy(server, list(troubles))
    spool, said = Spool(str(tmp_path)), list[str]()
    sender = Sender(spool, make_client(None, None, proxy.url), said.append, lambda: 0.0)
    now_s = int(time.time())
    sender.start()
    for number in range(12):
        data = [Datum(f"M{i}", "Count", (("A", "b"),), StatisticSet.of([number, i]), now_s) for i in range(200)]
        for request in packed(data):
            spool.put("N", request)
        sender.wake()
    assert sender.drain(SOON_S), said
    assert proxy.troubles == [] and proxy.encodings == {"gzip"}
    for i in (0, 100, 199):
        assert found(server, "N", f"M{i}", "SampleCount", {"A": "b"}) == 24
        assert found(server, "N", f"M{i}", "Sum", {"A": "b"}) == sum(range(12)) + 12 * i
    spool.close()
    proxy.shutdown()
    proxy.server_close()


def test_a_killed_publisher_loses_nothing(server: str, tmp_path: Path) -> None:
    """The service is away; the publisher is killed again and again; when all is well everything arrives."""
    instance = INSTANCES["trn1.2xlarge"]
    lines = encode(report_of(inventory_for(instance), interval_of(instance))) + b"\n"
    nowhere = "http://127.0.0.1:9"
    words = command("--spool", str(tmp_path), "--period", "1s", "--namespace", "N", official=True)
    for round_ in range(4):
        with subprocess.Popen([*words, "--endpoint-url", nowhere], stdin=subprocess.PIPE, env=os.environ) as process:
            assert process.stdin is not None
            process.stdin.write(lines)
            process.stdin.flush()
            while len(list(tmp_path.glob("*.batch"))) <= round_:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
    done = subprocess.run(
        [*words, "--endpoint-url", server], input=lines, capture_output=True, check=False, timeout=SOON_S
    )
    assert done.returncode == 0, done.stderr
    host = {"InstanceId": "i-00000000000000000"}
    assert found(server, "N", "SourceUp", "SampleCount", host) == 5
    assert list(tmp_path.glob("*.batch")) == []


def test_cloudwatch_takes_the_dashboard_and_the_alarms(server: str) -> None:
    client = boto3.client("cloudwatch", endpoint_url=server)
    client.put_dashboard(DashboardName="neuron", DashboardBody=dashboard_text("Neuron", "us-east-1"))
    for alarm in alarms("Neuron"):
        client.put_metric_alarm(**alarm)
    assert len(client.describe_alarms()["MetricAlarms"]) == len(alarms("Neuron"))
    assert "NeuronCoreUtilization" in client.get_dashboard(DashboardName="neuron")["DashboardBody"]
