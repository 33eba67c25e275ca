"""The parts of a reading that rules need: whether the newest one has them, and why not where it has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from neurontools.diagnosis.window import Window
from neurontools.schema.host_facts import HostFacts
from neurontools.schema.snapshot import Gap, Head

ON_THE_HOST = Gap(reason="this source does not show the host's files", supply="run it on the host itself")
_NO_LOG = Gap(reason="this source does not show the kernel's log", supply="run it on the host itself, as root")
_LOG = "kernel_log"
NOT_GIVEN = Gap(reason="this source does not give it")


class Part(NamedTuple):
    """`known` says whether it is there; `named` are the names under which a reading's gaps tell why it is not, and
    `why` is said where they do not."""

    known: Callable[[Window], bool]
    named: tuple[str, ...] = ()
    why: Gap = NOT_GIVEN


def _any_core(field: str) -> Callable[[Window], bool]:
    def known(window: Window) -> bool:
        return any(getattr(core, field) is not None for core in window.now.cores.values())

    return known


def _any_process(field: str) -> Callable[[Window], bool]:
    def known(window: Window) -> bool:
        processes = window.now.processes
        # Of no process nothing is unknown.
        return processes is not None and (
            not processes or any(getattr(process, field) is not None for process in processes.values())
        )

    return known


def _any_ecc(name: str) -> Callable[[Window], bool]:
    return lambda window: any(name in (device.ecc or {}) for device in window.now.devices.values())


def _fact(field: str) -> Part:
    def known(window: Window) -> bool:
        return window.facts is not None and getattr(window.facts, field) is not None

    return Part(known, (field,), ON_THE_HOST)


def _either(*knowns: Callable[[Window], bool]) -> Callable[[Window], bool]:
    return lambda window: any(known(window) for known in knowns)


def why_no_log(head: Head) -> Gap | None:
    """Why a reading tells nothing of the kernel's log; None where it does."""
    unseen = _NO_LOG if "aws" in (head.origin.kind, head.origin.detail) else None
    return head.gaps.get(_LOG, unseen)


def _has_log(window: Window) -> bool:
    return why_no_log(window.snapshot.head) is None


_COMPLETED = ("executions", "inference_count", "execution_stats")

PARTS: dict[str, Part] = {
    "devices": Part(lambda window: bool(window.now.devices), ("device",)),
    "ecc": Part(_any_ecc("mem_ecc_uncorrected"), ("mem_ecc_uncorrected", "ecc")),
    "corrected": Part(_any_ecc("mem_ecc_corrected"), ("mem_ecc_corrected", "ecc")),
    "repairable": Part(_any_ecc("mem_ecc_repairable_uncorrected"), ("mem_ecc_repairable_uncorrected", "ecc")),
    "health": Part(
        lambda window: any(device.health for device in window.now.devices.values()), ("health", "hw_error_event")
    ),
    "resets": Part(_any_core("reset_failures"), ("reset_fail_count", "other_info", "core")),
    "status": Part(_any_core("errors"), ("status", "success", "core")),
    "executions": Part(_either(_any_core("executions"), _any_process("executions")), _COMPLETED),
    "errors": Part(_either(_any_core("errors"), _any_process("errors")), ("status", "errors", "execution_stats")),
    "busy": Part(_any_core("busy_ns"), ("busy_ns", "nc_time_in_use", "utilization_percent")),
    "flops": Part(_any_core("flops"), ("flops", "flop_count", "core_flops_per_s")),
    "collectives": Part(
        _any_core("collectives_ns"),
        ("collectives_ns", "core_collectives_percent"),
        Gap(reason="the driver does not tell time in collectives from other execution"),
    ),
    "memory": Part(
        _either(_any_core("memory_bytes"), _any_process("memory_bytes")), ("memory", "device_memory", "core", "device")
    ),
    "processes": Part(
        lambda window: window.now.processes is not None and "processes" not in window.gaps, ("processes", "process")
    ),
    "by_process": Part(_any_process("executions"), ("executions", "process", "execution_stats")),
    "latency": Part(_any_process("latency_total"), ("latency_total", "process", "execution_stats")),
    "vcpu": Part(_any_process("vcpu_ns"), ("vcpu_user_ns", "processes", "process_vcpu_user_percent")),
    "links": Part(
        lambda window: any(device.links_up for device in window.now.devices.values()),
        ("link",),
        Gap(reason="no link counters exist"),
    ),
    "kernel_log": Part(_has_log, (_LOG,), _NO_LOG),
    "driver": _fact("driver_loaded"),
    "installed": _fact("installed_drivers"),
    "holders": _fact("holders"),
    "compilers": _fact("compilers"),
    "closed": _fact("closed_status"),
    "efa": _fact("efa"),
    "notices": _fact("notices"),
    "never": Part(lambda window: False),
}
"""By the names that rules use."""


def lacking(window: Window, needs: tuple[str, ...]) -> Gap | None:
    """Why the first of the needed parts that is missing is missing; None where all are there."""
    for name in needs:
        part = PARTS[name]
        if not part.known(window):
            return _why(part, window)
    return None


def _why(part: Part, window: Window) -> Gap:
    gaps = _gaps_of(window.facts) | dict(window.gaps)
    for name in (*part.named, *(("device",) if not window.now.devices else ())):
        if name in gaps:
            return gaps[name]
    return part.why


def _gaps_of(facts: HostFacts | None) -> dict[str, Gap]:
    return {} if facts is None else facts.gaps
