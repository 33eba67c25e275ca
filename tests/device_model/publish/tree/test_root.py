"""Whose directory it is: a tree is written into a new one, or over a dead writer's, and nowhere else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from device_model.publish.tree.marker import PATH, Marker, marker_of, writer_of
from device_model.publish.tree.root import RootError, remove_remains, take
from neurontools.schema.snapshot import Head, Origin


def tree(root: Path, pid: int) -> Path:
    """A tree whose marker names a writer."""
    (root / PATH).parent.mkdir(parents=True)
    (root / PATH).write_text(Marker("idle", "0" * 16, 5, 2, pid, 1).file.text)
    (root / "proc").mkdir()
    (root / "mine").write_text("kept")
    return root


def test_a_new_directory_is_made_and_an_empty_one_taken(tmp_path: Path) -> None:
    place = str(tmp_path / "a" / "b")
    for made in (True, False):
        root = take(place)
        assert root.made == made
        os.close(root.fd)
    assert os.stat(place).st_mode & 0o777 == 0o755


def test_this_machines_own_files_are_never_written(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("/")
    for root in ("/", str(tmp_path / "root"), "/proc/self/root"):
        with pytest.raises(RootError, match="never written over this machine's own"):
            take(root)


def test_what_is_no_tree_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    (tmp_path / "dev").symlink_to("/dev")
    with pytest.raises(RootError, match="holds sys and dev, and no simulated host"):
        take(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(RootError, match="is not a directory"):
        take(str(tmp_path / "file"))


def test_the_tree_of_a_writer_that_runs_is_left_alone(tmp_path: Path) -> None:
    root = take(str(tmp_path))
    with pytest.raises(RootError, match=r"the tree of a device model that runs$"):
        take(str(tmp_path))
    tree(tmp_path, 77)
    with pytest.raises(RootError, match=r"the tree of a device model that runs \(pid 77\)"):
        take(str(tmp_path))
    remove_remains(str(tmp_path))
    assert (tmp_path / PATH).exists()
    os.close(root.fd)


@pytest.mark.parametrize("clear", [lambda path: os.close(take(path).fd), remove_remains])
def test_the_remains_of_a_dead_writer_are_removed(tmp_path: Path, clear: Callable[[str], None]) -> None:
    tree(tmp_path, 77)
    clear(str(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_a_scenario_of_any_name_takes_one_line() -> None:
    origin = Origin(kind="model", simulated=True, scenario="my\nown  host")
    head = Head(time_ns=5, boot_id="0" * 16, origin=origin)
    assert marker_of(head, 2, 77).file.text.splitlines()[:2] == ["scenario my own host", f"boot_id {'0' * 16}"]


def test_a_marker_names_its_writer_or_nobody(tmp_path: Path) -> None:
    assert writer_of(str(tree(tmp_path, 77))) == 77
    for text in ("", "pid\n", "pid x\n", "scenario a b c\n", "\xff\n"):
        (tmp_path / PATH).write_text(text, encoding="latin-1")
        assert writer_of(str(tmp_path)) is None
    assert writer_of(str(tmp_path / "none")) is None
