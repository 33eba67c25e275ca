"""What is around the devices: the driver, left-over holders, the network card, what EC2 plans, and who cannot see."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from neurontools.diagnosis import Doctor
from neurontools.diagnosis.live import Reading, diagnose
from neurontools.schema.events import Event
from neurontools.schema.finding import Diagnosis, Scope
from neurontools.schema.host_facts import EfaPort, HolderFacts, HostFacts, Notice
from neurontools.schema.snapshot import Device
from tests.device_model.hosts import forward, host
from tests.diagnosis.patients import Patient, busy, found, rules, unknown

MODEL = busy().model
INVENTORY, SNAPSHOT = MODEL.inventory(), MODEL.snapshot()
SOUND: dict[str, Any] = {
    "instance_type": "inf2.24xlarge",
    "driver_loaded": True,
    "driver_version": "2.30.2.0",
    "installed_drivers": ("2.26.5.0", "2.30.2.0"),
    "pci_devices": 6,
    "driver_devices": 6,
    "granted_devices": 6,
    "holders": (),
    "compilers": (),
    "efa": (EfaPort(name="efa0", port=1, state="ACTIVE", counters={"rdma_read_wr_err": 3}),),
    "notices": (),
}
PID = (SNAPSHOT.processes or ())[0].pid
NODE = [Scope(kind="node")]


def facts(**changes: Any) -> HostFacts:
    return HostFacts(time_ns=SNAPSHOT.head.time_ns, **(SOUND | changes))


def told(**changes: Any) -> Diagnosis:
    return Doctor().see(INVENTORY, SNAPSHOT, (), facts(**changes))


def without_devices() -> Any:
    return replace(SNAPSHOT, devices=(), processes=())


def test_a_sound_host_has_no_finding_and_all_its_rules_are_checked() -> None:
    said = told()
    assert said.findings == ()
    assert {"driver-mismatch", "retirement", "efa-errors", "core-held"} <= set(said.checked)


def test_a_driver_that_is_not_loaded() -> None:
    bare = INVENTORY._replace(devices=())
    absent = facts(driver_loaded=False, driver_version=None, driver_devices=0)
    said = Doctor().see(bare, without_devices(), (), absent)
    assert rules(said) == {"driver-absent": NODE}
    assert found(said, "driver-absent")[0].evidence["pci_devices"] == 6
    elsewhere = facts(
        driver_loaded=False, driver_version=None, driver_devices=0, pci_devices=0, instance_type="m5.large"
    )
    assert rules(Doctor().see(bare, without_devices(), (), elsewhere)) == {"monitor-blind": NODE}


@pytest.mark.parametrize(
    ("instance_type", "driver_version", "message", "pinned"),
    [
        ("inf1.6xlarge", "2.26.5.0", "driver 2.26.5.0 has no support for Inferentia, which needs 2.24", True),
        ("trn3.48xlarge", "2.24.7.0", "driver 2.24.7.0 has no support for Trainium3, which needs 2.25 or later", False),
    ],
)
def test_a_driver_that_is_for_other_chips(instance_type: str, driver_version: str, message: str, pinned: bool) -> None:
    bare = INVENTORY._replace(devices=(), instance_type=instance_type)
    loaded = facts(
        instance_type=instance_type,
        driver_version=driver_version,
        installed_drivers=(driver_version,),
        driver_devices=0,
    )
    said = Doctor().see(bare, without_devices(), (), loaded)
    assert rules(said) == {"driver-absent": NODE}
    (finding,) = found(said, "driver-absent")
    assert finding.message == message
    assert finding.severity == "degraded"
    assert ("pin it" in finding.advice) is pinned
    assert unknown(said, "device-missing") is None


def test_a_driver_that_has_found_no_device_misses_all() -> None:
    bare = INVENTORY._replace(devices=())
    said = Doctor().see(bare, without_devices(), (), facts(driver_devices=0))
    assert rules(said) == {"device-missing": NODE, "monitor-blind": NODE}
    (finding,) = found(said, "device-missing")
    assert (finding.message, finding.evidence) == ("none of 6 devices is there", {"devices": 0, "expected": 6})
    assert "dmesg" in finding.advice


def test_devices_that_have_come_back_since_the_host_was_looked_at_are_not_missing() -> None:
    assert told(driver_devices=0).findings == ()


def test_devices_that_are_missing_and_those_that_are_not_granted() -> None:
    few = tuple[Device, ...](SNAPSHOT.devices[:4])
    said = Doctor().see(INVENTORY, replace(SNAPSHOT, devices=few), (), facts(driver_devices=4))
    assert rules(said)["device-missing"] == NODE
    said = Doctor().see(INVENTORY, replace(SNAPSHOT, devices=few), (), facts(granted_devices=4))
    why = unknown(said, "device-missing")
    assert why is not None
    assert "only 4 devices granted" in why.reason


@pytest.mark.parametrize(
    ("changes", "rule", "severity"),
    [
        ({"driver_version": "2.21.37.0"}, "driver-mismatch", "warn"),
        ({"notices": (Notice(kind="spot", action="terminate", time="2027-01-15T08:00:00Z"),)}, "retirement", "replace"),
        ({"notices": (Notice(kind="scheduled", action="instance-retirement"),)}, "retirement", "replace"),
        ({"notices": (Notice(kind="rebalance"),)}, "retirement", "warn"),
        ({"efa": (EfaPort(name="efa0", port=1, state="DOWN"),)}, "efa-errors", "degraded"),
        ({"holders": (HolderFacts(pid=PID, state="Z", parent=1),)}, "core-held", "warn"),
    ],
)
def test_what_the_facts_show(changes: dict[str, Any], rule: str, severity: str) -> None:
    said = told(**changes)
    assert [(finding.rule, finding.severity) for finding in said.findings] == [(rule, severity)]


@pytest.mark.parametrize(
    "holder",
    [
        HolderFacts(pid=PID, state="S", parent=1, owned=True),
        HolderFacts(pid=PID, state="R", parent=700, owned=False),
        HolderFacts(pid=PID + 1, state="Z", parent=1, owned=False),
    ],
)
def test_a_holder_that_belongs_to_somebody_is_not_left_over(holder: HolderFacts) -> None:
    assert told(holders=(holder,)).findings == ()


def test_an_orphan_is_left_over_only_if_it_rests() -> None:
    orphan = HolderFacts(pid=PID, state="S", parent=1, owned=False)
    working = busy()
    working.facts = facts(holders=(orphan,))
    assert working.watch(30).findings == ()
    resting = {"name": "a", "workload": {"kind": "idle", "cores": 2, "memory": "4GiB"}}
    patient = Patient(forward(host(resting, instance="inf2.24xlarge"), 20), facts=facts(holders=(orphan,)))
    assert found(patient.watch(10), "core-held") == []
    (finding,) = found(patient.watch(20), "core-held")
    assert finding.scope == Scope(kind="process", pid=PID)


def test_errors_of_the_network_card_count_from_one_look_to_the_next() -> None:
    later = replace(SNAPSHOT, head=replace(SNAPSHOT.head, time_ns=SNAPSHOT.head.time_ns + 10**9))
    worse = facts(efa=(EfaPort(name="efa0", port=1, state="ACTIVE", counters={"rdma_read_wr_err": 5, "rx_bytes": 9}),))
    said = diagnose([Reading(INVENTORY, SNAPSHOT, (), facts()), Reading(INVENTORY, later, (), worse)])
    (finding,) = found(said, "efa-errors")
    assert finding.evidence == {"port": "efa0/1", "rdma_read_wr_err": 2}


def of_runtimes(*versions: str | None) -> tuple[Any, ...]:
    """The host's process once for each runtime, with pids from its own on."""
    (process,) = SNAPSHOT.processes or ()
    return tuple(replace(process, pid=PID + place, runtime_version=each) for place, each in enumerate(versions))


