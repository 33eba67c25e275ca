"""Every tool on a recording: it shows what was recorded, says that it is a replay, and lets nobody take it for now."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from neurontools.commands import ls, monitor, monitor_cloudwatch, monitor_otlp, monitor_prometheus, recorder, top
from neurontools.commands.publishing import made_up
from neurontools.recording import RECORDING, Recording, replayed
from neurontools.report_format import decode, inventory_of, whole
from neurontools.schema.interval import between
from tests.conftest import ROOT, Golden
from tests.recording.recorded import troubled_frames, written
from tests.sources.test_replay import frame_of_a_real_host

SAMPLE = "tests/recording/data/version-1.nrec"
INSTANT = "2026-01-05T00:00:06Z"
NOTE = f"note: REPLAY of {SAMPLE} from {INSTANT}\n"

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def beside_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)


def on_sample(tool: Callable[[Sequence[str]], int], capfd: Output, *words: str) -> str:
    """What a tool prints at one instant of the sample; on stderr there is the mark and nothing else."""
    code = tool(["--source", f"replay:{SAMPLE}@{INSTANT}", *words])
    out, err = capfd.readouterr()
    name = sys.modules[tool.__module__].__dict__["NAME"]
    assert (code, err) == (0, f"{name}: {NOTE}")
    return out


def test_neuron_ls(capfd: Output, golden: Golden) -> None:
    golden("neuron-recorder/replayed-ls.txt", on_sample(ls.main, capfd))
    assert json.loads(on_sample(ls.main, capfd, "-j"))[0]["neuron_processes"][0]["command"] == "python"


def test_neuron_top(capfd: Output) -> None:
    first = on_sample(top.main, capfd, "--once").splitlines()[0]
    assert "(inf2.xlarge)" in first
    assert first.split()[-2:] == ["REPLAY", "SIMULATED"]


def test_neuron_monitor(capfd: Output) -> None:
    line = on_sample(monitor.main, capfd, "--once", "--extended")
    with Recording(SAMPLE) as recording:
        frames = [replayed(frame) for frame in recording.frames()]
    expected = between(frames[2].snapshot, frames[3].snapshot)
    shown = whole(decode(line.encode()))
    assert shown.duration_ns == expected.duration_ns
    assert [core.utilization_percent for core in shown.cores] == [
        pytest.approx(core.utilization_percent) for core in expected.cores
    ]
    assert made_up(shown.head.origin)
    assert json.loads(line)["instance_info"]["instance_name"] == "replay:simulated:test"
    assert json.loads(line)["neurontools"]["origin"]["kind"] == RECORDING


def test_a_page_for_prometheus(capfd: Output) -> None:
    page = on_sample(monitor_prometheus.main, capfd, "--once")
    assert 'neuron_source_info{origin="recording",scenario="test",simulated="true"} 1.0\n' in page
    compat = on_sample(monitor_prometheus.main, capfd, "--once", "--compat")
    assert 'instance_name="replay:simulated:test"' in compat


def test_an_opentelemetry_resource(capfd: Output) -> None:
    data: Any = json.loads(on_sample(monitor_otlp.main, capfd, "--once", "--dry-run"))
    attributes = data["resource_metrics"][0]["resource"]["attributes"]
    assert (attributes["aws.neuron.origin"], attributes["host.name"]) == (RECORDING, "replay:simulated:test")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a host that is, as far as its readings say, a real one."""
    path = tmp_path_factory.mktemp("real") / "real.nrec"
    host = frame_of_a_real_host()
    origin = host.snapshot.head.origin
    frames = [
        frame._replace(
            snapshot=replace(frame.snapshot, head=replace(frame.snapshot.head, origin=origin)), inventory=host.inventory
        )
        for frame in troubled_frames(6)
    ]
    written(path, frames)
    return path


def run(module: str, *words: str, stdin: bytes = b"", official: bool = False) -> subprocess.CompletedProcess[bytes]:
    entry = "official_entry" if official else "entry"
    code = f"import sys; from neurontools.commands.{module} import {entry}; sys.exit({entry}())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OTEL_"))}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60, env=environment)


def test_what_neuron_monitor_prints_of_a_real_host_is_known_for_a_replay(real: Path, capfd: Output) -> None:
    assert monitor.main(["--source", f"replay:{real}", "--once"]) == 0
    line = capfd.readouterr().out.encode()
    report = decode(line)
    assert made_up(whole(report).head.origin)
    assert inventory_of(report).origin == RECORDING
    assert report.instance.instance_name == "replay:i-0123456789abcdef0"
    assert b"us-east-1" not in line
    done = run("monitor_cloudwatch", "--region", "us-east-1", stdin=line, official=True)
    assert done.returncode == 64
    assert b"these data are simulated or replayed" in done.stderr


def test_a_replay_of_a_real_host_is_not_published_unasked(
    real: Path, capfd: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--source", f"replay:{real}", "--once"]
    assert monitor_otlp.main([*words, "--endpoint", "http://192.0.2.1:4317"]) == 64
    assert "simulated or replayed" in capfd.readouterr().err
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert monitor_cloudwatch.main([*words]) == 64
    assert "simulated or replayed" in capfd.readouterr().err
    assert monitor_cloudwatch.main([*words, "--dry-run", "--allow-simulated", "--namespace", "N"]) == 0
    assert {json.loads(line)["Namespace"] for line in capfd.readouterr().out.splitlines()} == {"Simulated/N"}


def test_a_file_that_is_not_there(capfd: Output) -> None:
    assert top.main(["--source", "replay:missing.nrec", "--once"]) == 1
    assert capfd.readouterr().err.startswith("neuron-top: cannot read missing.nrec: No such file or directory\n")
    assert ls.main(["--source", "replay:missing.nrec"]) == 1
    assert "cannot read missing.nrec: No such file or directory" in capfd.readouterr().err


def test_exporters_are_fed_from_the_past(capfd: Output) -> None:
    """A dump is neuron-monitor's lines, and they say that they are of the past."""
    assert recorder.main(["dump", SAMPLE, "--format", "report"]) == 0
    lines = capfd.readouterr().out.encode()
    done = run("monitor_prometheus", "--once", stdin=lines, official=True)
    assert (done.returncode, done.stderr) == (0, b"")
    page = done.stdout.decode()
    assert "execution_status_total" in page
    assert page.count('instance_name="replay:simulated:test"') > 20
    assert 'instance_name="simulated' not in page
