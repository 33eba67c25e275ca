"""What a host's files tell beside a reading: driver packages, buses, holders, compilers, network cards, plans."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from neurontools.schema.host_facts import EfaPort, HolderFacts, Notice
from neurontools.sources.host_facts import FactsReader
from neurontools.sources.sysfs import metadata
from neurontools.sources.sysfs.metadata import MetadataError, notices
from tests.sources.sysfs.test_metadata import answer
from tests.sources.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)


def test_a_host_with_its_driver(tree: Tree) -> None:
    for name in ("aws-neuronx-2.26.5.0", "aws-neuronx-2.9.1", "linux-headers-6.8"):
        tree.write(f"usr/src/{name}/dkms.conf", "")
    for name in ("libnrt.so.2.32.31.0", "libnrt.so.2.9.64.0", "libnrt.so.1", "libnccom.so.2.32.28"):
        tree.write(f"opt/aws/neuron/lib/{name}", "")
    facts = FactsReader(str(tree.root)).read(7)
    assert facts.installed_runtimes == ("2.9.64.0", "2.32.31.0")
    assert (facts.time_ns, facts.instance_type) == (7, "trn1.2xlarge")
    assert (facts.driver_loaded, facts.driver_version) == (True, "2.26.5.0")
    assert facts.installed_drivers == ("2.9.1", "2.26.5.0")
    assert (facts.pci_devices, facts.driver_devices, facts.granted_devices) == (1, 1, 1)
    assert (facts.efa, facts.notices, facts.in_container) == (None, None, False)
    assert {"efa", "notices"} <= set(facts.gaps)


def test_a_host_without_its_driver(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices/0000:00:1e.0").mkdir(parents=True)
    for name, text in (("vendor", "0x1d0f\n"), ("device", "0x7164\n")):
        (tmp_path / f"sys/bus/pci/devices/0000:00:1e.0/{name}").write_text(text)
    facts = FactsReader(str(tmp_path)).read(0)
    assert (facts.driver_loaded, facts.driver_version, facts.pci_devices, facts.driver_devices) == (False, None, 1, 0)
    assert (facts.holders, facts.compilers, facts.installed_drivers) == (None, None, None)
    assert facts.gaps["holders"].reason == "there is no /proc"


def test_holders_and_compilers(tree: Tree) -> None:
    tree.process(4200, {0: os.O_RDWR})
    tree.process(4300, {0: os.O_RDWR})
    tree.write("proc/4300/stat", f"4300 (py thon)) Z 1 {' '.join(['0'] * 40)}")
    tree.write("proc/4200/cgroup", "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope\n")
    tree.write("proc/4300/cgroup", "0::/user.slice/user-1000.slice/session-3.scope\n")
    tree.write("proc/4400/cmdline", "/opt/conda/bin/python\0/opt/bin/neuronx-cc\0compile\0")
    facts = FactsReader(str(tree.root)).read(0, (4200, 4300, 9999))
    parent = int((tree.root / "proc/4200/stat").read_text().rpartition(")")[2].split()[1])
    assert facts.holders == (
        HolderFacts(pid=4200, state="S", parent=parent, owned=True),
        HolderFacts(pid=4300, state="Z", parent=1, owned=False),
    )
    assert facts.compilers == (4400,)


def test_a_compiler_that_starts_later_is_seen_at_once_and_its_end_too(tree: Tree) -> None:
    now_s = [0.0]
    reader = FactsReader(str(tree.root), clock=lambda: now_s[0])
    tree.process(4200, {0: os.O_RDWR})
    assert reader.read(0).compilers == ()
    tree.write("proc/4500/cmdline", "neuronx-cc\0compile\0")
    assert reader.read(0).compilers == (4500,)
    tree.write("proc/4500/cmdline", "bash\0")
    assert reader.read(0).compilers == ()
    tree.write("proc/4200/cmdline", "neuronx-cc\0")
    assert reader.read(0).compilers == ()
    now_s[0] = 61.0
    assert reader.read(0).compilers == (4200,)


def test_ports_of_efa_and_of_nothing_else(tree: Tree) -> None:
    tree.write("sys/class/infiniband/efa_0/ports/1/state", "4: ACTIVE\n")
    tree.write("sys/class/infiniband/efa_0/ports/1/hw_counters/rdma_read_wr_err", "2\n")
    tree.write("sys/class/infiniband/efa_0/ports/1/hw_counters/lifespan", "word\n")
    tree.write("sys/class/infiniband/mlx5_0/ports/1/state", "1: DOWN\n")
    port = EfaPort(name="efa_0", port=1, state="ACTIVE", counters={"rdma_read_wr_err": 2})
    assert FactsReader(str(tree.root)).read(0).efa == (port,)


def test_status_counters_that_move_at_the_end(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0")
    path = "sys/devices/virtual/neuron_device/neuron0/neuron_core1/stats/status"
    for name in os.listdir(tmp_path / path):
        for core in (0, 1):
            tree.write(f"{path.replace('core1', f'core{core}')}/{name}/total", "0\n")
    tree.write(f"{path}/resource_error/total", "3\n")
    tree.write(f"{path}/success/total", "30\n")
    assert FactsReader(str(tmp_path)).closed_status() == {0: {}, 1: {"resource_error": 3}}


@pytest.mark.parametrize("text", ["-1", "word", str(1 << 64), "9" * 5000], ids=["negative", "word", "65 bits", "page"])
def test_status_counters_that_no_driver_writes_are_left_out(tmp_path: Path, text: str) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0")
    status = "sys/devices/virtual/neuron_device/neuron0/neuron_core0/stats/status"
    for name in os.listdir(tmp_path / status):
        tree.write(f"{status}/{name}/total", "0\n")
    tree.write(f"{status}/resource_error/total", f"{text}\n")
    tree.write(f"{status}/timeout/total", "2\n")
    assert FactsReader(str(tmp_path)).closed_status()[0] == {"timeout": 2}


SPOT = json.dumps({"action": "terminate", "time": "2027-01-15T08:22:00Z"})
EVENTS = json.dumps(
    [
        {"NotBefore": "21 Jan 2027 09:00:43 GMT", "Code": "instance-retirement", "State": "active"},
        {"NotBefore": "1 Jan 2027 09:00:43 GMT", "Code": "system-reboot", "State": "completed"},
        "word",
    ]
)
PLANS = {
    "/latest/meta-data/spot/instance-action": SPOT,
    "/latest/meta-data/events/maintenance/scheduled": EVENTS,
    "/latest/meta-data/events/recommendations/rebalance": '{"noticeTime": "2027-01-15T08:00:00Z"}',
}


@pytest.mark.parametrize(
    ("pages", "kinds"),
    [
        ({}, []),
        (PLANS, ["spot", "scheduled", "rebalance"]),
        (dict.fromkeys(PLANS, "[1, {}]"), ["scheduled"]),
        (dict.fromkeys(PLANS, "not JSON"), []),
    ],
)
def test_what_ec2_plans(monkeypatch: pytest.MonkeyPatch, pages: dict[str, str], kinds: list[str]) -> None:
    monkeypatch.setattr(metadata._Service, "_talk", lambda self, request: answer(request, pages))
    assert [kind for kind, _, _ in notices()] == kinds


def test_a_service_that_does_not_answer_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(self: object, request: bytes) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(metadata._Service, "_talk", silent)
    with pytest.raises(MetadataError, match="hop limit"):
        notices()
    now_s = [0.0]
    reader = FactsReader("/", clock=lambda: now_s[0])
    facts = reader.read(0)
    assert facts.notices is None
    assert "hop limit" in facts.gaps["notices"].reason
    monkeypatch.setattr(metadata._Service, "_talk", lambda self, request: answer(request, PLANS))
    assert reader.read(0).notices is None
    now_s[0] = 301.0
    assert Notice(kind="spot", action="terminate", time="2027-01-15T08:22:00Z") in (reader.read(0).notices or ())
