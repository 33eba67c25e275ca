"""One Neuron device as a record, from the files of its directory and those of its cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from neurontools.hardware.chips import Chip, cores_of_bank
from neurontools.hardware.driver import ECC_COUNTERS, HEALTH_FILES, RESET_STATES
from neurontools.schema.snapshot import Bank, Device, Power
from neurontools.sources.sysfs.context import Context
from neurontools.sources.sysfs.cores import CoreReader
from neurontools.sources.sysfs.counters import Sheet, narrowed, places
from neurontools.sources.sysfs.layout import DeviceLayout
from neurontools.sources.sysfs.parsing import PowerValues
from neurontools.sources.sysfs.reasons import Reasons
from neurontools.sources.sysfs.registers import AT_EVERY_READING, ECC_PERIOD_NS, NEVER_AGAIN, Seldom
from neurontools.sources.sysfs.single import Single, attribute_at, read_all

_HARDWARE_ERRORS = "hw_error_event"
_ECC = "stats/hardware"

_FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ecc": (_ECC, tuple(ECC_COUNTERS)),
    "health": (f"{_ECC}/health_status", HEALTH_FILES),
    "power": ("stats/power", ("utilization",)),
    "serial_number": ("info", ("serial_number",)),
    "reset_state": ("", ("reset",)),
}
"""Fields of a device by the files that they are made of: one of them, or a mapping by their names."""

_PERIODS = {
    "ecc": ECC_PERIOD_NS,
    "health": AT_EVERY_READING,
    "power": AT_EVERY_READING,
    "serial_number": NEVER_AGAIN,
    "reset_state": AT_EVERY_READING,
}


class DeviceReader:
    """Reads one device again and again."""

    def __init__(self, layout: DeviceLayout, context: Context) -> None:
        self._layout = layout
        self._context = context
        wants = context.wants.device
        wanted = [narrowed(place, context.wants.whole) for place in places("device") if place.field in wants]
        self._sheet = Sheet(context.root, layout.path, wanted, context.descriptors)
        for place in self._sheet.missing:
            context.miss(place.key, place.since, place.families, place.directory)
        self._cores = [CoreReader(layout, index, context) for index in layout.cores if "cores" in wants]
        self._banks = _banks(context.layout.chip) if "banks" in wants else ()
        self._singles = {field: self._found(field) for field in _FILES if field in wants}
        self._alarm = [] if "ecc" not in wants else self._found("health", (_HARDWARE_ERRORS,))
        self._errors_seen: Any = None
        self._values = {field: Seldom(_PERIODS[field]) for field in self._singles}

    def read(self, now_ns: int, reasons: Reasons) -> Device:
        """The device now."""
        cores = tuple([core.read(now_ns, reasons) for core in self._cores])
        alarmed = self._is_alarmed()
        values = {
            field: seldom.get(now_ns, partial(self._read, field), reasons, urgent=alarmed and field == "ecc")
            for field, seldom in self._values.items()
        }
        return Device(
            index=self._layout.device,
            cores=cores,
            banks=self._banks,
            host_memory=self._sheet.read(now_ns, reasons).get("host_memory") or None,
            **values,
        )

    @property
    def vanished(self) -> bool:
        """Whether files were not there any more at the last reading."""
        return (
            self._sheet.vanished
            or any(core.vanished for core in self._cores)
            or any(single.vanished for single in self._all_singles())
        )

    def close(self) -> None:
        """Lets go of the files."""
        self._sheet.close()
        for core in self._cores:
            core.close()
        for single in self._all_singles():
            single.close()

    def _all_singles(self) -> list[Single]:
        return [*self._alarm, *(single for found in self._singles.values() for single in found)]

    def _is_alarmed(self) -> bool:
        """Whether the device's count of errors has moved since it was last looked at: a file that costs little."""
        seen = read_all(self._alarm, Reasons())
        moved = self._errors_seen is not None and seen != self._errors_seen
        self._errors_seen = seen
        return moved

    def _read(self, field: str, reasons: Reasons) -> Any:
        """The value of a field, of as many of its files as can be read."""
        found = read_all(self._singles[field], reasons)
        return _MADE[field](found) if found else None

    def _found(self, field: str, names: tuple[str, ...] = ()) -> list[Single]:
        """The files of a field that this host has."""
        context, path = self._context, self._layout.path
        directory, all_names = _FILES[field]
        listed = context.root.names(f"{path}/{directory}" if directory else path)
        found = []
        for name in names or all_names:
            attribute = attribute_at("device", f"{directory}/{name}" if directory else name)
            part = name if len(all_names) > 1 else field
            if name in listed:
                found.append(Single(context.root, path, attribute, part, context.descriptors))
            elif not names:
                context.miss(part, attribute.since, attribute.families, attribute.path)
        if not found and not names:
            first = attribute_at("device", f"{directory}/{all_names[0]}" if directory else all_names[0])
            context.miss(field, first.since, first.families, first.path)
        return found


def _banks(chip: Chip | None) -> tuple[Bank, ...]:
    """The memory banks by the chip's datasheet; what they hold is not published."""
    if chip is None:
        return ()
    return tuple(
        Bank(index=bank, total_bytes=chip.bank_bytes, cores=cores_of_bank(chip, bank)) for bank in range(chip.banks)
    )


def _power(found: dict[str, PowerValues]) -> Power:
    status, epoch_s, low, high, mean = found["power"]
    return Power(status=status, epoch_s=epoch_s, min_percent=low, max_percent=high, avg_percent=mean)


def _reset_state(found: dict[str, int]) -> str | None:
    number = found["reset_state"]
    return RESET_STATES[number].lower() if number < len(RESET_STATES) else None


_MADE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ecc": dict,
    "health": dict,
    "power": _power,
    "serial_number": lambda found: found["serial_number"] or None,
    "reset_state": _reset_state,
}
"""What makes the values of a field's files the field."""
