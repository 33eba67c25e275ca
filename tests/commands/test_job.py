"""neurontools job as people run it: the command is none the wiser, and its end is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.commands import job
from neurontools.commands.job_child import is_own
from tests.commands.host import TickingHost
from tests.conftest import ROOT, Golden
from tests.sources.server import socket_path

CODE = "import sys; from neurontools.commands.job import entry; sys.exit(entry())"
SOON_S = 60

Output = pytest.CaptureFixture[str]


@pytest.fixture
def source() -> Iterator[str]:
    with socket_path() as path:
        host = TickingHost(path)
        host.boot("first")
        yield f"model:{path}"
        host.stop()


def script(text: str) -> list[str]:
    return ["--", "sh", "-c", text]


@pytest.mark.parametrize(
    ("text", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
)
def test_the_exit_code_is_the_command_s(source: str, capfd: Output, text: str, code: int) -> None:
    assert job.main(["--source", source, *script(f"echo out; echo err >&2; {text}")]) == code
    out, err = capfd.readouterr()
    assert out == "out\n"
    assert err.startswith("err\njob      sh -c 'echo out;")
    assert f"exit code {code}, " in " ".join(err.split())


def test_json_into_a_file(source: str, capfd: Output, tmp_path: Path) -> None:
    words = ["--source", source, "--json", "--output", str(tmp_path / "job.json"), *script("true")]
    assert job.main(words) == 0
    account = json.loads((tmp_path / "job.json").read_text())
    assert capfd.readouterr() == ("", "")
    # Every counter of this host grows in proportion to its time, of which each reading is a second.
    assert account["duration_s"] == 1
    assert account["flops"] == sum(core * 10**12 for core in range(2))
    assert account["origin"]["simulated"]


@pytest.mark.parametrize("words", [["--source", "model:/nowhere/at.all"], []])
def test_a_host_that_cannot_be_read_keeps_no_command_from_running(
    capfd: Output, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.delenv("NEURONTOOLS_SOURCE", raising=False)
    monkeypatch.setattr("neurontools.sources.sysfs.evidence.neuron_host", lambda root: None)
    assert job.main([*words, *script("echo ran; exit 7")]) == 7
    out, err = capfd.readouterr()
    assert out == "ran\n"
    (line,) = err.splitlines()
    assert line.startswith("neurontools job: nothing can be told of this job: ")


def test_a_command_that_cannot_be_run(source: str, capfd: Output) -> None:
    assert job.main(["--source", source, "--", "no-such-program"]) == 127
    assert job.main(["--source", source, "--", "/etc/passwd"]) == 126
    assert capfd.readouterr().err == (
        "neurontools job: cannot run no-such-program: No such file or directory\n"
        "neurontools job: cannot run /etc/passwd: Permission denied\n"
    )


def test_usage(source: str, capfd: Output, golden: Golden) -> None:
    assert job.main(["--help"]) == 0
    golden("job/help.txt", capfd.readouterr().out)
    for words in ([], ["--"], ["true"], ["--sample", "no", "--", "true"], ["--source", "x", "--", "true"], ["--bad"]):
        assert job.main(words) == 64, words
        out, err = capfd.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_command(source: str, number: int) -> None:
    name = signal.Signals(number).name.removeprefix("SIG")
    caught = f"trap 'echo caught {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
    words = [sys.executable, "-c", CODE, "--source", source, *script(caught)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    # A session of its own: in the foreground of a terminal, that sends its signals itself.
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=SOON_S)
    assert (process.returncode, out) == (5, f"caught {name}\n")
    assert "exit code 5, " in " ".join(err.split())


def test_a_file_that_cannot_be_written_changes_nothing_of_the_exit_code(source: str, capfd: Output) -> None:
    assert job.main(["--source", source, "--output", "/nowhere/job.txt", *script("exit 4")]) == 4
    first, second, *_ = capfd.readouterr().err.splitlines()
    assert first == "neurontools job: cannot write /nowhere/job.txt: No such file or directory"
    assert second.startswith("job ") and "exit code 4, " in second


def test_whose_a_process_is() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 30 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert is_own(child.pid) and is_own(grandchild)
        assert not is_own(os.getpid()) and not is_own(os.getppid()) and not is_own(1)
        os.kill(grandchild, signal.SIGKILL)
    assert not is_own(grandchild)
