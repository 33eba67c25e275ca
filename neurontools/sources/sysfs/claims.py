"""What processes say of the cores that they use, and how many physical cores make a logical one."""

from collections.abc import Iterable, Mapping
from itertools import chain

from neurontools.sources.sysfs.holders import LNC_VARIABLES, NUM_CORES, VISIBLE_CORES, Handles

_CORE_DIGITS = 4
_SIZES = (1, 2, 4, 8)


def logical_size(texts: Iterable[str | None], cores_per_device: int) -> int | None:
    """The first of the texts that is a number of physical cores per logical one; None where none is."""
    for text in texts:
        size = int(text) if text and text.isascii() and text.isdigit() and len(text) == 1 else 0
        if size in _SIZES and (not cores_per_device or cores_per_device % size == 0):
            return size
    return None


def said_size(environment: Mapping[str, str]) -> Iterable[str | None]:
    """What an environment says of that number."""
    return [environment.get(name) for name in LNC_VARIABLES]


def core_numbers(text: str) -> tuple[int, ...] | None:
    """The logical cores of a list such as "0-3,5"; None for anything else."""
    found: list[int] = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        low, high = _core(first), _core(last if dash else first)
        if low is None or high is None:
            return None
        found += range(low, high + 1)
    return tuple(dict.fromkeys(found))


def _core(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _CORE_DIGITS else None


def cores_of(
    held: Handles, environment: Mapping[str, str] | None, alone: bool, cores_per_device: int, size: int
) -> tuple[int, ...]:
    """The physical cores, counted over the node, that a process uses; none where that cannot be told.

    They are those that it was started with a wish for, on the devices that it has open; without a wish, or with one
    for as many as there are, all of these devices when it has them `alone`. `size` physical cores make a logical one.
    """
    per_device = cores_per_device // size
    if environment is None or not per_device:
        return ()
    wish = core_numbers(environment.get(VISIBLE_CORES, ""))
    if wish:
        logical = [(held.names.get(core // per_device), core % per_device) for core in wish]
        return tuple(
            sorted(
                device * cores_per_device + place * size + part
                for device, place in logical
                if device in held.runtime and device is not None
                for part in range(size)
            )
        )
    count = environment.get(NUM_CORES)
    if not alone or (count is not None and count.strip() != str(len(held.runtime) * per_device)):
        return ()
    return tuple(
        device * cores_per_device + place for device in sorted(held.runtime) for place in range(cores_per_device)
    )


def core_size(
    said: Iterable[int | None], environments: Iterable[Mapping[str, str] | None], default: int, cores_per_device: int
) -> tuple[int, bool]:
    """How many physical cores make a logical one, and whether that is an assumption.

    `said` is what is known for certain, the surest first; then come the environments of processes that hold a device.
    """
    sizes = (str(size) for size in said if size is not None)
    own = (text for environment in environments for text in said_size(environment or {}))
    found = logical_size(chain(sizes, own), cores_per_device)
    return (default, True) if found is None else (found, False)
