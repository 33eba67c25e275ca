"""Why parts of a reading are unknown, and what would supply them: collected while it is read."""

from collections.abc import Iterable

from neurontools.hardware.driver import LIVE_COUNTERS_SINCE
from neurontools.sources.sysfs.files import DENIED, GONE, Raw, why
from neurontools.sources.sysfs.parsing import shown

Reason = tuple[str, str | None]
"""In one line for people, and what would supply what is missing."""

AS_ROOT = "run this as root"
AWS_STREAM = "AWS's neuron-monitor: --source aws"

UNREADABLE: Reason = ("the Neuron driver's files cannot be read: permission denied (EACCES)", AS_ROOT)
NOT_BY_PROCESS: Reason = ("the driver publishes this by core, not by process", AWS_STREAM)
NO_ADDRESSES: Reason = ("no addresses are published: the driver counts memory by core, not by bank", None)
NO_LINK_COUNTERS: Reason = ("no link counters exist; connected_devices is a constant table in the driver", None)


def needs_driver(since: str, version: str | None) -> Reason:
    """A file that came with a later driver."""
    return f"needs driver {since} or later, found {version or 'one of unknown version'}", f"driver {since}"


def not_live(version: str | None) -> Reason:
    """A counter of the runtime's under a driver that adds it up at the end only."""
    found = f"driver {version}" if version else "a driver of unknown version"
    supply = f"driver {LIVE_COUNTERS_SINCE}, or {AWS_STREAM}"
    return f"not live on {found}: it moves when the process closes the device", supply


def unreadable(raw: Raw, place: str) -> Reason:
    """What keeps one file, known by its place, from being used."""
    if isinstance(raw, bytes):
        return f"{place} holds {shown(raw)}, which is not understood", None
    if raw.errno in DENIED:
        return f"{place}: {why(raw)}", AS_ROOT
    if raw.errno in GONE:
        return f"{place} went away while it was read", None
    return f"{place} cannot be read: {why(raw)}", None


class Reasons:
    """The reasons by the part that is unknown; of several for one part the first stays."""

    def __init__(self) -> None:
        self.found: dict[str, Reason] = {}

    def add(self, parts: Iterable[str], reason: Reason) -> None:
        """Notes why these parts are unknown."""
        for part in parts:
            self.found.setdefault(part, reason)

    def one(self, part: str, reason: Reason) -> None:
        """Notes why one part is unknown."""
        self.found.setdefault(part, reason)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Parts with their reasons, as an inventory has them."""
        return tuple((part, reason) for part, (reason, _) in sorted(self.found.items()))
