"""neuron-monitor-prometheus on 128 NeuronCores with 16 processes: a page, a scrape, its CPU share and its memory."""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from benchmarks.bench_neuron_monitor import SCENARIO, cpu_ticks
from benchmarks.timing import Figure, table
from neurontools.commands.feed import Read, sampled
from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.exporters.prometheus.family import BOUNDS_S, COUNTER, HISTOGRAM, Family, numbers
from neurontools.sources.choose import VARIABLE, choose

SCRAPES = 10_000
PERIODS = 20
ROUNDS = 21
PERIOD_S = 15

EXPORTER = [
    sys.executable,
    "-c",
    "import sys; from neurontools.commands.monitor_prometheus import entry; sys.exit(entry())",
]


def on_a_model() -> int:
    """Runs this benchmark once more inside `neuron-model run`, with 128 logical cores."""
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory, "sixteen.toml")
        scenario.write_text("logical_neuroncore_config = 1\n" + SCENARIO)
        model = [sys.executable, "-m", "device_model", "run", "--scenario", str(scenario), "--"]
        again = [sys.executable, "-m", "benchmarks.bench_prometheus"]
        return subprocess.run([*model, *again], check=False).returncode


def ours(read: Read) -> str:
    """The page of a reading."""
    return render(View.of(read.interval, read.inventory), FAMILIES)


class Theirs(Collector):
    """The families as the client library's collectors give them."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """What generate_latest asks for."""
        view = View.of(self._read.interval, self._read.inventory)
        return (self._family(family, view) for family in FAMILIES)

    def _family(self, family: Family, view: View) -> Metric:
        kinds = {COUNTER: CounterMetricFamily, HISTOGRAM: HistogramMetricFamily}
        made: Any = kinds.get(family.kind, GaugeMetricFamily)(family.name, family.help, labels=family.labels)
        for labels, value in family.read(view):
            if isinstance(made, HistogramMetricFamily):
                *reached, _, total = numbers(value)
                bounds = [*map(str, BOUNDS_S), "+Inf"]
                made.add_metric(labels, list(zip(bounds, reached, strict=True)), total)
            else:
                made.add_metric(labels, value)
        return made  # type: ignore[no-any-return]


def cpu_ms(call: Callable[[], object]) -> float:
    """Median CPU time of a call in ms: other programs on the machine do not count."""

    def run() -> float:
        began = time.process_time_ns()
        call()
        return (time.process_time_ns() - began) / 1e6

    run()
    return statistics.median(run() for _ in range(ROUNDS))


def two_reads() -> list[Read]:
    """Two readings of the model, a second apart."""
    source = choose(None, os.environ)
    try:
        return list(islice((item for item in sampled(source, 1.0) if isinstance(item, Read)), 2))
    finally:
        source.close()


@contextmanager
def exporter(*options: str) -> Iterator[tuple[int, Callable[[], int]]]:
    """An exporter on loopback: its pid, and a scrape that gives the size of the page."""
    words = [*EXPORTER, "--port", "0", *options]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = process.stderr.readline().split("//")[1].split("/")[0]
        connection = HTTPConnection(address)

        def scrape() -> int:
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            return len(connection.getresponse().read())

        try:
            while scrape() < 1000:
                time.sleep(0.1)
            yield process.pid, scrape
        finally:
            process.terminate()


def cycle_ms() -> float:
    """CPU time of one period: reading, intervals, findings, page, compression, one scrape. Start-up is left out."""
    with exporter("--period", "1s") as (pid, scrape):
        time.sleep(3)
        before = cpu_ticks(pid)
        for _ in range(PERIODS):
            time.sleep(1)
            scrape()
        return 1000 * (cpu_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / PERIODS


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def scraping() -> tuple[float, float]:
    """Median time of a scrape in ms, and by how many MB the exporter has grown after all of them."""
    # One reading only, so that what is seen is what scrapes leave behind.
    with exporter("--period", "1h", "--max-age", "1h") as (pid, scrape):
        # Threads, buffers and the allocator's arenas come to rest first.
        for _ in range(SCRAPES // 4):
            scrape()
        before = resident_mb(pid)
        times = []
        for _ in range(SCRAPES):
            began = time.perf_counter()
            scrape()
            times.append(time.perf_counter() - began)
        return 1000 * statistics.median(times), resident_mb(pid) - before


def main() -> int:
    """Prints the figures with their budgets."""
    if VARIABLE not in os.environ:
        return on_a_model()
    reads = two_reads()
    page = ours(reads[0])
    registries = [CollectorRegistry(auto_describe=False) for _ in reads]
    for registry, read in zip(registries, reads, strict=True):
        registry.register(Theirs(read))
    gc.collect()
    # In turn, as no page is like the one before it.
    next_read, next_registry = cycle(reads), cycle(registries)
    ours_ms = cpu_ms(lambda: ours(next(next_read)))
    theirs_ms = cpu_ms(lambda: generate_latest(next(next_registry)))
    period_ms = cycle_ms()
    scrape_ms, growth_mb = scraping()
    series = sum(not line.startswith("#") for line in page.splitlines())
    figures = [
        Figure("series of the page", series, ""),
        Figure("a scrape", scrape_ms, "ms", 10.0),
        Figure("a page, CPU time", ours_ms, "ms", 10.0),
        Figure("prometheus_client's page, CPU time", theirs_ms, "ms"),
        Figure("ours of theirs", 100 * ours_ms / theirs_ms, "%", 20.0),
        Figure("one period, CPU time with a scrape", period_ms, "ms"),
        Figure(f"pipeline at {PERIOD_S} s, CPU share", 100 * period_ms / 1000 / PERIOD_S, "%", 0.2),
        Figure(f"growth over {SCRAPES:,} scrapes", growth_mb, "MB", 1.0),
    ]
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
