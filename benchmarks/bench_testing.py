"""What a simulated host costs a test: the first of a run, and each further one, with its end."""

import os

from benchmarks.timing import Figure, call_seconds, table
from device_model.testing.nursery import Nursery


def host(nursery: Nursery) -> None:
    """Starts a host until it answers, and ends it."""
    nursery.bear({"directory": os.getcwd(), "scenario": "opt-30b", "instance": None, "seed": None}).empty()


def first() -> None:
    """A host of a run that has none yet."""
    nursery = Nursery()
    host(nursery)
    nursery.close()


def main() -> None:
    """Measures and prints."""
    nursery = Nursery()
    further_s = call_seconds(lambda: host(nursery))
    nursery.close()
    print(
        table(
            [
                Figure("neuron_node: the first host of a run", 1000 * call_seconds(first, 11), "ms", 500.0),
                Figure("neuron_node: each further one", 1000 * further_s, "ms", 50.0),
            ]
        )
    )


if __name__ == "__main__":
    main()
