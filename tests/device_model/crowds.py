"""Hosts for tests that are full of programs of every kind, side by side on the devices of any instance type."""

from typing import Any

import hypothesis.strategies as st

from device_model.simulation import Simulation
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from tests.device_model.hosts import host

TRAINS = tuple(name for name in INSTANCES if chip_of(lookup(name)).core.vector_flops is not None)
SIZES: dict[str, Any] = {"from": "16MiB", "to": "256MiB", "factor": 16}
LENGTHS = {"mean": 100, "cv": 0.8, "least": 4, "most": 300}


def _divisors(number: int) -> list[int]:
    return [part for part in range(1, number + 1) if number % part == 0]


@st.composite
def _collectives(draw: st.DrawFn, instance: str, devices: int, cores: int) -> dict[str, Any]:
    operations = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-receive")
    return {
        "kind": "collectives",
        "tp": devices * cores,
        "operation": draw(st.sampled_from(operations)),
        "sizes": SIZES,
        "iterations": draw(st.sampled_from([1, 7, 40])),
        "pause": draw(st.sampled_from(["1ms", "200ms"])),
    }


@st.composite
def _training(draw: st.DrawFn, instance: str, devices: int, cores: int) -> dict[str, Any]:
    replicas = draw(st.sampled_from(_divisors(devices)))
    return {
        "kind": "training",
        "model": "opt-125m",
        "tp": devices * cores // replicas,
        "dp": replicas,
        "accumulation": draw(st.sampled_from([1, 3])),
        "sequence": 256,
    }


@st.composite
def _llm(draw: st.DrawFn, instance: str, devices: int, cores: int) -> dict[str, Any]:
    return {
        "kind": "llm",
        "model": "opt-125m",
        "tp": devices * cores,
        "batch": draw(st.sampled_from([1, 8])),
        "context": 512,
        "arrivals": draw(st.sampled_from([{"kind": "closed", "users": 8}, {"kind": "poisson", "per_second": 5.0}])),
        "prompt": LENGTHS,
        "output": {"mean": 15, "cv": 0.5, "least": 1, "most": 40},
        "data_type": draw(st.sampled_from(["bf16", "fp16"])),
    }


@st.composite
def _encoder(draw: st.DrawFn, instance: str, devices: int, cores: int) -> dict[str, Any]:
    workers = draw(st.sampled_from(_divisors(devices)))
    return {
        "kind": "encoder",
        "model": "bert-base-uncased",
        "tp": devices * cores // workers,
        "workers": workers,
        "batch": 8,
        "arrivals": {"kind": "closed", "users": 30, "think": "20ms"},
        "tokens": LENGTHS,
    }


@st.composite
def crowds(draw: st.DrawFn) -> tuple[str, int | None, list[dict[str, Any]]]:
    """An instance type, the size of its logical cores, and processes on devices of their own, or on parts of one."""
    instance = draw(st.sampled_from(sorted(INSTANCES)))
    chip, count = chip_of(lookup(instance)), lookup(instance).devices
    lnc = draw(st.sampled_from([1, 2])) if chip.default_lnc == 2 else None
    cores = chip.cores // (lnc or 1)
    kinds = [
        _llm,
        _encoder,
        *([_collectives] * 2 if chip.cc_cores else []),
        *([_training] if instance in TRAINS else []),
    ]
    linked = 8 if lookup(instance).topology != "none" else 1
    processes: list[dict[str, Any]] = []
    device = draw(st.integers(0, 2)) if count > 3 else 0
    while device < count and len(processes) < 6:
        size = draw(st.integers(1, min(linked, count - device)))
        parts = draw(st.sampled_from(_divisors(cores))) if size == 1 else 1
        for part in range(parts):
            # On one device alone there is nothing to send, but its memory banks are shared.
            kind = draw(st.sampled_from(kinds if cores // parts * size > 1 else [_llm, _encoder]))
            workload = draw(kind(instance, size, cores // parts))
            first = device * cores + part * (cores // parts)
            start = draw(st.sampled_from(["0s", "300ms", "1s"]))
            process = {"name": f"p{len(processes)}", "first_core": first, "start": start, "workload": workload}
            processes.append(process | ({"stop": "2s"} if draw(st.integers(0, 3)) == 0 else {}))
        device += size
    return instance, lnc, processes


def crowded(crowd: tuple[str, int | None, list[dict[str, Any]]]) -> Simulation:
    """The host with these processes."""
    instance, lnc, processes = crowd
    changes = {} if lnc is None else {"logical_neuroncore_config": lnc}
    return host(*processes, instance=instance, **changes)
