"""One attribute of the driver that is no counter: power, health, ECC, the tensor engine's cycles, the reset state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from neurontools.hardware.driver import ATTRIBUTES, Attribute
from neurontools.sources.sysfs.files import GONE, Batch, Descriptors, Root
from neurontools.sources.sysfs.parsing import PARSERS
from neurontools.sources.sysfs.reasons import Reasons, unreadable

_MOST_BYTES = 1 << 12
"""A page, all that sysfs gives."""


@cache
def attribute_at(scope: str, path: str) -> Attribute:
    """The attribute of the table with this path below the directory of its scope. KeyError for any other."""
    for attribute in ATTRIBUTES:
        if attribute.scope == scope and attribute.path == path:
            return attribute
    raise KeyError(path)


class Single:
    """An attribute's file; `part` is what is unknown while it cannot be read."""

    __slots__ = ("_batch", "_parse", "_place", "part", "vanished")

    def __init__(self, root: Root, directory: str, attribute: Attribute, part: str, descriptors: Descriptors) -> None:
        self._place = f"/{directory}/{attribute.path}"
        self._parse = PARSERS[attribute.kind]
        self._batch = Batch([root.of(f"{directory}/{attribute.path}")], descriptors, _MOST_BYTES)
        self.part = part
        self.vanished = False

    def read(self, reasons: Reasons) -> Any:
        """The value now; None, with a reason, where it cannot be read or understood."""
        (raw,) = self._batch.read()
        if isinstance(raw, bytes):
            try:
                return self._parse(raw)
            except (ValueError, OverflowError):
                pass
        else:
            self.vanished = raw.errno in GONE
        reasons.one(self.part, unreadable(raw, self._place))
        return None

    def close(self) -> None:
        """Lets go of the file."""
        self._batch.close()


def read_all(singles: Sequence[Single], reasons: Reasons) -> dict[str, Any]:
    """The values by part; what cannot be read is left out."""
    values = {single.part: single.read(reasons) for single in singles}
    return {part: value for part, value in values.items() if value is not None}
