"""The driver's tree as a loop over its table: every file that a version has on a host, and those that have changed."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from device_model.publish.tree.entries import Entry, File, Link
from device_model.publish.tree.formats import FORMATS
from device_model.publish.tree.values import fixed_value, shown_by
from device_model.reading.published import Published
from neurontools.hardware.driver import (
    KERNEL,
    LINKS,
    PCI_DRIVER_DIRECTORY,
    Attribute,
    attributes,
    mode_of,
    path_of,
    platform_of,
    version_tuple,
)
from neurontools.hardware.instances import Instance, chip_of
from neurontools.schema.snapshot import Core, Device

Owner = tuple[int, int | None, str]
"""Whose a file is: device, core within it (None for the device's own), path below the directory of either."""

_NOTHING = object()

_WITHOUT_DRIVER = ("pci", "dmi")
"""What the kernel shows of the host, whether or not the driver is loaded."""


class _Place(NamedTuple):
    """One file: its attribute, where it is, and the device and core that it is about."""

    attribute: Attribute
    path: str
    device: int
    core: int | None


class _Text(NamedTuple):
    """One file of a record that may change: its path and mode, and its text from what it shows."""

    path: str
    mode: int
    text: Callable[[Any], str]


_Texts = dict[str, dict[str | None, list[_Text]]]
"""By the field of the record, and by its entry where it is a mapping."""


class Tree:
    """The sysfs of one host under one driver. Paths begin with `sys/`."""

    def __init__(self, instance: Instance, version: str) -> None:
        self._instance = instance
        self._version = version
        known = attributes(chip_of(instance).family, version, platform_of(instance.name))
        places = [place for attribute in known for place in _places(attribute, instance)]
        self._fixed = []
        self._texts: dict[tuple[int, int | None], _Texts] = {}
        self.owners: dict[str, Owner] = {}
        """The files that the driver looks at when somebody writes to them, by path."""
        for place in places:
            attribute, shown = place.attribute, shown_by(place.attribute, instance)
            if attribute.scope not in ("device", "core") or shown is None:
                self._fixed.append(place)
                continue
            text = _composed(FORMATS[attribute.kind], shown.value)
            texts = self._texts.setdefault((place.device, place.core), {})
            files = texts.setdefault(shown.field, {}).setdefault(shown.entry, [])
            files.append(_Text(place.path, mode_of(attribute, version), text))
            if attribute.clears or attribute.path == "reset":
                self.owners[place.path] = (place.device, place.core, attribute.path)

    def hardware(self) -> Iterator[Entry]:
        """What is there also when the driver is not loaded: the host's name and its PCI functions."""
        return (self._file(place, True) for place in self._fixed if place.attribute.scope in _WITHOUT_DRIVER)

    def fixed(self, readable: bool) -> Iterator[Entry]:
        """What never changes while one driver is loaded."""
        for place in self._fixed:
            yield self._file(place, readable)
        bdfs = self._instance.bdfs or ()
        for link in LINKS:
            if link.since == KERNEL or version_tuple(link.since) <= version_tuple(self._version):
                for i in range(self._instance.devices if "{bdf}" not in link.path else len(bdfs)):
                    names = {"device": i, "bdf": bdfs[i] if bdfs else ""}
                    yield Link("sys/" + link.path.format(**names), link.target.format(**names))
        for bdf in bdfs:
            yield Link(f"sys/{PCI_DRIVER_DIRECTORY}/{bdf}", f"../../devices/{bdf}")

    def moving(self, before: Published | None, now: Published) -> Iterator[File]:
        """The files whose values may differ from those at an earlier instant under the same driver; without one all."""
        devices = now.snapshot.devices
        earlier = before.snapshot.devices if before is not None else (None,) * len(devices)
        for old, device in zip(earlier, devices, strict=True):
            yield from _differing(self._texts[device.index, None], old, device, now.readable)
            for core in device.cores:
                old_core = None if old is None else old.cores[core.index]
                yield from _differing(self._texts[device.index, core.index], old_core, core, now.readable)

    def _file(self, place: _Place, readable: bool) -> File:
        attribute = place.attribute
        if attribute.scope == "module":
            return File(place.path, attribute.mode, FORMATS[attribute.kind](_long(self._version)))
        text = FORMATS[attribute.kind](fixed_value(attribute, self._instance, place.device))
        open_to_all = readable or attribute.kept_by == "kernel"
        return File(place.path, mode_of(attribute, self._version) if open_to_all else 0, text)


def _places(attribute: Attribute, instance: Instance) -> Iterator[_Place]:
    devices = range(instance.devices if attribute.scope in ("device", "core") else 1)
    if attribute.scope == "pci":
        for i, bdf in enumerate(instance.bdfs or ()):
            yield _Place(attribute, "sys/" + path_of(attribute, bdf=bdf), i, None)
        return
    for device in devices:
        cores = range(chip_of(instance).cores) if attribute.scope == "core" else (None,)
        for core in cores:
            yield _Place(attribute, "sys/" + path_of(attribute, device, core or 0), device, core)


def _composed(write: Callable[[Any], str], value: Callable[[Any], Any]) -> Callable[[Any], str]:
    return lambda field: write(value(field))


def _differing(texts: _Texts, old: Device | Core | None, new: Device | Core, readable: bool) -> Iterator[File]:
    for field, entries in texts.items():
        value: Any = getattr(new, field)
        before: Any = getattr(old, field, _NOTHING)
        if value is before:
            continue
        for entry, files in entries.items():
            shown = value if entry is None else value[entry]
            if before is not _NOTHING and shown == (before if entry is None else before[entry]):
                continue
            for path, mode, text in files:
                yield File(path, mode if readable else 0, text(shown))


def _long(version: str) -> str:
    """The module's own number, which has four parts."""
    parts = version.split(".")
    return ".".join([*parts, *["0"] * (4 - len(parts))])
