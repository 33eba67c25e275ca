"""A daemon's place on disk: what is in the way is removed only if it is a dead daemon's."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_model.commands.failure import Failure
from device_model.commands.listen import Place, holder_of, log_path
from tests.device_model.daemons import short_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def take(path: Path) -> tuple[Place, socket.socket]:
    place = Place(str(path))
    return place, place.take()


def refusal(path: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        Place(str(path)).take()
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_only_the_owner_may_use_it(directory: Path) -> None:
    path = directory / "new" / "m.sock"
    place, listener = take(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert holder_of(str(path)) == os.getpid()
    listener.close()
    place.leave()
    assert list(path.parent.iterdir()) == []
    assert holder_of(str(path)) is None


def test_the_second_is_told_who_is_there(directory: Path) -> None:
    place, listener = take(directory / "m.sock")
    assert f"already (pid {os.getpid()})" in refusal(directory / "m.sock").message
    listener.close()
    place.leave()


def test_a_dead_daemons_remains_are_cleared(directory: Path) -> None:
    path = directory / "m.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    Path(f"{path}.lock").write_text("999999999\n")
    place, listener = take(path)
    assert holder_of(str(path)) == os.getpid()
    listener.close()
    place.leave()


def link(path: Path) -> None:
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, link, os.mkfifo])
def test_what_is_no_socket_is_left_alone(directory: Path, make: Callable[[Path], None]) -> None:
    path = directory / "m.sock"
    make(path)
    assert "exists and is not a socket" in refusal(path).message
    assert [entry.name for entry in directory.iterdir()] == ["m.sock"]


def test_another_programs_socket_is_left_alone(directory: Path) -> None:
    path = directory / "m.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        assert "another program listens" in refusal(path).message
        assert path.is_socket()


def test_a_long_path_is_refused(directory: Path) -> None:
    assert "more than 107 bytes" in refusal(directory / ("x" * 100)).message
    assert list(directory.iterdir()) == []


def test_a_directory_that_others_may_write_to_is_refused(directory: Path) -> None:
    (directory / "open").mkdir()
    (directory / "open").chmod(0o777)
    assert "others may write" in refusal(directory / "open" / "m.sock").message
    (directory / "open").chmod(0o1777)
    place, listener = take(directory / "open" / "m.sock")
    listener.close()
    place.leave()


def test_a_place_that_cannot_be_made_says_why(directory: Path) -> None:
    (directory / "file").touch()
    assert refusal(directory / "file" / "inner" / "m.sock").message.endswith("Not a directory")


def test_a_full_disk_is_told_and_leaves_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        failure = refusal(directory / "m.sock")
    assert failure.message.endswith("No space left on device")
    assert failure.hint == "free some space there and try again"
    assert list(directory.iterdir()) == []


def test_leaving_does_not_remove_what_others_made_since(directory: Path) -> None:
    path = directory / "m.sock"
    place, listener = take(path)
    for entry in directory.iterdir():
        entry.unlink()
    second, other = take(path)
    place.leave()
    assert sorted(entry.name for entry in directory.iterdir()) == ["m.sock", "m.sock.lock"]
    second.leave()
    listener.close()
    other.close()


def test_the_log_is_new_and_private(directory: Path) -> None:
    place = Place(str(directory / "m.sock"))
    log = Path(log_path(place.path))
    log.write_text("of the one before")
    os.close(place.open_log())
    assert log.read_text() == ""
    place.remove_log()
    place.remove_log()
    log.symlink_to("elsewhere")
    with pytest.raises(Failure, match="cannot write the log"):
        place.open_log()
