"""Simulated hosts for tests: small scenarios as documents, and all that can be read of a model as bytes."""

from typing import Any

import msgspec
from hypothesis import settings

from device_model.save import saved
from device_model.scenario import NamedScenario, from_document
from device_model.simulation import NS, Simulation
from neurontools.schema.document import encode
from neurontools.schema.inventory import to_document
from neurontools.schema.snapshot import Process, Workload

costly = settings(max_examples=settings().max_examples // 4)
"""For properties of whole simulations, of which an example takes some 100 ms: a part of the tier's examples."""

AGES_NS = tuple(seconds * NS for seconds in (0, 1, 5, 7, 30, 60, 599, 600, 601))

CLOSED = {"kind": "closed", "users": 3, "think": "300ms"}
POISSON = {"kind": "poisson", "per_second": 2.0}


def server(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that serves a small model on both cores of one Inferentia2; `changes` go to it or its workload."""
    workload = {
        "kind": "llm",
        "model": "opt-1.3b",
        "tp": 2,
        "batch": 4,
        "context": 512,
        "arrivals": POISSON,
        "prompt": {"mean": 60, "cv": 0.8, "least": 4, "most": 200},
        "output": {"mean": 40, "cv": 0.8, "least": 1, "most": 200},
    }
    of_process = ("replicas", "user", "command", "start", "stop", "restart", "first_core", "launched")
    process: dict[str, Any] = {key: value for key, value in changes.items() if key in of_process}
    workload |= {key: value for key, value in changes.items() if key not in of_process}
    return {"name": name, "workload": workload} | process


def document(*processes: dict[str, Any], instance: str = "inf2.48xlarge", **changes: Any) -> dict[str, Any]:
    """A scenario with these processes."""
    return {"description": "a test", "instance": instance, "processes": list(processes)} | changes


def host(*processes: dict[str, Any], instance: str = "inf2.48xlarge", **changes: Any) -> Simulation:
    """A stepped model of a scenario with these processes."""
    return Simulation(NamedScenario("test", from_document(document(*processes, instance=instance, **changes), "test")))


def busy_host() -> Simulation:
    """Three tenants: independent clients, clients that wait, and a server that reloads and whose clients wait."""
    return host(
        server("a"),
        server("b", tp=8, arrivals=CLOSED, start="1s"),
        server("c", arrivals=CLOSED, reload={"every": "4s", "pause": "2s"}),
    )


def forward(model: Simulation, seconds: float) -> Simulation:
    """Moves the model on."""
    model.advance(model.now_ns + round(seconds * NS))
    return model


def readings(model: Simulation) -> list[bytes]:
    """Everything that can be read of a model, as bytes."""
    pasts = [model.past(age) for age in AGES_NS]
    return [
        encode(model.snapshot()),
        encode(model.events(0)),
        msgspec.json.encode(to_document(model.inventory())),
        msgspec.json.encode(saved(model)),
        *(encode(model.allocations(device.index)) for device in model.snapshot().devices),
        *(b"null" if past is None else encode(past) for past in pasts),
    ]


def process_of(model: Simulation, name: str) -> Process | None:
    """The reading of the process with this tag, if it is alive."""
    return next((process for process in model.snapshot().processes or () if process.tag == name), None)


def workload_of(model: Simulation, name: str = "a") -> Workload:
    """What the server with this tag says of itself; it must be alive."""
    process = process_of(model, name)
    assert process is not None
    assert process.workload is not None
    return process.workload
