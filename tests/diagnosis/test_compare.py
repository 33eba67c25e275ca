"""Rules that no simulated fault reaches: readings made for them, each beside one that just does not reach it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from neurontools.diagnosis import Doctor
from neurontools.schema.finding import Diagnosis, Scope
from neurontools.schema.snapshot import Core, Counter, Process, Snapshot
from neurontools.units import NS_PER_MS, NS_PER_S
from tests.diagnosis.patients import busy, found
from tests.schema.strategies import histogram_of

MODEL = busy("inf2.8xlarge", tp=2).model
INVENTORY, SNAPSHOT = MODEL.inventory(), MODEL.snapshot()
(PROCESS,) = SNAPSHOT.processes or ()


def later(second: int, core: dict[str, Any], process: dict[str, Any] | None = None) -> Snapshot:
    """The host at a second, its cores and its process with these fields."""
    cores: tuple[Core, ...] = tuple(replace(each, **core) for each in SNAPSHOT.devices[0].cores)
    processes: tuple[Process, ...] = (replace(PROCESS, **(process or {})),)
    head = replace(SNAPSHOT.head, time_ns=SNAPSHOT.head.time_ns + second * NS_PER_S)
    return replace(SNAPSHOT, head=head, devices=(replace(SNAPSHOT.devices[0], cores=cores),), processes=processes)


def told(*readings: Snapshot) -> Diagnosis:
    doctor = Doctor()
    return [doctor.see(INVENTORY, reading) for reading in readings][-1]


@pytest.mark.parametrize(
    ("total_ms", "device_ms", "utilization", "vcpu", "is_bound"),
    [
        (25, 10, 0.3, 1.0, True),
        (15, 10, 0.3, 1.0, False),
        (25, 10, 0.8, 1.0, False),
        (25, 10, 0.3, 0.2, False),
    ],
)
def test_devices_that_wait_for_the_host(
    total_ms: int, device_ms: int, utilization: float, vcpu: float, is_bound: bool
) -> None:
    readings = []
    for second in range(0, 40, 2):
        took = {"latency_total": total_ms, "latency_device": device_ms}
        process: dict[str, Any] = {
            name: histogram_of([ms * NS_PER_MS] * (10 * second + 1)) for name, ms in took.items()
        }
        process |= {"vcpu_user_ns": round(second * vcpu * NS_PER_S), "vcpu_system_ns": 0}
        process["executions"] = {"completed": 10 * second}
        readings.append(later(second, {"busy_ns": round(second * utilization * NS_PER_S)}, process))
    findings = found(told(*readings), "host-bound")
    assert [finding.scope for finding in findings] == [Scope(kind="process", pid=PROCESS.pid)] * is_bound


@pytest.mark.parametrize(("share", "is_idle"), [(0.05, True), (0.2, False)])
def test_a_tensor_engine_that_does_hardly_anything_of_what_it_did(share: float, is_idle: bool) -> None:
    readings, flops = [], 0.0
    for second in range(0, 300, 5):
        flops += 5e12 * (1.0 if second < 220 else share)
        core = {
            "flops": round(flops),
            "busy_ns": second * NS_PER_S,
            "collectives_ns": 0,
            "other_info": {"inference_count": Counter(10 * second)},
        }
        readings.append(later(second, core, {"executions": {"completed": 10 * second}}))
    findings = found(told(*readings), "tensor-idle")
    assert [finding.scope.core for finding in findings] == [0, 1] * is_idle
    assert {finding.severity for finding in findings} <= {"info"}


def test_a_model_of_another_generation_is_told_with_its_process() -> None:
    refused = {"status": {"success": Counter(1), "unsupported_neff_version": Counter(0)}}
    again = {"status": {"success": Counter(1), "unsupported_neff_version": Counter(2, 1)}}
    (finding,) = found(told(later(0, refused), later(1, again)), "runtime-mismatch")
    assert finding.scope == Scope(kind="process", pid=PROCESS.pid)
    assert finding.evidence["nrt_code"] == 10
    assert found(told(later(0, again), later(1, again)), "runtime-mismatch") == []
