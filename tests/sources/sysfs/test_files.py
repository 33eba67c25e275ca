"""Reading files: kept open within the limit, each failure for itself, and never in a way that could change them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from neurontools.sources.sysfs import files
from neurontools.sources.sysfs.files import Batch, Descriptors, Root, numbered


def limited(monkeypatch: pytest.MonkeyPatch, most: int) -> Descriptors:
    """Descriptors of a process that may keep so many files."""
    monkeypatch.setattr(files, "_raised_limit", lambda: most)
    return Descriptors(spare=0)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def written(directory: Path, count: int) -> list[str]:
    paths = [str(directory / f"file{i}") for i in range(count)]
    for i, path in enumerate(paths):
        Path(path).write_text(f"{i}\n")
    return paths


def test_files_are_kept_open_from_the_second_reading_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(written(tmp_path, 5), limited(monkeypatch, 100))
    before = open_files()
    counts = []
    for i in range(4):
        Path(batch.paths[0]).write_text(f"{i * 1000}\n")
        assert batch.read() == [f"{i * 1000}\n".encode(), b"1\n", b"2\n", b"3\n", b"4\n"]
        counts.append(open_files() - before)
    assert counts == [0, 5, 5, 5]
    batch.close()
    batch.close()
    assert open_files() == before


def test_beyond_the_limit_files_are_opened_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors = limited(monkeypatch, 7)
    batches = [Batch(written(tmp_path, 5), descriptors) for _ in range(2)]
    before = open_files()
    for _ in range(4):
        assert [batch.read() for batch in batches] == [[b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]] * 2
    assert open_files() - before == 7
    batches[0].close()
    batches[1].read()
    assert open_files() - before == 5


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(400, before[1]), before[1]))
        descriptors = Descriptors(spare=100)
        assert descriptors.take()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_failure_is_of_its_own_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(written(tmp_path, 3), Descriptors())
    os.unlink(batch.paths[1])
    for _ in range(3):
        first, second, third = batch.read()
        assert (first, third) == (b"0\n", b"2\n")
        assert isinstance(second, OSError) and second.errno == errno.ENOENT
    Path(batch.paths[1]).write_text("7\n")
    assert batch.read() == [b"0\n", b"7\n", b"2\n"]
    assert batch.read_some([1]) == [b"7\n"]
    batch.close()


def test_a_kept_file_that_fails_does_not_spoil_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(written(tmp_path, 3), Descriptors())
    for _ in range(2):
        batch.read()
    bad = os.stat(batch.paths[1]).st_ino

    def pread(descriptor: int, most: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(code, os.strerror(code))
        return os.pread(descriptor, most, offset)

    monkeypatch.setattr(files, "pread", pread)
    for code in (errno.EIO, errno.ENODEV, errno.EIO):
        raws = batch.read()
        assert [raws[0], raws[2]] == [b"0\n", b"2\n"]
        assert isinstance(raws[1], OSError) and raws[1].errno == code
    monkeypatch.undo()
    assert batch.read() == batch.read() == [b"0\n", b"1\n", b"2\n"]
    batch.close()


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Root(str(tmp_path)).read("pipe") == b""


def test_a_root_reads_below_itself(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys" / "word").write_bytes(b" caf\xff \n")
    assert root.text("sys/word") == "caf\ufffd"
    assert root.text("sys/none") == root.text("sys") == ""
    assert root.names("sys") == ["word"]
    assert root.names("none") == []
    assert root.of("sys/word") == f"{tmp_path}/sys/word"
    assert (root.is_this_machine, Root("/").is_this_machine) == (False, True)
    assert Root("/").of("sys") == "/sys"
    with pytest.raises(FileNotFoundError):
        root.numbered("none", "neuron")


def test_names_with_numbers_come_in_order() -> None:
    names = ["neuron10", "neuron2", "neuron0", "neuron", "neuron01", "neuron-1", "neuronx", "neuron²", "other3"]
    assert numbered(names, "neuron") == [0, 2, 10]


def test_a_large_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"1" * 1_000_000)
    assert len(Root(str(tmp_path)).read("large")) == files.TEXT_BYTES
    assert Batch([str(tmp_path / "large")], Descriptors()).read() == [b"1" * files.NUMBER_BYTES]
