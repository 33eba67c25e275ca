"""The marker file: it says that a tree is simulated, of which instant it is, and whether it is being written to."""

import os
from typing import TYPE_CHECKING, NamedTuple

from device_model.publish.tree.entries import File

if TYPE_CHECKING:
    from neurontools.schema.snapshot import Head

PATH = "sys/module/neuron/simulated"
"""No real driver has such a file. It is there also while the simulated driver is not loaded."""

_MOST_BYTES = 4096


class Marker(NamedTuple):
    """`sequence` is odd while the tree is being written to; `pid` is the writer's."""

    scenario: str
    boot_id: str
    time_ns: int
    sequence: int
    pid: int
    logical_neuroncore_config: int

    @property
    def file(self) -> File:
        """The file that says so: a key and its value on each line."""
        return File(PATH, 0o444, "".join(f"{key} {value}\n" for key, value in self._asdict().items()))


def marker_of(head: "Head", sequence: int, pid: int) -> Marker:
    """The marker of a tree that shows a snapshot's instant."""
    scenario, lnc = " ".join((head.origin.scenario or "").split()), head.logical_neuroncore_config
    return Marker(scenario, head.boot_id, head.time_ns, sequence, pid, lnc)


def writer_of(root: str) -> int | None:
    """The pid that a tree's marker names; None where there is no readable marker."""
    try:
        with open(os.path.join(root, PATH), encoding="utf-8") as file:
            lines = dict(line.split(" ", 1) for line in file.read(_MOST_BYTES).splitlines() if " " in line)
        return int(lines["pid"])
    except (OSError, ValueError, KeyError):
        return None
