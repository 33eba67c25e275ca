"""Ctrl-C ends every installed program without a traceback, whenever it comes after the program's first statement."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distribution

import pytest

from install.page import DISTRIBUTION, programs
from tests.conftest import ROOT

SOON_S = 60
SCRIPTS = {script.name: script for script in distribution(DISTRIBUTION).entry_points.select(group="console_scripts")}

# Runs an installed command with its words, and interrupts it at the import with a number, or says how many there are.
PROGRAM = """
import signal, sys
module, name, left, *words = sys.argv[1:]
__import__(module)
run, left = getattr(sys.modules[module], name), int(left)
sys.argv[1:] = words
done = 0
def at_an_import(event, _):
    global done
    if event == "import":
        done += 1
        if done == left:
            signal.raise_signal(signal.SIGINT)
sys.addaudithook(at_an_import)
try:
    sys.exit(run())
finally:
    if not left:
        print("imports:", done, file=sys.__stdout__)
"""

# With what each does little, and much of it: the words of its command line.
WORDS = {
    "neuron-doctor": ("explain", "ecc-uncorrected"),
    "neuron-ls": ("--json-output", "--source", "model:/nowhere"),
    "neuron-model": ("check", "idle"),
    "neuron-monitor": ("--once", "--source", "model:/nowhere"),
    "neuron-monitor-cloudwatch": ("--dry-run", "--once", "--source", "model:/nowhere"),
    "neuron-monitor-cloudwatch.py": ("--dry-run", "--once"),
    "neuron-monitor-otlp": ("--dry-run", "--once", "--source", "model:/nowhere"),
    "neuron-monitor-prometheus": ("--once", "--source", "model:/nowhere"),
    "neuron-monitor-prometheus.py": ("--once",),
    "neuron-recorder": ("info", "/nowhere"),
    "neuron-top": ("--once", "--source", "model:/nowhere"),
    "neurontools": ("ls", "--source", "model:/nowhere"),
}
SAMPLES = 4


def run(name: str, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON_S,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": "/nowhere"},
    )


def played(name: str, at: int) -> subprocess.CompletedProcess[str]:
    script = SCRIPTS[name]
    return run(name, PROGRAM, script.module, script.attr, str(at), *WORDS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_interrupt_leaves_no_traceback(name: str) -> None:
    said = played(name, 0).stdout.splitlines()[-1]
    imports = int(said.removeprefix("imports: "))
    assert imports > SAMPLES
    for at in {1, *range(2, imports, max(1, imports // SAMPLES)), imports}:
        ended = played(name, at)
        assert ended.returncode in (-2, 130), (at, ended.stderr)
        assert "Traceback" not in ended.stderr and "Exception" not in ended.stderr, (at, ended.stderr)


def test_an_interrupt_that_python_would_lose_ends_the_program() -> None:
    code = (
        "import signal, sys; from neurontools.interrupts import Raising, end_at_once; end_at_once()\n"
        "class Dying:\n    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "with Raising():\n    Dying(); print('it goes on')\n"
    )
    ended = run("", code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_what_is_ignored_stays_ignored() -> None:
    """A shell starts what it puts into the background with SIGINT ignored."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from neurontools.commands import entry\nfrom neurontools.commands.errors import run\n"
        "run('', lambda: signal.raise_signal(signal.SIGINT)); print('it goes on')\n"
    )
    assert run("", code).stdout == "it goes on\n"


def test_a_program_is_known_by_the_name_of_its_entry() -> None:
    """install.page derives the module from the name; what the entry runs is told by the module it has then loaded."""
    for name, script in SCRIPTS.items():
        if script.module == "neurontools.commands.entry":
            code = f"import sys; from {script.module} import {script.attr} as run; print(run._module)"
            assert run(name, code).stdout.strip() == programs()[name]
