"""neuron-monitor at one document a second on trn2.48xlarge with 16 runtimes: its CPU share, what a report costs."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.timing import Figure, process_seconds, table
from neurontools.commands.monitor_collect import Collector
from neurontools.commands.monitor_plan import default_plan
from neurontools.exporters.report import encode
from neurontools.sources.choose import VARIABLE, choose
from neurontools.units import NS_PER_S

SECONDS = 12
WARM_UP = 2
SCRAPES = 30
REPORTS = 31

SCENARIO = """
description = "sixteen servers, TP4 each, on all cores of the host"
instance = "trn2.48xlarge"

[[processes]]
name = "server"
replicas = 16
command = "python serve.py"

[processes.workload]
kind = "llm"
model = "Llama-2-13b"
tp = 4
batch = 8
context = 2048
arrivals = { kind = "closed", users = 8 }
prompt = { mean = 96, cv = 0.8, least = 4, most = 1024 }
output = { mean = 256, cv = 0.7, least = 16, most = 1024 }
"""

MONITOR = [sys.executable, "-c", "import sys; from neurontools.commands.monitor import entry; sys.exit(entry())"]


def on_a_model() -> int:
    """Runs this benchmark once more inside `neuron-model run`."""
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory, "sixteen.toml")
        scenario.write_text(SCENARIO)
        model = [sys.executable, "-m", "device_model", "run", "--scenario", str(scenario), "--"]
        again = [sys.executable, "-m", "benchmarks.bench_neuron_monitor"]
        return subprocess.run([*model, *again], check=False).returncode


def cpu_ns(pid: int) -> int:
    """Time that a process has spent on a CPU."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def streaming_share(period_s: float = 1.0) -> tuple[float, int]:
    """Percent of a core that the stream costs, start-up left out, and the bytes of a document."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "monitor.json")
        config.write_text(f'{{"period": "{period_s}s"}}')
        process = subprocess.Popen([*MONITOR, "-c", str(config)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process:
            for _ in range(WARM_UP):
                process.stdout.readline()
            began_ns, cpu_before_ns = time.monotonic_ns(), cpu_ns(process.pid)
            sizes = [len(process.stdout.readline()) for _ in range(round(SECONDS / period_s))]
            share = 100 * (cpu_ns(process.pid) - cpu_before_ns) / (time.monotonic_ns() - began_ns)
            process.terminate()
    return share, round(statistics.mean(sizes))


def report_ms() -> tuple[float, float]:
    """One report from request to text: CPU time of this process, and wall time with the model's part in it, ms."""
    source = choose(None, os.environ)
    plan = default_plan()
    collector = Collector(source, plan, lambda level, text: None)
    spent: list[tuple[int, int]] = []
    for _ in range(REPORTS):
        time.sleep(0.05)
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        encode(collector.collect(plan.periods()))
        spent.append((time.process_time_ns() - cpu, time.perf_counter_ns() - wall))
    source.close()
    cpus, walls = zip(*spent, strict=True)
    return statistics.median(cpus) * 1000 / NS_PER_S, statistics.median(walls) * 1000 / NS_PER_S


def values_of(document: object) -> int:
    """The numbers in a document: what each would be a series of."""
    if isinstance(document, dict):
        return sum(map(values_of, document.values()))
    if isinstance(document, list):
        return sum(map(values_of, document))
    return isinstance(document, int | float) and not isinstance(document, bool)


def node_exporter_us_per_series() -> float | None:
    """CPU time of prometheus-node-exporter for each series of a scrape, in µs; None where it is not installed."""
    program = shutil.which("prometheus-node-exporter")
    if program is None:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [program, f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            scrape(address)
            # All threads count: the exporter gathers in parallel.
            before = cpu_ticks(process.pid)
            series = [scrape(address) for _ in range(SCRAPES)]
            ticks = cpu_ticks(process.pid) - before
        finally:
            process.terminate()
    return 1e6 * ticks / os.sysconf("SC_CLK_TCK") / sum(series)


def scrape(address: str) -> int:
    """Series in one scrape of a loopback address that may still be coming up."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
                return sum(not line.startswith(b"#") for line in answer.read().splitlines())
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers on {address}")


def cpu_ticks(pid: int) -> int:
    """CPU time of a process with all its threads, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> int:
    """Prints the figures with their budgets."""
    if VARIABLE not in os.environ:
        return on_a_model()
    cpu_ms, wall_ms = report_ms()
    share, size = streaming_share()
    once_s = process_seconds([*MONITOR, "--once"], runs=5)
    values = values_of(json.loads(subprocess.run([*MONITOR, "--once"], capture_output=True, check=True).stdout))
    figures = [
        Figure("neuron-monitor, 1 s period, CPU share", share, "%", 1.0),
        Figure("one report, CPU time", cpu_ms, "ms", 8.0),
        Figure("one report, waiting for the model too", wall_ms, "ms"),
        Figure("one document", size / 1000, "kB"),
        Figure("CPU time per value", 1000 * cpu_ms / values, "µs"),
        Figure("prometheus-node-exporter: CPU time per series", node_exporter_us_per_series(), "µs"),
        Figure("from start to the first document and end", once_s, "s", 2.0),
    ]
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
