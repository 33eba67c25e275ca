"""neuron-monitor-prometheus as people run it: printed once, piped, and served on a port until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from neurontools.commands.feed import piped
from neurontools.exporters.report import encode
from neurontools.hardware.instances import INSTANCES
from tests.commands.host import TickingHost
from tests.conftest import ROOT
from tests.exporters.nodes import interval_of, inventory_for, report_of
from tests.sources.aws.feeds import changed
from tests.sources.kubernetes.kubelets import CORE, container, kubelet, pods

SOON_S = 60
AT_ONCE_S = 20
"""On a machine that is busy with other things too."""
CODE = "import sys; from neurontools.commands.monitor_prometheus import {entry}; sys.exit({entry}())"


def command(*words: str, official: bool = False) -> list[str]:
    return [sys.executable, "-c", CODE.format(entry="official_entry" if official else "entry"), *words]


def run(*words: str, stdin: bytes = b"", official: bool = False) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words, official=official),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=SOON_S,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def families(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def test_the_lean_page_once(host: TickingHost) -> None:
    done = run("--source", f"model:{host.path}", "--once")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert {"neuroncore_utilization_ratio", "neuron_core_busy_seconds", "instance_info"} <= families(text)
    assert "_created" not in text and text.count("instance_id=") == 1


def test_the_page_of_the_official_script_from_its_lines() -> None:
    instance = INSTANCES["inf2.24xlarge"]
    line = encode(report_of(inventory_for(instance), interval_of(instance))) + b"\n"
    done = run("--once", stdin=line, official=True)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "execution_status_created" in text
    of_host = [each for each in text.splitlines() if not each.startswith(("#", "python_", "process_"))]
    assert all("instance_id=" in each for each in of_host) and "process_cpu_seconds_total" in text
    lean = run("--once", "--lean", stdin=line, official=True).stdout.decode()
    assert "_created" not in lean


def test_series_are_counted(host: TickingHost) -> None:
    done = run("--source", f"model:{host.path}", "--count-series")
    lines = done.stdout.decode().splitlines()
    counts = [int(line.split()[-1]) for line in lines[:-2]]
    assert lines[-1] == f"{sum(counts)} series" and min(counts) > 0


def test_pods_are_named_as_the_kubelet_tells_them(host: TickingHost) -> None:
    held = container("server", devices={CORE: ["0"]})
    with kubelet(pods(("serving", "chat-0", held))) as found:
        done = run("--source", f"model:{host.path}", "--once", "--pod-resources", found.socket)
    assert (done.returncode, done.stderr) == (0, b"")
    named = 'container="server",namespace="serving",neuron_device="0",neuroncore="0",pod="chat-0"'
    assert f"neuron_core_utilization_ratio{{{named}}}" in done.stdout.decode()


@pytest.mark.parametrize("flag", ["--kubernetes", "--enable-k8s-info"])
def test_without_a_kubelet_the_page_is_there_and_the_reason_is_said_once(host: TickingHost, flag: str) -> None:
    done = run("--source", f"model:{host.path}", "--once", flag, "--pod-resources", "/nonexistent/kubelet.sock")
    bare = run("--source", f"model:{host.path}", "--once")
    assert families(done.stdout.decode()) == families(bare.stdout.decode()) != set()
    (line,) = done.stderr.decode().splitlines()
    assert "pods are unknown: no kubelet at /nonexistent/kubelet.sock: no such file or directory; mount" in line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--port", "x"), "a port is a number from 0 to 65535, not 'x'"),
        (("--listen", "0.0.0.0:99999"), "a port is a number from 0 to 65535, not '99999'"),
        (("--listen", ""), "--listen takes an address, or an address and a port, not ''"),
        (("--port", "9" * 5000), "a port is a number from 0 to 65535, not '999"),
        (("--cert-file", "a"), "--cert-file and --key-file go together"),
        (("--web-config", "/nonexistent"), "cannot read /nonexistent: No such file or directory"),
        (("--max-age", "never"), "--max-age: expected a duration"),
        (("--bad",), "unknown flag `bad'"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(words: tuple[str, ...], reason: str) -> None:
    done = run(*words)
    assert done.returncode == 64 and done.stdout == b""
    assert reason in done.stderr.decode() and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_served_until_it_is_stopped_also_while_the_source_is_away(host: TickingHost) -> None:
    words = command("--source", f"model:{host.path}", "--port", "0", "--period", "1s", "--max-age", "2s")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert wait_for(url, "neuron_source_up 1")
        assert "neuroncore_utilization_ratio" in scraped(url)
        host.stop()
        assert "neuroncore_utilization_ratio" in scraped(url)
        assert wait_for(url, "neuron_source_up 0")
        assert "neuroncore_utilization_ratio" not in scraped(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(AT_ONCE_S) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(host: TickingHost) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--source", f"model:{host.path}", "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr.decode()


def scraped(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SOON_S) as response:
        return str(response.read().decode())


def wait_for(url: str, text: str) -> bool:
    end_s = time.monotonic() + SOON_S
    while time.monotonic() < end_s:
        if text in scraped(url):
            return True
        time.sleep(0.1)
    return False


def test_groups_that_failed_are_named_as_the_official_script_does(tmp_path: Path) -> None:
    """On stderr, of each text the first line that carries it, and again after a line without."""
    instance = INSTANCES["trn1.2xlarge"]
    line = encode(report_of(inventory_for(instance), interval_of(instance)))

    def fail(document: Any) -> None:
        document["neuron_runtime_data"][0]["report"]["neuroncore_counters"]["error"] = "no counters"
        document["system_data"]["memory_info"]["error"] = "no meminfo"

    def end(document: Any) -> None:
        document["neuron_runtime_data"][0] |= {"error": "no access", "report": {}}

    failed, dark = changed(line, fail), changed(line, end)
    lines = b"".join(each + b"\n" for each in (failed, failed, line, failed, dark))
    tag = json.loads(line)["neuron_runtime_data"][0]["neuron_runtime_tag"]
    said: list[str] = []
    (tmp_path / "lines").write_bytes(lines)
    descriptor = os.open(tmp_path / "lines", os.O_RDONLY)
    list(piped(descriptor, 5, pytest.fail, said.append))
    os.close(descriptor)
    counters, memory = (
        f"Error getting neuroncore_counters for runtime tag {tag}: no counters",
        "Error getting memory_info: no meminfo",
    )
    assert said == [
        counters,
        memory,
        counters,
        memory,
        f"Error getting neuron_runtime_data for runtime tag {tag}: no access",
    ]
    done = run("--once", stdin=failed + b"\n", official=True)
    assert (done.returncode, done.stderr.decode().splitlines()) == (0, [counters, memory])
