"""One NeuronCore as a record, from the files of its directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurontools.hardware.driver import CORE_DIRECTORY_PREFIX
from neurontools.schema.snapshot import Core, Counter, PeRow
from neurontools.sources.sysfs.context import Context, known_as
from neurontools.sources.sysfs.counters import Place, Sheet, narrowed, places
from neurontools.sources.sysfs.credit import Counted, Credit
from neurontools.sources.sysfs.layout import DeviceLayout
from neurontools.sources.sysfs.reasons import Reasons
from neurontools.sources.sysfs.registers import AT_EVERY_READING, Seldom
from neurontools.sources.sysfs.single import Single, attribute_at
from neurontools.units import NS_PER_S, NS_PER_US

_PE_COUNTERS = "pe_cntrs"
_PE_PATH = f"stats/tensor_engine/{_PE_COUNTERS}"
_BUSY, _FLOPS = "nc_time_in_use", "flop_count"
_STANDING_IN = {"busy_ns": _BUSY, "flops": _FLOPS}
"""Fields of ours by the driver's counter that they are made of."""

_LONG_EXECUTIONS = "executions of {seconds:.3g} s are credited when they end: watch for longer than that"


class CoreReader:
    """Reads one core again and again. A core that did nothing is the same record each time."""

    def __init__(self, device: DeviceLayout, index: int, context: Context) -> None:
        path = f"{device.path}/{CORE_DIRECTORY_PREFIX}{index}"
        self._number = device.device * context.layout.cores_per_device + index
        self._index = index
        self._wants = context.wants.core
        self._sheet = Sheet(context.root, path, _wanted(context), context.descriptors, self._number)
        for place in self._sheet.missing:
            context.miss(place.key or place.field, place.since, place.families, place.directory)
        self._pe = _pe_file(path, context)
        self._pe_rows = Seldom(AT_EVERY_READING)
        self._credit: Credit | None = None
        self._record: Core | None = None
        self._fields: Mapping[str, Any] = {}
        self._others: object = None

    def read(self, now_ns: int, reasons: Reasons) -> Core:
        """The core now."""
        fields = self._sheet.read(now_ns, reasons)
        counted = self._counted(now_ns, fields.get("other_info", {}), reasons)
        rows = None if self._pe is None else self._pe_rows.get(now_ns, self._read_rows, reasons)
        # The sheet's answer is the same object while nothing moved.
        if self._record is None or fields is not self._fields or self._others != (counted, rows):
            self._record = self._made(fields, counted, rows)
            self._fields, self._others = fields, (counted, rows)
        return self._record

    @property
    def vanished(self) -> bool:
        """Whether files were not there any more at the last reading."""
        return self._sheet.vanished or (self._pe is not None and self._pe.vanished)

    def close(self) -> None:
        """Lets go of the files."""
        self._sheet.close()
        if self._pe is not None:
            self._pe.close()

    def _made(self, fields: Mapping[str, Any], counted: Counted | None, rows: tuple[PeRow, ...] | None) -> Core:
        # Of a mapping nothing of which can be read it is not known that it is empty.
        shown = {name: value or None for name, value in fields.items() if name in self._wants}
        if counted is not None:
            shown |= {name: value for name, value in counted._asdict().items() if name in self._wants}
        return Core(core=self._number, index=self._index, pe_cntrs=rows, **shown)

    def _counted(self, now_ns: int, other: Mapping[str, Counter], reasons: Reasons) -> Counted | None:
        """Busy time and FLOPs as they were spent; None while that is not known."""
        busy, flops = other.get(_BUSY), other.get(_FLOPS)
        if busy is None:
            return None
        credited = Counted(busy.total * NS_PER_US, None if flops is None else flops.total)
        if self._credit is None:
            self._credit = Credit(now_ns, credited)
        last_ns = (busy.present or 0) * NS_PER_US
        counted = self._credit.take(now_ns, credited, last_ns)
        if counted is None:
            reason = _LONG_EXECUTIONS.format(seconds=last_ns / NS_PER_S), None
            reasons.add(known_as(_BUSY), reason)
            reasons.add(known_as(_FLOPS), reason)
        return counted

    def _read_rows(self, reasons: Reasons) -> tuple[PeRow, ...] | None:
        rows = None if self._pe is None else self._pe.read(reasons)
        return None if rows is None else tuple([PeRow(*row) for row in rows])


def _wanted(context: Context) -> list[Place]:
    """The counters that the reader of snapshots looks at, or that stand in for what it looks at."""
    wants, whole = context.wants.core, context.wants.whole
    needed = {counter for field, counter in _STANDING_IN.items() if field in wants}
    if needed:
        needed.add(_BUSY)
    found = [place for place in places("core") if place.field in wants or place.key in needed]
    return [narrowed(place, whole) for place in context.leave_out(found)]


def _pe_file(path: str, context: Context) -> Single | None:
    """The tensor engine's counters, where somebody looks at them: they are read from the device's registers."""
    if _PE_COUNTERS not in context.wants.core:
        return None
    attribute = attribute_at("core", _PE_PATH)
    directory, _, name = _PE_PATH.rpartition("/")
    if name in context.root.names(f"{path}/{directory}"):
        return Single(context.root, path, attribute, _PE_COUNTERS, context.descriptors)
    context.miss(_PE_COUNTERS, attribute.since, attribute.families, _PE_PATH)
    return None
