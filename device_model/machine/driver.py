"""The node's driver as far as it can stand between the hardware and who reads it: loaded, recent enough, readable."""

from neurontools.hardware.driver import version_tuple


class Driver:
    """A driver that is loaded, has every file and lets everybody read, unless something says otherwise.

    Kept by cause are `missing_by`, what keeps it from being loaded, `unreadable_by`, what keeps its files from being
    read, and `version_by`, older versions that stand in its place.
    """

    def __init__(self) -> None:
        self.missing_by: set[int] = set()
        self.unreadable_by: set[int] = set()
        self.version_by: dict[int, str] = {}

    @property
    def version(self) -> str | None:
        """The version that it has; None where it has every file that is known."""
        return min(self.version_by.values(), key=version_tuple, default=None)

    @property
    def sound(self) -> bool:
        """Whether all of it can be read."""
        return not (self.missing_by or self.unreadable_by or self.version_by)
