"""Files written in place: what is on the disk is what should be, for readers that have it open too."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.publish.tree.entries import Entry, File, Link
from device_model.publish.tree.files import SPARE_DESCRIPTORS, Files, raise_file_limit
from tests.device_model.publish.tree.trees import Found, directory, found_in

PATHS = ("sys/a/total", "sys/a/present", "sys/b/c/total", "proc/1/stat", "top")
TEXTS = st.sampled_from(["", "0\n", "12345\n", "é\n", "long " * 50])
FILES = st.builds(File, st.sampled_from(PATHS), st.sampled_from([0o644, 0o444, 0o400, 0o000]), TEXTS)
LINKS = st.builds(Link, st.sampled_from(["sys/link", "proc/1/fd/0"]), st.sampled_from(["../x", "/dev/neuron0"]))
STEPS = st.lists(st.lists(FILES | LINKS, max_size=4) | st.sets(st.sampled_from((*PATHS, "sys/link"))), max_size=8)


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Closes the directories that a test has opened."""
    yield
    while _opened:
        os.close(_opened.pop())


_opened: list[int] = []


def files_in(root: Path, most_kept: int) -> Files:
    _opened.append(os.open(root, os.O_RDONLY))
    return Files(_opened[-1], most_kept)


def shown(entry: Entry) -> Found:
    return Found("link", entry.target) if isinstance(entry, Link) else Found(f"{entry.mode:04o}", entry.text)


@given(STEPS, st.integers(0, 3))
def test_the_disk_holds_what_was_put_last(steps: list[list[Entry] | set[str]], most_kept: int) -> None:
    with directory() as root:
        files, expected = files_in(root, most_kept), dict[str, Found]()
        for step in steps:
            if isinstance(step, set):
                files.remove(step)
                expected = {path: found for path, found in expected.items() if path not in step}
            else:
                files.put(step)
                expected |= {entry.path: shown(entry) for entry in step}
            assert found_in(root) == expected
            assert {
                str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir() and not path.is_symlink()
            } == {str(parent) for path in expected for parent in Path(path).parents if str(parent) != "."}
        files.close()
        assert list(root.iterdir()) == []


def test_a_file_that_is_open_shows_the_new_value() -> None:
    with directory() as root:
        files = files_in(root, 10)
        files.put([File("total", 0o644, "123456\n")])
        reader = os.open(root / "total", os.O_RDONLY)
        for text in ("7\n", "99999999\n", "0\n", ""):
            files.put([File("total", 0o644, text)])
            assert os.pread(reader, 100, 0).decode() == text
        os.close(reader)
        files.close()


@pytest.mark.parametrize("most_kept", [0, 10])
def test_a_file_that_is_removed_is_empty_to_who_has_it_open(most_kept: int) -> None:
    with directory() as root:
        files = files_in(root, most_kept)
        for text in ("5\n", "6\n"):
            files.put([File("total", 0o644, text)])
        reader = os.open(root / "total", os.O_RDONLY)
        files.remove(["total"])
        assert os.pread(reader, 100, 0) == b"", "a value that is not kept fresh must not look like one"
        os.close(reader)
        files.close()


def test_what_has_not_changed_is_not_written() -> None:
    with directory() as root:
        files = files_in(root, 10)
        files.put([File("a", 0o644, "1\n"), File("b", 0o644, "1\n")])
        os.utime(root / "a", ns=(1, 1))
        os.utime(root / "b", ns=(1, 1))
        files.put([File("a", 0o644, "1\n"), File("b", 0o644, "2\n")])
        assert (root / "a").stat().st_mtime_ns == 1
        assert (root / "b").stat().st_mtime_ns != 1
        files.close()


@pytest.mark.parametrize("most_kept", [0, 10])
def test_a_value_is_replaced_by_one_call_and_by_two_where_it_is_shorter(
    monkeypatch: pytest.MonkeyPatch, most_kept: int
) -> None:
    with directory() as root:
        files, seen = files_in(root, most_kept), list[tuple[str, str]]()

        def watched(name: str, does: Callable[..., object]) -> Callable[..., None]:
            def call(*arguments: object) -> None:
                does(*arguments)
                seen.append((name, (root / "total").read_text()))

            return call

        for name in ("pwrite", "ftruncate"):
            monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
        files.put([File("total", 0o644, "7\n")])
        for text in ("123456\n", "654321\n", "8\n"):
            files.put([File("total", 0o644, text)])
        assert seen[:2] == [("pwrite", "123456\n"), ("pwrite", "654321\n")]
        assert seen[2:] == [("pwrite", "8\n4321\n"), ("ftruncate", "8\n")], "its first line is whole all the time"
        files.close()


@pytest.mark.parametrize("most_kept", [0, 10])
def test_what_others_have_written_is_written_over(most_kept: int) -> None:
    with directory() as root:
        files = files_in(root, most_kept)
        files.put([File("total", 0o644, "5\n"), File("other", 0o644, "5\n")])
        files.put([File("total", 0o644, "6\n")])
        (root / "total").write_text("something long\n")
        assert files.disturbed("total")
        assert not files.disturbed("unknown")
        files.restore()
        assert (root / "total").read_text() == "6\n"
        (root / "other").unlink()
        files.put([File("other", 0o644, "7\n")])
        assert (root / "other").read_text() == "7\n"
        files.close()


def test_our_own_writing_to_a_file_that_is_not_kept_is_no_disturbance() -> None:
    with directory() as root:
        files = files_in(root, 0)
        files.put([File("total", 0o644, "5\n")])
        files.put([File("total", 0o644, "6\n")])
        assert not files.disturbed("total")
        assert files.disturbed("total"), "we have not written to it since"
        files.close()


def test_modes_do_not_depend_on_the_callers_mask() -> None:
    before = os.umask(0o077)
    try:
        with directory() as root:
            files = files_in(root, 10)
            files.put([File("sys/a", 0o666, ""), File("sys/b", 0o444, "x")])
            files.append("log", 0o644, "one\n")
            files.append("log", 0o644, "two\n")
            assert found_in(root) == {
                "sys/a": Found("0666", ""), "sys/b": Found("0444", "x"), "log": Found("0644", "one\ntwo\n")
            }  # fmt: skip
            assert (root / "sys").stat().st_mode & 0o777 == 0o755
            files.close()
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_a_mode_without_writing_does_not_bind_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    with directory() as root:
        files, refused = files_in(root, 10), list[str]()
        files.put([File("total", 0o444, "5\n")])
        real = os.open

        def as_for_others_than_root(path: str, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_WRONLY and not (root / path).stat().st_mode & 0o200:
                refused.append(path)
                raise PermissionError(13, "Permission denied")
            return real(path, flags, *rest, **more)

        monkeypatch.setattr(os, "open", as_for_others_than_root)
        files.put([File("total", 0o444, "6\n")])
        monkeypatch.undo()
        assert refused == ["total"]
        assert found_in(root) == {"total": Found("0444", "6\n")}
        files.close()


def test_directories_that_stand_stay_when_they_are_empty() -> None:
    with directory() as root:
        files = files_in(root, 10)
        files.standing.add("sys/class")
        files.put([File("sys/class/a/b", 0o644, "")])
        files.remove(["sys/class/a/b", "sys/class/none"])
        assert [str(path.relative_to(root)) for path in root.rglob("*")] == ["sys", "sys/class"]
        files.close()
        assert list(root.iterdir()) == []


def test_as_many_files_as_allowed_can_be_open() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, before[1]))
        most = raise_file_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard == before[1]
        assert most == soft - SPARE_DESCRIPTORS > 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
