"""neuron-monitor-otlp as people run it: a real process on a real socket, without a collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.commands.host import TickingHost
from tests.conftest import ROOT

SOON_S = 60
CODE = "import sys; from neurontools.commands.monitor_otlp import entry; sys.exit(entry())"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON_S,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdin=subprocess.DEVNULL,
    )


def test_a_dry_run_prints_what_would_be_sent(host: TickingHost) -> None:
    done = run("--source", f"model:{host.path}", "--dry-run", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    (resource,) = json.loads(done.stdout)["resource_metrics"]
    assert resource["resource"]["attributes"]["aws.neuron.simulated"] is True
    (scope,) = resource["scope_metrics"]
    assert "aws.neuron.core.utilization" in [metric["name"] for metric in scope["metrics"]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--protocol", "smoke"), "--protocol takes grpc or http/protobuf, not 'smoke'"),
        (("--headers", "key"), "--headers takes NAME=VALUE,NAME=VALUE, not 'key'"),
        (("--period", "1d"), "--period takes 1s to 1h, not '1d'"),
        (("--source", "nowhere"), "cannot read the source 'nowhere'"),
        (("--bad",), "unknown flag `bad'"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(words: tuple[str, ...], reason: str) -> None:
    done = run(*words)
    assert done.returncode == 64 and done.stdout == ""
    assert reason in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("named", ["option", "variable"])
def test_simulated_data_stay_on_this_machine_unasked(host: TickingHost, named: str) -> None:
    elsewhere = "http://192.0.2.1:4317"
    words = ("--endpoint", elsewhere) if named == "option" else ()
    variables = {} if named == "option" else {"OTEL_EXPORTER_OTLP_ENDPOINT": elsewhere}
    done = run("--source", f"model:{host.path}", "--once", *words, **variables)
    assert done.returncode == 64
    assert f"{elsewhere} is another machine: --allow-simulated" in done.stderr
