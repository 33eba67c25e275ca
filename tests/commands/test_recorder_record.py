"""`neuron-recorder record` as people run it: on a host that goes away, on a full disk, until somebody stops it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neurontools.commands import ls, recorder
from neurontools.recording import Frame, Series, files_of
from neurontools.recording.directory import default_directory
from tests.commands.host import TickingHost
from tests.conftest import ROOT, Golden
from tests.sources.server import socket_path

SOON_S = 60
AT_ONCE_S = 20
FIRST_S = 100
"""The first second of a TickingHost."""
CODE = "import sys; from neurontools.commands.recorder import entry; sys.exit(entry())"


def command(host: TickingHost, directory: Path, *words: str) -> list[str]:
    source = ("--source", f"model:{host.path}", "--period", "100ms", "--to", str(directory))
    return [sys.executable, "-c", CODE, "record", *source, *words]


@contextmanager
def recording(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A recorder at work."""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith("neuron-recorder: recording trn1.2xlarge (SIMULATED made) to ")
            yield process
        finally:
            process.kill()


def asked(host: TickingHost, count: int) -> None:
    """Waits until a host has been read so often since it was booted."""
    deadline = time.monotonic() + SOON_S
    while host.now_s - FIRST_S < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """What a recorder that gets a signal says before it ends."""
    process.send_signal(number)
    out, err = process.communicate(timeout=AT_ONCE_S)
    assert out == ""
    return process.returncode, err


