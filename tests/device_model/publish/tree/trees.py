"""Published trees for tests: written to memory, read back as paths, modes and texts."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from device_model.publish.tree.dialect import dialect
from device_model.publish.tree.entries import Link
from device_model.publish.tree.publisher import Publisher
from device_model.publish.tree.whole import whole
from device_model.simulation import Simulation
from neurontools.hardware.instances import lookup

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Found(NamedTuple):
    """What is at a path: "0644" and the text of a file, "link" and what a symbolic link says."""

    mode: str
    text: str


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A new directory, in memory where there is such a place."""
    with tempfile.TemporaryDirectory(prefix="nm-tree-", dir=MEMORY) as path:
        yield Path(path)


@contextlib.contextmanager
def published(model: Simulation, version: str | None = None) -> Iterator[tuple[Path, Publisher]]:
    """The root of a model's tree, complete, and what keeps it fresh."""
    with directory() as path:
        publisher = Publisher(model, str(path / "tree"), dialect(version, lookup(model.instance)))
        try:
            publisher.refresh()
            yield path / "tree", publisher
        finally:
            publisher.close()


def found_in(root: Path) -> dict[str, Found]:
    """All files and links below a root, by their paths there."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            status = path.lstat()
            key = str(path.relative_to(root))
            if stat.S_ISLNK(status.st_mode):
                found[key] = Found("link", os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                found[key] = Found(f"{stat.S_IMODE(status.st_mode):04o}", path.read_text())
    return found


def planned(model: Simulation, version: str | None = None) -> dict[str, Found]:
    """What a tree of a model should hold, but for its marker."""
    entries = whole(model, model.published(dialect(version, lookup(model.instance))))
    return {
        entry.path: Found("link", entry.target) if isinstance(entry, Link) else Found(f"{entry.mode:04o}", entry.text)
        for entry in entries
    }
