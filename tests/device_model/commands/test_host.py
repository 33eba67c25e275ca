"""The host as files, by the command line: written once, kept fresh beside a daemon, gone when that is."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.publish.tree.marker import PATH as MARKER
from tests.device_model.daemons import (
    PATIENCE_S,
    await_end,
    call,
    cli,
    launch,
    running,
    short_directory,
    socket_in,
    wait_until,
)
from tests.device_model.publish.tree.trees import directory

CORE = "sys/devices/virtual/neuron_device/neuron0/neuron_core0"
TIME = f"{CORE}/stats/other_info/nc_time_in_use/total"
RESETS = f"{CORE}/stats/other_info/reset_req_count/total"

Kept = tuple[Path, Path]


def marker(root: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in (root / MARKER).read_text().splitlines())


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """The directory of a stepped daemon, and the root of its tree."""
    with short_directory() as place, directory() as memory:
        arguments = ("--stepped", "--instance", "inf2.24xlarge", "--host", str(memory / "tree"))
        with running(place, "--scenario", "two-tenants", *arguments):
            yield place, memory / "tree"
        assert list(memory.iterdir()) == [], "it was made for that, and goes with it"


def test_every_command_shows_at_once(kept: Kept) -> None:
    place, root = kept
    assert cli(place, "advance", "20s").returncode == 0
    status = call(socket_in(place), "status")
    assert (marker(root)["time_ns"], marker(root)["pid"]) == (str(status["time_ns"]), str(status["pid"]))
    assert status["host"] == str(root)
    assert f"its files are below {root}\n" in cli(place, "status").stdout
    assert int((root / TIME).read_text()) > 1_000_000
    assert cli(place, "inject", "driver-old", "--version", "2.24.7").returncode == 0
    assert (root / "sys/module/neuron/version").read_text() == "2.24.7.0\n"
    assert (root / TIME).read_text() == "0\n", "not live, and nobody has closed the device yet"
    pid = call(socket_in(place), "snapshot")["processes"][0]["pid"]
    call(socket_in(place), "signal", pid=pid, number=9)
    assert not (root / "proc" / str(pid)).exists()
    assert cli(place, "heal", "--all").returncode == 0
    assert (root / "sys/module/neuron/version").read_text() == "2.30.2.0\n"


def test_what_a_user_writes_reaches_the_model(kept: Kept) -> None:
    place, root = kept
    before = call(socket_in(place), "status")["commands"]
    (root / RESETS).write_text("1\n")
    wait_until(lambda: (root / RESETS).read_text() == "0\n")
    assert call(socket_in(place), "status")["commands"] == before + 1
    shown = call(socket_in(place), "snapshot")["devices"][0]["cores"][0]["other_info"]["reset_req_count"]
    assert shown[0] == 0


@pytest.mark.slow
def test_a_stepped_model_that_does_not_move_writes_nothing(kept: Kept) -> None:
    _, root = kept
    before = marker(root)
    os.utime(root / MARKER, ns=(1, 1))
    with pytest.raises(AssertionError):
        wait_until(lambda: (root / MARKER).stat().st_mtime_ns != 1, 1.5)
    assert marker(root) == before


@pytest.mark.slow
def test_the_tree_once_is_the_tree_that_is_kept(kept: Kept) -> None:
    place, root = kept
    with directory() as memory:
        written = cli(place, "sysfs", "--to", str(memory / "once"))
        assert written.returncode == 0, written.stderr
        files = [path for path in (memory / "once").rglob("*") if path.is_file() and not path.is_symlink()]
        count = int(written.stdout.split()[1])
        assert written.stdout == f"written: {count} files below {memory / 'once'}, as driver 2.30.2 shows them\n"
        assert len(files) == count
        for path in files:
            name = path.relative_to(memory / "once")
            if str(name) != MARKER:
                assert path.read_text() == (root / name).read_text(), name
        once, there = marker(memory / "once"), marker(root)
        assert once.pop("pid") != there.pop("pid"), "who wrote it has ended: it stands still"
        assert int(once.pop("sequence")) % 2 == int(there.pop("sequence")) % 2 == 0
        assert once == there
        again = cli(place, "sysfs", "--to", str(memory / "once"), "--driver-version", "2.21")
        assert "as driver 2.21.37 shows them" in again.stdout
        assert not (memory / "once" / CORE / "stats" / "tensor_engine").exists()


def test_a_tree_of_a_scenario_needs_no_daemon() -> None:
    with short_directory() as place, directory() as memory:
        root = memory / "tree"
        arguments = ("--scenario", "two-tenants", "--after", "90s", "--instance", "trn1.32xlarge", "--seed", "3")
        assert cli(place, "sysfs", "--to", str(root), *arguments).returncode == 0
        assert (root / "sys/class/dmi/id/product_name").read_text() == "trn1.32xlarge\n"
        power = (root / "sys/class/neuron_device/neuron0/stats/power/utilization").read_text()
        assert power.startswith("POWER_STATUS_VALID,")
        assert int((root / TIME).read_text()) > 10_000_000


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sysfs", "--to", "tree"], 1, "there is no such socket"),
        (["sysfs", "--to", "taken", "--scenario", "idle"], 64, "taken holds sys, and no simulated host"),
        (["sysfs", "--to", "file", "--scenario", "idle"], 64, "file is not a directory"),
        (["run", "--host", "/", "--", "true"], 64, "never written over this machine's own"),
        (["run", "--host", "taken", "--", "true"], 64, "taken holds sys, and no simulated host"),
        (["run", "--host", "file/x", "--", "true"], 1, "cannot write the host's files to file/x: Not a directory"),
        (["run", "--host", "t", "--driver-version", "3", "--", "true"], 64, "driver 3 is newer than 2.30.2"),
        (["start", "--host", "taken"], 64, "no simulated host"),
    ],
)
def test_a_place_that_cannot_be_gets_one_clear_line(arguments: list[str], code: int, said: str) -> None:
    with short_directory() as place:
        (place / "taken" / "sys").mkdir(parents=True)
        (place / "file").write_text("")
        ended = cli(place, *arguments)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) <= 2
        assert {entry.name for entry in place.iterdir()} <= {"taken", "file", "neurontools"}
        assert list((place / "taken").iterdir()) == [place / "taken" / "sys"]


def test_two_models_never_share_a_tree(kept: Kept) -> None:
    _, root = kept
    with short_directory() as place:
        ended = cli(place, "run", "--scenario", "idle", "--host", str(root), "--", "true")
        assert ended.returncode == 64
        assert "is the tree of a device model that runs (pid" in ended.stderr
    assert (root / MARKER).exists()


LOOK = f"""
import json, os, sys
root = sys.argv[1]
marker = open(os.path.join(root, {MARKER!r})).read()
print(json.dumps([marker, sorted(os.listdir(root)), sum(len(files) for _, _, files in os.walk(root))]))
"""


def test_run_has_the_whole_tree_before_its_command_begins() -> None:
    with short_directory() as place, directory() as memory:
        root = str(memory / "tree")
        options = ["--scenario", "idle", "--instance", "trn1.2xlarge", "--host", root, "--driver-version", "2.24"]
        ended = cli(place, "run", *options, "--", sys.executable, "-c", LOOK, root)
        assert ended.returncode == 0, ended.stderr
        marker, names, files = json.loads(ended.stdout)
        assert marker.startswith("scenario idle\nboot_id ")
        assert names == ["dev", "proc", "sys"]
        assert files > 200
        assert list(memory.iterdir()) == list(place.iterdir()) == []


@pytest.mark.slow
def test_a_model_in_real_time_is_kept_fresh() -> None:
    with short_directory() as place, directory() as memory:
        arguments = ("--scenario", "idle", "--instance", "inf2.xlarge", "--host", str(memory))
        with running(place, *arguments):
            first = int(marker(memory)["time_ns"])
            wait_until(lambda: int(marker(memory)["time_ns"]) > first, 5)
        assert list(memory.iterdir()) == [], "the directory was there before and stays"


@pytest.mark.slow
def test_a_daemon_that_is_killed_leaves_a_tree_that_says_so() -> None:
    with short_directory() as place, directory() as memory:
        root = memory / "tree"
        arguments = ("--scenario", "idle", "--instance", "inf2.xlarge", "--host", str(root))
        with running(place, *arguments) as pid:
            os.kill(pid, signal.SIGKILL)
            await_end(pid)
        assert marker(root)["pid"] == str(pid)
        with running(place, *arguments) as pid:
            assert marker(root)["pid"] == str(pid)


@pytest.mark.slow
def test_run_removes_the_tree_of_a_daemon_that_was_killed() -> None:
    with short_directory() as place, directory() as memory:
        root = memory / "tree"
        options = ["--scenario", "idle", "--instance", "inf2.xlarge", "--host", str(root)]
        kill = f"kill -9 $(sed -n 's/^pid //p' {root}/{MARKER}); sleep 0.2; ls {root}"
        with launch(place, "run", *options, "--", "sh", "-c", kill) as run:
            out, _ = run.communicate(timeout=PATIENCE_S)
        assert out.split() == ["dev", "proc", "sys"]
        assert list(memory.iterdir()) == []


@pytest.mark.slow
def test_a_tree_that_cannot_be_written_any_more_ends_alone() -> None:
    with short_directory() as place, directory() as memory:
        root = memory / "tree"
        options = ["--scenario", "two-tenants", "--stepped", "--host", str(root)]
        status = f"{sys.executable} -m device_model"
        script = f"rm -rf {root}; {status} advance 1s && sleep 1.5 && {status} advance 1s && {status} status --json"
        ended = cli(place, "run", *options, "--", "sh", "-c", script)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout.splitlines()[-1])["host"] is None
        told = [line for line in ended.stderr.splitlines() if "no longer kept fresh" in line]
        assert told == [f"neuron-model: the tree at {root} is no longer kept fresh: No such file or directory"]


@pytest.mark.slow
def test_a_restored_model_can_have_a_tree(kept: Kept) -> None:
    place, root = kept
    with short_directory() as other, directory() as memory:
        assert cli(place, "save", str(other / "state.json")).returncode == 0
        started = cli(other, "restore", str(other / "state.json"), "--host", str(memory / "again"))
        assert started.returncode == 0, started.stderr
        try:
            theirs, ours = ((where / TIME).read_text() for where in (root, memory / "again"))
            assert theirs == ours
            assert (memory / "again" / RESETS).read_text() == (root / RESETS).read_text()
        finally:
            assert cli(other, "stop").returncode == 0
        shutil.rmtree(other / "neurontools", ignore_errors=True)
