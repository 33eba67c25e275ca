"""Which source a command reads: what --source or NEURONTOOLS_SOURCE names, or what this machine is."""

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from neurontools.sources.model import ModelSource
from neurontools.wire import default_socket_path

if TYPE_CHECKING:
    from neurontools.schema.source import Source

VARIABLE = "NEURONTOOLS_SOURCE"

NO_DEVICES = "failed to discover Neuron devices"
"""What AWS's tools say on a host without devices or without the driver."""

_HOST_TYPE = r"(inf|trn)\d"
_AMAZON = 0x1D0F
_DRIVER_DIRECTORIES = ("sys/class/neuron_device", "sys/devices/virtual/neuron_device")

_PATIENCE_S = 1.5
"""How long a reading of the hardware waits for the first line of AWS's tool."""


class SpecError(ValueError):
    """The text that names a source is none that this release reads."""


def choose(spec: str | None, environ: Mapping[str, str], root: str = "/") -> "Source":
    """The source that `spec` names, else the environment, else this machine's own devices.

    `root` is where the machine's files are. A device model is read only when it is named. Raises SpecError for a
    source that this release does not read, and SourceError where nothing is named and no device can be read.
    """
    named = spec if spec is not None else environ.get(VARIABLE) or None
    if named is None:
        return _own_devices(root)
    kind, _, rest = named.partition(":")
    if kind not in _KINDS:
        raise SpecError(f"cannot read the source {named!r}: this release reads {READABLE}")
    return _KINDS[kind](rest, environ)


def neuron_host(root: str = "/") -> str | None:
    """What shows that this machine has Neuron devices; None where nothing does."""
    product = _text(root, "sys/class/dmi/id/product_name")
    if re.match(_HOST_TYPE, product):
        return f"DMI product name {product}"
    for directory in _DRIVER_DIRECTORIES:
        if os.path.isdir(os.path.join(root, directory)):
            return f"/{directory}"
    return _neuron_function(root)


def _neuron_function(root: str) -> str | None:
    from neurontools.hardware.chips import CHIPS  # only a command without a source pays for this import

    known = {device_id for chip in CHIPS.values() for device_id in chip.pci_device_ids}
    directory = "sys/bus/pci/devices"
    try:
        functions = sorted(os.listdir(os.path.join(root, directory)))
    except OSError:
        return None
    for function in functions:
        vendor, device = (_number(_text(root, f"{directory}/{function}/{name}")) for name in ("vendor", "device"))
        if vendor == _AMAZON and device in known:
            return f"PCI function {function}"
    return None


def _own_devices(root: str) -> "Source":
    from neurontools.schema.source import SourceError

    evidence = neuron_host(root)
    if evidence is None:
        hint = "no sign of Neuron devices here; to simulate some: neuron-model start, then --source model"
        raise SourceError(NO_DEVICES, hint)
    if not os.path.exists(_aws_tool(root)):
        hint = (
            f"this is a Neuron host ({evidence}), but this release has no reader of the driver's files, "
            f"only of AWS's own neuron-monitor, and that is not installed ({_aws_tool(root)})"
        )
        raise SourceError(NO_DEVICES, hint)
    return _stream(root)


def with_runtimes(hardware: "Source", root: str = "/") -> "Source":
    """The hardware of this host with what AWS's neuron-monitor tells of its runtimes, where that is installed."""
    from neurontools.sources.merged import MergedSource

    if not os.path.exists(_aws_tool(root)):
        return hardware
    return MergedSource(hardware, lambda: _stream(root, _PATIENCE_S))


def _aws_tool(root: str) -> str:
    return os.path.join(root, "opt/aws/neuron/bin/neuron-monitor")


def _stream(root: str, patience_s: float | None = None) -> "Source":
    # It brings msgspec and subprocess, which a neuron-ls does not need.
    from neurontools.sources.aws import AwsSource, Command

    command = Command((), _aws_tool(root))
    return AwsSource(command) if patience_s is None else AwsSource(command, first_line_ns=round(patience_s * 1e9))


def _model(rest: str, environ: Mapping[str, str]) -> "Source":
    return ModelSource(rest or default_socket_path(environ))


def _aws(rest: str, environ: Mapping[str, str]) -> "Source":
    import shlex

    from neurontools.sources.aws import AwsSource, Command, Stdin

    if rest == "-":
        return AwsSource(Stdin())
    if not rest:
        return _stream("/")
    try:
        return AwsSource(Command(shlex.split(rest)))
    except ValueError as error:
        raise SpecError(f"cannot read the command in aws:{rest}: {error}") from None


_KINDS: dict[str, Callable[[str, Mapping[str, str]], "Source"]] = {"model": _model, "aws": _aws}
READABLE = "model[:SOCKET] or aws[:COMMAND|-]"
"""What --source takes, in words."""


def _text(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None
