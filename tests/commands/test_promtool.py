"""A day of traffic with faults goes into a real Prometheus, and alert rules fire when they should, and only then."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.scenario import shipped
from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.hardware.instances import INSTANCES
from neurontools.units import NS_PER_S
from tests.exporters.nodes import interval_of, inventory_for

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0

FAULTS = """
[[faults]]
fault = "hbm-corrected"
core = 1
at = "10h"
for = "30m"
parameters = { rate = 1200 }

[[faults]]
fault = "hang"
core = 2
at = "14h"
for = "1m"

[[faults]]
fault = "straggler"
core = 3
at = "18h"
for = "1h"
parameters = { factor = 4 }
"""

SERVER = 'engine="tensor",neuroncore=~"[0-3]"'


class Alert(NamedTuple):
    """An expression, the hours after midnight at which it gives something, and those at which it gives nothing."""

    expression: str
    holds: tuple[float, ...]
    holds_not: tuple[float, ...] = ()


ALERTS = {
    "EccGrowth": Alert(
        'increase(hardware_ecc_events_total{event_type="mem_ecc_corrected"}[10m]) > 50',
        (10.2, 10.5),
        (1, 9.9, 11, 14.1, 23),
    ),
    "TimedOut": Alert(
        'increase(neuron_core_status_total{status="timeout"}[5m]) > 0', (14.05,), (10.2, 13.9, 14.3, 18.5, 23)
    ),
    "Straggler": Alert(
        f"max(avg_over_time(neuron_core_engine_ratio{{{SERVER}}}[10m]))"
        f" > 1.5 * min(avg_over_time(neuron_core_engine_ratio{{{SERVER}}}[10m]))",
        (18.5, 18.9),
        (3, 9.9, 10.5, 17.9, 21, 23),
    ),
    "FirstToken": Alert(
        "histogram_quantile(0.5, sum by (le) (rate(neuron_process_time_to_first_token_seconds_bucket[1h]))) > 0.1",
        (2, 12, 18.5, 24),
    ),
    "NotReal": Alert('neuron_source_info{simulated="true"} == 1', (1, 10.2, 23), (25,)),
}


def promtool(*words: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    assert shutil.which("promtool"), "promtool is missing: install it (Debian: apt-get install prometheus)"
    return subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, check=False)


def test_promtool_accepts_a_scrape() -> None:
    """It complains of one name, which is AWS's."""
    for name in ("inf2.48xlarge", "trn2.48xlarge"):
        instance = INSTANCES[name]
        checked = promtool(
            "check", "metrics", text=render(View.of(interval_of(instance), inventory_for(instance)), FAMILIES)
        )
        assert checked.stderr == (
            'system_vcpu_count non-histogram and non-summary metrics should not have "_count" suffix\n'
        )


class Day(NamedTuple):
    """The files of a day, and the seconds of CPU time that each step to them took."""

    blocks: Path
    seconds: dict[str, float]


def step(seconds: dict[str, float], name: str, command: list[str], **options: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    seconds[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A busy day with faults, recorded, dumped and made into blocks of Prometheus' database."""
    directory = tmp_path_factory.mktemp("day")
    scenario = shipped()["busy-day"].replace('name = "chat"\n', 'name = "chat"\nrestart = "15s"\n')
    (directory / "day.toml").write_text(scenario.partition("[[expect]]")[0] + FAULTS)
    rules = [{"alert": name, "expr": alert.expression} for name, alert in ALERTS.items()]
    (directory / "rules.yml").write_text(json.dumps({"groups": [{"name": "neuron", "rules": rules}]}))
    assert promtool("check", "rules", str(directory / "rules.yml")).returncode == 0
    python, files = [sys.executable, "-c"], {name: str(directory / name) for name in os.listdir(directory)}
    recording, dump, blocks = (str(directory / name) for name in ("day.nrec", "day.om", "blocks"))
    seconds: dict[str, float] = {}
    model = [*python, "from device_model.__main__ import entry; entry()", "record", "--scenario", files["day.toml"]]
    step(seconds, "record", [*model, "--for", "24h", "--step", "15s", recording], stdout=subprocess.DEVNULL)
    recorder = [*python, "import sys; from neurontools.commands.recorder import entry; sys.exit(entry())", "dump"]
    with open(dump, "w") as file:
        matched = [*recorder, recording, "--format", "openmetrics", "--match", files["rules.yml"]]
        step(seconds, "dump", matched, stdout=file)
    step(
        seconds,
        "blocks",
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", dump, blocks],
        stdout=subprocess.DEVNULL,
    )
    return Day(Path(blocks), seconds)


@contextmanager
def prometheus(blocks: Path, directory: Path) -> Iterator[str]:
    """A Prometheus on a loopback port that has only these blocks; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (directory / "prometheus.yml").write_text("scrape_configs: []\n")
    command = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={blocks}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            await_ready(address, process)
            yield f"http://{address}"
        finally:
            process.terminate()


def await_ready(address: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=PATIENCE_S) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    pytest.fail("Prometheus is not ready")


def found(base: str, expression: str, hour: float) -> list[dict[str, str]]:
    """The labels of what an expression gives at an hour of the day."""
    at_s = STEPPED_EPOCH_NS // NS_PER_S + round(hour * 3600)
    query = urllib.parse.urlencode({"query": expression, "time": at_s})
    with urllib.request.urlopen(f"{base}/api/v1/query?{query}", timeout=PATIENCE_S) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    return [each["metric"] for each in document["data"]["result"]]


def test_alerts_fire_when_there_is_a_fault_and_only_then(day: Day, tmp_path: Path) -> None:
    with prometheus(day.blocks, tmp_path) as base:
        for alert in ALERTS.values():
            for hour in alert.holds:
                assert found(base, alert.expression, hour), (alert.expression, hour)
            for hour in alert.holds_not:
                assert not found(base, alert.expression, hour), (alert.expression, hour)
        blamed = found(base, ALERTS["EccGrowth"].expression, 10.5)
        assert [labels["neuron_device_index"] for labels in blamed] == ["0"]


def test_a_day_with_faults_is_in_prometheus_within_a_minute(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        parts = ", ".join(f"{name} {spent:.1f} s" for name, spent in day.seconds.items())
        print(f"\na day of busy-day with faults, CPU time: {parts}; together {sum(day.seconds.values()):.1f} s")
    # Where other programs share cores and caches, CPU time is up to twice what it is on a quiet machine.
    assert sum(day.seconds.values()) < 2 * 60
