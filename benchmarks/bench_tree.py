"""What publishing a simulated host as files costs: a trn2.48xlarge, written first and kept fresh, in memory."""

import os
import tempfile

from benchmarks.bench_device_model import model
from benchmarks.timing import Figure, call_seconds, table
from device_model.publish.tree.publisher import Publisher
from device_model.simulation import NS, Simulation

MEMORY = "/dev/shm"
ROUNDS = 21


def figures(name: str, simulation: Simulation, version: str) -> list[Figure]:
    """The first writing of a tree, a refresh a second of the model's time later, and one when nothing has changed."""
    with tempfile.TemporaryDirectory(prefix="neuron-", dir=MEMORY if os.path.isdir(MEMORY) else None) as directory:

        def write_anew() -> None:
            made = Publisher(simulation, os.path.join(directory, "tree"), version)
            made.refresh()
            made.close()

        def second() -> None:
            simulation.advance(simulation.now_ns + NS)
            publisher.refresh()

        anew = call_seconds(write_anew, 3)
        publisher = Publisher(simulation, os.path.join(directory, "tree"), version)
        publisher.refresh()
        advancing = call_seconds(lambda: simulation.advance(simulation.now_ns + NS), ROUNDS)
        refreshing = call_seconds(second, ROUNDS) - advancing
        unchanged = call_seconds(publisher.refresh, ROUNDS)
        count = sum(len(files) for _, _, files in os.walk(os.path.join(directory, "tree")))
        publisher.close()
    return [
        Figure(f"{name}: files", count / 1000, "1,000"),
        Figure(f"{name}: written and removed", anew, "s"),
        Figure(f"{name}: refreshed", 1000 * refreshing, "ms"),
        Figure(f"{name}: refreshed, nothing has changed", 1e6 * unchanged, "µs"),
    ]


def main() -> None:
    """Measures and prints."""
    busy, idle = model("trn2.48xlarge", replicas=16, tp=4), model("trn2.48xlarge")
    print(
        table(
            [
                *figures("128 busy cores, 16 servers", busy, "2.30.2"),
                *figures("128 busy cores, driver 2.21", busy, "2.21.37"),
                *figures("128 idle cores", idle, "2.30.2"),
            ]
        )
    )


if __name__ == "__main__":
    main()
