"""Models, exporters and a real Prometheus: every expression of a dashboard or rule gives data, or only in trouble."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerts import ALERTS, BY_NAME
from dashboards.boards import BOARDS
from dashboards.files import rule_files
from dashboards.recordings import RECORDINGS
from dashboards.supply import VARIABLES
from tests.dashboards.stack import Host, Prometheus, host, prometheus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUERIES = [query for board in BOARDS for row in board.rows for panel in row.panels for query in panel.queries]
PAGED = {"kind": "paged", "block": 16, "blocks": 60}


def server(name: str, tp: int, **changes: Any) -> dict[str, Any]:
    workload = {
        "kind": "llm",
        "model": "opt-1.3b",
        "tp": tp,
        "batch": 4,
        "context": 512,
        "arrivals": {"kind": "closed", "users": 6},
        "prompt": {"mean": 60, "cv": 0.8, "least": 4, "most": 200},
        "output": {"mean": 60, "cv": 0.5, "least": 8, "most": 200},
    }
    of_process = {key: changes.pop(key) for key in ("restart", "execution_timeout", "first_core") if key in changes}
    return {"name": name, "command": "python serve.py", "workload": workload | changes} | of_process


def scenario(instance: str, *processes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"description": "end to end", "instance": instance, "processes": list(processes)} | more


SOUND = (
    scenario("inf2.24xlarge", server("chat", 4), server("paged", 2, cache=PAGED)),
    scenario("trn2.48xlarge", server("large", 8)),
)
TROUBLED = scenario(
    "trn2.3xlarge",
    server("chat", 2, restart="1s", execution_timeout="5s", first_core=0),
    server("stuck", 1, execution_timeout="1h", first_core=2),
    {"name": "notebook", "first_core": 3, "workload": {"kind": "idle", "cores": 1, "memory": "4GiB"}},
    faults=[{"fault": "hang", "core": 2, "at": "1s"}],
)
LOST = scenario("inf2.24xlarge", server("chat", 2))
CUT = scenario("inf2.24xlarge", server("chat", 2), faults=[{"fault": "link-down", "link": "0-1", "at": "1s"}])

UP_S = 120
"""Power is told by the minute, for the first time after the first whole one."""

CHAT = {"process": "chat"}
TROUBLES: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("throttle", {"target": {"device": 0}, "parameters": {"factor": 8.0}}, ("NeuronLatencyP99",)),
    ("hbm-corrected", {"target": {"core": 0}, "parameters": {"rate": 3.6e6}}, ("NeuronEccGrowth",)),
    ("hang", {"target": {"core": 1}}, ("NeuronExecutionTimeout",)),
    ("out-of-memory", {"target": CHAT}, ("NeuronOutOfMemory",)),
    ("core-uncorrected", {"target": {"core": 0}}, ("NeuronHardwareError",)),
    ("hbm-repairable", {"target": {"core": 0}}, ("NeuronRepairableError",)),
    ("hbm-uncorrected", {"target": {"core": 0}}, ("NeuronUncorrectableError",)),
    (
        "device-reset",
        {"target": {"device": 0}, "parameters": {"seconds": 1.0, "fails": True}},
        ("NeuronResetFailed",),
    ),
    ("driver-missing", {}, ("NeuronDriverAbsent",)),
)
"""What is injected into the troubled host in this order, and the alerts whose expressions then give something."""


def plain(expression: str) -> str:
    """An expression without Grafana's variables, for a Prometheus that scrapes each second."""
    for name, value in (VARIABLES | {"$__rate_interval": "10s"}).items():
        expression = expression.replace(name, value)
    return expression


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Path]]:
    """A Prometheus with all rules, which scrapes two sound and busy hosts."""
    directory = tmp_path_factory.mktemp("stack")
    rules = {Path(name).name: text for name, text in rule_files()}
    with (
        host(directory / "inf2", SOUND[0], up_s=UP_S) as inf2,
        host(directory / "trn2", SOUND[1], up_s=UP_S) as trn2,
        prometheus(directory / "prometheus", rules) as server,
    ):
        server.add(inf2, trn2)
        server.await_data("count(up == 1) == 2")
        yield server, directory


def test_everything_has_data_on_sound_hosts_or_says_that_it_is_empty_there(stack: tuple[Prometheus, Path]) -> None:
    asked, _ = stack
    for recording in RECORDINGS:
        asked.await_data(recording.name)
    for query in (each for each in QUERIES if not each.in_trouble):
        asked.await_data(plain(query.expression))
    for query in (each for each in QUERIES if each.in_trouble):
        asked.check_nothing(plain(query.expression))
    for alert in ALERTS:
        asked.check_nothing(alert.expression)


def test_what_is_empty_there_has_data_in_trouble(stack: tuple[Prometheus, Path]) -> None:
    asked, directory = stack
    seen: set[str] = set()
    empty = {plain(query.expression) for query in QUERIES if query.in_trouble}

    def await_alerts(*names: str) -> None:
        for name in names:
            asked.await_data(BY_NAME[name].expression)
            seen.add(name)
            empty.difference_update([expression for expression in empty if asked.ask(expression)])

    with (
        host(directory / "troubled", TROUBLED) as troubled,
        host(directory / "lost", LOST, tree=True) as lost,
        host(directory / "cut", CUT) as cut,
    ):
        asked.add(troubled, lost, cut)
        await_alerts("NeuronAllocatedIdle", "NeuronNoProgress", "NeuronLinkDown")
        for name in ("neuron5", "neuron4"):
            shutil.rmtree(directory / "lost" / "root" / "sys/devices/virtual/neuron_device" / name)
            (directory / "lost" / "root" / "dev" / name).unlink()
        _await_samples(asked, troubled)
        for fault, arguments, alerts in TROUBLES:
            # Without it nothing would run into the fault.
            troubled.await_process("chat")
            troubled.inject(fault, **arguments)
            await_alerts(*alerts)
            if fault in ("throttle", "hang"):
                troubled.heal()
        await_alerts("NeuronDeviceMissing")
        troubled.exporter.terminate()
        await_alerts("NeuronSourceDown")
    assert seen == set(BY_NAME) and not empty


def _await_samples(asked: Prometheus, of: Host) -> None:
    """Until the latency is known for some while: what is unusual is so beside what is usual."""
    counted = f'count_over_time(execution_latency_seconds{{instance="{of.target}",percentile="p99"}}[5m]) > 8'
    asked.await_data(counted)
