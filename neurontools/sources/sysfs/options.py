"""How a host is to be read, where people can choose."""

from collections.abc import Mapping
from typing import NamedTuple

from neurontools.sources.sysfs.claims import logical_size, said_size

NO_IMDS = "NEURONTOOLS_NO_IMDS"
ALL_DEVICES = "NEURONTOOLS_ALL_DEVICES"
LNC = "NEURONTOOLS_LNC"

_OFF = ("", "0", "no", "false")


class Options(NamedTuple):
    """`imds` allows questions to the instance's metadata service; `place` asks it for name, region and zone, which
    nothing else knows. `all_devices` shows those of the node that this container was not granted, too. `lnc` is the
    number of physical cores per logical one, as somebody said; `said_lnc` what this program's environment says."""

    imds: bool = True
    place: bool = True
    all_devices: bool = False
    lnc: int | None = None
    said_lnc: int | None = None


DEFAULTS = Options()


def options_of(environ: Mapping[str, str], place: bool = True) -> Options:
    """What the environment asks for."""
    return Options(
        imds=_is_off(environ, NO_IMDS),
        place=place,
        all_devices=not _is_off(environ, ALL_DEVICES),
        lnc=logical_size([environ.get(LNC)], 0),
        said_lnc=logical_size(said_size(environ), 0),
    )


def _is_off(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in _OFF
