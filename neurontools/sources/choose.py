"""Which source a command reads: what --source or NEURONTOOLS_SOURCE names, or what this machine is."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from neurontools.sources.model import ModelSource
from neurontools.wire import default_socket_path

if TYPE_CHECKING:
    from neurontools.schema.source import Source

VARIABLE = "NEURONTOOLS_SOURCE"

NO_DEVICES = "failed to discover Neuron devices"
"""What AWS's tools say on a host without devices or without the driver."""

_NO_HOST = "no sign of Neuron devices here; to simulate some: neuron-model start, then --source model"

_PATIENCE_S = 1.5
"""How long a reading of the hardware waits for the first line of AWS's tool."""


class SpecError(ValueError):
    """The text that names a source is none that this release reads."""


def choose(spec: str | None, environ: Mapping[str, str], root: str = "/", place: bool = True) -> "Source":
    """The source that `spec` names, else the environment, else this machine's own devices.

    `root` is where the machine's files are; without `place` nobody looks at the instance's name, region and zone, which
    take a question to its metadata service. A device model is read only when it is named. Raises SpecError for a source
    that this release does not read, and SourceError where nothing is named and this is no Neuron host.
    """
    named = spec if spec is not None else environ.get(VARIABLE) or None
    if named is None:
        return _own_devices(environ, root, place)
    kind, _, rest = named.partition(":")
    if kind not in _KINDS:
        raise SpecError(f"cannot read the source {named!r}: this release reads {READABLE}")
    return _KINDS[kind](rest, environ, root, place)


def root_of(spec: str | None, environ: Mapping[str, str], root: str = "/") -> str | None:
    """Where the files are of the host that `choose` would read; None for a source that does not read a host's files."""
    kind, _, rest = (spec if spec is not None else environ.get(VARIABLE) or "sysfs").partition(":")
    return (rest or root) if kind == "sysfs" else None


def _own_devices(environ: Mapping[str, str], root: str, place: bool) -> "Source":
    """What a Neuron host shows by itself; of one without a loaded driver that says why there is nothing to see."""
    from neurontools.sources.sysfs.evidence import neuron_host

    if neuron_host(root) is None:
        from neurontools.schema.source import SourceError

        raise SourceError(NO_DEVICES, _NO_HOST)
    return with_runtimes(_sysfs("", environ, root, place), root)


def with_runtimes(hardware: "Source", root: str = "/") -> "Source":
    """The hardware of this host with what AWS's neuron-monitor tells of its runtimes, where that is installed."""
    if not os.path.exists(_aws_tool(root)):
        return hardware
    from neurontools.sources.merged import MergedSource

    return MergedSource(hardware, lambda: _stream(root, _PATIENCE_S))


def _sysfs(rest: str, environ: Mapping[str, str], root: str, place: bool) -> "Source":
    from neurontools.sources.sysfs.options import options_of
    from neurontools.sources.sysfs.source import SysfsSource

    return SysfsSource(rest or root, options_of(environ, place))


def _aws_tool(root: str) -> str:
    return os.path.join(root, "opt/aws/neuron/bin/neuron-monitor")


def _stream(root: str, patience_s: float | None = None) -> "Source":
    # It brings msgspec and subprocess, which a neuron-ls does not need.
    from neurontools.sources.aws import AwsSource, Command

    command = Command((), _aws_tool(root))
    return AwsSource(command) if patience_s is None else AwsSource(command, first_line_ns=round(patience_s * 1e9))


def _model(rest: str, environ: Mapping[str, str], root: str, place: bool) -> "Source":
    return ModelSource(rest or default_socket_path(environ))


def _aws(rest: str, environ: Mapping[str, str], root: str, place: bool) -> "Source":
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


def _replay(rest: str, environ: Mapping[str, str], root: str, place: bool) -> "Source":
    from neurontools.sources.replay import open_replay

    try:
        return open_replay(rest, environ)
    except ValueError as error:
        raise SpecError(f"cannot read the source 'replay:{rest}': {error}") from None


_KINDS: dict[str, Callable[[str, Mapping[str, str], str, bool], "Source"]] = {
    "sysfs": _sysfs,
    "model": _model,
    "aws": _aws,
    "replay": _replay,
}
READABLE = "sysfs[:ROOT], model[:SOCKET], aws[:COMMAND|-] or replay:[PATH][@TIME]"
"""What --source takes, in words."""