def with_driver(driver: str, *runtimes: str | None, events: tuple[Event, ...] = (), **changes: Any) -> Diagnosis:
    snapshot = replace(SNAPSHOT, processes=of_runtimes(*runtimes))
    return Doctor().see(INVENTORY._replace(driver_version=driver), snapshot, events, facts(**changes))


def test_a_runtime_that_needs_a_newer_driver_is_told_with_its_process() -> None:
    said = with_driver("2.26.10.0", "2.31.24.0", "2.32.31.0")
    (finding,) = found(said, "runtime-mismatch")
    assert finding.scope == Scope(kind="process", pid=PID + 1)
    assert finding.evidence == {"runtime": "2.32.31.0", "driver": "2.26.10.0", "needed_driver": "2.27"}
    assert found(with_driver("2.27.4.0", "2.31.24.0", "2.32.31.0"), "runtime-mismatch") == []


def test_a_runtime_that_cannot_start_is_found_on_disk() -> None:
    said = with_driver("2.26.10.0", "2.31.24.0", installed_runtimes=("2.32.31.0",))
    assert [finding.scope for finding in found(said, "runtime-mismatch")] == NODE
    assert found(with_driver("2.27.4.0", installed_runtimes=("2.32.31.0",)), "runtime-mismatch") == []


