"""The tools on a host's own files, as programs run them: real processes, and nothing but their output to go by."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.commands import ls, monitor, top
from neurontools.exporters.report import SYSTEM_GROUPS
from tests.commands.test_ls import DEAR, FATAL
from tests.conftest import ROOT, Golden
from tests.device_model.publish.tree.trees import directory
from tests.sources.trees import Tree

ENTRY = "import sys; sys.path[:0] = {paths!r}; from neurontools.commands.{tool} import entry; {after}"
LATER = DEAR | {"argparse", "socket", "urllib", "http", "ssl", "typing_extensions", "psutil"}


def command(tool: str, *words: str, after: str = "sys.exit(entry())") -> list[str]:
    paths = [str(ROOT), sysconfig.get_path("purelib")]
    return [sys.executable, "-I", "-S", "-c", ENTRY.format(paths=paths, tool=tool, after=after), *words]


def run(tool: str, tree: Tree, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command(tool, "--source", f"sysfs:{tree.root}", *words),
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory."""
    with directory() as path:
        yield path


@pytest.fixture(scope="module")
def old() -> Iterator[Tree]:
    """A host whose driver does not keep the runtime's counters live."""
    with directory() as path:
        tree = Tree(path, "trn1.2xlarge", "2.26.5.0")
        tree.process(4200, {0: os.O_RDWR}, {"NEURON_RT_VISIBLE_CORES": "0-1", "NEURON_PROCESS_TAG": "llama"})
        yield tree


@pytest.mark.parametrize(
    ("instance", "version"), [("inf1.6xlarge", "2.21.37"), ("inf2.48xlarge", "2.26.5.0"), ("trn2.48xlarge", "2.30.2.0")]
)
def test_what_neuron_ls_prints(instance: str, version: str, golden: Golden, tmp_path: Path) -> None:
    tree = Tree(tmp_path, instance, version, counters=False)
    tree.process(4200, {0: os.O_RDWR, 1: os.O_RDWR}, command="python serve.py --model meta-llama/Llama-2-70b --tp 8")
    tree.process(4300, {0: os.O_WRONLY}, command="neuron-top")
    tree.write("proc/4200/maps", "7f-8f r-xp 0 0:1 1 /opt/aws/neuron/lib/libnrt.so.2.31.24.0\n")
    table, document = run("ls", tree, "--topology"), run("ls", tree, "-j")
    assert (table.returncode, table.stderr, document.returncode, document.stderr) == (0, "", 0, "")
    golden(f"neuron-ls/sysfs.{instance}.txt", table.stdout)
    golden(f"neuron-ls/sysfs.{instance}.json", document.stdout)


def test_neuron_ls_loads_nothing_dear(old: Tree) -> None:
    after = "assert entry() == 0; print(*sys.modules, file=sys.stderr)"
    words = command("ls", "-j", "--source", f"sysfs:{old.root}", after=after)
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stderr.split())
    assert "neurontools.sources.sysfs.inventories" in loaded
    assert not loaded & LATER
    assert "neurontools.schema.snapshot" not in loaded


def test_what_neuron_monitor_prints(old: Tree) -> None:
    result = run("monitor", old, "--once")
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    (runtime,) = document["neuron_runtime_data"]
    assert (runtime["pid"], runtime["neuron_runtime_tag"], runtime["error"]) == (4200, "llama", "")
    errors = {name: group["error"] for name, group in runtime["report"].items()}
    by_core = "the driver publishes this by core, not by process"
    not_live = "not live on driver 2.26.5.0: it moves when the process closes the device"
    assert errors == {
        "execution_stats": by_core,
        "memory_used": by_core,
        "neuron_runtime_vcpu_usage": "",
        "neuroncore_counters": not_live,
    }
    assert {name: document["system_data"][name]["error"] for name in SYSTEM_GROUPS} == dict.fromkeys(SYSTEM_GROUPS, "")
    assert document["system_data"]["memory_info"]["memory_used_bytes"] == 400 * 1024
    (ecc,) = document["system_data"]["neuron_hw_counters"]["neuron_devices"]
    assert ecc["mem_ecc_uncorrected"] == 0
    assert document["instance_info"]["instance_type"] == "trn1.2xlarge"
    assert document["neuron_hardware_info"]["neuron_device_count"] == 1


def test_what_neuron_top_prints(old: Tree) -> None:
    result = run("top", old, "--once")
    assert (result.returncode, result.stderr) == (0, "")
    assert "N/A: not live on driver 2.26.5.0" in result.stdout
    assert "0.00%" not in result.stdout.split("vCPU Usage")[0]
    assert "4200 llama" in result.stdout or "4200" in result.stdout


@pytest.mark.parametrize("tool", [ls, monitor, top], ids=lambda tool: tool.NAME)
def test_no_driver(tool: object, tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", "2.26.5.0", counters=False)
    for path in ("sys/module", "sys/class/neuron_device", "sys/devices"):
        tree.path(path).rename(tmp_path / path.replace("/", "-"))
    name = {ls: "ls", monitor: "monitor", top: "top"}[tool]  # type: ignore[index]
    result = run(name, tree, *(["--once"] if tool is top else []))
    assert (result.returncode, result.stdout) == (1, "")
    first, *hints = result.stderr.splitlines()
    match = re.fullmatch(FATAL, first)
    if tool is not top:
        assert match is not None and match[1] == "failed to discover Neuron devices"
    else:
        assert first == "neuron-top: failed to discover Neuron devices"
    (hint,) = hints
    assert "this is a Neuron host (DMI product name trn1.2xlarge), but the Neuron driver is not loaded" in hint


def test_devices_that_were_not_granted(old: Tree, tmp_path: Path) -> None:
    tree = Tree(tmp_path, "inf2.24xlarge", "2.26.5.0", counters=False)
    for node in tree.path("dev").iterdir():
        node.unlink()
    result = run("ls", tree)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no Neuron device was granted to this container, the node has 6" in result.stderr
    assert len(json.loads(run("ls", tree, "-j", "--all-devices").stdout)) == 6


def test_the_size_of_logical_cores_can_be_said(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn2.3xlarge", counters=False)
    counts = [json.loads(run("ls", tree, "-j", f"--lnc={lnc}").stdout)[0]["nc_count"] for lnc in (1, 2, 4)]
    assert counts == [8, 4, 2]
    wrong = run("ls", tree, "--lnc", "3")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "neuron-ls: --lnc takes 1, 2, 4 or 8, not '3'\n"
