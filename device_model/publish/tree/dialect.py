"""Which driver a published tree imitates: any that is known for the chip, by its full number or in short."""

from device_model.faults.driver import FIRST_VERSION
from neurontools.hardware.driver import DROPPED_IN, FIRST_DRIVERS, RELEASES, version_tuple
from neurontools.hardware.instances import Instance, chip_of

NEWEST = RELEASES[-1]


class DialectError(ValueError):
    """No such driver can be on the host; one line says which could."""


def dialect(named: str | None, instance: Instance) -> str:
    """The version of the driver on an instance: the one that is named, where "2.21" stands for the known release of
    that name, or with None the newest that its chip has. Raises DialectError."""
    family = chip_of(instance).family
    gone, first = DROPPED_IN.get(family), FIRST_DRIVERS.get(family, FIRST_VERSION)
    usable = [release for release in RELEASES if gone is None or version_tuple(release) < version_tuple(gone)]
    if named is None:
        return usable[-1]
    try:
        version = version_tuple(named)
    except ValueError as error:
        raise DialectError(str(error)) from None
    full = next((release for release in RELEASES if version_tuple(release)[: len(version)] == version), named)
    if not version_tuple(first) <= version_tuple(full) or (gone and version_tuple(full) >= version_tuple(gone)):
        raise DialectError(f"{instance.name} has no driver {named}: its drivers are {first} to {usable[-1]}")
    if version_tuple(full)[: len(version_tuple(NEWEST))] > version_tuple(NEWEST):
        raise DialectError(f"driver {named} is newer than {NEWEST}, the newest that this release knows")
    return full
