"""Which Neuron runtimes and which instance types need which drivers, as far as AWS has published it.

A driver works with older runtimes; a newer runtime may need a newer driver. There is no table of that: a release note
says so now and then, and the runtime itself when it starts. What is not here is not known to be wrong.
"""

from typing import NamedTuple

from neurontools.hardware.chips import Chip
from neurontools.hardware.driver import driver_for, version_tuple
from neurontools.hardware.instances import INSTANCES, chip_of


class Requirement(NamedTuple):
    """Runtimes from `since`, before `until` where that is known, need a driver of `driver` or later: on chips of these
    families of the driver's, on all where none is named. `source` is where AWS published it."""

    since: str
    until: str | None
    driver: str
    families: tuple[str, ...]
    source: str


_NOTES = "AWS docs: release notes of the Neuron Runtime, "

REQUIREMENTS = (
    Requirement(
        since="2.26.42",
        until=None,
        driver="2.22",
        families=("Trn2",),
        source=f"{_NOTES}SDK 2.24.0, breaking changes; that later ones need it too is derived",
    ),
    Requirement(
        since="2.32.31",
        until="2.32.32",
        driver="2.27",
        families=(),
        source=f"{_NOTES}SDK 2.30.0, known issues; a patch release is to need it no longer",
    ),
)


def unmet(runtime: str, driver: str, family: str) -> Requirement | None:
    """What a runtime needs that a driver, on chips of a family, is too old for; None where nothing is known, or where
    one of the versions is no version."""
    try:
        installed, loaded = version_tuple(runtime), version_tuple(driver)
    except ValueError:
        return None
    for needed in REQUIREMENTS:
        early = installed < version_tuple(needed.since)
        late = needed.until is not None and installed >= version_tuple(needed.until)
        concerns = not needed.families or family in needed.families
        if concerns and not early and not late and loaded < version_tuple(needed.driver):
            return needed
    return None


def unsupported(instance_type: str, driver: str | None) -> tuple[Chip, str] | None:
    """The chip of an instance type that a driver has no support for, and the driver that it needs, in words.

    None where it has, and where one of the two is not known.
    """
    instance = INSTANCES.get(instance_type)
    if instance is None or driver is None:
        return None
    chip = chip_of(instance)
    needed = driver_for(chip.family, driver)
    return None if needed is None else (chip, needed)
