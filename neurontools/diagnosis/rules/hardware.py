"""Rules about devices that fail: memory errors, errors of cores and DMA, health files, resets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from neurontools.diagnosis.parts import lacking
from neurontools.diagnosis.rule import (
    DEGRADED,
    INFO,
    MINUTE_NS,
    REPLACE,
    WARN,
    Evidence,
    Found,
    Outcome,
    Rule,
    Unknown,
    core_scope,
    device_scope,
    link_scope,
)
from neurontools.diagnosis.sample import CoreSample, DeviceSample
from neurontools.diagnosis.window import HARDWARE_ERROR, Window, counted
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.driver import HEALTH_FAMILIES
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.units import NS_PER_S, format_duration_ns

_TIME_UNKNOWN = "since the driver was loaded, when is not known"
_MAY_BE_FAILED = "a 0 may be a failed read"
_MEMORY_ERRORS = ("SRAM_UNCORRECTABLE_ERROR", "HBM_UNCORRECTABLE_ERROR")
_OTHER_ERRORS = {"NC_UNCORRECTABLE_ERROR": 1202, "DMA_ERROR": 1203}
_ERROR_STATUS = {"hw_error": 6, "hw_nc_ue_error": 1202, "hw_dma_abort_error": 1203}
_UNCORRECTED = ("sram_ecc_uncorrected", "mem_ecc_uncorrected")
_CORRECTED = ("mem_ecc_corrected", "sram_ecc_corrected")
_ALL_ERRORS = "hw_error_event"
"""A count of all lines that the driver logged, hangs of collectives included."""
_LINK = re.compile(r"link", re.IGNORECASE)


def hardware_errors(window: Window) -> Iterator[tuple[str, Event]]:
    """The driver's lines about failing hardware since the last reading, with the word for what failed."""
    for event in window.events:
        found = HARDWARE_ERROR.search(event.text) if event.kind == KERNEL_LOG else None
        if found is not None:
            yield found[1], event


def when(window: Window, kind: str, number: int, name: str) -> tuple[int | None, str]:
    """Since when a count of errors is known to have grown, and words for where that is not known."""
    growth = window.grown(kind, number, name)
    return (None, f", {_TIME_UNKNOWN}") if growth is None else (growth.first_ns, "")


def _unread(window: Window) -> Iterator[Unknown]:
    """Says so where the registers of some devices could not be read."""
    lacking = [device.device for device in window.now.devices.values() if not device.ecc]
    if lacking and len(lacking) < len(window.now.devices):
        yield Unknown(f"the counters of device {', '.join(map(str, lacking))} cannot be read")


def _uncorrected(window: Window, rule: Rule) -> Iterator[Outcome]:
    yield from _unread(window)
    logged = {event.device: (error, event) for error, event in hardware_errors(window) if error in _MEMORY_ERRORS}
    for device in window.now.devices.values():
        counts = {name: count for name in _UNCORRECTED if (count := (device.ecc or {}).get(name, 0))}
        error, event = logged.get(device.device, ("", None))
        if not counts and event is None:
            continue
        times = [when(window, "device", device.device, name) for name in counts]
        known = [since_ns for since_ns, _ in times if since_ns is not None]
        since_ns = min(known, default=None) if event is None else event.time_ns
        total = sum(counts.values()) or 1
        unsure = "" if since_ns is not None else times[0][1]
        evidence: dict[str, int | float | str] = {**counts}
        if event is not None:
            evidence |= {"kernel_log": error} | ({} if event.core is None else {"core": _logical(window, event.core)})
        words = f"{total} uncorrected memory {'error' if total == 1 else 'errors'}{unsure}"
        yield Found(device_scope(device.device), words, evidence, since_ns)


def _logical(window: Window, core: int) -> int:
    return core // window.snapshot.head.logical_neuroncore_config


def _repairable(window: Window, rule: Rule) -> Iterator[Outcome]:
    name = "mem_ecc_repairable_uncorrected"
    chip = CHIPS.get(window.inventory.chip)
    if chip is not None and chip.family not in HEALTH_FAMILIES:
        yield Unknown(rule.cannot)
        return
    for device in window.now.devices.values():
        total = (device.ecc or {}).get(name, 0)
        if total:
            since_ns, unsure = when(window, "device", device.device, name)
            errors = "error" if total == 1 else "errors"
            words = f"{total} uncorrected memory {errors} that the hardware can repair{unsure}"
            yield Found(device_scope(device.device), words, {name: total}, since_ns)


def _corrected_rate(window: Window, rule: Rule) -> Iterator[Outcome]:
    if window.before is None:
        yield Unknown("a rate needs two readings", "--window 30s")
        return
    for device in window.now.devices.values():
        seconds, before = _earliest(window, device.device)
        errors = {
            name: count
            for name in _CORRECTED
            if (count := counted(before.get(name), (device.ecc or {}).get(name), name)) is not None
            and count >= rule.threshold
        }
        if errors:
            words = f"{sum(errors.values())} corrected memory errors in {format_duration_ns(seconds * NS_PER_S)}"
            yield Found(device_scope(device.device), words, {**errors, "seconds": seconds})


