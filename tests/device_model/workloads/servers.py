"""Encoder, vision and pipeline servers for tests, and what happens on them event by event."""

from collections.abc import Callable
from typing import Any

import pytest

from device_model.runtime.execution import StepWork
from device_model.runtime.executor import Executed, Lost
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.simulation import Simulation
from neurontools.schema.snapshot import Workload
from tests.device_model.hosts import forward, process_of, workload_of

INF1, INF2 = "inf1.6xlarge", "inf2.xlarge"


def encoder(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that serves BERT-base on one core; `changes` go to its workload."""
    workload = {
        "kind": "encoder",
        "model": "bert-base-uncased",
        "batch": 4,
        "arrivals": {"kind": "poisson", "per_second": 300.0},
        "tokens": {"mean": 60, "cv": 0.6},
    }
    return {"name": name, "workload": workload | changes}


def vision(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that serves ResNet-50 on one core; `changes` go to its workload."""
    workload = {
        "kind": "vision",
        "model": "resnet50",
        "batch": 4,
        "arrivals": {"kind": "poisson", "per_second": 300.0},
    }
    return {"name": name, "workload": workload | changes}


def pipeline(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A process that serves BERT-base in a pipeline over the four devices of an inf1.6xlarge."""
    return encoder(name, pipeline=16, **changes)


class Executions:
    """Notes every execution that a runtime starts: its time, lane, and the work of the lane's groups.

    `steps` has how many of each there are, one after another.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.started: list[tuple[int, int, tuple[StepWork, ...]]] = []
        self.steps: list[int] = []
        execute = Runtime.execute

        def noted(
            runtime: Runtime,
            time_ns: int,
            process: Process,
            works: tuple[StepWork, ...],
            steps: int,
            done: Executed,
            lane: int = 0,
            stages: int = 1,
            lost: Lost | None = None,
        ) -> None:
            self.started.append((time_ns, lane, works))
            self.steps.append(steps)
            execute(runtime, time_ns, process, works, steps, done, lane, stages, lost)

        patch.setattr(Runtime, "execute", noted)


def events_of(model: Simulation, seconds: float, look: Callable[[int], None]) -> None:
    """Moves the model on event by event; `look` is called after each instant with its time."""
    end_ns = model.now_ns + round(seconds * 1e9)
    while (next_ns := model.next_event_ns()) is not None and next_ns <= end_ns:
        model.advance(next_ns)
        look(next_ns)
    model.advance(end_ns)


def loaded(model: Simulation, name: str = "a") -> Simulation:
    """The model at the instant at which a process has loaded what it serves."""
    while not (process_of(model, name) or pytest.fail(f"{name} ended")).models:
        model.advance(model.next_event_ns() or pytest.fail(f"{name} loads nothing"))
    return model


def over(model: Simulation, seconds: float) -> tuple[Workload, Workload]:
    """What the server says of itself now and after so many more seconds."""
    before = workload_of(model)
    return before, workload_of(forward(model, seconds))


def executed(model: Simulation) -> list[int]:
    """Executions that every core has counted."""
    cores = [core for device in model.snapshot().devices for core in device.cores]
    return [(core.status or {})["success"].total for core in cores]


def doing(model: Simulation) -> list[str]:
    """What the first program says that it is doing, and its notes."""
    account = next(iter(model._world.programs.values())).account(model.now_ns)
    return [account.doing, *account.notes]
