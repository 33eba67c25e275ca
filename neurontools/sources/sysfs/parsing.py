"""What the driver's files say, by the kinds of content that `hardware.driver.KINDS` names: pure functions from bytes.

Each raises ValueError for content that is not of its kind: cut off, garbled, negative or too large.
"""

from collections.abc import Callable, Sequence
from typing import Any

from neurontools.hardware.driver import POWER_STATUSES

MOST = (1 << 64) - 1
"""The driver's numbers have 64 bits."""
_MOST_EPOCH_S = 1 << 40
_POWER_FIELDS = 5
_PE_FIELDS = 4
_MOST_DEVICES = 64
_LONGEST_SHOWN = 24

PeCounts = tuple[int, int, int]
"""One row group's mm_active, wl_active and idle cycles."""
PowerValues = tuple[str, int, float, float, float]
"""Status, epoch seconds, then minimum, maximum and average percent."""


def integer(raw: bytes) -> int:
    """A count."""
    value = int(raw)
    if not 0 <= value <= MOST:
        raise ValueError(value)
    return value


def integers(raws: Sequence[Any]) -> list[int] | None:
    """Counts, all at once; None where one of them is none: then `integer` tells which."""
    try:
        values = list(map(int, raws))
    except (ValueError, TypeError):
        return None
    return values if not values or (min(values) >= 0 and max(values) <= MOST) else None


def text(raw: bytes) -> str:
    """A line of text."""
    return raw.decode("utf-8", "replace").strip().replace("\n", " ")


def hex16(raw: bytes) -> str:
    """Sixteen hexadecimal digits; nothing where the driver knows none."""
    digits = raw.decode("ascii").strip()
    if digits and (len(digits) != 16 or not all(c in "0123456789abcdefABCDEF" for c in digits)):
        raise ValueError(digits)
    return digits


def numbers(raw: bytes) -> tuple[int, ...]:
    """Device numbers, in the driver's order."""
    words = raw.decode("ascii").replace(",", " ").split()
    found = tuple(int(word) for word in words)
    if any(not 0 <= number < _MOST_DEVICES for number in found) or len(set(found)) != len(found):
        raise ValueError(found)
    return found


def power(raw: bytes) -> PowerValues:
    """The power file of one minute."""
    status, epoch, *percents = raw.decode("ascii").strip().split(",")
    if status not in POWER_STATUSES or len(percents) != _POWER_FIELDS - 2:
        raise ValueError(status)
    epoch_s = int(epoch)
    low, high, mean = (float(percent) for percent in percents)
    # A percentage that is no number compares as false too.
    if not (0 <= epoch_s < _MOST_EPOCH_S and all(0 <= percent < 1e6 for percent in (low, high, mean))):
        raise ValueError(raw)
    return status, epoch_s, low, high, mean


def pe_counters(raw: bytes) -> tuple[PeCounts, ...]:
    """The rows of pe_cntrs that are whole: the driver may cut off the last one.

    A row counts as whole when its line is ended, and rows are those before the first that is not.
    """
    head, *lines = raw.split(b"\n")
    if not head.startswith(b"xrow_grp") or not lines:
        raise ValueError(head)
    rows: list[PeCounts] = []
    for line in lines[:-1]:
        words = integers(line.split(b","))
        if words is None or len(words) != _PE_FIELDS or words[0] != len(rows):
            break
        rows.append((words[1], words[2], words[3]))
    if not rows:
        raise ValueError("no whole row")
    return tuple(rows)


PARSERS: dict[str, Callable[[bytes], Any]] = {
    "int": integer,
    "hex16": hex16,
    "text": text,
    "numbers": numbers,
    "power": power,
    "pe_cntrs": pe_counters,
}
"""By kind, those that a reader needs."""


def shown(raw: bytes) -> str:
    """The beginning of some content, for a message."""
    words = raw.decode("utf-8", "replace").strip()
    return repr(words if len(words) <= _LONGEST_SHOWN else words[: _LONGEST_SHOWN - 1] + "…")