def _earliest(window: Window, device: int) -> tuple[int, Mapping[str, int]]:
    """The first counts of corrected errors in the last hour, and how many seconds ago that was."""
    for sample in window.samples:
        found = sample.devices.get(device)
        if found is not None and found.ecc and any(name in found.ecc for name in _CORRECTED):
            return (window.now.time_ns - sample.time_ns) // NS_PER_S, found.ecc
    return 0, {}


def _failing(window: Window, rule: Rule) -> Iterator[Outcome]:
    logged: set[int] = set()
    for error, event in hardware_errors(window):
        if error in _OTHER_ERRORS and event.core is not None and event.device is not None:
            core = _logical(window, event.core)
            logged.add(core)
            code = STATUSES[_OTHER_ERRORS[error]]
            evidence: Evidence = {"kernel_log": error, "nrt_code": code.value}
            words = f"the driver logged {error}"
            yield Found(core_scope(core, event.device), words, evidence, event.time_ns, advice=code.advice)
    for each in window.now.cores.values():
        if each.core not in logged:
            yield from _failed_executions(window, each)
    if lacking(window, ("kernel_log",)) is not None and (gap := lacking(window, ("status",))) is not None:
        yield Unknown(f"neither the kernel's log nor the status of executions is shown: {gap.reason}", gap.supply)


def _failed_executions(window: Window, core: CoreSample) -> Iterator[Found]:
    ecc, logged = window.now.devices[core.device].ecc or {}, (core.device, "SRAM_UNCORRECTABLE_ERROR")
    sram_errors = ecc.get("sram_ecc_uncorrected", 0) or logged in window.logged
    for name, value in _ERROR_STATUS.items():
        total = (core.errors or {}).get(name, 0)
        # An error of the SRAM ends executions with the same code, and is told as that.
        if total and not (value == 1202 and sram_errors):
            code = STATUSES[value]
            since_ns, unsure = when(window, "core", core.core, name)
            words = f"{total} {'execution' if total == 1 else 'executions'} ended with {code.name}{unsure}"
            evidence: Evidence = {f"status/{name}": total, "nrt_code": value}
            yield Found(core_scope(core.core, core.device), words, evidence, since_ns, advice=code.advice)


def _health(window: Window, rule: Rule) -> Iterator[Outcome]:
    for device in window.now.devices.values():
        health = device.health or {}
        components = [
            word for word in str(health.get("unhealthy_components", "")).split(", ") if word and not _LINK.match(word)
        ]
        counts = {name: value for name, value in health.items() if _is_error_count(name) and value}
        if components:
            evidence = {"unhealthy_components": ", ".join(components), **counts}
            yield Found(device_scope(device.device), f"unhealthy: {', '.join(components)}", evidence, severity=DEGRADED)
        elif counts:
            total = ", ".join(f"{name} {value}" for name, value in counts.items())
            severity = INFO if set(counts) == {_ALL_ERRORS} else None
            yield Found(device_scope(device.device), f"{total} {_TIME_UNKNOWN}", counts, severity=severity)


def _is_error_count(name: str) -> bool:
    return name.endswith("_err_count") or name == _ALL_ERRORS


def _reset_failed(window: Window, rule: Rule) -> Iterator[Outcome]:
    for device in window.now.devices.values():
        cores = [core for core in window.now.cores.values() if core.device == device.device]
        failures = max((core.reset_failures or 0 for core in cores), default=0)
        if device.reset_state == "invalid" or failures:
            evidence: dict[str, int | float | str] = {"reset_fail_count": failures}
            if device.reset_state is not None:
                evidence["reset_state"] = device.reset_state
            words = "a reset of the device failed"
            severity = None
            if device.reset_state == "ready":
                words, severity = "a reset of the device failed once; it is ready now", WARN
            yield Found(device_scope(device.device), words, evidence, severity=severity)


def _reset(window: Window, rule: Rule) -> Iterator[Outcome]:
    if window.before is None:
        return
    for device in window.now.devices.values():
        steps = [_requests(window, core.core) for core in window.now.cores.values() if core.device == device.device]
        if device.reset_state == "reset" or any(steps):
            words = "a reset of the device began" if device.reset_state == "reset" else "the device was reset"
            yield Found(device_scope(device.device), words, {"reset_req_count": max(steps, default=0)})


def _requests(window: Window, core: int) -> int:
    earlier = window.before.cores.get(core) if window.before is not None else None
    return counted(earlier.reset_requests if earlier else None, window.now.cores[core].reset_requests) or 0


