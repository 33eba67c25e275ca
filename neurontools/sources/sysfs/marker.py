"""The file by which a simulated tree says so: scenario, the instant that it shows, and who writes it."""

import os
from typing import NamedTuple

from neurontools.hardware.driver import DIRECTORIES
from neurontools.sources.sysfs.files import Root

PATH = f"sys/{DIRECTORIES['module']}/simulated"
"""Below the root; a line is a key, a blank and a value."""

_MOST = (1 << 63) - 1


class Marker(NamedTuple):
    """What the file says; whatever is missing or not understood is None."""

    scenario: str | None = None
    boot_id: str | None = None
    time_ns: int | None = None
    sequence: int | None = None
    """Odd while the tree is being renewed."""
    pid: int | None = None
    """The writer, a process of this machine."""
    logical_neuroncore_config: int | None = None

    @property
    def being_written(self) -> bool:
        """Whether files of two instants stand side by side."""
        return self.sequence is not None and self.sequence % 2 == 1

    @property
    def writer_is_gone(self) -> bool:
        """Whether nobody renews the tree any more."""
        return self.pid is None or not os.path.exists(f"/proc/{self.pid}")


def read_marker(root: Root) -> Marker | None:
    """The marker of a simulated tree; None on a real host. One that holds nonsense is a marker all the same."""
    try:
        lines = root.read(PATH).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    except OSError:
        return Marker()
    said = dict(line.split(" ", 1) for line in lines if " " in line)
    return Marker(
        scenario=said.get("scenario"),
        boot_id=said.get("boot_id"),
        time_ns=_number(said.get("time_ns")),
        sequence=_number(said.get("sequence")),
        pid=_number(said.get("pid")),
        logical_neuroncore_config=_number(said.get("logical_neuroncore_config")),
    )


def _number(text: str | None) -> int | None:
    """A whole number that a snapshot can hold."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))):
        return None
    return min(int(text), _MOST)
