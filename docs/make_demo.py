"""Plays the demo in a real terminal and keeps what was seen as a moving picture: a host, an error, and who notices.

Only what a real trn2.48xlarge publishes is used: neuron-top, neuron-doctor and the exporter read the host's files, and
a Prometheus of its own has the alerts of dashboards/prometheus.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from docs.moving_svg import moving_svg
from docs.terminal import KEY_S, PATIENCE_S, Terminal

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "demo.svg"

COLUMNS, UPPER, LOWER = 120, 27, 13
LASTS_S = 60.0
CORE, DEVICE = 12, 3
"""A logical core of the device: two physical ones each, four a device."""

OLD_DRIVER = "2.21"
LOADING = "1m"
"""Until the servers have loaded their models and work, of the host's own time."""
BACK = 27
"""How many readings lie between the end of the story and its beginning."""


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(*words: str, environment: dict[str, str] | None = None) -> Iterator[None]:
    """A program in the background; its words are kept to ourselves."""
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | (environment or {})
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def prometheus_config(directory: Path, exporter: int) -> Path:
    """A configuration that scrapes the exporter and checks the alerts each second."""
    rules = ROOT / "dashboards" / "prometheus" / "alerts.yml"
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "neuron", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]}],
    }
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config))
    return path


@contextlib.contextmanager
def host(directory: Path, name: str, driver: str) -> Iterator[tuple[str, str]]:
    """A simulated trn2.48xlarge with three model servers, as files of that driver: its source, and its model's."""
    place, model = directory / name, directory / f"{name}.sock"
    words = ["--instance", "trn2.48xlarge", "--scenario", "opt-30b", "--driver-version", driver]
    tool = str(Path(sys.executable).with_name("neuron-model"))
    subprocess.run([tool, "start", "--socket", model, "--host", place, *words], check=True, capture_output=True)
    try:
        subprocess.run([tool, "advance", LOADING, "--socket", model], check=True, capture_output=True)
        yield f"sysfs:{place}", f"model:{model}"
    finally:
        subprocess.run([tool, "stop", "--socket", model], check=False, capture_output=True)


def play(terminal: Terminal, port: int, old: str, pace: float) -> None:
    """What is typed, and what must be seen before the next thing is; pauses last `pace` times their time."""

    def pause(seconds: float) -> None:
        terminal.keep()
        time.sleep(seconds * pace)

    top, shell = 0, 1
    terminal.type(top, "neuron-top")
    terminal.wait_for(top, "NeuronCore")
    terminal.wait_for(top, "✓ nothing found")
    pause(4)
    terminal.type(shell, f"neuron-model inject hbm-uncorrected --core {CORE}   # something breaks, on device {DEVICE}")
    pause(1.5)
    terminal.type(shell, f"cat $HOST/sys/class/neuron_device/neuron{DEVICE}/stats/hardware/mem_ecc_uncorrected")
    terminal.wait_for(shell, "\n1\n")
    pause(1)
    query = f"promtool query instant http://127.0.0.1:{port} 'ALERTS{{alertstate=\"firing\"}}' | cut -c-130"
    terminal.wait_until(lambda: firing(port), "the alert")
    terminal.type(shell, f"clear; {query}")
    terminal.wait_for(shell, "NeuronUncorrectableError")
    pause(3)
    terminal.type(shell, "clear; neuron-doctor --quick | head -n 7; echo exit code ${PIPESTATUS[0]}")
    terminal.wait_for(shell, "exit code 2")
    pause(5)
    terminal.press(top, "Space")
    pause(1)
    for _ in range(BACK):
        terminal.press(top, "Left")
        pause(0.12)
    pause(4)
    terminal.press(top, "Space")
    terminal.type(shell, f"clear; export NEURONTOOLS_SOURCE={old}   # the same with driver {OLD_DRIVER}")
    terminal.type(shell, "neuron-doctor --quick | grep -m 1 -A 8 Cannot")
    terminal.wait_for(shell, "Cannot tell:")
    pause(6)


def answer(port: int, path: str) -> str:
    """What Prometheus answers; nothing while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=PATIENCE_S) as found:
            return str(found.read().decode())
    except OSError:
        return ""


def scraped(port: int) -> bool:
    """Whether it has read the exporter: what is counted afterwards is seen to grow."""
    return '"metric":' in answer(port, "query?query=neuron_source_up%3D%3D1")


def firing(port: int) -> bool:
    """Whether the alert of the demo is on."""
    return "NeuronUncorrectableError" in answer(port, "alerts")


def main(target: Path = TARGET, pace: float = 1.0) -> None:
    """Plays it and writes the picture. Raises TimeoutError where the story goes another way."""
    exporter, port = free_port(), free_port()
    tools = str(Path(sys.executable).parent)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-", dir="/dev/shm")))
        source, model = stack.enter_context(host(directory, "trn2", "2.30.2"))
        old, old_model = stack.enter_context(host(directory, "old", OLD_DRIVER))
        serve = [f"{tools}/neuron-monitor-prometheus", "--source", source, "--port", str(exporter), "--period", "1s"]
        stack.enter_context(running(*serve))
        config = str(prometheus_config(directory, exporter))
        data = f"--storage.tsdb.path={directory}/data"
        stack.enter_context(
            running("prometheus", f"--config.file={config}", data, f"--web.listen-address=127.0.0.1:{port}")
        )
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NEURONTOOLS_SOURCE": source,
            "HOST": source.removeprefix("sysfs:"),
            "PS1": "$ ",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        terminal = Terminal(directory, COLUMNS, UPPER, LOWER, environment, KEY_S * pace)
        stack.callback(terminal.close)
        socket_of = "--socket " + model.removeprefix("model:")
        terminal.type(1, f'neuron-model() {{ command neuron-model "$@" {socket_of}; }}; clear')
        tool = str(Path(sys.executable).with_name("neuron-model"))
        both = ["--core", str(CORE), "--socket", old_model.removeprefix("model:")]
        subprocess.run([tool, "inject", "hbm-uncorrected", *both], check=True, capture_output=True)
        terminal.wait_until(lambda: scraped(port), "a first scrape")
        terminal.begin()
        play(terminal, port, old, pace)
        took_s = terminal.end()
    lasts_s = max(LASTS_S, took_s)
    target.write_text(moving_svg(terminal.frames, terminal.columns, terminal.rows, lasts_s))
    print(f"wrote {target.name}: {len(terminal.frames)} screens in {took_s:.0f} s, {target.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
