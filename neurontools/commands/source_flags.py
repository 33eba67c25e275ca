"""The options by which every tool is told what to read, and the source that they lead to."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neurontools.commands import errors
from neurontools.commands.errors import UsageError
from neurontools.commands.flags import Flag
from neurontools.sources.choose import READABLE, VARIABLE, choose

if TYPE_CHECKING:
    from neurontools.schema.source import Source

# Set for the source as the environment could have it; neuron-ls does not load what reads it unless a host is read.
AT_CLOSE = "at-close"
"""No option, but what a tool may say for itself: counters are read also where they count only what has been closed."""
_SWITCHES = {
    "all-devices": "NEURONTOOLS_ALL_DEVICES",
    "no-imds": "NEURONTOOLS_NO_IMDS",
    AT_CLOSE: "NEURONTOOLS_AT_CLOSE",
}
_LNC = "NEURONTOOLS_LNC"
_CORE_SIZES = ("1", "2", "4", "8")

SOURCE_FLAGS = (
    Flag("source", f"What to read: {READABLE}; else ${VARIABLE}, else this host", value="SOURCE"),
    Flag("all-devices", "Of this host: devices that this container was not granted, too"),
    Flag("lnc", "Of this host: physical cores per logical core; else what is known, or usual for the chip", value="N"),
    Flag("no-imds", "Of this host: ask no questions to the instance metadata service"),
)

PUBLISHER_FLAGS = (
    Flag("source", f"What to read: {READABLE}, - for standard input; else ${VARIABLE}, else this host", value="S"),
    *SOURCE_FLAGS[1:],
)
"""Of the tools that publish, which can also be fed by neuron-monitor."""


def source_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment, with what the options say of it. Raises UsageError."""
    lnc = given.get("lnc")
    if lnc is not None and lnc not in _CORE_SIZES:
        raise UsageError(f"--lnc takes {', '.join(_CORE_SIZES[:-1])} or {_CORE_SIZES[-1]}, not {lnc!r}")
    said = {variable: "1" for flag, variable in _SWITCHES.items() if flag in given}
    return {**os.environ, **said, **({} if lnc is None else {_LNC: lnc})}


def open_source(name: str, given: Mapping[str, str], place: bool = True) -> "Source":
    """The source that the options of the tool `name` lead to, see `choose`; of a replay it is said on stderr."""
    source = choose(given.get("source"), source_environment(given), place=place)
    say_replay(name, source)
    return source


def say_replay(name: str, source: "Source") -> None:
    """A line on stderr where the readings are not of now: formats that are AWS's to the byte have no room for it."""
    # By its attribute: neuron-ls does not load what defines the protocol.
    about = getattr(source, "about", None)
    if about is not None:
        errors.say(f"{name}: note: {about}")
