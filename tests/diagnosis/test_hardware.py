"""Hardware that fails is found at the next look, where it failed, and told from what fails like it."""

from __future__ import annotations

from typing import Any

import pytest

from neurontools.schema.finding import Scope
from tests.diagnosis.patients import Patient, busy, found, rules, unknown

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], str, Scope]] = [
    ("inf2.24xlarge", "hbm-uncorrected", {"core": 3}, {}, "ecc-uncorrected", Scope(kind="device", device=1)),
    ("trn2.3xlarge", "sram-uncorrected", {"core": 2}, {}, "ecc-uncorrected", Scope(kind="device", device=0)),
    ("trn2.3xlarge", "hbm-repairable", {"core": 2}, {}, "ecc-repairable", Scope(kind="device", device=0)),
    ("inf2.24xlarge", "core-uncorrected", {"core": 3}, {}, "hardware-error", Scope(kind="core", device=1, core=3)),
    ("trn2.3xlarge", "dma-abort", {"core": 2}, {}, "hardware-error", Scope(kind="core", device=0, core=2)),
    ("inf2.24xlarge", "link-down", {"link": [0, 1]}, {}, "link-down", Scope(kind="link", device=0, peer=1)),
    ("inf2.24xlarge", "driver-missing", {}, {}, "driver-absent", Scope(kind="node")),
    ("inf2.24xlarge", "driver-old", {}, {"version": "2.20.28"}, "counters-not-live", Scope(kind="node")),
    ("inf2.24xlarge", "sysfs-unreadable", {}, {}, "monitor-blind", Scope(kind="node")),
]


@pytest.mark.parametrize(("instance", "fault", "target", "parameters", "rule", "scope"), CASES)
def test_a_fault_is_found_at_the_next_look(
    instance: str, fault: str, target: dict[str, Any], parameters: dict[str, Any], rule: str, scope: Scope
) -> None:
    patient = busy(instance)
    assert patient.watch(2).findings == ()
    patient.inject(fault, target, **parameters)
    told = patient.watch(2)
    assert rules(told).get(rule) == [scope]
    (finding,) = found(told, rule)
    assert finding.since_ns > patient.history[2].time_ns - 1
    assert {"ecc-uncorrected", "ecc-repairable", "hardware-error", "link-down", "driver-absent", "monitor-blind"} & set(
        rules(told)
    ) <= {rule}


def test_many_corrected_errors_are_a_warning_and_few_are_not() -> None:
    patient = busy()
    patient.inject("hbm-corrected", {"core": 3}, rate=60.0)
    assert patient.watch(30).findings == ()
    patient.inject("hbm-corrected", {"core": 3}, rate=3600.0)
    (finding,) = found(patient.watch(60), "ecc-corrected-rate")
    assert finding.scope == Scope(kind="device", device=1)
    assert int(finding.evidence["mem_ecc_corrected"]) >= 10


def test_an_error_before_the_first_look_has_no_time() -> None:
    model = busy().model
    model.inject("hbm-uncorrected", {"core": 0}, {})
    model.advance(model.now_ns + 3_000_000_000)
    patient = Patient(model)
    patient._seen = model.events(0).events[-1].seq
    quick = Patient(model)
    (finding,) = found(quick.history[-1], "ecc-uncorrected")
    assert finding.evidence["kernel_log"] == "HBM_UNCORRECTABLE_ERROR"
    silent = quick.doctor.__class__().see(model.inventory(), model.snapshot())
    (finding,) = found(silent, "ecc-uncorrected")
    assert "when is not known" in finding.message


def test_a_reset_is_told_and_a_failed_one_is_more() -> None:
    patient = busy()
    patient.inject("device-reset", {"device": 1}, seconds=5.0)
    (finding,) = found(patient.watch(2), "device-reset")
    assert (finding.severity, finding.scope) == ("info", Scope(kind="device", device=1))
    failing = busy()
    failing.inject("device-reset", {"device": 1}, seconds=3.0, fails=True)
    told = rules(failing.watch(6))
    assert told["reset-failed"] == [Scope(kind="device", device=1)]
    assert "device-reset" not in told


def test_a_chip_without_health_files_cannot_be_judged_by_them() -> None:
    why = unknown(busy().watch(1), "device-health")
    assert why is not None
    assert why.reason == "no health files on this chip"
    always_0 = unknown(busy().watch(1), "ecc-repairable")
    assert always_0 is not None
    assert always_0.reason == "this chip always reports 0"
    newer = busy("trn2.3xlarge").watch(1)
    assert unknown(newer, "device-health") is None
    assert unknown(newer, "ecc-repairable") is None
