"""The host's files in their places: seen by the command that runs there, and by nobody else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_model.__main__ import main
from device_model.commands.mounting import AWS_DIRECTORY, AWS_TOOLS
from tests.device_model.daemons import cli, short_directory
from tests.device_model.mounts import mountable
from tests.device_model.publish.tree.trees import directory

SHOW = f"""
import glob, json, os, stat, subprocess
def text(path):
    with open(path) as file:
        return file.read()
print(json.dumps({{
    "devices": sorted(os.listdir("/sys/class/neuron_device")),
    "virtual": sorted(os.listdir("/sys/devices/virtual/neuron_device")),
    "linked": text("/sys/class/neuron_device/neuron1/core_count"),
    "version": text("/sys/module/neuron/version"),
    "simulated": text("/sys/module/neuron/simulated").split()[:2],
    "product": text("/sys/class/dmi/id/product_name"),
    "asset": text("/sys/class/dmi/id/board_asset_tag"),
    "bound": sorted(os.listdir("/sys/bus/pci/drivers/neuron-driver")),
    "vendors": [text(path) for path in glob.glob("/sys/bus/pci/drivers/neuron-driver/*/vendor")],
    "nodes": sorted(glob.glob("/dev/neuron*")),
    "minors": sorted(os.minor(os.stat(path).st_rdev) for path in glob.glob("/dev/neuron*")),
    "tools": sorted(os.listdir("{AWS_DIRECTORY}/bin")),
    "ls": json.loads(subprocess.check_output(["{AWS_DIRECTORY}/bin/neuron-ls", "-j"])),
    "elsewhere": [sorted(os.listdir(path)) for path in %r],
    "null": open("/dev/null").read(),
    "shm": os.path.isdir("/dev/shm"),
}}))
"""
ELSEWHERE = ("/sys/class", "/sys/devices/virtual", "/sys/module", "/dev", "/opt", "/etc")
OURS = {"neuron_device", "neuron", "dmi", "aws"}


def outside() -> dict[str, Any]:
    """What there is of it where no simulated host is."""
    names = ("/sys/class/neuron_device", "/sys/module/neuron", "/dev/neuron0", AWS_DIRECTORY)
    return {
        "there": [name for name in names if os.path.lexists(name)],
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "elsewhere": [sorted(os.listdir(name)) for name in ELSEWHERE],
    }


@pytest.fixture
def root() -> Iterator[str]:
    with directory() as memory:
        yield str(memory / "tree")


def run(root: str, *command: str, instance: str = "inf2.xlarge") -> "subprocess.CompletedProcess[str]":
    with short_directory() as place:
        options = ["--scenario", "idle", "--instance", instance, "--host", root, "--mount"]
        return cli(place, "run", *options, "--", *command)


@mountable
def test_the_command_sees_the_host_in_its_places_and_nobody_else_does(root: str) -> None:
    before = outside()
    ended = run(root, sys.executable, "-c", SHOW % (ELSEWHERE,), instance="trn1.32xlarge")
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    devices = [f"neuron{i}" for i in range(16)]
    assert {"current_perf_profile", *devices} <= set(seen["devices"])
    assert seen["virtual"] == sorted(devices)
    assert (seen["linked"], seen["version"], seen["simulated"]) == ("2", "2.30.2.0\n", ["scenario", "idle"])
    assert (seen["product"], seen["asset"]) == ("trn1.32xlarge\n", "i-00000000000000000\n")
    assert seen["nodes"] == sorted(f"/dev/{name}" for name in devices)
    assert len(seen["bound"]) == 16
    assert seen["vendors"] == ["0x1d0f\n"] * 16
    assert seen["tools"] == sorted(name for name in AWS_TOOLS if (Path(sys.executable).parent / name).exists())
    assert "neuron-ls" in seen["tools"]
    assert sum(device["nc_count"] for device in seen["ls"]) == 32
    for there, now in zip(before["elsewhere"], seen["elsewhere"], strict=True):
        assert set(there) <= set(now)
        assert all(name in OURS or name.startswith("neuron") for name in set(now) - set(there))
    assert (seen["null"], seen["shm"]) == ("", True)
    assert outside() == before


@pytest.mark.slow
@mountable
def test_device_nodes_have_the_devices_numbers_where_the_kernel_lets_them(root: str) -> None:
    ended = run(root, sys.executable, "-c", SHOW % (ELSEWHERE,), instance="inf1.6xlarge")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["minors"] in (list(range(4)), [0] * 4)


@pytest.mark.slow
@mountable
def test_the_mounted_tree_moves_with_the_model(root: str) -> None:
    file = "/sys/class/neuron_device/neuron0/neuron_core0/stats/other_info/reset_req_count/total"
    model = f"{sys.executable} -m device_model"
    script = (
        f"{model} inject device-reset --device 0 >&2; cat {file}; {model} inject driver-missing >&2;"
        f" ls /sys/class/neuron_device; {model} heal --all >&2; cat {file}; echo 0 > {file}; sleep 0.3; cat {file}"
    )
    ended = run(root, "sh", "-c", script)
    assert ended.stdout.split() == ["2", "2", "0"], ended.stderr


@pytest.mark.slow
@mountable
def test_the_commands_exit_code_and_failures_are_its_own(root: str) -> None:
    assert run(root, "sh", "-c", "exit 7").returncode == 7
    assert run(root, "sh", "-c", "kill -9 $$").returncode == 137
    assert not os.path.exists(root)


def test_what_it_needs_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["run", "--mount", "--", "true"]) == 64
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["run", "--mount", "--host", "/dev/shm/x", "--", "true"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "neuron-model: --mount needs --host ROOT",
        "neuron-model: for example: neuron-model run --host /dev/shm/trn --mount -- bash",
        "neuron-model: --mount needs root",
        "neuron-model: run it with sudo, or leave --mount out and name ROOT to your program",
    ]


def test_a_kernel_that_refuses_is_named(tmp_path: Path) -> None:
    script = "import ctypes, sys\nfrom device_model.commands import mounting\n"
    script += "mounting._NEW_NAMESPACE = -1\nsys.exit(mounting.main([sys.argv[1], '.', '/bin/true', 'true']))"
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[0] == (
        "neuron-model: cannot mount the simulated host: a mount namespace: Invalid argument"
    )
