"""The driver's counters of one device or core: which of them there are, read together, as fields of its record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from neurontools.hardware.driver import ATTRIBUTES, OLDER_STATUS_NAMES
from neurontools.schema.snapshot import Counter, MemoryUse
from neurontools.sources.sysfs.files import GONE, Batch, Descriptors, Raw, Root
from neurontools.sources.sysfs.parsing import integer, integers
from neurontools.sources.sysfs.reasons import Reason, Reasons, unreadable
from neurontools.units import NS_PER_S

_TOTAL, _PRESENT, _PEAK = "total", "present", "peak"

_MAPPINGS = {
    "stats/status": "status",
    "stats/other_info": "other_info",
    "stats/memory_usage/device_mem": "memory",
    "stats/memory_usage/host_mem": "host_memory",
}
"""Directories whose directories are the keys of a field."""

_SINGLE = {
    "stats/memory_usage/device_mem": "device_memory",
    "stats/memory_usage/host_mem": "host_memory",
}
"""Directories that are a field by themselves."""

_ALL_PERIOD_NS = 10 * NS_PER_S
_TURNS = 10

_COUNTED = ("status", "other_info")
"""Fields of counters; the others hold memory."""


class Place(NamedTuple):
    """One counter of the table: the record's field and, in a mapping, its key; its directory, and files in it."""

    field: str
    key: str
    directory: str
    files: tuple[str, ...]
    since: str
    families: tuple[str, ...]
    kept_by: str


@cache
def places(scope: str) -> tuple[Place, ...]:
    """The counters of the scope "device" or "core", in the order of the table."""
    found: dict[str, Place] = {}
    for attribute in ATTRIBUTES:
        if attribute.scope != scope or not attribute.clears:
            continue
        directory, _, file = attribute.path.rpartition("/")
        parent, _, key = directory.rpartition("/")
        field = _SINGLE.get(directory) or _MAPPINGS[parent]
        before = found.get(directory)
        files = (*before.files, file) if before else (file,)
        key = "" if directory in _SINGLE else key
        found[directory] = Place(field, key, directory, files, attribute.since, attribute.families, attribute.kept_by)
    return tuple(found.values())


def narrowed(place: Place, whole: bool) -> Place:
    """The counter without the files of memory that only a reader of whole snapshots has use for."""
    if whole or place.field in _COUNTED:
        return place
    return place._replace(files=(_TOTAL, _PEAK) if place.field == "device_memory" else (_TOTAL,))


class Sheet:
    """Counters that are read together; as long as none of them moves, the fields are those of the last reading.

    The size of the last change and the high-water mark are looked at after a counter's total has moved, and of memory
    every 10 s besides, since memory may be taken and given back between two readings.
    """

    def __init__(
        self, root: Root, path: str, wanted: Iterable[Place], descriptors: Descriptors, number: int = 0
    ) -> None:
        """`path` is the directory of the device or core; what is not there is left out, see `missing`. Sheets with
        different numbers look at all their files at different times."""
        wanted = tuple(wanted)
        listed = {parent: root.names(f"{path}/{parent}") for parent in {_parent(place) for place in wanted}}
        found = [(place, _found(place, listed[_parent(place)])) for place in wanted]
        self.missing = [place for place, there in found if there is None]
        self._places = [there for _, there in found if there is not None]
        self._totals = _Files(root, path, [(place, _TOTAL) for place in self._places], descriptors)
        others = [(i, file) for i, place in enumerate(self._places) for file in place.files if file != _TOTAL]
        self._owners = [i for i, _ in others]
        self._others = _Files(root, path, [(self._places[i], file) for i, file in others], descriptors)
        self._others_of: list[dict[str, int]] = [{} for _ in self._places]
        for j, (i, file) in enumerate(others):
            self._others_of[i][file] = j
        self._first_pause_ns = number % _TURNS * _ALL_PERIOD_NS // _TURNS
        self._all_due_ns: int | None = None
        self._read: dict[str, Any] = {}

    def read(self, now_ns: int, reasons: Reasons) -> dict[str, Any]:
        """The fields now: a mapping of records by key, or one record; what cannot be read is left out, with a reason.

        The answer is shared and not to be altered; it is the same object while nothing has moved.
        """
        moved = self._totals.read()
        looked_at = {j for i in moved for j in self._others_of[i].values()}
        if self._is_due(now_ns):
            looked_at.update(j for j, i in enumerate(self._owners) if self._places[i].field not in _COUNTED)
        moved += [self._owners[j] for j in self._others.read_some(sorted(looked_at))]
        if moved:
            self._renew(set(moved))
        for files in (self._totals, self._others):
            for part, reason in files.faults.values():
                reasons.one(part, reason)
        return self._read

    def close(self) -> None:
        """Lets go of the files."""
        self._totals.close()
        self._others.close()

    @property
    def vanished(self) -> bool:
        """Whether a file was not there any more at its last reading."""
        return self._totals.vanished or self._others.vanished

    def _is_due(self, now_ns: int) -> bool:
        """Whether it is time to look at the files of memory that did not move."""
        if self._all_due_ns is None:
            self._all_due_ns = now_ns + _ALL_PERIOD_NS + self._first_pause_ns
        if now_ns < self._all_due_ns:
            return False
        self._all_due_ns = now_ns + _ALL_PERIOD_NS
        return True

    def _renew(self, moved: Collection[int]) -> None:
        """Makes the records of these counters anew, in new mappings: older readings keep theirs."""
        made: dict[str, Any] = {}
        for field in {self._places[i].field for i in moved if self._places[i].key}:
            made[field] = dict(self._read.get(field, {}))
        for i in sorted(moved):
            place, record = self._places[i], self._record(i)
            if not place.key:
                made[place.field] = record
            elif record is None:
                made[place.field].pop(place.key, None)
            else:
                made[place.field][place.key] = record
        self._read = {**self._read, **made}

    def _record(self, i: int) -> Counter | MemoryUse | None:
        """A counter as it stands; None where it is not known."""
        total, others = self._totals.values[i], self._others_of[i]
        if total is None:
            return None
        present, peak = (
            None if j is None else self._others.values[j] for j in (others.get(_PRESENT), others.get(_PEAK))
        )
        if self._places[i].field not in _COUNTED:
            return MemoryUse(total, present, peak)
        return None if present is None else Counter(total, present)


