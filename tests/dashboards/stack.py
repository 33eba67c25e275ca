"""The whole chain as people run it: device models, exporters, and a real Prometheus that scrapes them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.commands.test_promtool import await_ready
from tests.conftest import ROOT
from tests.device_model.daemons import COMMAND, call

PATIENCE_S = 120.0
SCRAPED_S = 1

_EXPORTER = (
    "import sys; from neurontools.commands.monitor_prometheus import entry; "
    "sys.argv[0] = 'neuron-monitor-prometheus'; sys.exit(entry())"
)


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Returns when something is true; fails the test when it does not become so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"did not come: {what}"
        time.sleep(0.2)


class Host:
    """A model in real time and its exporter on a port."""

    def __init__(self, directory: Path, source: str, exporter: "subprocess.Popen[bytes]", target: str) -> None:
        self._directory = directory
        self._path = source.removeprefix("model:")
        self.exporter = exporter
        self.target = target

    def inject(self, fault: str, **arguments: Any) -> None:
        """Lets something go wrong; `target` is such as {"core": 1}, `parameters` are the fault's."""
        given = {"target": {}, "parameters": {}, "for_ns": None} | arguments
        call(self._path, "inject", fault=fault, **given)

    def await_process(self, tag: str) -> None:
        """Returns when a process runs (again)."""
        until(lambda: tag in [each["tag"] for each in call(self._path, "snapshot")["processes"]], f"process {tag}")

    def heal(self) -> None:
        """Ends all that lasts."""
        call(self._path, "heal", what="all")


@contextlib.contextmanager
def host(directory: Path, scenario: Mapping[str, Any], tree: bool = False, up_s: int = 0) -> Iterator[Host]:
    """A model of a scenario, up for so long when an exporter begins to read it: its socket, or as `tree` its driver's
    files.
    """
    directory.mkdir()
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in scenario.items())
    (directory / "scenario.toml").write_text(text)
    path, root = str(directory / "s"), directory / "root"
    words = ["start", "--socket", path, "--scenario", str(directory / "scenario.toml"), "--foreground"]
    model = subprocess.Popen(
        [*COMMAND, *words, *(("--host", str(root)) if tree else ())],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    source = f"sysfs:{root}" if tree else f"model:{path}"
    try:
        until(lambda: os.path.exists(path) and (not tree or (root / "sys/module/neuron/simulated").exists()), "a model")
        if up_s:
            call(path, "advance", duration_ns=up_s * 10**9)
        with _exporter(source) as (exporter, target):
            yield Host(directory, f"model:{path}", exporter, target)
    finally:
        model.terminate()
        model.wait(PATIENCE_S)


def _toml(value: Any) -> str:
    """A value on one line, tables inline."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


@contextlib.contextmanager
def _exporter(source: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    target = f"127.0.0.1:{free_port()}"
    words = ["--source", source, "--listen", target, "--period", "1s", "--max-age", "3s"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NEURONTOOLS_NO_IMDS": "1"}
    exporter = subprocess.Popen([sys.executable, "-c", _EXPORTER, *words], stderr=subprocess.DEVNULL, env=environment)
    try:
        until(lambda: b"neuron_source_up 1" in _page(target), f"a page of {source}")
        yield exporter, target
    finally:
        exporter.terminate()
        exporter.wait(PATIENCE_S)


def _page(target: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=PATIENCE_S) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


class Prometheus:
    """Answers queries; scrapes each host from when it is added."""

    def __init__(self, base: str, targets: Path) -> None:
        self._base = base
        self._targets = targets
        self._added: list[str] = []

    def add(self, *hosts: Host) -> None:
        """Scrapes these hosts, too."""
        self._added += [host.target for host in hosts]
        written = self._targets.with_suffix(".new")
        written.write_text(json.dumps([{"targets": self._added}]))
        written.rename(self._targets)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self._base}/api/v1/query?{query}", timeout=PATIENCE_S) as answer:
            document = json.load(answer)
        assert document["status"] == "success", document
        return list(document["data"]["result"])

    def await_data(self, expression: str) -> None:
        """Returns when an expression gives something."""
        until(lambda: self.ask(expression), expression)

    def check_nothing(self, expression: str) -> None:
        """Fails where an expression goes on to give something: on a busy machine a page may come too late once."""
        until(lambda: not self.ask(expression), f"the end of {expression}")


@contextlib.contextmanager
def prometheus(directory: Path, rules: Mapping[str, str]) -> Iterator[Prometheus]:
    """A Prometheus on loopback with these rules files, which looks at everything once a second."""
    assert shutil.which("prometheus"), "prometheus is missing: install it (Debian: apt-get install prometheus)"
    directory.mkdir()
    for name, text in rules.items():
        document = yaml.safe_load(text)
        for group in document["groups"]:
            group["interval"] = f"{SCRAPED_S}s"
        (directory / name).write_text(yaml.safe_dump(document))
    targets = directory / "targets.json"
    targets.write_text("[]")
    scrape = {"job_name": "neuron", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
    often = {"scrape_interval": f"{SCRAPED_S}s", "evaluation_interval": f"{SCRAPED_S}s"}
    config = {"global": often, "rule_files": sorted(rules), "scrape_configs": [scrape]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    words = [f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
    words += [f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(["prometheus", *words], stderr=subprocess.PIPE, text=True) as process:
        try:
            await_ready(address, process)
            yield Prometheus(f"http://{address}", targets)
        finally:
            process.terminate()
