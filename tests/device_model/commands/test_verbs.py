"""A daemon's life as a user sees it: start, look, advance, save, stop, restore, and what goes wrong on the way."""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.__main__ import main
from device_model.scenario import shipped
from tests.device_model.daemons import (
    COMMAND,
    PATIENCE_S,
    WAITING,
    alive,
    await_end,
    call,
    cli,
    launch,
    running,
    short_directory,
    socket_in,
    surroundings,
    wait_until,
)


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """The directory of a stepped model that is there for all tests of this module."""
    with short_directory() as directory, running(directory, "--scenario", "two-tenants", "--stepped"):
        yield directory


def verb(directory: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs a verb in this process; quicker than a process of its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return main(list(arguments))


def test_a_life(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with short_directory() as directory:
        state = str(directory / "state.json")
        # Through a pipe: a daemon that kept it open would let this wait for ever.
        started = cli(
            directory, "start", "--stepped", "--seed", "7", "--instance", "inf2.24xlarge", "--scenario", "two-tenants"
        )
        (line,) = started.stdout.splitlines()
        pid = call(socket_in(directory), "status")["pid"]
        assert line == (
            f"started: inf2.24xlarge, scenario two-tenants, stepped (pid {pid}, socket {socket_in(directory)})"
        )
        assert verb(directory, "advance", "90s", monkeypatch=monkeypatch) == 0
        assert capsys.readouterr().out == "1m30s after the start (time_ns 1767571290000000000)\n"
        assert verb(directory, "save", state, monkeypatch=monkeypatch) == 0
        assert capsys.readouterr().out == f"saved: {state}\n"
        seen = call(socket_in(directory), "snapshot")
        assert verb(directory, "stop", monkeypatch=monkeypatch) == 0
        assert capsys.readouterr().out == "stopped: inf2.24xlarge, scenario two-tenants\n"
        assert not alive(pid)
        assert list((directory / "neurontools").iterdir()) == []
        assert cli(directory, "restore", "state.json").returncode == 0
        about = call(socket_in(directory), "status")
        assert (about["seed"], about["mode"], about["uptime_ns"]) == (7, "stepped", 90 * 10**9)
        assert call(socket_in(directory), "snapshot") == seen
        assert verb(directory, "stop", monkeypatch=monkeypatch) == 0


def test_a_duration_beyond_a_model_s_time_is_a_usage_error(model: Path, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    for arguments in (["advance", "999999999d"], ["inject", "straggler", "--core", "0", "--for", "36501d"]):
        assert verb(model, *arguments, monkeypatch=monkeypatch) == 64
        assert capsys.readouterr() == ("", f"neuron-model: expected at most 36500d, found '{arguments[-1]}'\n")
    assert verb(model, "advance", "36500d", monkeypatch=monkeypatch) == 1
    assert "that is beyond the end of the model's time, the year 2116" in capsys.readouterr().err


def test_status_without_a_model_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_directory() as directory:
        for arguments in (["status"], ["stop"], ["advance", "1s"], ["save", "x"], ["status", "--follow"]):
            assert verb(directory, *arguments, monkeypatch=monkeypatch) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert "there is no such socket\nneuron-model: start one with: neuron-model start\n" in err


def test_a_second_start_names_the_first(model: Path) -> None:
    pid = call(socket_in(model), "status")["pid"]
    second = cli(model, "start")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"already (pid {pid})\nneuron-model: see `neuron-model status`" in second.stderr


def test_of_two_starts_at_once_one_wins() -> None:
    with short_directory() as directory:
        starts = [launch(directory, "start", "--scenario", "idle") for _ in range(2)]
        talk = [start.communicate(timeout=PATIENCE_S) for start in starts]
        assert sorted(start.returncode for start in starts) == [0, 1]
        assert sum("already" in err for _, err in talk) == 1
        os.kill(pid := call(socket_in(directory), "status")["pid"], signal.SIGTERM)
        await_end(pid)


@pytest.mark.slow
def test_a_killed_daemon_is_in_nobodys_way() -> None:
    with short_directory() as directory:
        with running(directory, "--scenario", "idle") as pid:
            os.kill(pid, signal.SIGKILL)
            await_end(pid)
            assert os.path.exists(socket_in(directory))
            assert "nobody listens there any more" in cli(directory, "status").stderr
        with running(directory, "--scenario", "idle") as pid:
            assert call(socket_in(directory), "status")["pid"] == pid


def test_a_daemon_that_hangs_can_be_got_rid_of(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = call(socket_in(model), "status")["pid"]
    monkeypatch.setattr("device_model.commands.ask.TIMEOUT_S", 0.1)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert verb(model, "stop", monkeypatch=monkeypatch) == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (
        f"no answer within 0.1 s\nneuron-model: if it hangs for good, end it with: kill -9 {pid}\n"
        in capsys.readouterr().err
    )


def test_an_interrupted_start_leaves_no_daemon() -> None:
    with short_directory() as directory:
        starting = launch(directory, "start", start_new_session=True)
        wait_until(lambda: Path(f"/proc/{starting.pid}/task/{starting.pid}/children").read_text())
        child = int(Path(f"/proc/{starting.pid}/task/{starting.pid}/children").read_text().split()[0])
        # Before that the interrupt may hit the interpreter where it cannot raise, while it makes the process.
        wait_until(lambda: b"--ready-fd" in Path(f"/proc/{child}/cmdline").read_bytes())
        starting.send_signal(signal.SIGINT)
        _, err = starting.communicate(timeout=PATIENCE_S)
        assert (starting.returncode, "Traceback" in err) == (130, False)
        await_end(child)
        assert not os.path.exists(socket_in(directory))


def test_a_start_that_is_killed_leaves_no_daemon() -> None:
    with short_directory() as directory:
        starting = launch(directory, "start")
        wait_until(lambda: Path(f"/proc/{starting.pid}/task/{starting.pid}/children").read_text())
        child = int(Path(f"/proc/{starting.pid}/task/{starting.pid}/children").read_text().split()[0])
        starting.kill()
        starting.communicate()
        await_end(child)
        assert not os.path.exists(socket_in(directory))


def test_a_module_of_the_users_does_not_get_in_the_way() -> None:
    with short_directory() as directory:
        (directory / "select.py").write_text("raise SystemExit('the wrong select')\n")
        (directory / "asyncio.py").write_text("raise SystemExit('the wrong asyncio')\n")
        command = [COMMAND[0], "-P", *COMMAND[1:], "run", "--scenario", "idle", "--", "true"]
        ended = subprocess.run(
            command, cwd=directory, env=surroundings(directory), capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr.replace(WAITING, "")) == (0, "")


def test_a_full_disk_leaves_no_partial_file(model: Path) -> None:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    before = sorted(model.iterdir())
    ended = cli(model, "save", "state.json", preexec_fn=full)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("neuron-model: cannot write state.json: File too large\n")
    assert sorted(model.iterdir()) == before


def test_a_start_without_room_for_its_files_says_so() -> None:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with short_directory() as directory:
        ended = cli(directory, "start", "--scenario", "idle", preexec_fn=full)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"neuron-model: cannot make the socket {socket_in(directory)}: File too large\n")
        assert list((directory / "neurontools").iterdir()) == []


def test_a_working_directory_that_was_removed_is_needed_for_relative_paths_only() -> None:
    with short_directory() as directory:
        gone = directory / "gone"
        in_it = f"cd {directory} && mkdir {gone} && cd {gone} && rmdir {gone} && exec"
        for words, code, told in (
            (["run", "--scenario", "idle", "--", "true"], 0, ""),
            (["status", "--socket", "x"], 1, "the working directory does not exist any more\n"),
        ):
            ran = subprocess.run(
                ["sh", "-c", f'{in_it} "$@"', "sh", *COMMAND, *words], env=surroundings(directory),
                capture_output=True, text=True, check=False, timeout=PATIENCE_S,
            )  # fmt: skip
            assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
            assert ran.stderr.endswith(told and f"neuron-model: {told}neuron-model: change to another\n")


@pytest.mark.parametrize(
    ("file", "reason"),
    [("/dev/null", "it is not a file"), (".", "it is not a file"), ("no/where", "No such file or directory")],
)
def test_what_cannot_be_saved_to_is_told(
    model: Path, file: str, reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verb(model, "save", file, monkeypatch=monkeypatch) == 1
    assert f"cannot write {file}: {reason}\n" in capsys.readouterr().err


def test_saving_through_a_link_keeps_the_link(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model / "link").symlink_to("target")
    assert verb(model, "save", str(model / "link"), monkeypatch=monkeypatch) == 0
    assert (model / "link").is_symlink()
    assert json.loads((model / "target").read_text())["name"] == "two-tenants"


@pytest.mark.parametrize("text", ["[]", "nonsense"])
def test_what_save_did_not_write_is_not_restored(text: str) -> None:
    with short_directory() as directory:
        (directory / "f").write_text(text)
        ended = cli(directory, "restore", "f")
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"neuron-model: {directory}/f is not a")


def test_scenarios_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped())
    assert len({line.index(line.split()[1]) for line in lines}) == 1
    assert main(["scenarios", "opt-30b"]) == 0
    assert capsys.readouterr().out == shipped()["opt-30b"]


@pytest.mark.parametrize("arguments", [["scenarios"], ["check", "idle"]])
def test_a_reader_that_leaves_is_no_fault(tmp_path: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        ended = cli(tmp_path, *arguments, stdout=output)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = cli(tmp_path, "scenarios", stdout=full)
    assert (ended.returncode, ended.stderr) == (1, "neuron-model: cannot write the output: No space left on device\n")


def test_a_terminal_without_the_characters_gets_others(model: Path) -> None:
    ended = cli(model, "status", env=surroundings(model, PYTHONIOENCODING="ascii", PYTHONUTF8="0"))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_file_to_read_that_is_not_there_gets_no_advice_for_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.json")
    assert main(["restore", missing, "--foreground", "--socket", str(tmp_path / "s")]) == 1
    assert capsys.readouterr().err.splitlines() == [f"neuron-model: cannot read {missing}: No such file or directory"]
