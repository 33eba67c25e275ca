"""Standard streams that are closed or full: data is never lost in silence, and talk is never data."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.device_model.daemons import (
    COMMAND,
    PATIENCE_S,
    WAITING,
    call,
    running,
    short_directory,
    socket_in,
    surroundings,
)


def shell(directory: Path, line: str, third: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs a line of shell in which `neuron-model` is ours; a descriptor of this process is its third."""
    lent = "" if third is None else f"exec 3>&{third}\n"
    script = f'{lent}neuron-model() {{ {shlex.join(COMMAND)} "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script], pass_fds=[] if third is None else [third],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=surroundings(directory), cwd=directory,
    )  # fmt: skip


@pytest.mark.parametrize("verb", ["scenarios", "--help", "scenarios idle"])
@pytest.mark.parametrize(
    ("where", "why"), [(">&-", "it is closed"), ("<&- >&-", "it is closed"), (">/dev/full", "No space left on device")]
)
def test_output_that_cannot_be_written_is_a_failure(verb: str, where: str, why: str) -> None:
    with short_directory() as directory:
        ran = shell(directory, f"neuron-model {verb} {where}")
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr == f"neuron-model: cannot write the output: {why}\n"


@pytest.mark.parametrize(
    ("where", "code"),
    [("&-", 1), pytest.param("/dev/full", 1, marks=pytest.mark.slow), pytest.param("&3", 141, marks=pytest.mark.slow)],
)
def test_a_start_that_nobody_can_be_told_of_is_none(where: str, code: int) -> None:
    """An exit code that is not 0 means that nothing runs, and that nothing is in the way of the next start."""
    reading, writing = os.pipe()
    os.close(reading)
    with short_directory() as directory:
        # Descriptor 3 is a pipe whose reader has gone.
        with open(writing, "wb") as gone:
            ran = shell(directory, f"neuron-model start --stepped --scenario idle >{where}", gone.fileno())
        assert ran.returncode == code
        assert not list((directory / "neurontools").glob("*"))
        assert shell(directory, "neuron-model status").returncode == 1


@pytest.mark.slow
def test_what_could_not_be_told_is_not_done() -> None:
    with short_directory() as directory, running(directory, "--stepped", "--scenario", "two-tenants"):
        before = call(socket_in(directory), "status")
        for verb in ("advance 5s", "inject straggler --core 0", "heal --all", "save state.json", "stop"):
            ran = shell(directory, f"neuron-model {verb} >&-")
            assert (ran.returncode, ran.stderr) == (1, "neuron-model: cannot write the output: it is closed\n")
        assert call(socket_in(directory), "status") == before
        assert not (directory / "state.json").exists()


def test_talk_does_not_become_data_where_stderr_is_closed() -> None:
    with short_directory() as directory:
        ran = shell(directory, "neuron-model nonsense 2>&-")
        assert (ran.returncode, ran.stdout) == (64, "")
        ran = shell(directory, "neuron-model heal --all --socket ./none 2>&-")
        assert (ran.returncode, ran.stdout) == (1, "")


def test_a_full_stderr_keeps_no_command_from_its_work() -> None:
    with short_directory() as directory:
        ran = shell(directory, "neuron-model run --stepped --scenario idle -- sh -c 'echo done; exit 3' 2>/dev/full")
        assert (ran.returncode, ran.stdout) == (3, "done\n")
        ran = shell(directory, "neuron-model nonsense 2>/dev/full")
        assert (ran.returncode, ran.stdout) == (64, "")


def test_closed_streams_lend_their_numbers_to_nobody() -> None:
    with short_directory() as directory, running(directory, "--stepped", "--scenario", "idle"):
        ran = shell(directory, f"neuron-model start --stepped --scenario idle --socket {directory}/b <&- 2>&-")
        assert ran.returncode == 0
        assert call(f"{directory}/b", "status")["scenario"] == "idle"
        assert shell(directory, f"neuron-model stop --socket {directory}/b <&- 2>&-").returncode == 0
        assert call(socket_in(directory), "status")["scenario"] == "idle"


@pytest.mark.parametrize(
    "line",
    [
        "neuron-model run --scenario <(neuron-model scenarios idle) -- true",
        "neuron-model scenarios idle | neuron-model run --scenario /dev/stdin -- true",
        "neuron-model scenarios idle > s.toml; neuron-model run --scenario /dev/fd/0 -- true < s.toml",
    ],
)
def test_a_scenario_is_read_from_a_descriptor_of_the_shell_too(line: str) -> None:
    with short_directory() as directory:
        ran = shell(directory, line)
        assert (ran.returncode, ran.stderr.replace(WAITING, "")) == (0, "")


def test_a_descriptor_that_is_not_open_is_told() -> None:
    with short_directory() as directory:
        ran = shell(directory, "neuron-model run --scenario /dev/fd/99 -- true")
        assert ran.returncode == 64
        assert "cannot read the scenario /dev/fd/99: No such file or directory\n" in ran.stderr
