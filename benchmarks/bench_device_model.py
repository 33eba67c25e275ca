"""What simulating costs: looking at 128 cores, an hour of one language model server, an hour of an idle node."""

from typing import Any

from benchmarks.timing import Figure, call_seconds, table
from device_model.scenario import NamedScenario, from_document
from device_model.simulation import NS, Simulation

HOUR_NS = 3600 * NS
WARM_NS = 300 * NS
"""Simulated time before anything is measured: models are loaded, batches full, the past is filled."""

MOVE_NS = 1_000_003
"""Between two snapshots, so that nothing remembered of the last instant can be used again."""

OPT_30B: dict[str, Any] = {
    "kind": "llm",
    "model": "opt-30b",
    "tp": 8,
    "batch": 8,
    "context": 2048,
    "arrivals": {"kind": "closed", "users": 8},
    "prompt": {"mean": 96, "cv": 0.8, "least": 4, "most": 1024},
    "output": {"mean": 256, "cv": 0.7, "least": 16, "most": 1024},
}


def model(instance: str, replicas: int = 0, **changes: Any) -> Simulation:
    """A stepped model with full servers of OPT-30B, warmed up."""
    processes = [{"name": "opt-30b", "replicas": replicas, "workload": OPT_30B | changes}] if replicas else []
    document = {"description": "a benchmark", "instance": instance, "processes": processes}
    made = Simulation(NamedScenario("benchmark", from_document(document, "benchmark")))
    made.advance(made.now_ns + WARM_NS)
    return made


def hour_seconds(simulation: Simulation, rounds: int) -> float:
    """Seconds that a simulated hour takes."""
    return call_seconds(lambda: simulation.advance(simulation.now_ns + HOUR_NS), rounds)


def snapshot_seconds(simulation: Simulation) -> float:
    """Seconds that a snapshot takes at an instant at which none was taken before."""

    def look() -> None:
        simulation.advance(simulation.now_ns + MOVE_NS)
        simulation.snapshot()

    return call_seconds(look, 101)


def main() -> None:
    """Measures and prints."""
    crowded = model("trn2.48xlarge", replicas=16, tp=4)
    one, idle = model("inf2.48xlarge", replicas=1), model("trn2.48xlarge")
    print(
        table(
            [
                Figure("snapshot: 128 cores, 16 servers", 1000 * snapshot_seconds(crowded), "ms", 5.0),
                Figure("snapshot: 128 cores, idle", 1000 * snapshot_seconds(idle), "ms"),
                Figure("an hour of one OPT-30B server", hour_seconds(one, 5), "s", 0.25),
                Figure("an hour of an idle node", 1000 * hour_seconds(idle, 21), "ms"),
            ]
        )
    )


if __name__ == "__main__":
    main()
