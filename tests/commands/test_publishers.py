"""What all three publishers take: how a host is to be read, and what is wrong there goes out with the numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurontools.commands import errors, publishing
from neurontools.commands.feed import Item, Lost, sampled
from neurontools.commands.publishing import Wanted
from neurontools.schema.source import SourceError
from tests.conftest import ROOT
from tests.device_model.faults.sources import Direct
from tests.device_model.hosts import forward, host
from tests.sources.trees import Tree

PUBLISHERS = ("monitor_prometheus", "monitor_cloudwatch", "monitor_otlp")
SOON_S = 60
CAPTURED: Any = {
    "capture_output": True,
    "text": True,
    "check": False,
    "timeout": SOON_S,
    "env": os.environ | {"PYTHONPATH": str(ROOT), "AWS_DEFAULT_REGION": "us-east-1"},
}


def run(publisher: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; from neurontools.commands.{publisher} import entry; sys.exit(entry())"
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-c", code, *words], stdin=subprocess.DEVNULL, **CAPTURED
    )
    return done


@pytest.mark.parametrize("publisher", PUBLISHERS[:2])
def test_a_closed_standard_input_is_told(publisher: str) -> None:
    code = f"import sys; from neurontools.commands.{publisher} import official_entry; sys.exit(official_entry())"
    words = [sys.executable, "-c", code, "--once", *([] if publisher == "monitor_prometheus" else ["--dry-run"])]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *words],
        capture_output=True, text=True, check=False, timeout=SOON_S, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    name = publisher.replace("_", "-")
    assert (done.returncode, done.stdout) == (1, "")
    said = f"neuron-{name}.py: cannot read neuron-monitor's lines: standard input is closed"
    assert done.stderr.splitlines() == [said]


@pytest.mark.slow
@pytest.mark.parametrize("publisher", PUBLISHERS[:2])
def test_a_program_has_the_name_that_it_was_called_by(publisher: str) -> None:
    """In the note of what was left out, in the error after it, in the help and as what it is of which release."""
    name = f"neuron-{publisher.replace('_', '-')}"
    for entry, called in (("entry", name), ("official_entry", f"{name}.py")):
        code = f"import sys; from neurontools.commands.{publisher} import {entry}; sys.exit({entry}())"
        words = ("--once", "--source", "-", *([] if publisher == "monitor_prometheus" else ["--dry-run"]))
        done, about, usage = (
            subprocess.run([sys.executable, "-c", code, *given], input=text, **CAPTURED)
            for given, text in ((words, '{"a":1}\n'), (("--version",), ""), (("--help",), ""))
        )
        assert done.returncode == 1
        said = [line.partition(": ")[0] for line in done.stderr.splitlines()]
        assert said == [called, called], done.stderr
        assert about.stdout.split()[0] == called and f"\n  {called} [OPTIONS]" in usage.stdout


class Away:
    """A feed whose source shows nothing: lost for good, or its clock stands still."""

    def __init__(self, *lost: bool) -> None:
        self._lost = lost

    def __call__(self, *_: object) -> Iterator[Item]:
        yield from (Lost("it is away", lasts) for lasts in self._lost)
        yield Lost("nobody may wait for this", lasts=False)
        raise AssertionError


def test_once_waits_for_no_source_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(publishing, "_items", Away(False, False, True))
    items = publishing.items_of(Wanted.of({}), 1, said.append, once=True)
    with pytest.raises(SourceError, match="there is nothing to show: it is away"):
        list(items)
    going_on = publishing.items_of(Wanted.of({}), 1, said.append)
    assert [next(going_on) for _ in range(4)][2] == Lost("it is away", lasts=True)


def test_a_clock_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Direct(forward(host(instance="inf2.xlarge"), 0))
    items = sampled(source, 1, sleep=lambda _: None)
    lost = [next(items) for _ in range(4)]
    assert [item.lasts for item in lost if isinstance(item, Lost)] == [False, False, True, True]


def test_options_are_the_environment_of_the_source() -> None:
    wanted = Wanted.of({"source": "sysfs:/x", "lnc": "1", "all-devices": "", "no-imds": ""})
    said = {name: wanted.environ[f"NEURONTOOLS_{name}"] for name in ("LNC", "ALL_DEVICES", "NO_IMDS")}
    assert wanted.spec == "sysfs:/x" and said == {"LNC": "1", "ALL_DEVICES": "1", "NO_IMDS": "1"}
    assert Wanted.of({}, default="-").is_stdin and not Wanted.of({}).is_stdin
    with pytest.raises(errors.UsageError, match="--lnc takes 1, 2, 4 or 8, not '3'"):
        Wanted.of({"lnc": "3"})


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_each_publisher_knows_them(publisher: str) -> None:
    shown = run(publisher, "--help").stdout
    assert all(f"--{flag}" in shown for flag in ("all-devices", "lnc", "no-imds"))
    refused = run(publisher, "--lnc", "3", "--once")
    assert refused.returncode == 64 and "--lnc takes 1, 2, 4 or 8, not '3'" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("lnc", [1, 2])
def test_logical_cores_are_as_somebody_said(tmp_path: Path, lnc: int) -> None:
    Tree(tmp_path, "trn2.3xlarge")
    words = ("--source", f"sysfs:{tmp_path}", "--no-imds", "--lnc", str(lnc), "--period", "1s", "--once")
    done = run("monitor_prometheus", *words)
    assert f"neuron_node_cores {8 / lnc}" in done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_findings_are_published(tmp_path: Path, publisher: str) -> None:
    """A device counts an error that can not be corrected."""
    tree = Tree(tmp_path, "trn2.3xlarge")
    tree.write(tree.device("stats/hardware/mem_ecc_uncorrected"), "3\n")
    words = ["--source", f"sysfs:{tmp_path}", "--no-imds", "--period", "1s", "--once"]
    words += [] if publisher == "monitor_prometheus" else ["--dry-run"]
    done = run(publisher, *words)
    assert done.returncode == 0, done.stderr
    assert FOUND[publisher](done.stdout)


def _page(text: str) -> bool:
    return 'neuron_finding{neuron_device="0",rule="ecc-uncorrected"} 3.0' in text and "neuron_rule_checked" in text


def _requests(text: str) -> bool:
    data = [datum for line in text.splitlines() for datum in json.loads(line)["MetricData"]]
    return [datum["Value"] for datum in data if datum["MetricName"] == "WorstFinding"] == [3]


def _points(text: str) -> bool:
    metrics = json.loads(text)["resource_metrics"][0]["scope_metrics"][0]["metrics"]
    (finding,) = [metric for metric in metrics if metric["name"] == "aws.neuron.finding"]
    rules = {point["attributes"]["aws.neuron.rule"]: point["value"] for point in finding["data"]["data_points"]}
    return bool(rules["ecc-uncorrected"] == 3)


FOUND = {"monitor_prometheus": _page, "monitor_cloudwatch": _requests, "monitor_otlp": _points}


GRPC_USERS = {
    "a receiver": """