class _Files:
    """Numbers of several counters: `values` holds the last ones, None where one is not known, see `faults`."""

    def __init__(self, root: Root, path: str, files: Sequence[tuple[Place, str]], descriptors: Descriptors) -> None:
        self.values: list[int | None] = [None] * len(files)
        self.faults: dict[int, tuple[str, Reason]] = {}
        self._gone: set[int] = set()
        self._parts = [place.key or place.field for place, _ in files]
        self._names = [f"{path}/{place.directory}/{file}" for place, file in files]
        self._batch = Batch([root.of(name) for name in self._names], descriptors)
        self._raws: list[Raw | None] = [None] * len(files)

    def read(self) -> list[int]:
        """Reads all of them; gives the places of those that have moved."""
        raws = self._batch.read()
        # An error equals only itself: what failed counts as moved.
        if raws == self._raws:
            return []
        moved = [i for i, (raw, before) in enumerate(zip(raws, self._raws, strict=True)) if raw != before]
        self._raws = [*raws]
        values = integers(raws)
        if values is not None:
            self.values = [*values]
            self.faults.clear()
            self._gone.clear()
        else:
            for i, raw in enumerate(raws):
                self._take(i, raw)
        return moved

    def read_some(self, which: Sequence[int]) -> list[int]:
        """Reads those with these places; gives those of them that have moved."""
        moved = []
        for i, raw in zip(which, self._batch.read_some(which), strict=True):
            if raw != self._raws[i]:
                self._raws[i] = raw
                self._take(i, raw)
                moved.append(i)
        return moved

    def close(self) -> None:
        self._batch.close()

    @property
    def vanished(self) -> bool:
        """Whether a file was not there any more at its last reading."""
        return bool(self._gone)

    def _take(self, i: int, raw: Raw) -> None:
        self.faults.pop(i, None)
        self._gone.discard(i)
        try:
            self.values[i] = integer(raw) if isinstance(raw, bytes) else None
        except ValueError:
            self.values[i] = None
        if self.values[i] is None:
            self.faults[i] = self._parts[i], unreadable(raw, f"/{self._names[i]}")
            if isinstance(raw, OSError) and raw.errno in GONE:
                self._gone.add(i)


def _parent(place: Place) -> str:
    return place.directory.rpartition("/")[0]


def _found(place: Place, listed: Collection[str]) -> Place | None:
    """The counter as this driver calls it; None where it has none."""
    parent, _, name = place.directory.rpartition("/")
    for known_as in (name, OLDER_STATUS_NAMES.get(name, "")):
        if known_as in listed:
            return place._replace(directory=f"{parent}/{known_as}")
    return None
