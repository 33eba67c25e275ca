"""`run`: the command's exit code is its own, signals reach it, and nothing outlives whichever process is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from device_model.commands import run
from device_model.commands.options import parse
from tests.device_model.daemons import (
    PATIENCE_S,
    WAITING,
    alive,
    await_end,
    call,
    cli,
    launch,
    short_directory,
    wait_until,
)

# Tells where it is and what becomes of it.
WITNESS = """
import json, os, signal, sys

def heard(number, _):
    open("heard", "w").write(signal.Signals(number).name)
    os._exit(7)

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, heard)
open("new", "w").write(json.dumps({"pid": os.getpid(), "source": os.environ["NEURONTOOLS_SOURCE"]}))
os.rename("new", "here")
while True:
    signal.pause()
"""


class Scene(NamedTuple):
    """A run under way: its directory, its process, its command's pid, its daemon's pid and socket."""

    directory: Path
    run: "subprocess.Popen[str]"
    command: int
    daemon: int
    socket: str

    def check_nothing_is_left(self) -> None:
        """No process runs and no file is there but the witness's own."""
        await_end(self.daemon)
        await_end(self.command)
        wait_until(lambda: {entry.name for entry in self.directory.iterdir()} <= {"here", "heard"}, 5)


@contextmanager
def scene() -> Iterator[Scene]:
    with short_directory() as directory:
        with launch(
            directory, "run", "--scenario", "idle", "--", sys.executable, "-c", WITNESS, start_new_session=True
        ) as process:
            wait_until(lambda: (directory / "here").exists() or process.poll() is not None)
            here = json.loads((directory / "here").read_text())
            path = here["source"].removeprefix("model:")
            scene = Scene(directory, process, here["pid"], call(path, "status")["pid"], path)
            try:
                yield scene
            finally:
                if process.poll() is None:
                    process.kill()
        scene.check_nothing_is_left()


def heard(played: Scene) -> str:
    wait_until(lambda: (played.directory / "heard").exists() and (played.directory / "heard").read_text())
    return (played.directory / "heard").read_text()


def test_the_exit_code_is_the_commands() -> None:
    with short_directory() as directory:
        codes = {"exit 3": 3, "kill -9 $$": 137}
        shell = ["run", "--scenario", "idle", "--", "sh", "-c"]
        assert {word: cli(directory, *shell, word).returncode for word in codes} == codes
        assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("no-such-command", 127, "it is not found in PATH"),
        ("./no-such-file", 127, "there is no such file"),
        ("./plain", 126, "it is not executable"),
        ("./text", 126, "Exec format error"),
        ("./folder", 126, "it is a directory"),
    ],
)
def test_a_command_that_cannot_be_run_says_why(command: str, code: int, reason: str) -> None:
    with short_directory() as directory:
        (directory / "folder").mkdir()
        (directory / "plain").write_text("#!/bin/sh\n")
        (directory / "text").write_text("no shebang\n")
        (directory / "text").chmod(0o700)
        ended = cli(directory, "run", "--scenario", "idle", "--", command)
        assert (ended.returncode, ended.stderr) == (code, f"neuron-model: cannot run {command}: {reason}\n")


def test_a_scenario_that_cannot_be_used_is_told_as_everywhere() -> None:
    with short_directory() as directory:
        ended = cli(directory, "run", "--scenario", "opt-30b", "--instance", "inf2.xlarge", "--", "true")
        assert ended.returncode == 64
        assert "tp = 8 does not fit on inf2.xlarge: expected one of 1, 2\n" in ended.stderr
        assert list(directory.iterdir()) == []


def test_the_clients_verbs_find_the_model_around_them() -> None:
    with short_directory() as directory:
        inner = [sys.executable, "-m", "device_model", "status"]
        options = ["--scenario", "idle", "--instance", "inf2.xlarge", "--speed", "60", "--seed", "5"]
        ended = cli(directory, "run", *options, "--", *inner)
        assert ended.returncode == 0, ended.stderr
        first, second, *_ = ended.stdout.splitlines()
        assert first == "SIMULATED inf2.xlarge, scenario idle: nothing runs"
        assert second.startswith("seed 5, 60 × real time, up ")


def test_killing_run_ends_the_daemon_and_tells_the_command() -> None:
    with scene() as played:
        played.run.kill()
        assert heard(played) == "SIGTERM"


def test_killing_the_command_is_its_exit_code() -> None:
    with scene() as played:
        os.kill(played.command, signal.SIGKILL)
        assert played.run.wait(PATIENCE_S) == 137


def test_killing_the_daemon_leaves_the_command_alone() -> None:
    with scene() as played:
        os.kill(played.daemon, signal.SIGKILL)
        await_end(played.daemon)
        assert alive(played.command)
        os.kill(played.command, signal.SIGTERM)
        assert played.run.wait(PATIENCE_S) == 7


def test_the_terminals_interrupt_is_for_the_command_to_judge() -> None:
    with scene() as played:
        os.killpg(played.run.pid, signal.SIGINT)
        assert heard(played) == "SIGINT"
        assert played.run.wait(PATIENCE_S) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_passed_on(number: signal.Signals) -> None:
    with scene() as played:
        played.run.send_signal(number)
        assert heard(played) == number.name
        assert played.run.wait(PATIENCE_S) == 7


def test_a_signal_before_the_command_cleans_up() -> None:
    with short_directory() as directory:
        starting = launch(directory, "run", "--scenario", "idle", "--", "sleep", "60")
        wait_until(lambda: list(directory.glob("neuron-*")))
        starting.send_signal(signal.SIGTERM)
        _, err = starting.communicate(timeout=PATIENCE_S)
        assert (starting.returncode, err.replace(WAITING, "")) == (143, "")
        assert list(directory.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_directory_is_made_waits_for_its_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def making() -> str:
        # To this thread: another one of this process would take a signal that is blocked here; `run` has none.
        signal.raise_signal(number)
        place = tmp_path / "neuron-abc"
        place.mkdir()
        return str(place / "model.sock")

    monkeypatch.setattr(run, "private_place", making)
    with pytest.raises(SystemExit) as ended:
        run.run(parse(["run", "--", "true"])[1])
    assert ended.value.code == 128 + number
    assert list(tmp_path.iterdir()) == []


BREAKING = """
import os, runpy, sys
from device_model.simulation import Simulation

def broken(self):
    raise KeyError("a defect")

if "--foreground" in sys.argv:
    Simulation.snapshot = broken
"""


@pytest.mark.slow
def test_a_model_that_fails_is_told_by_run() -> None:
    with short_directory() as directory:
        (directory / "sitecustomize.py").write_text(BREAKING)
        look = [sys.executable, "-m", "device_model", "status"]
        environment = os.environ | {"PYTHONPATH": str(directory), "TMPDIR": str(directory)}
        ended = cli(directory, "run", "--scenario", "idle", "--", *look, env=environment)
        assert ended.returncode == 1
        # The command was told by the daemon's answer, and run passes on the daemon's last words.
        told = ended.stderr.splitlines()
        assert told[:2] == told[2:]
        assert "KeyError: 'a defect' (sitecustomize.py:" in told[0]
