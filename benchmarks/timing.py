"""How every benchmark measures and prints: whole processes, single calls, instruction counts, budgets."""

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of a benchmark's output; a value of None could not be measured here."""

    name: str
    value: float | None
    unit: str
    budget: float | None = None

    @property
    def verdict(self) -> str:
        """`within` or `OVER` its budget, or nothing where either number is missing."""
        if self.value is None or self.budget is None:
            return ""
        return "within" if self.value <= self.budget else "OVER"


def process_seconds(command: Sequence[str], runs: int = 11) -> float:
    """Median wall time of a whole process, s, its output discarded; one more run warms the caches first.

    Raises CalledProcessError when the command fails: a quick failure must not pass for a quick success.
    """

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    run()
    return statistics.median(run() for _ in range(runs))


def call_seconds(call: Callable[[], object], rounds: int = 21) -> float:
    """Median wall time of one call, s; one more call warms up first."""

    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    run()
    return statistics.median(run() for _ in range(rounds))


def process_instructions(command: Sequence[str]) -> int | None:
    """Instructions a whole process executes, by callgrind; None where valgrind is not installed.

    Milliseconds on a shared machine vary by almost half, these counts hardly at all. Raises CalledProcessError when
    the command fails.
    """
    if shutil.which("valgrind") is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory, "callgrind")
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={output}"]
        subprocess.run([*valgrind, *command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        totals = re.search(r"^(?:totals|summary): (\d+)", output.read_text(), re.MULTILINE)
    return int(totals[1]) if totals else None


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text, one a line below a heading."""
    width = max([len("figure"), *(len(figure.name) for figure in figures)])
    lines = [f"{'figure':<{width}}  {'measured':>12}  {'budget':>12}  unit"]
    for figure in figures:
        value, budget = (
            missing if number is None else f"{number:,.4g}"
            for number, missing in ((figure.value, "n/a"), (figure.budget, "-"))
        )
        lines.append(f"{figure.name:<{width}}  {value:>12}  {budget:>12}  {figure.unit:<6}{figure.verdict}".rstrip())
    return "\n".join(lines)
