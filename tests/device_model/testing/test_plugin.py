"""The fixture neuron_node as other projects use it: what it refuses, what it leaves behind, and what it costs."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.testing.node import NeuronNodeFactory
from neurontools.schema.interval import between
from neurontools.wire import Client
from tests.conftest import Golden
from tests.device_model.daemons import ROOT, alive, short_directory, wait_until

pytest_plugins = ["pytester"]

REFUSED = """
import pytest

def node(neuron_node, **more):
    return neuron_node(**{"scenario": "idle"} | more)

CALLS = {
    "scenario": lambda new: new(scenario="opt-3b"),
    "file": lambda new: new(scenario="hosts/mine.toml"),
    "table": lambda new: new(scenario={"description": "mine", "instance": "inf2.xlarge", "process": []}),
    "object": lambda new: new(scenario={"description": object()}),
    "instance": lambda new: new(instance="inf3.xlarge"),
    "misfit": lambda new: new(scenario="opt-30b", instance="trn1.2xlarge"),
    "seed": lambda new: new(seed=-1),
    "fault": lambda new: new().inject("hagn", core=3),
    "core": lambda new: new().inject("hang", core=24),
    "link": lambda new: new().inject("link-down", link="0"),
    "no link": lambda new: new().inject("link-down", link=(0, 5)),
    "process": lambda new: new().inject("crash", process="chat"),
    "target": lambda new: new().inject("crash", core=0),
    "targets": lambda new: new().inject("hang", core=0, device=0),
    "parameter": lambda new: new().inject("straggler", core=0, facter=2.0),
    "value": lambda new: new().inject("straggler", core=0, factor="twice"),
    "size": lambda new: new().inject("leak", process="chat", bytes="much"),
    "for": lambda new: new().inject("hang", core=0, for_="soon"),
    "heal": lambda new: new().heal(3),
    "signal": lambda new: new().signal(1, 9),
    "duration": lambda new: new().advance("1 hour"),
    "seconds": lambda new: new().advance(-1),
    "century": lambda new: new().advance("40000d"),
    "interval": lambda new: new().interval(),
    "command": lambda new: new().run(["neuron-lss"]),
    "nothing": lambda new: new().run([]),
}

@pytest.mark.parametrize("name", CALLS)
def test(neuron_node, name):
    CALLS[name](lambda **more: node(neuron_node, **more))

def test_stopped(neuron_node):
    gone = neuron_node(scenario="idle")
    gone.stop()
    gone.stop()
    gone.snapshot()
"""

FAILING = """
import os
import pytest

@pytest.mark.parametrize("number", range(4))
def test(neuron_node, number):
    nodes = [neuron_node(scenario="idle", seed=seed) for seed in range(3)]
    assert len({node.socket for node in nodes}) == 3
    assert all(os.stat(os.path.dirname(node.socket)).st_mode & 0o777 == 0o700 for node in nodes)
    assert number % 2
"""

KILLED = """
import os, signal