def test_two_runtimes_on_one_host_are_no_error_and_a_hidden_one_is_said() -> None:
    said = with_driver("2.30.2.0", "2.29.40.0", "2.31.24.0", installed_runtimes=("2.28.19.0",))
    assert found(said, "runtime-mismatch") == []
    assert unknown(said, "runtime-mismatch") is None
    why = unknown(with_driver("2.30.2.0", "2.29.40.0", "unknown"), "runtime-mismatch")
    assert why is not None
    assert why.reason == "runtime lives in an image that cannot be seen"


@pytest.mark.parametrize(
    "line",
    [
        "This Neuron Runtime (compatibility id: 6) is not compatible with the installed aws-neuron-dkms package.",
        "This runtime requires Neuron Driver version 2.0 or greater. Please upgrade aws-neuron-dkms package.",
    ],
)
def test_a_runtime_that_refuses_to_start_is_told_by_its_log(line: str) -> None:
    text = f"2026-May-21 10:00:00.0000 {PID}:{PID} ERROR  NRT:nrt_init  {line}"
    event = Event(seq=1, time_ns=SNAPSHOT.head.time_ns, kind="runtime_log", text=text, pid=PID)
    (finding,) = found(with_driver("2.26.10.0", "2.31.24.0", events=(event, event)), "runtime-mismatch")
    assert finding.scope == Scope(kind="process", pid=PID)
    assert "driver is too old" in finding.message


def test_memory_that_nobody_holds() -> None:
    later = replace(SNAPSHOT, head=replace(SNAPSHOT.head, time_ns=SNAPSHOT.head.time_ns + 10**9), processes=())
    orphan = replace(SNAPSHOT, processes=())
    bare = INVENTORY._replace(devices=tuple(device._replace(holders=()) for device in INVENTORY.devices))
    said = diagnose([Reading(bare, orphan), Reading(bare, later)])
    assert rules(said) == {"core-held": [Scope(kind="device", device=0), Scope(kind="device", device=1)]}
    hidden = replace(later, head=replace(later.head, gaps={"processes": SNAPSHOT.head.gaps.get("x") or _gap()}))
    said = diagnose([Reading(bare, orphan), Reading(bare, hidden)])
    assert found(said, "core-held") == []
    assert "cannot be seen" in (unknown(said, "core-held") or _gap()).reason


def _gap() -> Any:
    from neurontools.schema.snapshot import Gap

    return Gap(reason="processes of other users cannot be looked into", supply="root")


def test_without_facts_the_rules_about_the_host_say_what_they_lack() -> None:
    said = Doctor().see(INVENTORY, SNAPSHOT)
    for rule in ("driver-mismatch", "retirement", "efa-errors"):
        why = unknown(said, rule)
        assert why is not None
        assert why.supply == "run it on the host itself"
