"""A small host for each kind of program, on which faults can be injected wherever there is a target for them."""

from collections.abc import Callable
from typing import Any

from device_model.faults.table import FAULTS
from device_model.simulation import CommandError, Simulation
from tests.device_model.hosts import CLOSED, POISSON, host, server
from tests.device_model.workloads.servers import encoder, pipeline, vision

AT_ONCE = {"kind": "closed", "users": 3}
OFTEN = {"kind": "poisson", "per_second": 60.0}


def _work(**workload: Any) -> dict[str, Any]:
    return {"name": "a", "workload": workload}


def _operator(**changes: Any) -> dict[str, Any]:
    common = {"elements": 8_000_000, "operations": 64, "cores": 4, "trips": {"mean": 12, "cv": 0.6}}
    return _work(kind="custom-operator", **common | changes)


HOSTS: dict[str, Callable[[], Simulation]] = {
    "llm": lambda: host(server(tp=4, arrivals=AT_ONCE), instance="inf2.24xlarge"),
    "llm, open": lambda: host(server(tp=4, arrivals=POISSON), instance="trn2.3xlarge"),
    "llm, chunked and paged": lambda: host(
        server(
            tp=4,
            arrivals=AT_ONCE,
            batching={"kind": "continuous", "chunk": 32},
            cache={"kind": "paged", "block": 16, "blocks": 40},
        ),
        instance="inf2.24xlarge",
    ),
    "llm, static": lambda: host(
        server(tp=4, arrivals=CLOSED, batching={"kind": "static", "wait": "200ms"}), instance="inf2.24xlarge"
    ),
    "llm, reloading": lambda: host(
        server(tp=4, arrivals=CLOSED, reload={"every": "3s", "pause": "1s"}), instance="inf2.24xlarge"
    ),
    "encoder": lambda: host(encoder(workers=4, wait="5ms", shapes="bucket", arrivals=OFTEN), instance="inf2.24xlarge"),
    "encoder, closed": lambda: host(
        encoder(workers=2, tp=2, arrivals={"kind": "closed", "users": 30, "think": "100ms"}), instance="inf2.24xlarge"
    ),
    "pipeline": lambda: host(pipeline(arrivals={"kind": "poisson", "per_second": 10.0}), instance="inf1.6xlarge"),
    "vision": lambda: host(vision(workers=4, arrivals=OFTEN), instance="trn2.3xlarge"),
    "operator": lambda: host(_operator(arrivals={"kind": "poisson", "per_second": 30.0}), instance="inf2.24xlarge"),
    "operator, several workers": lambda: host(
        _operator(cores=1, workers=4, arrivals={"kind": "closed", "users": 5, "think": "20ms"}),
        instance="inf2.24xlarge",
    ),
    "operator, thinking": lambda: host(
        _operator(arrivals={"kind": "closed", "users": 5, "think": "40ms"}, trips={"mean": 12}),
        instance="inf2.24xlarge",
    ),
    "operator, at once": lambda: host(_operator(arrivals=AT_ONCE, trips={"mean": 8}), instance="inf2.24xlarge"),
    "collectives": lambda: host(
        _work(
            kind="collectives",
            tp=4,
            operation="all-reduce",
            sizes={"from": "1KiB", "to": "64MiB", "factor": 16},
            pause="1s",
        ),
        instance="inf2.24xlarge",
    ),
    "training": lambda: host(
        _work(kind="training", model="opt-1.3b", tp=2, dp=2, accumulation=2, sequence=512),
        instance="inf2.24xlarge",
    ),
    "idle": lambda: host(_work(kind="idle", cores=2, memory="3GiB"), instance="inf2.24xlarge"),
}
"""Process "a", by its kind of work, on cores from 0 on; it may end and come back."""

PLACES: dict[str, dict[str, Any]] = {
    "device": {"device": 0},
    "core": {"core": 1},
    "link": {"link": [0, 1]},
    "process": {"process": "a"},
    "node": {},
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "hbm-corrected": {"rate": 36_000.0},
    "nan": {"share": 0.1},
    "bad-input": {"share": 0.1},
    "leak": {"bytes": 2e9},
    "device-reset": {"seconds": 3.0},
    "straggler": {"factor": 30.0},
    "throttle": {"factor": 30.0},
}
"""Others than the default, so that something happens within seconds."""


def try_inject(model: Simulation, name: str, for_ns: int | None = None) -> bool:
    """Whether the host has a target for the fault; then it is injected."""
    lasting = FAULTS[name].lasting
    try:
        model.inject(name, PLACES[FAULTS[name].target], PARAMETERS.get(name, {}), for_ns if lasting else None)
    except CommandError:
        return False
    return True
