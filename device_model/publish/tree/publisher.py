"""Keeps a tree fresh: a model's state as files in place, and what others write to them as commands to the model."""

import os
from contextlib import suppress

from device_model.publish.tree.entries import Entry
from device_model.publish.tree.files import Files, raise_file_limit
from device_model.publish.tree.marker import marker_of
from device_model.publish.tree.root import take
from device_model.publish.tree.sysfs import Tree
from device_model.publish.tree.watch import Watcher
from device_model.publish.tree.whole import (
    KERNEL_LOG_FILE,
    KERNEL_LOG_MODE,
    driver_files,
    kernel_log,
    processes,
)
from device_model.reading.published import Published
from device_model.simulation import CommandError, Simulation
from neurontools.hardware.driver import DIRECTORIES
from neurontools.hardware.instances import lookup

DRIVER_DIRECTORIES = tuple(
    f"sys/{directory}"
    for directory in (DIRECTORIES["module"], DIRECTORIES["class"], os.path.dirname(DIRECTORIES["device"]))
)
"""Where the driver's files are."""


class Publisher:
    """One model's tree. Every method may raise OSError; the tree is then of no instant, and its marker says so."""

    def __init__(self, model: Simulation, root: str, version: str, standing: bool = False) -> None:
        """Raises RootError too. `standing` keeps the driver's directories also while the driver is not loaded: they
        may be mounted elsewhere."""
        self._model = model
        self.root = root
        self._taken = take(root)
        self._files = Files(self._taken.fd, raise_file_limit())
        if standing:
            self._files.standing.update(DRIVER_DIRECTORIES)
        self._instance = lookup(model.instance)
        self._version = version
        self._tree = Tree(self._instance, version)
        self._last: Published | None = None
        self._stamp: tuple[int, int] | None = None
        self._sequence = 0
        self._last_event = self._log_lines = 0
        self._driver_paths: set[str] = set()
        self._process_paths: set[str] = set()
        try:
            self._watcher = Watcher(root)
        except OSError:
            self._give_back()
            raise

    @property
    def fd(self) -> int:
        """Becomes readable when somebody has written to a file."""
        return self._watcher.fd

    def refresh(self) -> None:
        """Lets the tree show the model's present instant. Where nothing has changed nothing is written."""
        stamp = (self._model.now_ns, len(self._model.journal))
        if stamp == self._stamp:
            return
        now = self._model.published(self._version)
        self._mark(now)
        self._write_driver(now)
        self._write_processes(now)
        self._write_log()
        self._files.restore()
        self._mark(now)
        self._last, self._stamp = now, stamp

    def take_writes(self) -> None:
        """Does what the driver does about what others have written to its files, and shows what has become of it."""
        owners = self._tree.owners
        written = [path for path in self._watcher.written() if path in owners and self._files.disturbed(path)]
        for path in written:
            with suppress(CommandError):
                self._model.write(*owners[path])
        if written:
            self._stamp = None
            self.refresh()

    def close(self) -> None:
        """Removes the tree, and its root if that was made for it."""
        self._watcher.close()
        self._files.close()
        self._give_back()

    def _give_back(self) -> None:
        if self._taken.made:
            with suppress(OSError):
                os.rmdir(self.root)
        os.close(self._taken.fd)

    def stopped(self, error: OSError) -> str:
        """What is to be said of an error after which the tree is not kept fresh any more."""
        return f"the tree at {self.root} is no longer kept fresh: {error.strerror or error}"

    def _mark(self, now: Published) -> None:
        """Before a refresh the marker keeps the time of what is there; behind it, it has the new one."""
        self._sequence += 1
        shown = self._last if self._sequence % 2 and self._last is not None else now
        self._files.put([marker_of(shown.snapshot.head, self._sequence, os.getpid()).file])

    def _write_driver(self, now: Published) -> None:
        last = self._last
        if last is not None and last[1:] == now[1:]:
            if now.loaded:
                self._files.put(self._tree.moving(last, now))
            return
        if last is None or last.version != now.version:
            self._tree = Tree(self._instance, now.version)
        entries = list(driver_files(self._instance, self._tree, now))
        self._driver_paths = self._replace(self._driver_paths, entries)
        # What is closed on its way out looks as if somebody had written to it.
        self._watcher.written()
        if now.loaded:
            for directory in {os.path.dirname(path) for path in self._tree.owners}:
                self._watcher.watch(directory)

    def _write_processes(self, now: Published) -> None:
        entries = list(processes(self._instance, now, self._model.epoch_ns))
        self._process_paths = self._replace(self._process_paths, entries)

    def _replace(self, before: set[str], entries: list[Entry]) -> set[str]:
        paths = {entry.path for entry in entries}
        self._files.put(entries)
        self._files.remove(before - paths)
        return paths

    def _write_log(self) -> None:
        events = self._model.events(self._last_event).events
        records = kernel_log(events, self._model.epoch_ns, self._log_lines)
        if events:
            self._last_event = events[-1].seq
        if records or self._last is None:
            self._files.append(KERNEL_LOG_FILE, KERNEL_LOG_MODE, "".join(records))
        self._log_lines += len(records)
