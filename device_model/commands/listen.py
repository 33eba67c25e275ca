"""The place of a daemon on disk: its directory, its lock, its socket, its log; a dead one's remains hinder nobody."""

import contextlib
import fcntl
import os
import socket
import stat

from device_model.commands.failure import Failure, of_system

MAX_PATH_BYTES = 107
"""The longest path of a Unix socket that Linux takes."""

BACKLOG = 128

_ELSEWHERE = "choose another place with --socket"


def log_path(path: str) -> str:
    """Where the background daemon on this socket writes why it failed; the file is there while it runs and after."""
    return f"{path}.log"


def holder_of(path: str) -> int | None:
    """The pid that the daemon on this socket has noted in its lock; None when nobody holds it."""
    with contextlib.suppress(OSError, ValueError), open(_lock_path(path), encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read(32))
    return None


def _lock_path(path: str) -> str:
    return f"{path}.lock"


class Place:
    """A socket path with its lock. The lock dies with its holder, so a socket without one is a dead daemon's."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock_fd: int | None = None
        self._bound: os.stat_result | None = None

    def take(self) -> socket.socket:
        """Locks the path and binds a listening socket that only its owner may use; raises Failure."""
        if len(os.fsencode(self.path)) > MAX_PATH_BYTES:
            raise Failure(
                f"the socket path has more than {MAX_PATH_BYTES} bytes: {self.path}", "give a shorter one with --socket"
            )
        try:
            self._make_directory()
            self._lock()
            return self._bind()
        except OSError as error:
            self.leave()
            raise of_system("cannot make the socket", self.path, error) from None
        except Failure:
            self.leave()
            raise

    def leave(self) -> None:
        """Removes what take made. Harmless if it made nothing, or if somebody else has made it anew since."""
        if self._lock_fd is None:
            return
        for path, own in ((self.path, self._bound), (_lock_path(self.path), os.fstat(self._lock_fd))):
            with contextlib.suppress(OSError):
                if own is not None and os.path.samestat(own, os.lstat(path)):
                    os.unlink(path)
        os.close(self._lock_fd)
        self._lock_fd = None

    def open_log(self) -> int:
        """A descriptor of a new log; raises Failure."""
        path = log_path(self.path)
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise of_system("cannot write the log", path, error) from None

    def remove_log(self) -> None:
        """For a daemon that ends as it should."""
        with contextlib.suppress(OSError):
            os.unlink(log_path(self.path))

    def _make_directory(self) -> None:
        directory = os.path.dirname(self.path) or "."
        if not os.path.isdir(directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        found = os.stat(directory)
        advice = "set XDG_RUNTIME_DIR to a directory of yours, or give another place with --socket"
        if found.st_uid not in (os.getuid(), 0):
            raise Failure(f"{directory}, where the socket would be, belongs to another user", advice)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
            raise Failure(f"others may write to {directory}, where the socket would be", advice)

    def _lock(self) -> None:
        path = _lock_path(self.path)
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(fd, 32).decode(errors="replace").strip()
                os.close(fd)
                raise Failure(
                    f"a device model runs on {self.path} already{f' (pid {holder})' if holder else ''}",
                    f"see `neuron-model status`, end it with `neuron-model stop`, or {_ELSEWHERE}",
                ) from None
            # The daemon before may have removed the file between our open and our lock: then try again.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    break
            os.close(fd)
        self._lock_fd = fd
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())

    def _bind(self) -> socket.socket:
        self._clear()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(self.path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        self._bound = os.lstat(self.path)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        return listener

    def _clear(self) -> None:
        """Removes a socket that nobody listens on; anything else at the path is not ours to remove."""
        try:
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                raise Failure(f"{self.path} exists and is not a socket", f"remove it, or {_ELSEWHERE}")
        except FileNotFoundError:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                os.unlink(self.path)
                return
            except OSError:
                # Its queue is full, or it speaks another protocol: in any case it lives.
                pass
        raise Failure(f"another program listens on {self.path}", _ELSEWHERE)
