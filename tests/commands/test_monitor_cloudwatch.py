"""neuron-monitor-cloudwatch as people run it: a real process on a real socket or pipe, without AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from neurontools.commands.monitor_cloudwatch import OFFICIAL_NAME
from tests.commands.host import TickingHost
from tests.conftest import ROOT, Golden

SOON_S = 60
AT_ONCE_S = 20
"""On a machine that is busy with other things too; what is published would be waited for longer."""
CODE = "import sys; from neurontools.commands.monitor_cloudwatch import {entry}; sys.exit({entry}())"


def command(*words: str, official: bool = False) -> list[str]:
    return [sys.executable, "-c", CODE.format(entry="official_entry" if official else "entry"), *words]


def run(*words: str, stdin: bytes = b"", official: bool = False) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with TemporaryDirectory() as home:
        return subprocess.run(
            command(*words, official=official),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=SOON_S,
            env=environment | {"HOME": home, "XDG_STATE_HOME": home, "PYTHONPATH": str(ROOT)},
        )


def names(line: bytes) -> list[str]:
    request: Any = json.loads(line)
    return [member["MetricName"] for member in request["MetricData"]]


def test_a_dry_run_prints_what_would_be_sent(host: TickingHost, golden: Golden) -> None:
    done = run("--source", f"model:{host.path}", "--dry-run", "--once", "--namespace", "N")
    assert (done.returncode, done.stderr) == (0, b"")
    request = json.loads(done.stdout)
    # What the rules find of a host that was made by hand is theirs to say, and tested with them.
    assert request["MetricData"].pop()["MetricName"] == "WorstFinding"
    golden("cloudwatch/dry-run.jsonl", json.dumps(request) + "\n")


def test_documents_of_neuron_monitor_on_standard_input(host: TickingHost, captures: Path) -> None:
    lines = (captures / "neuron-monitor.inf1.xlarge.idle-then-busy.jsonl").read_bytes()
    done = run("--dry-run", "--namespace", "N", stdin=lines, official=True)
    assert (done.returncode, done.stderr) == (0, b"")
    (request,) = done.stdout.splitlines()
    assert json.loads(request)["Namespace"] == "N"
    assert {"NeuronCoreUtilization", "ExecutionsCompleted", "HostVcpuUtilization"} <= set(names(request))


def test_garbage_on_standard_input_is_told_once() -> None:
    done = run("--dry-run", stdin=b"garbage\n{}\n\xff\n" * 3, official=True)
    assert done.returncode == 1 and done.stdout == b""
    first, second = done.stderr.decode().splitlines()
    assert first.startswith(
        f"{OFFICIAL_NAME}: left out from standard input: 1 line could not be read, the last because: not a"
    )
    assert second.startswith(
        f"{OFFICIAL_NAME}: there was nothing to publish: standard input held no document of neuron-monitor"
    )


def test_simulated_data_go_nowhere_unasked(host: TickingHost, tmp_path: Path) -> None:
    words = ("--source", f"model:{host.path}", "--once", "--region", "us-east-1", "--spool", str(tmp_path))
    done = run(*words)
    assert done.returncode == 64
    assert "--allow-simulated publishes them under Simulated/Neuron" in done.stderr.decode()
    assert list(tmp_path.glob("*.batch")) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--dimensions", "Pid"), "there is no dimension 'Pid'; there is InstanceId,"),
        (("--period", "1"), "--period: expected a duration such as 10m"),
        (("--period", "0.5s"), "--period takes 1s to 1h"),
        (("--max-series", "0"), "--max-series takes a number from 1 on, not '0'"),
        (("--max-series", "9" * 5000), "--max-series takes a number from 1 on, not '999"),
        (("--spool-size", "many"), "--spool-size: expected a size such as 512MiB"),
        (("--namespace", "AWS/EC2"), "--namespace takes 1 to 255 printable ASCII characters"),
        (("--namspace", "N"), "unknown flag `namspace'"),
        (("--source", "nowhere:x"), "cannot read the source 'nowhere:x'"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(words: tuple[str, ...], reason: str) -> None:
    done = run(*words, "--region", "us-east-1")
    assert done.returncode == 64 and done.stdout == b""
    assert reason in done.stderr.decode() and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("--region", "us-east-1", "--spool", "/dev/null/x"),
            "cannot use the spool /dev/null/x: Not a directory; --spool",
        ),
        ((), "no region is known: name it with --region or AWS_REGION"),
        (("--profile", "nobody"), "The config profile (nobody) could not be found"),
    ],
)
def test_what_is_missing_is_named(host: TickingHost, words: tuple[str, ...], reason: str) -> None:
    done = run("--source", f"model:{host.path}", *words)
    assert done.returncode == 1
    assert reason in done.stderr.decode() and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("asset", ["dashboard", "alarms"])
def test_the_shipped_documents_are_what_it_prints(asset: str) -> None:
    shipped = ROOT / "dashboards" / "cloudwatch" / f"{asset}.json{'l' if asset == 'alarms' else ''}"
    done = run(f"--print-{asset}", "--namespace", "Neuron", "--region", "us-east-1")
    assert (done.returncode, done.stdout) == (0, shipped.read_bytes())


def test_more_series_than_allowed_are_left_out(host: TickingHost) -> None:
    done = run("--source", f"model:{host.path}", "--dry-run", "--once", "--max-series", "2")
    assert names(done.stdout) == ["SourceUp", "NeuronCoreUtilization"]
    assert "left out series beyond the first 2, such as NeuronCoreFlops of i-00000000000000000" in done.stderr.decode()


@pytest.mark.slow
def test_a_source_that_goes_away_is_published_as_down(host: TickingHost) -> None:
    words = command("--source", f"model:{host.path}", "--dry-run", "--period", "1s")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert len(names(process.stdout.readline())) > 2
        host.stop()
        while len(names(line := process.stdout.readline())) > 2:
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(AT_ONCE_S) == 128 + signal.SIGTERM
        said = process.stderr.read().decode()
    (member,) = json.loads(line)["MetricData"]
    assert (member["MetricName"], member["Value"]) == ("SourceUp", 0)
    assert "nothing to publish: " in said and said.count("\n") == 1
