"""What a source without a rule's signal still lets be told: who holds what, who is at work, what once filled memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from device_model.simulation import NS, Simulation
from neurontools.diagnosis import Doctor
from neurontools.diagnosis.live import Reading, diagnose
from neurontools.schema.finding import Diagnosis
from neurontools.schema.snapshot import Gap, Snapshot
from tests.device_model.hosts import forward, host, server
from tests.diagnosis.patients import found, unknown
from tests.proof.sources import AWS, OLD, PERIOD_S, visiting


def watched(model: Simulation, source: str, seconds: float, period_s: float | None = None) -> Diagnosis:
    """What is told of a host after so long."""
    end_ns = model.now_ns + round(seconds * NS)
    with visiting(model, source) as renewed:
        said = renewed().look()
        while model.now_ns < end_ns:
            forward(model, period_s or PERIOD_S[source])
            said = renewed().look()
    return said


def reason_of(said: Diagnosis, rule: str) -> str:
    why = unknown(said, rule)
    assert why is not None
    return why.reason


@pytest.mark.parametrize("source", [OLD, AWS])
def test_who_holds_which_cores_is_told_where_a_refusal_is_not_counted(source: str) -> None:
    model = forward(host(server("a", tp=2), server("b", tp=4), instance="inf2.24xlarge"), 20)
    one, other = (process.pid for process in model.snapshot().processes or ())
    assert reason_of(watched(model, source, 10), "core-conflict") == (
        f"the refusal is in the application's log; process {one} holds cores 0-1, process {other} holds cores 2-5"
    )


def without_status(snapshot: Snapshot) -> Snapshot:
    devices = tuple(
        replace(device, cores=tuple(replace(core, status=None) for core in device.cores)) for device in snapshot.devices
    )
    return replace(snapshot, devices=devices)


MANY = forward(host(*[server(f"a{number}") for number in range(6)]), 20)
PIDS = [process.pid for process in MANY.snapshot().processes or ()]
HIDDEN = {"processes": Gap(reason="processes of other users cannot be looked into")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda snapshot: snapshot, f"process {PIDS[3]} holds cores 6-7, 2 more hold others"),
        (lambda snapshot: replace(snapshot, processes=()), "no process holds a core"),
        (
            lambda snapshot: replace(snapshot, processes=(replace(snapshot.processes[0], cores=()),)),
            f"process {PIDS[0]} holds cores of device 0",
        ),
        (
            lambda snapshot: replace(snapshot, head=replace(snapshot.head, gaps=HIDDEN)),
            "who holds which core cannot be seen",
        ),
    ],
)
def test_holders_that_are_many_none_unclear_or_hidden(change: Callable[[Snapshot], Snapshot], words: str) -> None:
    said = Doctor().see(MANY.inventory(), change(without_status(MANY.snapshot())))
    assert reason_of(said, "core-conflict").endswith(words)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.1, 0.95), f"process {PIDS[1]} uses 95 % of a vCPU"),
        ((0.1, 0.2), "no process keeps a vCPU busy"),
        ((None, None), "what processes use of vCPUs is not known"),
        (
            (0.9, 1.0, 1.1, 1.2, 1.3, 0.1),
            ", ".join(f"process {PIDS[place]} uses {90 + 10 * place} % of a vCPU" for place in range(4))
            + ", 1 more do so",
        ),
    ],
)
def test_who_keeps_a_vcpu_busy_is_told_where_latencies_are_not(shares: tuple[float | None, ...], words: str) -> None:
    readings = []
    for second in (0, 10):
        processes = tuple(
            replace(
                process,
                latency_total=None,
                vcpu_user_ns=None if share is None else round(second * share * NS),
                vcpu_system_ns=0,
            )
            for process, share in zip(MANY.snapshot().processes or (), shares, strict=False)
        )
        head = replace(MANY.snapshot().head, time_ns=MANY.now_ns + second * NS)
        readings.append(Reading(MANY.inventory(), replace(MANY.snapshot(), head=head, processes=processes)))
    assert reason_of(diagnose(readings), "host-bound").startswith(f"device effect unknown: {words}; ")


def test_memory_that_ran_out_between_two_readings_is_told_by_its_peak() -> None:
    model = host(server("a", tp=2, model="opt-6.7b", batch=64, context=2048, start="5s"), instance="inf2.xlarge")
    first = Reading(model.inventory(), model.snapshot())
    forward(model, 300)
    assert model.snapshot().processes == ()
    (finding,) = found(diagnose([first, Reading(model.inventory(), model.snapshot())]), "out-of-memory")
    assert "; at their peak tensors filled " in finding.message
    assert int(finding.evidence["tensors_peak_bytes"]) > 9 * 10**9
    assert "used_bytes" not in finding.evidence
