"""Files below one root, written in place: whoever has one open sees the new value, and never an empty file."""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from device_model.publish.tree.entries import Entry, File, Link

SPARE_DESCRIPTORS = 512
"""Descriptors that are left to sockets and to everything else."""

_NO_LIMIT = 1 << 20
_DIRECTORY_MODE = 0o755
_MOST_BYTES = 1 << 16


def raise_file_limit() -> int:
    """Lets this process open as many files as it may ever; returns how many it can keep open here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, (_NO_LIMIT if soft == resource.RLIM_INFINITY else soft) - SPARE_DESCRIPTORS)


class Files:
    """What has been written below a root, and what is written next only where it differs.

    A file that changes is kept open, up to `most_kept` of them: writing it then costs one system call. A value is
    replaced by one write; where the new one is shorter, the rest of the old one goes with a second call. A reader in
    between can be told by the marker's sequence. Raises OSError where the system refuses.
    """

    def __init__(self, root: int, most_kept: int) -> None:
        """`root` is a descriptor of a directory."""
        self._root = root
        self._most_kept = most_kept
        self._texts: dict[str, str] = {}
        self._modes: dict[str, int] = {}
        self._links: dict[str, str] = {}
        self._kept: dict[str, int] = {}
        self._spoiled: set[str] = set()
        self._closed: set[str] = set()
        self._children: dict[str, int] = {"": 0}
        self.standing: set[str] = set()
        """Directories that stay when they are empty."""

    def put(self, entries: Iterable[Entry]) -> None:
        """Makes these files and links be there and say what they should."""
        with _exact_modes():
            for entry in entries:
                if isinstance(entry, Link):
                    self._put_link(entry)
                elif self._texts.get(entry.path) != entry.text or entry.path in self._spoiled:
                    self._put_text(entry)
                if isinstance(entry, File) and self._modes[entry.path] != entry.mode:
                    os.chmod(entry.path, entry.mode, dir_fd=self._root)
                    self._modes[entry.path] = entry.mode

    def append(self, path: str, mode: int, text: str) -> None:
        """Adds to the end of a file."""
        with _exact_modes():
            if path not in self._texts:
                self._create(File(path, mode, ""))
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, dir_fd=self._root)
        try:
            os.write(fd, _bytes(text))
        finally:
            os.close(fd)

    def disturbed(self, path: str) -> bool:
        """Whether it was somebody else who has closed a file after writing; `restore` will write it again.

        Where it may have been we, it counts only if the file has changed.
        """
        if path not in self._texts:
            return False
        if path in self._closed:
            self._closed.remove(path)
            if self._read(path) == _bytes(self._texts[path]):
                return False
        self._spoiled.add(path)
        return True

    def restore(self) -> None:
        """Writes again what others have written over."""
        for path in list(self._spoiled):
            self._put_text(File(path, self._modes[path], self._texts[path]))

    def _read(self, path: str) -> bytes | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._root)
        except OSError:
            return None
        try:
            return os.read(fd, _MOST_BYTES)
        finally:
            os.close(fd)

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files and links, and the directories that are empty then. What is gone already is no error.

        Who has a file open finds it empty: a value that nobody keeps fresh any more must not look like one.
        """
        for path in paths:
            if path in self._texts:
                self._empty(path)
            self._spoiled.discard(path)
            self._closed.discard(path)
            if self._texts.pop(path, None) is None and self._links.pop(path, None) is None:
                continue
            self._modes.pop(path, None)
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path, dir_fd=self._root)
            self._left(os.path.dirname(path))

    def close(self) -> None:
        """Removes everything that was written, as far as the system lets it, and writes no more."""
        self.standing.clear()
        for path in [*self._texts, *self._links]:
            with suppress(OSError):
                self.remove([path])
        for directory in sorted(self._children.keys() - {""}, key=len, reverse=True):
            with suppress(OSError):
                os.rmdir(directory, dir_fd=self._root)

    def make_directory(self, path: str) -> None:
        """Makes a directory and those above it, unless they are there."""
        if path in self._children:
            return
        parent = os.path.dirname(path)
        self.make_directory(parent)
        with suppress(FileExistsError):
            os.mkdir(path, _DIRECTORY_MODE, dir_fd=self._root)
        self._children[path] = 0
        self._children[parent] += 1

    def _put_link(self, link: Link) -> None:
        if self._links.get(link.path) == link.target:
            return
        if link.path in self._links:
            os.unlink(link.path, dir_fd=self._root)
        else:
            self._enter(link.path)
        os.symlink(link.target, link.path, dir_fd=self._root)
        self._links[link.path] = link.target

    def _put_text(self, file: File) -> None:
        if file.path not in self._texts:
            self._create(file)
            return
        data = _bytes(file.text)
        # Somebody else may have made it longer.
        longest = len(_bytes(self._texts[file.path])) if file.path not in self._spoiled else None
        fd = self._kept.get(file.path)
        if fd is None:
            fd = self._open(file)
        os.pwrite(fd, data, 0)
        if longest is None or len(data) < longest:
            os.ftruncate(fd, len(data))
        if file.path not in self._kept:
            os.close(fd)
            self._closed.add(file.path)
        self._texts[file.path] = file.text
        self._spoiled.discard(file.path)

    def _open(self, file: File) -> int:
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(file.path, flags, dir_fd=self._root)
        except PermissionError:
            # A mode without writing binds its owner, too.
            os.chmod(file.path, 0o600, dir_fd=self._root)
            fd = os.open(file.path, flags, dir_fd=self._root)
            os.fchmod(fd, self._modes[file.path])
        except FileNotFoundError:
            fd = os.open(file.path, flags | os.O_CREAT, self._modes[file.path], dir_fd=self._root)
        if len(self._kept) < self._most_kept:
            self._kept[file.path] = fd
        return fd

    def _create(self, file: File) -> None:
        self._enter(file.path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(file.path, flags, file.mode, dir_fd=self._root)
        try:
            os.write(fd, _bytes(file.text))
        finally:
            os.close(fd)
        self._texts[file.path] = file.text
        self._modes[file.path] = file.mode

    def _enter(self, path: str) -> None:
        directory = os.path.dirname(path)
        self.make_directory(directory)
        self._children[directory] += 1

    def _left(self, directory: str) -> None:
        self._children[directory] -= 1
        if directory and not self._children[directory] and directory not in self.standing:
            with suppress(OSError):
                os.rmdir(directory, dir_fd=self._root)
            del self._children[directory]
            self._left(os.path.dirname(directory))

    def _empty(self, path: str) -> None:
        fd = self._kept.pop(path, None)
        try:
            if fd is None:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._root)
            os.ftruncate(fd, 0)
        except OSError:
            return
        finally:
            if fd is not None:
                os.close(fd)


def _bytes(text: str) -> bytes:
    # A scenario's name may be that of a file, which need not be text.
    return text.encode(errors="replace")


@contextmanager
def _exact_modes() -> Iterator[None]:
    """New files get the permissions that they should have, whatever this process grants otherwise."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
