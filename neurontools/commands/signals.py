"""Signals to processes: to a device model's through its socket, to this machine's own by pidfd and start time."""

import os
import signal
from collections.abc import Mapping

from neurontools.sources.choose import VARIABLE, choose
from neurontools.units import NS_PER_S
from neurontools.views.top.control import Control, Refused

_READONLY = "neuron-top was started with --readonly"
_NO_PROCESSES_HERE = "the source {!r} shows processes that are not of this machine, or not of now"
_CLOCK_SLACK_NS = NS_PER_S
"""The kernel's time of boot moves with the clock by so much; pids are not reused that fast."""
_START_FIELD = 19
"""Of /proc/PID/stat, counted after the command, which may hold anything."""


def control_of(spec: str | None, environ: Mapping[str, str], readonly: bool) -> Control:
    """What may be done to the processes that the source `spec` shows, or the one that the environment names."""
    named = spec if spec is not None else environ.get(VARIABLE) or ""
    kind, _, rest = named.partition(":")
    if readonly:
        return Control(None, _READONLY)
    if kind == "model":
        return Control(lambda pid, started_ns, number: _to_model(named, environ, pid, number))
    if not named or (kind == "sysfs" and rest in ("", "/")):
        return Control(to_process)
    return Control(None, _NO_PROCESSES_HERE.format(named))


def to_process(pid: int, started_ns: int, number: int) -> None:
    """Sends a signal to a process of this machine that started then; raises Refused where that is another one."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        raise Refused(f"process {pid}: {os.strerror(error.errno or 0)}") from None
    try:
        # From here on the descriptor means this very process, whatever becomes of its pid.
        if abs(started_at_ns(pid) - started_ns) > _CLOCK_SLACK_NS:
            raise Refused(f"process {pid} is another one by now")
        if os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid"):
            raise Refused(f"process {pid} is in another pid namespace")
        signal.pidfd_send_signal(descriptor, number)
    except OSError as error:
        raise Refused(f"process {pid}: {os.strerror(error.errno or 0)}") from None
    finally:
        os.close(descriptor)


def started_at_ns(pid: int) -> int:
    """When a process of this machine started, in ns since 1970; raises OSError when there is none."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    with open("/proc/stat", "rb") as file:
        boot_s = next((int(line.split()[1]) for line in file if line.startswith(b"btime ")), 0)
    return boot_s * NS_PER_S + int(fields[_START_FIELD]) * NS_PER_S // os.sysconf("SC_CLK_TCK")


def _to_model(spec: str, environ: Mapping[str, str], pid: int, number: int) -> None:
    """Over a connection of its own: the other one may be in the middle of a reading."""
    from neurontools.schema.source import SourceError
    from neurontools.sources.model import ModelSource

    source = choose(spec, environ)
    try:
        assert isinstance(source, ModelSource)
        source.signal(pid, number)
    except SourceError as error:
        raise Refused(error.reason) from None
    finally:
        source.close()