from opentelemetry.sdk.metrics.export import MetricsData
from neurontools.exporters.otlp.send import Target, make_exporter
make_exporter(Target("grpc", "http://127.0.0.1:1", {}, 0.1)).export(MetricsData([]))
""",
    "the kubelet": """
import socket, tempfile
from contextlib import suppress
from neurontools.schema.source import SourceError
from neurontools.sources.kubernetes.podresources import PodResources
path = tempfile.mkdtemp() + "/kubelet.sock"
silent = socket.socket(socket.AF_UNIX)
silent.bind(path)
silent.listen()
with suppress(SourceError):
    PodResources(path, 0.2).owners(2)
""",
}

LOOK = """
import os, subprocess, time
def look():
    time.sleep(0.1)
    os.write(1, b"%d" % len(os.listdir("/proc/self/task")))
subprocess.run(["true"], check=True, preexec_fn=look)
"""


@pytest.mark.parametrize("user", GRPC_USERS)
def test_a_command_that_is_started_beside_grpc_has_no_threads_of_grpc(user: str) -> None:
    """Between fork and exec they would find their descriptors closed, and abort the command."""
    done = subprocess.run(
        [sys.executable, "-c", GRPC_USERS[user] + LOOK], capture_output=True, cwd=ROOT, timeout=60, check=True
    )
    assert done.stdout == b"1"
