"""The operating system's own numbers, from /proc: time of each vCPU, memory, swap, context switches."""

import os
from typing import NamedTuple

from neurontools.schema.snapshot import CpuTimes, Host
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.reasons import Reasons, unreadable
from neurontools.units import KIB, NS_PER_S

TICK_NS = NS_PER_S // os.sysconf("SC_CLK_TCK")
"""The unit of times in /proc."""

_STAT_BYTES = 1 << 20
_STATES = len(CpuTimes.__struct_fields__)
_MEMORY = {
    "memory_total_bytes": ("MemTotal", ""),
    "memory_used_bytes": ("MemTotal", "MemAvailable"),
    "swap_total_bytes": ("SwapTotal", ""),
    "swap_used_bytes": ("SwapTotal", "SwapFree"),
}
"""Fields of a host by what of /proc/meminfo they are, and what is taken off it."""
_MOST = 1 << 62


class SystemStat(NamedTuple):
    """What /proc/stat says; `boot_s` is when the system was started, in whole seconds."""

    cpus: tuple[CpuTimes, ...] | None = None
    context_switches: int | None = None
    boot_s: int | None = None


def read_host(root: Root, stat: SystemStat, reasons: Reasons) -> Host:
    """The host now; what cannot be read is None with its reason."""
    memory = _memory(root, reasons)
    used = {name: _less(memory.get(whole), memory.get(part) if part else 0) for name, (whole, part) in _MEMORY.items()}
    return Host(cpus=stat.cpus, context_switches=stat.context_switches, **used)


def read_system_stat(root: Root, reasons: Reasons) -> SystemStat:
    """The system's counters now."""
    try:
        lines = root.read("proc/stat", _STAT_BYTES).split(b"\n")
    except OSError as error:
        reasons.add(("cpus", "context_switches", "host"), unreadable(error, "/proc/stat"))
        return SystemStat()
    said = {words[0]: words[1:] for line in lines if (words := line.split(None, _STATES + 1))}
    try:
        cpus = tuple(
            [
                CpuTimes(*[int(ticks) * TICK_NS for ticks in words[:_STATES]])
                for name, words in said.items()
                if name.startswith(b"cpu") and name != b"cpu"
            ]
        )
    except (ValueError, TypeError):
        cpus = ()
    if not cpus:
        reasons.one("cpus", ("/proc/stat tells no times of vCPUs", None))
    return SystemStat(cpus or None, _count(said.get(b"ctxt")), _count(said.get(b"btime")))


def _memory(root: Root, reasons: Reasons) -> dict[str, int]:
    """Bytes by the words of /proc/meminfo."""
    try:
        lines = root.read("proc/meminfo").decode("utf-8", "replace").splitlines()
    except OSError as error:
        reasons.add((*_MEMORY, "host"), unreadable(error, "/proc/meminfo"))
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        count = _count([word.encode() for word in rest.split()[:1]])
        if count is not None:
            found[name] = count * KIB
    return found


def _less(whole: int | None, part: int | None) -> int | None:
    return None if whole is None or part is None else max(0, whole - part)


def _count(words: list[bytes] | None) -> int | None:
    try:
        count = int(words[0]) if words else -1
    except ValueError:
        return None
    return count if 0 <= count < _MOST else None
