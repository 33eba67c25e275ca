"""`neuron-model record`: what it writes, that it is the same each time, and what goes wrong."""

import os
import re
import resource
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from device_model.__main__ import main
from device_model.commands.progress import through_time
from device_model.commands.record import _Log, _Stop
from device_model.commands.serve import make_model
from device_model.runtime import eventlog
from device_model.simulation import NS
from neurontools.recording import Frame, Recording
from tests.conftest import Golden
from tests.device_model.daemons import COMMAND, PATIENCE_S, surroundings
from tests.device_model.hosts import host, server

LEAK = ("--scenario", "memory-leak", "--seed", "7")


def recorded(path: Path, *options: str) -> list[Frame]:
    """The frames that a run of the verb writes."""
    assert main(["record", *options, str(path)]) == 0
    with Recording(str(path)) as recording:
        frames = list(recording.frames())
        assert recording.damage == []
    return frames


def test_a_recording_is_what_a_stepped_model_shows(tmp_path: Path) -> None:
    frames = recorded(tmp_path / "a.nrec", *LEAK, "--for", "70s", "--step", "20s", "--command-lines")
    model = make_model("memory-leak", None, 7, stepped=True)
    seen = 0
    for at_s, frame in zip((0, 20, 40, 60), frames, strict=True):
        model.advance(model.epoch_ns + at_s * NS)
        assert frame == Frame(model.snapshot(), model.inventory(), model.events(seen))
        seen = max([seen, *(event.seq for event in frame.events.events)])
    assert seen > 0


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    said = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        recorded(tmp_path / name, "--scenario", "memory-leak", "--seed", seed, "--for", "2m")
        said.append((tmp_path / name).read_bytes())
    assert said[0] == said[1] != said[2]


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    recorded(tmp_path / "a", *LEAK, "--for", "1m")
    for i, hash_seed in enumerate(("0", "1")):
        path = tmp_path / str(i)
        command = [*COMMAND, "record", *LEAK, "--for", "1m", str(path)]
        subprocess.run(command, check=True, env=surroundings(tmp_path, PYTHONHASHSEED=hash_seed), capture_output=True)
        assert path.read_bytes() == (tmp_path / "a").read_bytes()


def test_it_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    path = tmp_path / "day.nrec"
    recorded(path, "--scenario", "core-conflict", "--instance", "inf2.24xlarge", "--for", "1m30s", "--step", "500ms")
    out, err = capsys.readouterr()
    said = out.replace(str(path), "day.nrec").replace(f"{path.stat().st_size:,}", "N")
    golden("neuron-model/record.txt", said)
    # On a busy machine it says how far it has come.
    assert not re.sub(r"neuron-model: \S+ of 1m30s\n", "", err)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_event_is_lost_in_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model keeps the latest events only; in a storm more come from one reading to the next."""
    monkeypatch.setattr(eventlog, "KEPT", 300)
    storm = [{"fault": "out-of-bounds", "process": "a", "every": "200ms"}]
    model = host(server("a", restart="100ms"), instance="inf2.xlarge", faults=storm)
    happened = _Log(model, through_time(model, 900 * NS), _Stop()).until(model.now_ns + 900 * NS)
    assert happened is not None and happened.lost == 0
    assert [event.seq for event in happened.events] == list(range(1, len(happened.events) + 1))
    assert len(happened.events) > 1_500


WRONG = {
    "no duration": (("FILE",), "the following arguments are required: --for", 64),
    "wrong duration": (("--for", "1y", "FILE"), "expected a duration such as 10m, 1m30s, 500ms or 7d, got '1y'", 64),
    "wrong step": (("--for", "1m", "--step", "x", "FILE"), "expected a duration such as 10m", 64),
    "no step": (("--for", "1m", "--step", "0s", "FILE"), "--step: expected more than 0", 64),
    "less than a step": (("--for", "1s", "FILE"), "--for: expected at least a step (5s) and at most 36500d", 64),
    "too long": (("--for", "99999d", "FILE"), "--for: expected at least a step (5s) and at most 36500d", 64),
    "no file": (("--for", "1m"), "the following arguments are required: FILE", 64),
    "no scenario": (("--scenario", "busy-dya", "--for", "1m", "FILE"), "busy-day", 64),
    "no instance": (("--instance", "inf9.xlarge", "--for", "1m", "FILE"), "--instance: ", 64),
    "no directory": (
        ("--for", "1m", "DIR/missing/FILE"),
        "cannot write DIR/missing/FILE: No such file or directory",
        1,
    ),
    "a directory": (("--for", "1m", "--force", "DIR"), "cannot write DIR: it is not a file", 1),
    "a device": (("--for", "1m", "--force", "/dev/null"), "cannot write /dev/null: it is not a file", 1),
    "there already": (("--for", "1m", "DIR/old"), "DIR/old is there already", 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_is_said(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, reason, code = WRONG[name]
    (tmp_path / "old").write_text("something")
    given = [word.replace("DIR", str(tmp_path)).replace("FILE", str(tmp_path / "new")) for word in words]
    assert main(["record", *given]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("neuron-model: ")
    assert reason.replace("DIR", str(tmp_path)).replace(str(tmp_path) + "/missing/FILE", given[-1]) in err
    assert "Traceback" not in err
    assert (tmp_path / "old").read_text() == "something"
    assert not (tmp_path / "new").exists()


def test_what_fitted_on_a_full_disk_is_kept(tmp_path: Path) -> None:
    path, most = tmp_path / "a.nrec", 20_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    command = [*COMMAND, "record", *LEAK, "--for", "2h", str(path)]
    run = subprocess.run(
        command, env=surroundings(tmp_path), capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-2:] == [
        f"neuron-model: cannot write {path}: File too large",
        "neuron-model: raise the limit on the size of files (ulimit -f) and try again",
    ]
    with Recording(str(path)) as recording:
        assert len(list(recording.frames())) > 10
        assert recording.damage == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_keeps_what_was_recorded(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "a.nrec"
    command = [*COMMAND, "record", *LEAK, "--for", "3650d", str(path)]
    with subprocess.Popen(command, env=surroundings(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not (path.exists() and path.stat().st_size > 20_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    with Recording(str(path)) as recording:
        count = len(list(recording.frames()))
        assert sum(block.frames for block in recording.blocks) == count > 10
        assert err.splitlines()[-1] == f"neuron-model: stopped early: {path} has {count} readings"
        assert all(block.events is not None for block in recording.blocks)
    assert os.path.getsize(path) == recording.blocks[-1].stop
