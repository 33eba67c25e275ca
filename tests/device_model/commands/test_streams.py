"""Standard streams that are closed or full: data is never lost in silence, and talk is never data."""

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.device_model.daemons import COMMAND, PATIENCE_S, call, running, short_directory, socket_in, surroundings


def shell(directory: Path, line: str) -> "subprocess.CompletedProcess[str]":
    """Runs a line of shell in which `neuron-model` is ours."""
    script = f'neuron-model() {{ {shlex.join(COMMAND)} "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script],
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
