"""Equal processes beside each other: a slower one is found, and whatever else makes executions take longer is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from device_model.simulation import Simulation
from neurontools.diagnosis import Doctor
from neurontools.hardware.chips import CHIPS, core_memory_bytes_per_s
from neurontools.schema.finding import Scope
from neurontools.schema.snapshot import Core, Counter, Gap, Snapshot
from neurontools.units import NS_PER_S
from tests.device_model.hosts import costly, forward, host, server
from tests.diagnosis.patients import found, unknown
from tests.proof.sources import AWS, NEW, PERIOD_S, SOCKET, visiting

MODEL = forward(host(server("a", tp=2), server("b", tp=2), server("c", tp=2), instance="inf2.24xlarge"), 60)
INVENTORY, SNAPSHOT = MODEL.inventory(), MODEL.snapshot()
BYTES_PER_S = core_memory_bytes_per_s(CHIPS["Inferentia2"])
SECONDS = 200


class Decoding(NamedTuple):
    """A server of fixed batch that generates: of each core the bytes of its weights and of its cache, how many times
    as long as that takes its executions last, and in which part of an execution its reading begins."""

    weights: int
    cache: int
    batch: int
    factor: float = 1.0
    phase: float = 0.0

    @property
    def flops(self) -> int:
        """Of an execution: two for each 16-bit weight and sequence, one for each byte of the cache."""
        return self.batch * self.weights + self.cache

    @property
    def execution_ns(self) -> int:
        return round(self.factor * (self.weights + self.cache) / BYTES_PER_S * NS_PER_S)


def counted(core: Core, work: Decoding, second: int) -> Core:
    """A core after so many seconds, as the driver credits it: when an execution ends."""
    executions = int(second * NS_PER_S / work.execution_ns + work.phase)
    return replace(
        core,
        busy_ns=executions * work.execution_ns,
        flops=executions * work.flops,
        collectives_ns=None,
        other_info={"inference_count": Counter(executions)},
    )


def readings(*works: Decoding, step: int = 2) -> Iterator[Snapshot]:
    """The host as its driver shows it, each server at its work."""
    working = dict(zip([process.cores for process in SNAPSHOT.processes or ()], works, strict=False))
    at_work = {core: work for cores, work in working.items() for core in cores}
    gaps = {"collectives_ns": Gap(reason="the driver does not tell"), "executions": Gap(reason="by core")}
    for second in range(0, SECONDS, step):
        devices = tuple(
            replace(
                device,
                cores=tuple(
                    counted(core, at_work[core.core], second)
                    if core.core in at_work
                    else replace(core, collectives_ns=None)
                    for core in device.cores
                ),
            )
            for device in SNAPSHOT.devices
        )
        processes = tuple(
            replace(process, groups=(), executions=None, latency_device=None, latency_total=None, models=None)
            for process in (SNAPSHOT.processes or ())[: len(works)]
        )
        head = replace(SNAPSHOT.head, time_ns=SNAPSHOT.head.time_ns + second * NS_PER_S, gaps=gaps)
        yield replace(SNAPSHOT, head=head, devices=devices, processes=processes)


def pids_of(*works: Decoding) -> list[int]:
    """The processes that were ever told to be slow."""
    doctor = Doctor()
    told = [doctor.see(INVENTORY, reading) for reading in readings(*works)]
    findings = [finding for said in told for finding in found(said, "straggler")]
    assert {finding.scope.kind for finding in findings} <= {"process"}
    return sorted({finding.scope.pid or 0 for finding in findings})


PIDS = [process.pid for process in SNAPSHOT.processes or ()]
PHASES = st.floats(0.0, 0.99)
SIZES = st.integers(10**7, 8 * 10**9)
BATCHES = st.sampled_from((1, 2, 4, 8, 16, 32, 64, 128, 256, 512))


@costly
@pytest.mark.timeout(1800)
@given(SIZES, SIZES, SIZES, BATCHES, PHASES, PHASES)
def test_servers_whose_contexts_differ_are_not_told_to_be_slow(
    weights: int, one: int, other: int, batch: int, first: float, second: float
) -> None:
    works = Decoding(weights, one, batch, phase=first), Decoding(weights, other, batch, phase=second)
    assert pids_of(*works) == []


@costly
@pytest.mark.timeout(1800)
@given(SIZES, SIZES, st.sampled_from((1, 2, 4, 8)), st.floats(1.35, 5.0), PHASES, st.integers(2, 3))
def test_a_server_that_is_slower_than_its_equals_is_told(
    weights: int, cache: int, batch: int, factor: float, phase: float, count: int
) -> None:
    sound = Decoding(weights, cache, batch)
    assume(sound.execution_ns * factor < 0.1 * NS_PER_S)
    assert pids_of(sound._replace(factor=factor, phase=phase), *[sound] * (count - 1)) == PIDS[:1]


def test_what_is_as_fast_as_its_equals_is_checked_and_what_has_none_is_not() -> None:
    doctor, work = Doctor(), Decoding(10**9, 10**8, 4)
    said = [doctor.see(INVENTORY, reading) for reading in readings(work, work, work)][-1]
    assert "straggler" in said.checked
    doctor = Doctor()
    said = [doctor.see(INVENTORY, reading) for reading in readings(work, work, work._replace(weights=2 * 10**9))][-1]
    why = unknown(said, "straggler")
    assert why is not None
    assert why.reason == "not observable within a group: the driver does not tell"


def fixed(tokens: int) -> dict[str, Any]:
    return {"mean": tokens, "cv": 0.0, "least": tokens, "most": tokens}


def drawn(mean: float, most: int) -> dict[str, Any]:
    return {"mean": mean, "cv": 0.6, "least": 1, "most": most}


def generating(name: str, batch: int, users: int, tokens: int, **changes: Any) -> dict[str, Any]:
    arrivals = {"kind": "closed", "users": users}
    lengths = {"prompt": fixed(tokens), "output": fixed(200)} | changes
    return server(name, batch=batch, context=2048, arrivals=arrivals, **lengths)


def training(name: str, start: str = "0s", **changes: Any) -> dict[str, Any]:
    workload = {"kind": "training", "model": "opt-1.3b", "tp": 4, "sequence": 512, "accumulation": 8} | changes
    return {"name": name, "workload": workload, "start": start}


def encoding(name: str, per_second: float, tokens: dict[str, Any], **changes: Any) -> dict[str, Any]:
    workload = {"kind": "encoder", "model": "bert-large-uncased", "workers": 2, "batch": 4, "tokens": tokens}
    workload |= {"arrivals": {"kind": "poisson", "per_second": per_second}} | changes
    return {"name": name, "workload": workload}


def operating(name: str, trips: float) -> dict[str, Any]:
    workload = {"kind": "custom-operator", "elements": 8_000_000, "element_bits": 16, "operations": 64}
    workload |= {"matmul_flops": 4e11, "vector_elements": 8e8, "trips": drawn(trips, 64)}
    return {"name": name, "workload": workload | {"arrivals": {"kind": "poisson", "per_second": 50.0}}}


HEALTHY: dict[str, tuple[dict[str, Any], ...]] = {
    "batches": (generating("a", 8, 8, 64), generating("b", 4, 4, 64)),
    "contexts": (generating("a", 8, 8, 64), generating("b", 8, 8, 1500)),
    "contexts of many sequences": (generating("a", 32, 32, 16), generating("b", 32, 32, 1500)),
    "load": (generating("a", 4, 4, 64), generating("b", 4, 1, 64)),
    "traffic": tuple(
        generating(name, 4, 4, 64, prompt=drawn(100, 300), output=drawn(200, 600)) for name in ("a", "b", "c")
    ),
    "starts": (training("a"), training("b", start="45s")),
    "sequences": (training("a"), training("b", sequence=1024)),
    "accumulation": (training("a"), training("b", accumulation=1)),
    "shapes": tuple(
        encoding(name, 100.0, drawn(mean, 512), shapes="bucket", context=512) for name, mean in (("a", 60), ("b", 200))
    ),
    "idleness": (encoding("a", 100.0, fixed(60)), encoding("b", 10.0, fixed(60))),
    "trips": (operating("a", 8.0), operating("b", 8.0), operating("c", 16.0)),
}
"""Hosts on which processes take unequal times, and nothing is wrong."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("source", [SOCKET, NEW, AWS])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_neighbours_raise_nothing(name: str, source: str) -> None:
    model: Simulation = host(*HEALTHY[name], instance="inf2.24xlarge")
    with visiting(model, source) as renewed:
        while model.now_ns < INVENTORY_NS + 240 * NS_PER_S:
            forward(model, PERIOD_S[source])
            assert found(renewed().look(), "straggler") == []


INVENTORY_NS = host(instance="inf2.24xlarge").now_ns


def test_a_finding_says_beside_how_many_and_where_else_to_look() -> None:
    doctor, work = Doctor(), Decoding(10**9, 10**8, 4)
    said = [doctor.see(INVENTORY, reading) for reading in readings(work._replace(factor=2.0), work, work)][-1]
    (finding,) = found(said, "straggler")
    assert finding.scope == Scope(kind="process", pid=PIDS[0])
    assert finding.message == (
        "its executions take 2 times as long as those of 2 equal processes; which core is slow is not shown"
    )
    assert finding.evidence["times_as_long"] == pytest.approx(2.0, rel=0.01)
    assert "other cores" in finding.advice