def test(neuron_node):
    neuron_node(scenario="idle").advance(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""

DEAD = """
import os, signal
import pytest

def test_killed(neuron_node):
    node = neuron_node(scenario="idle")
    os.kill(node._ask("status")["pid"], signal.SIGKILL)
    node.snapshot()

def test_the_next_one_lives(neuron_node):
    neuron_node(scenario="idle").snapshot()
"""

DEFECT = """
import sys
if "device_model.testing.forks" in sys.orig_argv:
    from device_model.simulation import Simulation
    def broken(self):
        raise KeyError("a defect")
    Simulation.snapshot = broken
"""

UNUSED = """
import sys

def test():
    print("LOADED", *sorted(name for name in sys.modules))
"""


@pytest.fixture
def runtime_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the hosts of inner runs keep their sockets."""
    with short_directory() as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
        yield directory


def daemons_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_every_refusal_is_a_line(pytester: pytest.Pytester, golden: Golden) -> None:
    pytester.makepyfile(REFUSED)
    ran = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "--color=no")
    ran.assert_outcomes(failed=27)
    text = str(ran.stdout)
    assert "Traceback" not in text
    assert "another exception" not in text
    failures = text.partition("FAILURES =")[2].partition("short test summary")[0]
    sections = re.findall(r"^_+ (\S.*?) _+\n((?:.*\n)+?)(?=^[_=])", failures, re.MULTILINE)
    told = "\n".join(f"{name}\n{words}" for name, words in sections)
    golden("testing/refusals.txt", re.sub("there are allocated-idle, .*, or give", "there are …, or give", told))


@pytest.mark.slow
def test_nothing_is_left_behind_whatever_becomes_of_the_tests(
    pytester: pytest.Pytester, runtime_directory: Path
) -> None:
    pytester.makepyfile(FAILING)
    pytester.runpytest_subprocess("-q", "-n", "2").assert_outcomes(passed=2, failed=2)
    wait_until(lambda: not daemons_in(runtime_directory))


def test_a_run_that_is_killed_leaves_nothing_behind(pytester: pytest.Pytester, runtime_directory: Path) -> None:
    pytester.makepyfile(KILLED)
    assert pytester.runpytest_subprocess("-q").ret == -signal.SIGKILL
    wait_until(lambda: not daemons_in(runtime_directory))


def test_a_host_that_dies_fails_its_own_test_only(pytester: pytest.Pytester, runtime_directory: Path) -> None:
    pytester.makepyfile(DEAD)
    ran = pytester.runpytest_inprocess("-q")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["neuron_node: the process behind this host was killed: *"])
    assert not daemons_in(runtime_directory)


def test_a_model_that_fails_says_what_to_report(
    pytester: pytest.Pytester, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(sitecustomize=DEFECT)
    pytester.makepyfile(test_it="def test(neuron_node):\n    neuron_node(scenario='idle').snapshot()\n")
    monkeypatch.setenv("PYTHONPATH", f"{pytester.path}{os.pathsep}{ROOT}")
    ran = pytester.runpytest_subprocess("-q")
    ran.stdout.fnmatch_lines(["neuron_node: the device model has failed 0s after its start: KeyError: 'a defect'*"])
    assert "report it with scenario idle" in str(ran.stdout)
    assert not daemons_in(runtime_directory)


@pytest.mark.slow
def test_a_run_that_does_not_use_it_loads_one_small_module(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNUSED)

    def loaded(*options: str) -> set[str]:
        ran = pytester.runpytest_subprocess("-s", "-q", *options)
        ran.assert_outcomes(passed=1)
        return set(str(ran.stdout).partition("LOADED ")[2].splitlines()[0].split())

    assert loaded() - loaded("-p", "no:neurontools") == {
        "device_model",
        "device_model.testing",
        "device_model.testing.plugin",
    }


def test_equal_hosts_are_equal_to_the_byte_and_others_are_not(neuron_node: NeuronNodeFactory) -> None:
    nodes = [neuron_node(scenario="two-tenants", seed=seed) for seed in (7, 7, 8)]
    texts = []
    for node in nodes:
        node.advance("30s")
        node.advance(30)
        with Client(node.socket) as client:
            texts.append(client.exchange("snapshot", {}))
    assert texts[0] == texts[1] != texts[2]


def test_a_sandbox_without_process_handles_is_good_enough(
    neuron_node: NeuronNodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pid: int) -> int:
        raise PermissionError(pid)

    monkeypatch.setattr(os, "pidfd_open", refused)
    node = neuron_node(scenario="idle")
    node.advance("1m")
    place = Path(node.socket).parent
    node.stop()
    assert not place.exists()


def test_a_daemon_that_does_not_stop_is_killed(neuron_node: NeuronNodeFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_model.testing.nursery.STOP_TIMEOUT_S", 0.2)
    node = neuron_node(scenario="idle")
    with Client(node.socket) as client:
        pid = client.call("status")["pid"]
    os.kill(pid, signal.SIGSTOP)
    node.stop()
    assert not alive(pid)


def test_a_life_of_a_host(neuron_node: NeuronNodeFactory) -> None:
    node = neuron_node(scenario="two-tenants")
    node.advance("1m")
    before = node.snapshot()
    assert node.inject("leak", process="batch-eval", bytes="50MB", for_="10m") == 1
    assert node.inject("link-degraded", link="0-1", factor=2) == 2
    node.advance("1m")
    assert node.heal("leak") == [1]
    assert node.heal() == [2]
    interval = node.interval("1m")
    assert interval == between(before, node.snapshot())
    pids = {holder.pid for device in node.inventory().devices for holder in device.holders}
    assert pids == {process.pid for process in interval.processes}
    node.signal(min(pids), signal.SIGKILL)
    (end,) = node.events(len(node.events().events) - 1).events
    assert "SIGKILL" in end.text
    assert node.run([sys.executable, "-c", "print(input())"], input="é\n").stdout == "é\n"


def test_programs_see_the_host_and_find_our_tools(
    neuron_node: NeuronNodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    node = neuron_node(instance="trn1.2xlarge", scenario="idle")
    ran = node.run(["neuron-ls"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "instance-type: trn1.2xlarge" in ran.stdout
    assert node.run(["sh", "-c", "echo $NEURONTOOLS_SOURCE; exit 3"]).returncode == 3
    with pytest.raises(subprocess.TimeoutExpired):
        node.run(["sleep", "10"], timeout=0.1)
