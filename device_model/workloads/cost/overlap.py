"""A step made of work for the engines: how long each takes alone, and how long all of them take side by side."""

from __future__ import annotations

import math
from typing import NamedTuple

from device_model.runtime.execution import StepWork
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import Bound, CostConstants, Part, StepCost

OVERLAP = 0.9
"""Share of the shorter engines' time that the longest hides; the rest waits for one another (assumed)."""


class EngineWork(NamedTuple):
    """What one core's engines and its memory do in a step; no amount is below zero."""

    tensor_flops: float = 0.0
    vector_elements: float = 0.0
    """Passes of the vector engine over one element."""
    scalar_elements: float = 0.0
    gpsimd_operations: float = 0.0
    """Operations on 32-bit lanes."""
    hbm_read_bytes: int = 0
    hbm_written_bytes: int = 0


class Waiting(NamedTuple):
    """What a step's time holds beside its engines, in seconds, and the bytes that it sends each pattern's way."""

    collectives: float = 0.0
    fixed: float = 0.0
    """Launch and synchronisation."""
    traffic: tuple[int, ...] = ()


NO_WAITING = Waiting()

_SUPPLIERS: dict[Bound, str] = {
    "compute": "tensor engine for this data type",
    "vector": "vector engine",
    "scalar": "scalar engine",
    "gpsimd": "GPSIMD engine",
    "memory": "device memory",
}
"""What does each part of the work, in words."""


def overlapped(seconds: tuple[float, ...]) -> float:
    """The time that parts take side by side: the longest, and what of the others it does not hide."""
    longest = max(seconds, default=0.0)
    return longest + (1 - OVERLAP) * (math.fsum(seconds) - longest)


def engine_step(
    work: EngineWork,
    rates: CoreRates,
    constants: CostConstants,
    tensor_efficiency: float,
    waiting: Waiting = NO_WAITING,
) -> StepCost:
    """The step of one core; `tensor_efficiency` is the share of the tensor engine's peak that this work reaches.

    ValueError for work on an engine that the generation lacks, or whose speed was never published.
    """
    alone = _seconds_alone(work, rates, constants, tensor_efficiency)
    seconds = overlapped(tuple(alone.values())) + waiting.collectives + waiting.fixed
    step = StepWork(
        duration_ns=max(1, math.ceil(seconds * 1e9)),
        collectives_ns=int(waiting.collectives * 1e9),
        # The rest of the tensor engine's time it waits for operands; while it multiplies, it does at its peak.
        tensor_ns=int(alone["compute"] * tensor_efficiency * 1e9),
        vector_ns=int(alone["vector"] * 1e9),
        scalar_ns=int(alone["scalar"] * 1e9),
        gpsimd_ns=int(alone["gpsimd"] * 1e9),
        flops=int(work.tensor_flops),
        hbm_read_bytes=work.hbm_read_bytes,
        hbm_written_bytes=work.hbm_written_bytes,
        traffic=waiting.traffic,
    )
    parts = _parts({**alone, "collectives": waiting.collectives, "latency": waiting.fixed})
    return StepCost(step, parts, max(parts, key=lambda part: part.seconds).name if parts else "latency")


def _seconds_alone(
    work: EngineWork, rates: CoreRates, constants: CostConstants, tensor_efficiency: float
) -> dict[Bound, float]:
    """How long each engine and the memory would take if nothing else had to be done."""
    share = constants.engine_share(rates.chip)
    moved_bytes = work.hbm_read_bytes + work.hbm_written_bytes
    amounts_and_rates: dict[Bound, tuple[float, float]] = {
        "compute": (work.tensor_flops, rates.peak_flops * tensor_efficiency * share),
        "vector": (work.vector_elements, rates.vector_flops * constants.vector_efficiency * share),
        "scalar": (work.scalar_elements, rates.scalar_flops * constants.scalar_efficiency * share),
        "gpsimd": (work.gpsimd_operations, rates.gpsimd_ops_per_s * constants.gpsimd_efficiency * share),
        "memory": (moved_bytes, rates.hbm_bytes_per_s * constants.weights_efficiency),
    }
    return {name: _seconds(name, amount, rate, rates) for name, (amount, rate) in amounts_and_rates.items()}


def _seconds(name: Bound, amount: float, rate: float, rates: CoreRates) -> float:
    if not amount:
        return 0.0
    if rate <= 0:
        raise ValueError(f"NeuronCore-{rates.generation} has no {_SUPPLIERS[name]}, or its speed was never published")
    return amount / rate


def _parts(seconds: dict[Bound, float]) -> tuple[Part, ...]:
    return tuple(Part(name, value) for name, value in seconds.items() if value)
