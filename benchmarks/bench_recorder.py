"""neuron-recorder at a reading a second on trn2.48xlarge with 16 runtimes: its CPU share, start-up left out."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_neuron_monitor import SCENARIO, cpu_ns
from benchmarks.timing import Figure, table
from neurontools.sources.choose import VARIABLE

SECONDS = 20
WARM_UP_S = 3
ENTRY = "import sys; from neurontools.commands.recorder import entry; sys.exit(entry())"


def on_a_model() -> int:
    """Runs this benchmark once more inside `neuron-model run`."""
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory, "sixteen.toml")
        scenario.write_text(SCENARIO)
        model = [sys.executable, "-m", "device_model", "run", "--scenario", str(scenario), "--"]
        return subprocess.run([*model, sys.executable, "-m", "benchmarks.bench_recorder"], check=False).returncode


def recording_share(directory: str) -> float:
    """Percent of a core that a recorder takes."""
    command = [sys.executable, "-c", ENTRY, "record", "--to", directory]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        time.sleep(WARM_UP_S)
        began_ns, before_ns = time.monotonic_ns(), cpu_ns(process.pid)
        time.sleep(SECONDS)
        share = 100 * (cpu_ns(process.pid) - before_ns) / (time.monotonic_ns() - began_ns)
        process.terminate()
    return share


def main() -> int:
    """Measures and prints."""
    if VARIABLE not in os.environ:
        return on_a_model()
    with tempfile.TemporaryDirectory() as directory:
        share = recording_share(directory)
    print(table([Figure("neuron-recorder: reading a model and writing, CPU", share, "% of a core")]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
