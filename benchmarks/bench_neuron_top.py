"""neuron-top at 128 cores on a terminal of 200x50: CPU and output of each page, key to repaint, first frame."""

import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from benchmarks.timing import Figure, table

COLUMNS, ROWS = 200, 50
SETTLE_S, MEASURE_S = 3.0, 20.0
KEYS = 60
BIN = Path(sys.executable).parent
MODEL = ["--scenario", "opt-30b", "--instance", "trn2.48xlarge", "--socket"]
PAGES = ((b"h", "the history"), (b"p", "processes"), (b"m", "memory"), (b"t", "the topology"), (b"e", "health"))
KERNEL_THREADS = 960
"""Linux has five threads for each CPU that nobody sees in a sandbox, and btop reads: cpuhp, migration, ksoftirqd and
two kworkers. A trn2.48xlarge has 192 CPUs."""

MODES = (b"TFLOPS", b"Engines", b"Memory,", b"Utilization")
"""What the key f paints, by turns."""


class Terminal:
    """A program on a pty of 200x50, read as fast as it writes."""

    def __init__(self, command: list[str], **environ: str) -> None:
        self.received = b""
        self.started = time.perf_counter()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.execvpe(command[0], command, os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environ)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def read(self, seconds: float, until: Callable[[bytes], bool] = lambda _: False) -> float | None:
        """Collects output for so long, or until it satisfies; the time then, None if it never did."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                self.received += os.read(self.descriptor, 1 << 16)
                if until(self.received):
                    return time.perf_counter()
        return None

    def first_frame_s(self, text: bytes) -> float | None:
        """From the start to the first output that holds `text`."""
        seen = self.read(20.0, lambda output: text in output)
        return None if seen is None else seen - self.started

    def cpu_percent(self) -> tuple[float, float]:
        """Percent of a core, and KB/s written, over the measuring time."""
        self.received = b""
        before, started = self._cpu_s(), time.perf_counter()
        self.read(MEASURE_S)
        elapsed = time.perf_counter() - started
        return 100 * (self._cpu_s() - before) / elapsed, len(self.received) / elapsed / 1000

    def key_to_repaint_ms(self) -> list[float]:
        """From writing the key f to the heading that it changes."""
        latencies = []
        for number in range(KEYS):
            self.read(0.11)
            self.received = b""
            pressed = time.perf_counter()
            os.write(self.descriptor, b"f")
            word = MODES[number % len(MODES)]
            seen = self.read(3.0, lambda output, word=word: word in output)  # type: ignore[misc]
            latencies.append(1000 * ((seen or time.perf_counter()) - pressed))
        return latencies

    def _cpu_s(self) -> float:
        """Of all its threads, to the nanosecond: the kernel's ticks are as long as what is measured in a second."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def main() -> None:
    """Prints the figures of neuron-top, and those of btop where it is installed."""
    figures = []
    with Model() as model:
        command = [str(BIN / "neuron-top"), "--source", f"model:{model.socket}"]
        frames = [first_frame(command) for _ in range(5)]
        figures.append(Figure("first frame (median of 5)", _median(frames), "s", 0.8))
        with Terminal(command) as top:
            top.read(SETTLE_S)
            cpu, output = top.cpu_percent()
            figures += [Figure("CPU at 1 Hz", cpu, "%", 1.5), Figure("output at 1 Hz", output, "KB/s", 20.0)]
            figures += _latencies("key to repaint", top.key_to_repaint_ms())
            os.kill(model.process.pid, signal.SIGSTOP)
            top.read(1.5)
            figures += _latencies("key to repaint, source stalled", top.key_to_repaint_ms())
            os.kill(model.process.pid, signal.SIGCONT)
            figures += [figure for key, page in PAGES for figure in _page(top, key, page)]
    figures += _btop(cpu)
    print(f"neuron-top, trn2.48xlarge (128 physical cores) serving opt-30b, terminal of {COLUMNS}x{ROWS}")
    print(table(figures))


class Model:
    """A device model in the foreground on a socket of its own."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="top-"))
        self.socket = self.directory / "model.sock"

    def __enter__(self) -> "Model":
        command = [str(BIN / "neuron-model"), "start", "--foreground", *MODEL, str(self.socket)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self.socket.exists():
            time.sleep(0.05)
        time.sleep(SETTLE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


def first_frame(command: list[str]) -> float | None:
    """Seconds until the last line of the screen is there."""
    with Terminal(command) as top:
        return top.first_frame_s(b"select tab")


def _page(top: Terminal, key: bytes, page: str) -> list[Figure]:
    """CPU and output of one page."""
    os.write(top.descriptor, key)
    top.read(SETTLE_S)
    cpu, output = top.cpu_percent()
    return [Figure(f"CPU of {page}", cpu, "%", 3.0), Figure(f"output of {page}", output, "KB/s", 20.0)]


def _latencies(name: str, latencies: list[float]) -> list[Figure]:
    percentiles = statistics.quantiles(latencies, n=20)
    return [Figure(f"{name}, p50", percentiles[9], "ms"), Figure(f"{name}, p95", percentiles[18], "ms", 30.0)]


def _btop(own: float) -> list[Figure]:
    """btop beside it: on this machine as it is, and among as many processes as a kernel has for a trn2.48xlarge."""
    figures = []
    for more, where in ((0, "here"), (KERNEL_THREADS, f"among {KERNEL_THREADS} processes more")):
        cpu = None if shutil.which("btop") is None else _cpu_of_btop(more)
        figures.append(Figure(f"CPU of btop at 1 Hz, {where}", cpu, "%"))
        figures.append(Figure(f"neuron-top / btop, {where}", own / cpu if cpu else None, "x", 2.0))
    return figures


def _cpu_of_btop(more: int) -> float:
    """Percent of a core, with so many idle processes beside it."""
    idle = [subprocess.Popen(["sleep", "infinity"]) for _ in range(more)]
    try:
        with tempfile.TemporaryDirectory() as directory:
            settings = Path(directory, "btop", "btop.conf")
            settings.parent.mkdir()
            settings.write_text("update_ms = 1000\n")
            with Terminal(["btop", "--utf-force"], LANG="C.UTF-8", XDG_CONFIG_HOME=directory) as btop:
                btop.read(SETTLE_S)
                return btop.cpu_percent()[0]
    finally:
        for process in idle:
            process.kill()
        for process in idle:
            process.wait()


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


if __name__ == "__main__":
    main()