def _links(window: Window, rule: Rule) -> Iterator[Outcome]:
    down = {
        (min(device.device, peer), max(device.device, peer))
        for device in window.now.devices.values()
        for peer, up in device.links_up.items()
        if not up
    }
    yield from (Found(link_scope(*ends), "the link is down", {"up": 0}) for ends in sorted(down))
    named = set(_named_links(window.now.devices.values()))
    yield from (
        Found(
            link_scope(*ends),
            "the device's health check names the link",
            {"unhealthy_components": f"link {ends[0]}-{ends[1]}"},
        )
        for ends in sorted(named - down)
    )
    linked = any(device.connected_to for device in window.inventory.devices)
    if linked and not any(device.links_up for device in window.now.devices.values()) and not _names_links(window):
        yield Unknown("link state is not observable, the drawing is the design", "Trainium2 or 3 with driver 2.30.2")


def _named_links(devices: Iterable[DeviceSample]) -> Iterator[tuple[int, int]]:
    for device in devices:
        for one, other in re.findall(r"link (\d+)-(\d+)", str((device.health or {}).get("unhealthy_components", ""))):
            yield min(int(one), int(other)), max(int(one), int(other))


def _names_links(window: Window) -> bool:
    return any("unhealthy_components" in (device.health or {}) for device in window.now.devices.values())


_BAD_MEMORY = STATUSES[1201].advice

RULES = (
    Rule(
        id="ecc-uncorrected",
        title="memory errors that could not be corrected",
        needs=("ecc",),
        find=_uncorrected,
        scope="device",
        severity=REPLACE,
        category="memory",
        threshold=1,
        meaning="uncorrected errors of HBM or SRAM",
        advice=_BAD_MEMORY,
        clears="when the driver's counters are back at 0: another instance, or a driver that was loaded anew",
        cannot=_MAY_BE_FAILED,
        hold_ns=10 * MINUTE_NS,
        codes=(1201, 1202),
    ),
    Rule(
        id="ecc-repairable",
        title="uncorrected memory errors that the hardware can repair",
        needs=("repairable",),
        find=_repairable,
        scope="device",
        severity=DEGRADED,
        category="memory",
        threshold=1,
        meaning="repairable uncorrected errors of HBM",
        advice=STATUSES[1205].advice,
        clears="when the driver was loaded anew",
        cannot="this chip always reports 0",
        codes=(1205,),
    ),
    Rule(
        id="ecc-corrected-rate",
        title="memory errors that were corrected, but too many of them",
        needs=("corrected",),
        find=_corrected_rate,
        scope="device",
        severity=WARN,
        category="memory",
        threshold=10,
        meaning="corrected errors of one kind on a device within an hour",
        advice="Nothing is lost yet. Plan to move the work: many corrected errors often precede one that is not.",
        clears="when there were fewer in the last hour",
        supply="driver 2.30.2, or AWS's neuron-monitor: --source aws",
    ),
    Rule(
        id="hardware-error",
        title="a core or a DMA engine failed",
        needs=("devices",),
        find=_failing,
        scope="core",
        severity=REPLACE,
        category="hardware",
        threshold=1,
        meaning="lines of the driver, or executions that ended with codes 6, 1202 or 1203",
        advice="Move the work away and replace the instance.",
        clears="10 minutes after the last line; executions that were counted are forgotten with the boot",
        hold_ns=10 * MINUTE_NS,
        codes=(6, 1202, 1203),
    ),
    Rule(
        id="device-health",
        title="the driver's health files name something",
        needs=("health",),
        find=_health,
        scope="device",
        severity=WARN,
        category="hardware",
        threshold=1,
        meaning="errors in a health file, or a component that is not healthy",
        advice="See which other finding or line of the kernel's log belongs to it; else watch the device.",
        clears="when the files are back at 0",
        cannot="no health files on this chip",
        hidden_by=("ecc-uncorrected", "ecc-repairable", "hardware-error"),
    ),
    Rule(
        id="reset-failed",
        title="a device could not be reset",
        needs=("resets",),
        find=_reset_failed,
        scope="device",
        severity=DEGRADED,
        category="hardware",
        threshold=1,
        meaning="failed resets, or a device that is neither ready nor being reset",
        advice="Load the driver anew, or stop and start the instance; replace it if that does not help.",
        clears="when the driver was loaded anew",
    ),
    Rule(
        id="device-reset",
        title="a device is or was reset while it was watched",
        needs=("resets",),
        find=_reset,
        scope="device",
        severity=INFO,
        category="hardware",
        threshold=1,
        meaning="requests for a reset since the last reading; one at boot is normal",
        advice="Executions fail with NC_BUSY meanwhile; a reset may take 2 minutes, on newer chips 8.",
        clears="2 minutes after it was last seen",
        hold_ns=2 * MINUTE_NS,
        codes=(1005,),
        hidden_by=("reset-failed",),
    ),
    Rule(
        id="link-down",
        title="a link between devices is down",
        needs=("devices",),
        find=_links,
        scope="link",
        severity=DEGRADED,
        category="link",
        threshold=1,
        meaning="links that are down or that a health file names",
        advice="Keep jobs that need this link off the two devices, and replace the instance.",
        clears="when both ends see it up",
        cannot="link state is not observable, the drawing is the design",
    ),
)
