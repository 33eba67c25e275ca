"""How a host is to be read, where people can choose."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from neurontools.sources.sysfs.claims import core_size, logical_size, said_size
from neurontools.sources.sysfs.layout import Layout
from neurontools.sources.sysfs.marker import Marker

NO_IMDS = "NEURONTOOLS_NO_IMDS"
ALL_DEVICES = "NEURONTOOLS_ALL_DEVICES"
LNC = "NEURONTOOLS_LNC"
AT_CLOSE = "NEURONTOOLS_AT_CLOSE"

_OFF = ("", "0", "no", "false")


class Options(NamedTuple):
    """`imds` allows questions to the instance's metadata service; `place` asks it for name, region and zone, which
    nothing else knows. `all_devices` shows those of the node that this container was not granted, too. `lnc` is the
    number of physical cores per logical one, as somebody said; `said_lnc` what this program's environment says.
    `at_close` reads counters also where the driver takes them over only when a process closes its devices."""

    imds: bool = True
    place: bool = True
    all_devices: bool = False
    lnc: int | None = None
    said_lnc: int | None = None
    at_close: bool = False


DEFAULTS = Options()


def options_of(environ: Mapping[str, str], place: bool = True) -> Options:
    """What the environment asks for."""
    return Options(
        imds=_is_off(environ, NO_IMDS),
        place=place,
        all_devices=not _is_off(environ, ALL_DEVICES),
        lnc=logical_size([environ.get(LNC)], 0),
        said_lnc=logical_size(said_size(environ), 0),
        at_close=not _is_off(environ, AT_CLOSE),
    )


def core_size_on(
    layout: Layout, options: Options, marker: Marker | None, environments: Iterable[Mapping[str, str] | None]
) -> tuple[int, bool]:
    """Physical cores per logical core of a host, and whether that is an assumption: what somebody said, a simulated
    host's own word, this program's environment, those of processes that hold a device, else what is usual."""
    said = [options.lnc, None if marker is None else marker.logical_neuroncore_config, options.said_lnc]
    default = layout.chip.default_lnc if layout.chip else 1
    return core_size(said, environments, default, layout.cores_per_device)


def _is_off(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in _OFF