def frames_in(directory: Path) -> tuple[list[Frame], list[str]]:
    with Series(files_of(str(directory))) as series:
        return list(series.frames()), series.damage


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_good_end(host: TickingHost, tmp_path: Path, number: int) -> None:
    with recording(command(host, tmp_path)) as process:
        asked(host, 5)
        code, err = ended(process, number)
    frames, damage = frames_in(tmp_path)
    assert (code, damage) == (0, [])
    assert err.startswith(f"neuron-recorder: {len(frames)} readings in ")
    assert f" in {tmp_path}, back to " in err
    seconds = [frame.time_ns // 10**9 for frame in frames]
    assert seconds == list(range(seconds[0], seconds[0] + len(frames)))
    assert len(frames) > 2
    assert all(" " not in (process.command or "") for frame in frames for process in frame.snapshot.processes or ())


def killed_at(directory: Path, delay_s: float) -> None:
    """Kills a recorder after a while: of what the host was asked for at most the last is missing, and it says so."""
    with socket_path() as path:
        host = TickingHost(path)
        host.boot("first")
        with recording(command(host, directory)) as process:
            time.sleep(delay_s)
            process.kill()
            process.wait()
        count = host.now_s - FIRST_S
        host.stop()
    frames, damage = frames_in(directory)
    assert count - 1 <= len(frames) <= count
    assert not damage or (len(damage) == 1 and "the file ends inside a record" in damage[0])


def test_a_kill_loses_the_last_reading_at_most(tmp_path: Path) -> None:
    killed_at(tmp_path, 0.45)
    assert frames_in(tmp_path)[0]


@pytest.mark.slow
def test_a_kill_at_any_time_loses_the_last_reading_at_most(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(20):
        killed_at(tmp_path / str(number), chance.uniform(0, 0.6))
        assert frames_in(tmp_path / str(number))[0]


@pytest.mark.slow
def test_it_survives_a_host_that_goes_away_and_is_booted(host: TickingHost, tmp_path: Path) -> None:
    with recording(command(host, tmp_path)) as process:
        asked(host, 3)
        host.stop()
        time.sleep(0.4)
        host.boot("second")
        asked(host, 3)
        code, err = ended(process, signal.SIGTERM)
    frames, damage = frames_in(tmp_path)
    assert (code, damage) == (0, [])
    assert {frame.snapshot.head.boot_id for frame in frames} == {"first", "second"}
    away, back, _ = err.splitlines()
    assert away.startswith("neuron-recorder: no reading: ")
    assert back.startswith("neuron-recorder: recording again; ") and back.endswith("readings were lost so far")


@pytest.mark.slow
def test_a_full_disk_is_said_once_and_what_was_written_stays(host: TickingHost, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the calls fail in the same places."""
    limited = ["sh", "-c", 'ulimit -f 3; exec "$@"', "sh", *command(host, tmp_path)]
    with recording(limited) as process:
        asked(host, 10)
        code, err = ended(process, signal.SIGTERM)
    frames, damage = frames_in(tmp_path)
    assert (code, damage) == (0, [])
    assert frames
    full, summary = err.splitlines()
    assert full == f"neuron-recorder: cannot write to {tmp_path}: File too large"
    assert f"neuron-recorder: {len(frames)} readings in " in summary and " lost; " in summary


def test_one_recorder_at_a_time(host: TickingHost, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with recording(command(host, tmp_path)) as process:
        words = command(host, tmp_path)[3:]
        assert recorder.main(words) == 1
        said = f"neuron-recorder: cannot record to {tmp_path}: another recorder writes there, pid {process.pid}\n"
        assert capfd.readouterr().err == said
        ended(process, signal.SIGTERM)


def test_for_a_while(host: TickingHost, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert recorder.main(command(host, tmp_path / "a", "--for", "250ms")[3:]) == 0
    assert "neuron-recorder: 3 readings in " in capfd.readouterr().err
    assert recorder.main(command(host, tmp_path / "a", "--for", "0s")[3:]) == 0
    assert len(frames_in(tmp_path / "a")[0]) == 4
    assert recorder.main(["list", str(tmp_path / "a")]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3


WRONG: dict[str, tuple[tuple[str, ...], int]] = {
    "an operand": (("there",), 64),
    "no duration": (("--period", "often"), 64),
    "too often": (("--period", "1ms"), 64),
    "too short": (("--keep", "1s"), 64),
    "no size": (("--max-size", "big"), 64),
    "too small": (("--max-size", "1kB"), 64),
    "no source": (("--source", "nowhere"), 64),
    "a file": (("--to", "/dev/null/x"), 1),
    "nobody there": (("--source", "model:/nowhere/at.all"), 1),
}


def test_what_is_wrong_is_said(
    capfd: pytest.CaptureFixture[str], golden: Golden, tmp_path: Path, host: TickingHost
) -> None:
    told = []
    for words, code in WRONG.values():
        given = ["record", "--to", str(tmp_path), "--source", f"model:{host.path}", *words]
        assert recorder.main(given) == code, words
        out, err = capfd.readouterr()
        assert out == ""
        told.append(f"$ neuron-recorder record {' '.join(words)}\n{err}")
    golden("neuron-recorder/record-usage.txt", "\n".join(told))


def test_a_simulated_host_is_kept_apart_from_this_one(
    host: TickingHost, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert recorder.main(["record", "--source", f"model:{host.path}", "--for", "1s"]) == 64
    assert (
        "a simulated host is not recorded among this host's recordings: say where, with --to DIR"
        in capfd.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


def test_where_recordings_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_directory({}) == "/var/lib/neuron-recorder"
    assert default_directory({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == "/var/lib/a"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_directory({"XDG_STATE_HOME": "/state/of/u"}) == "/state/of/u/neurontools/recordings"
    assert default_directory({}).endswith("/.local/state/neurontools/recordings")


def test_what_was_recorded_needs_no_name(
    host: TickingHost, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert recorder.main(["record", "--source", f"model:{host.path}", "--period", "100ms", "--for", "300ms"]) == 0
    capfd.readouterr()
    assert recorder.main(["list"]) == 0
    assert capfd.readouterr().out.splitlines()[1].startswith(f"{tmp_path}/2027")
    assert ls.main(["--source", "replay:@-1s"]) == 0
    assert capfd.readouterr().err.startswith(f"neuron-ls: note: REPLAY of {tmp_path} from 2027-01-15T08:01:4")
    assert recorder.main(["dump", str(tmp_path), "--from", "-1s"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2
