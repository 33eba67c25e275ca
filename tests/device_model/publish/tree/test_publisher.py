"""A tree that is kept fresh: it shows the present, writes only what has moved, and takes what others write."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.publish.tree import publisher as publisher_module
from device_model.publish.tree.marker import PATH as MARKER
from device_model.publish.tree.publisher import DRIVER_DIRECTORIES, Publisher
from device_model.publish.tree.root import PARTS
from device_model.publish.tree.watch import Watcher
from device_model.simulation import Simulation
from tests.device_model.hosts import costly, forward, host, server
from tests.device_model.publish.tree.trees import Found, directory, found_in, planned, published

DEVICE = "sys/devices/virtual/neuron_device/neuron0"
COUNTER = f"{DEVICE}/neuron_core0/stats/other_info/inference_count/total"
RESETS = f"{DEVICE}/neuron_core0/stats/other_info/reset_req_count/total"
READABLE = "0644"


def serving() -> Simulation:
    return host(server("a", tp=1), server("b", tp=1, start="4s", stop="9s"), instance="trn1.2xlarge", seed=5)


def marker(root: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in (root / MARKER).read_text().splitlines())


def tree(root: Path) -> dict[str, Found]:
    """What is there but for the marker."""
    return {path: found for path, found in found_in(root).items() if path != MARKER}


COMMANDS: tuple[Callable[[Simulation], object], ...] = (
    lambda model: model.inject("hbm-uncorrected", {"core": 0}, {}),
    lambda model: model.inject("driver-old", {}, {"version": "2.20.28"}),
    lambda model: model.inject("sysfs-unreadable", {}, {}),
    lambda model: model.inject("driver-missing", {}, {}),
    lambda model: model.inject("device-reset", {"device": 0}, {}),
    lambda model: model.write(0, None, "reset"),
    lambda model: model.heal("all"),
)
STEPS = st.lists(st.sampled_from([0.0, 0.3, 2.0, 30.0]) | st.sampled_from(COMMANDS), max_size=6)


@given(STEPS, st.sampled_from(["2.21", "2.30.2"]))
@costly
def test_a_tree_that_was_kept_fresh_is_that_of_the_instant(steps: list[object], version: str) -> None:
    model = serving()
    with published(model, version) as (root, publisher):
        for step in steps:
            if callable(step):
                if not (step is COMMANDS[5] and model.published("2.30.2").loaded is False):
                    step(model)
            else:
                assert isinstance(step, float)
                forward(model, step)
            publisher.refresh()
        # What is not readable to others is to root, so that a mode is all that the fault changes.
        assert tree(root) == planned(model, version)
        assert marker(root)["time_ns"] == str(model.now_ns)


def test_the_marker_says_what_it_is_and_of_which_instant() -> None:
    model = forward(serving(), 2)
    with published(model) as (root, publisher):
        head = model.snapshot().head
        assert marker(root) == {
            "scenario": "test", "boot_id": head.boot_id, "time_ns": str(model.now_ns), "sequence": "2",
            "pid": str(os.getpid()), "logical_neuroncore_config": "1",
        }  # fmt: skip
        forward(model, 1)
        publisher.refresh()
        assert marker(root)["sequence"] == "4"


def test_while_it_is_written_the_sequence_is_odd_and_the_time_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = serving()
    with published(model) as (root, publisher):
        first, during = model.now_ns, list[dict[str, str]]()
        monkeypatch.setattr(publisher, "_write_log", lambda: during.append(marker(root)))
        forward(model, 1)
        publisher.refresh()
        assert [(seen["sequence"], seen["time_ns"]) for seen in during] == [("3", str(first))]


def changed(root: Path, publisher: Publisher) -> set[str]:
    """The files that one refresh writes to."""
    for path in found_in(root):
        os.utime(root / path, ns=(1, 1), follow_symlinks=False)
    publisher.refresh()
    return {path for path in found_in(root) if (root / path).lstat().st_mtime_ns != 1}


def test_only_what_has_moved_is_written() -> None:
    idle = host(instance="trn1.2xlarge")
    with published(idle) as (root, publisher):
        assert changed(root, publisher) == set()
        forward(idle, 1)
        ticking = {MARKER, "proc/stat", "proc/uptime"}
        cycles = {f"{DEVICE}/neuron_core{core}/stats/tensor_engine/pe_cntrs" for core in (0, 1)}
        assert changed(root, publisher) == ticking | cycles
    busy = forward(serving(), 3)
    with published(busy, "2.21") as (root, publisher):
        forward(busy, 0.2)
        moved = {path for path in changed(root, publisher) if not path.startswith("proc/")}
        assert moved == {MARKER}, "that driver is not live"


def test_processes_and_devices_come_and_go() -> None:
    model = forward(serving(), 1)
    with published(model) as (root, publisher):
        first = (model.snapshot().processes or ())[0].pid
        pids = []
        for _ in range(3):
            pids.append({entry.name for entry in (root / "proc").iterdir() if entry.name.isdigit()})
            forward(model, 4.5)
            publisher.refresh()
        assert pids == [{str(first)}, {str(first), str(first + 61)}, {str(first)}]
        model.inject("driver-missing", {}, {})
        publisher.refresh()
        there = {path.split("/")[1] for path in found_in(root) if path.startswith("sys/")}
        assert there == {"bus", "class", "module"}
        assert {path for path in found_in(root) if "module" in path} == {MARKER}, "it is simulated all the same"
        assert not list((root / "dev").glob("neuron*"))
        assert "neuron" not in (root / "proc" / "devices").read_text()
        assert (root / "sys/bus/pci/devices/0000:00:1e.0/vendor").read_text() == "0x1d0f\n"
        model.heal("all")
        publisher.refresh()
        assert tree(root) == planned(model)


def test_mounted_directories_stay_while_the_driver_is_not_loaded() -> None:
    model = serving()
    with directory() as place:
        publisher = Publisher(model, str(place / "tree"), "2.30.2", standing=True)
        publisher.refresh()
        before = [(place / "tree" / name).stat().st_ino for name in DRIVER_DIRECTORIES]
        model.inject("driver-missing", {}, {})
        publisher.refresh()
        assert not (place / "tree" / "sys/class/neuron_device/neuron0").is_symlink()
        model.heal("all")
        publisher.refresh()
        assert [(place / "tree" / name).stat().st_ino for name in DRIVER_DIRECTORIES] == before
        publisher.close()
        assert list(place.iterdir()) == []


def write(root: Path, path: str, text: str = "0\n") -> None:
    (root / path).write_text(text)


@pytest.mark.parametrize("text", ["0\n", "anything", "", "99999999999999999999999\n"])
def test_a_write_zeroes_a_counter(text: str) -> None:
    model, whole = forward(serving(), 3), forward(serving(), 3)
    with published(model) as (root, publisher):
        before = int((root / COUNTER).read_text())
        assert before > 0
        write(root, COUNTER, text)
        publisher.take_writes()
        assert (root / COUNTER).read_text() == "0\n"
        assert model.journal[-1]["command"] == "write"
        forward(model, 2)
        publisher.refresh()
        now = (forward(whole, 2).snapshot().devices[0].cores[0].other_info or {})["inference_count"].total
        assert (root / COUNTER).read_text() == f"{now - before}\n"
        assert tree(root) == planned(model)


def test_a_write_is_taken_also_of_a_file_that_has_never_changed() -> None:
    model = serving()
    with published(model) as (root, publisher):
        write(root, RESETS, "17\n")
        publisher.take_writes()
        assert (root / RESETS).read_text() == "0\n"
        write(root, RESETS, "17\n")
        publisher.take_writes()
        assert (root / RESETS).read_text() == "0\n", "it was zero already"
        assert [entry["path"] for entry in model.journal] == ["stats/other_info/reset_req_count/total"] * 2


@pytest.mark.parametrize("most_kept", [0, 30, 10_000])
def test_our_own_writing_is_not_taken_for_somebody_elses(monkeypatch: pytest.MonkeyPatch, most_kept: int) -> None:
    monkeypatch.setattr(publisher_module, "raise_file_limit", lambda: most_kept)
    model = serving()
    with published(model) as (_, publisher):
        for version in ("2.21.37", "2.30.2", "2.20.28"):
            model.inject("driver-old", {}, {"version": version})
            publisher.refresh()
            forward(model, 1)
            publisher.refresh()
            model.inject("driver-missing", {}, {})
            publisher.refresh()
            publisher.take_writes()
            model.heal("all")
            publisher.refresh()
            publisher.take_writes()
        assert {entry["command"] for entry in model.journal} == {"inject", "heal"}


def test_a_write_to_reset_resets_a_free_device() -> None:
    model = host(server("a", tp=1, start="60s"), instance="trn1.2xlarge")
    with published(model) as (root, publisher):
        before = int((root / RESETS).read_text())
        write(root, f"{DEVICE}/reset", "1\n")
        publisher.take_writes()
        assert (root / f"{DEVICE}/reset").read_text() == "0\n"
        assert (root / f"{DEVICE}/fw_build").read_text() == "busy\n"
        assert int((root / RESETS).read_text()) == before + 1
        forward(model, 21)
        publisher.refresh()
        assert (root / f"{DEVICE}/reset").read_text() == "1\n"


def test_an_open_device_is_not_reset() -> None:
    model = forward(serving(), 1)
    with published(model) as (root, publisher):
        write(root, f"{DEVICE}/reset", "1\n")
        publisher.take_writes()
        assert (root / f"{DEVICE}/reset").read_text() == "1\n"
        assert tree(root) == planned(model)


def test_the_kernels_log_grows_line_by_line() -> None:
    model = forward(serving(), 6)
    with published(model) as (root, publisher):
        log = root / "dev" / "kmsg"
        assert log.read_text() == ""
        model.inject("dma-abort", {"core": 0}, {})
        publisher.refresh()
        forward(model, 3)
        model.inject("sram-uncorrected", {"core": 1}, {})
        publisher.refresh()
        forward(model, 1)
        publisher.refresh()
        lines = log.read_text().splitlines()
        assert [line.split(",")[:2] for line in lines] == [["3", str(number)] for number in range(len(lines))]
        assert len(lines) >= 2
        prefix, text = lines[0].split(";")
        assert prefix.endswith(",-")
        assert 6_000_000 <= int(prefix.split(",")[2]) < 10_000_000
        assert "NEURON_HW_ERR=" in text
        assert log.read_text() == planned(model)["dev/kmsg"].text


ORDINARY = 65534
REFUSED = 'for file; do [ -r "$file" ] || echo "$file"; done'


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look with another user's eyes")
def test_what_is_unreadable_is_so_for_others_than_root() -> None:
    model = serving()
    with published(model, "2.24") as (root, publisher):
        (root.parent).chmod(0o755)
        asked = [f"{DEVICE}/core_count", COUNTER, "sys/module/neuron/version", MARKER, f"{DEVICE}/dev"]

        def refused() -> list[str]:
            command = ["sh", "-c", REFUSED, "sh", *asked]
            ran = subprocess.run(command, cwd=root, user=ORDINARY, capture_output=True, text=True, check=True)
            return ran.stdout.split()

        assert refused() == asked[:1], "root's own before driver 2.28"
        model.inject("sysfs-unreadable", {}, {})
        publisher.refresh()
        assert refused() == asked[:2]
        model.heal("all")
        publisher.refresh()
        assert refused() == asked[:1]


def test_a_system_that_watches_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Watcher, root: str) -> None:
        raise OSError(errno.EMFILE, "no inotify instance is left")

    monkeypatch.setattr(Watcher, "__init__", refused)
    with directory() as place:
        with pytest.raises(OSError, match="no inotify instance is left"):
            Publisher(serving(), str(place / "tree"), "2.30.2")
        assert list(place.iterdir()) == []


def test_it_leaves_nothing_but_what_is_not_its_own() -> None:
    model = serving()
    with directory() as place:
        (place / "notes").write_text("mine")
        publisher = Publisher(model, str(place), "2.30.2")
        publisher.refresh()
        assert {entry.name for entry in place.iterdir()} == {*PARTS, "notes"}
        publisher.close()
        assert [entry.name for entry in place.iterdir()] == ["notes"]


def test_a_watcher_names_what_was_closed_after_writing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("x", "y", "é"):
        (tmp_path / "a" / name).write_text("")
    watcher = Watcher(str(tmp_path))
    watcher.watch("a")
    assert watcher.written() == []
    (tmp_path / "a" / "x").read_text()
    assert watcher.written() == []
    kept = os.open(tmp_path / "a" / "y", os.O_WRONLY)
    os.write(kept, b"1")
    assert watcher.written() == [], "not yet closed"
    os.close(kept)
    write(tmp_path, "a/é")
    write(tmp_path, "a/é")
    assert watcher.written() == ["a/y", "a/é"]
    with pytest.raises(FileNotFoundError):
        watcher.watch("nowhere")
    watcher.close()
