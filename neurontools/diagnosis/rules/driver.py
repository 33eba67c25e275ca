"""Rules about the driver: is it there, is it for these devices, does it fit what is installed and what runs on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from neurontools.diagnosis.parts import PARTS, lacking
from neurontools.diagnosis.rule import (
    DEGRADED,
    INFO,
    MINUTE_NS,
    NODE,
    REPLACE,
    WARN,
    Evidence,
    Found,
    Outcome,
    Rule,
    Unknown,
    device_scope,
    process_scope,
)
from neurontools.diagnosis.window import Window
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.compatibility import unmet, unsupported
from neurontools.hardware.driver import DROPPED_IN, LIVE_COUNTERS_SINCE
from neurontools.hardware.instances import INSTANCES
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.events import RUNTIME_LOG
from neurontools.schema.finding import Scope
from neurontools.schema.host_facts import HostFacts

_TOO_OLD = re.compile(
    r"Neuron Runtime \(compatibility id: \d+\) is not compatible|requires Neuron Driver version [\d.]+ or greater"
)
_NEWER_DRIVER = (
    "Install a newer aws-neuronx-dkms and load it, or use the runtime of the release that this driver is of."
)
_NONE_THERE = "See what the kernel's log says: dmesg | grep -i neuron. Then stop and start the instance, or replace it."
_AS_ROOT = "run it as root, in the host's pid namespace"


def _driver_absent(window: Window, rule: Rule) -> Iterator[Outcome]:
    facts = window.facts
    if window.now.devices:
        return
    if facts is not None and facts.driver_loaded is not None:
        if not facts.driver_loaded and (facts.pci_devices or facts.instance_type in INSTANCES):
            yield Found(NODE, "the Neuron driver is not loaded", _of_driver(facts))
        yield from _for_other_chips(facts)
        return
    gap = window.gaps.get("device")
    if gap is None:
        yield Unknown("no device is shown, and not why", "run it on the host itself")
    else:
        yield Found(NODE, gap.reason, {"devices": 0}, advice=gap.supply)


def _for_other_chips(facts: HostFacts) -> Iterator[Found]:
    version = facts.driver_version
    found = unsupported(facts.instance_type, version) if facts.driver_devices == 0 else None
    if found is not None and version is not None:
        chip, needed = found
        words = f"driver {version} has no support for {chip.name}, which needs {needed}"
        pinned = ", and pin it: it is the last for this chip" if chip.family in DROPPED_IN else ""
        advice = f"Install aws-neuronx-dkms {needed} and load it{pinned}."
        yield Found(NODE, words, _of_driver(facts) | {"loaded": version, "needed": needed}, advice=advice)


def _of_driver(facts: HostFacts) -> dict[str, int | float | str]:
    found: dict[str, int | float | str] = {"instance_type": facts.instance_type or "unknown"}
    if facts.pci_devices is not None:
        found["pci_devices"] = facts.pci_devices
    if facts.installed_drivers:
        found["installed_drivers"] = ", ".join(facts.installed_drivers)
    return found


def _device_missing(window: Window, rule: Rule) -> Iterator[Outcome]:
    instance = INSTANCES.get(window.inventory.instance_type)
    facts = window.facts
    shown = len(window.now.devices)
    there = facts.driver_devices if facts is not None and facts.driver_devices is not None else shown
    expected = max(instance.devices if instance else 0, (facts.pci_devices or 0) if facts else 0)
    if facts is not None and facts.driver_version is not None and not shown and facts.driver_devices == 0 < expected:
        if not any(_for_other_chips(facts)):
            words = f"none of {expected} devices is there"
            yield Found(NODE, words, {"devices": 0, "expected": expected}, advice=_NONE_THERE)
    elif (gap := lacking(window, ("devices",))) is not None:
        yield Unknown(gap.reason, gap.supply)
    elif instance is None and not expected:
        yield Unknown("how many devices this instance type has is not known")
    elif 0 < there < expected:
        words = f"{there} of {expected} devices are there"
        yield Found(NODE, words, {"devices": there, "expected": expected})
    elif shown < there:
        yield Unknown(f"container: only {shown} devices granted", "--all-devices")


def _driver_mismatch(window: Window, rule: Rule) -> Iterator[Outcome]:
    facts = window.facts
    if facts is None or not facts.installed_drivers or facts.driver_version is None:
        yield Unknown("no installed driver package is found beside the loaded module")
    elif not any(_same(facts.driver_version, installed) for installed in facts.installed_drivers):
        newest = facts.installed_drivers[-1]
        words = f"driver {facts.driver_version} is loaded, but {newest} is installed"
        yield Found(NODE, words, {"loaded": facts.driver_version, "installed": newest})


def _same(loaded: str, installed: str) -> bool:
    return loaded == installed or loaded.startswith(f"{installed}.") or installed.startswith(f"{loaded}.")


def _runtime_mismatch(window: Window, rule: Rule) -> Iterator[Outcome]:
    yield from _refused_models(window)
    yield from _refused_runtimes(window)
    versions = {process.pid: process.runtime_version for process in window.snapshot.processes or ()}
    holders = (window.facts.holders or ()) if window.facts else ()
    versions |= {holder.pid: holder.runtime_version for holder in holders if holder.runtime_version is not None}
    known = {pid: version for pid, version in versions.items() if version and version[0].isdigit()}
    places = [(process_scope(pid), version) for pid, version in known.items()]
    # What cannot start is never seen to run.
    installed = (window.facts.installed_runtimes or ()) if window.facts else ()
    places += [(NODE, version) for version in installed if version not in known.values()]
    yield from (found for scope, version in places for found in _too_new(window, scope, version))
    gap = lacking(window, ("processes", "status"))
    if gap is not None or len(known) < len(versions):
        yield Unknown(rule.cannot if gap is None else f"{rule.cannot}: {gap.reason}", _AS_ROOT)


def _too_new(window: Window, scope: Scope, runtime: str) -> Iterator[Found]:
    """A runtime that needs a newer driver than is loaded."""
    driver = window.inventory.driver_version or (window.facts.driver_version if window.facts else None) or ""
    chip = CHIPS.get(window.inventory.chip)
    needed = unmet(runtime, driver, chip.family if chip is not None else "")
    if needed is not None:
        evidence: Evidence = {"runtime": runtime, "driver": driver, "needed_driver": needed.driver}
        words = f"runtime {runtime} needs driver {needed.driver} or later, and {driver} is loaded"
        yield Found(scope, words, evidence, advice=_NEWER_DRIVER)


def _refused_models(window: Window) -> Iterator[Found]:
    """Models that the runtime would not load, by the status counter."""
    for core, name, count in window.grew("core"):
        if name == "unsupported_neff_version":
            pids = window.holders((core,))
            scope = process_scope(pids[0]) if len(pids) == 1 else device_scope(window.now.cores[core].device)
            evidence = {"status/unsupported_neff_version": count, "nrt_code": 10, "core": core}
            yield Found(scope, "a model was refused: it is for another generation of the runtime", evidence)


def _refused_runtimes(window: Window) -> Iterator[Found]:
    """Runtimes that would not start with this driver, by their log."""
    told: set[int | None] = set()
    for event in window.events:
        match = _TOO_OLD.search(event.text) if event.kind == RUNTIME_LOG else None
        if match is not None and event.pid not in told:
            told.add(event.pid)
            scope = NODE if event.pid is None else process_scope(event.pid)
            evidence = {"driver": window.inventory.driver_version or "unknown", "log": match[0]}
            words = "a runtime refused to start: the driver is too old for it"
            yield Found(scope, words, evidence, event.time_ns, advice=_NEWER_DRIVER)


def _counters_not_live(window: Window, rule: Rule) -> Iterator[Outcome]:
    if PARTS["busy"].known(window):
        return
    for part in ("nc_time_in_use", "busy_ns", "utilization_percent"):
        gap = window.gaps.get(part)
        if gap is not None and "driver" in gap.reason:
            version = window.inventory.driver_version
            evidence = {} if version is None else {"driver": version}
            yield Found(NODE, f"what the cores do is not live: {gap.reason}", evidence)
            return


RULES = (
    Rule(
        id="driver-absent",
        title="the driver is not loaded, or is for other chips",
        needs=(),
        find=_driver_absent,
        scope="node",
        severity=DEGRADED,
        category="driver",
        advice="Load it: modprobe neuron. If that fails, see dmesg, and install aws-neuronx-dkms for this kernel.",
        clears="when a driver for these devices is loaded",
    ),
    Rule(
        id="device-missing",
        title="fewer devices than the instance type has",
        needs=(),
        find=_device_missing,
        scope="node",
        severity=REPLACE,
        category="driver",
        advice="See what the kernel's log says of the others; stop and start the instance, or replace it.",
        clears="when all devices are there",
        threshold=1,
        meaning="devices that are missing",
    ),
    Rule(
        id="driver-mismatch",
        title="another driver is loaded than is installed",
        needs=("driver", "installed"),
        find=_driver_mismatch,
        scope="node",
        severity=WARN,
        category="driver",
        advice="Load the installed driver when no process holds a device: rmmod neuron, modprobe neuron; or reboot.",
        clears="when they are the same",
    ),
    Rule(
        id="runtime-mismatch",
        title="a model, runtime and driver do not fit together",
        needs=("devices",),
        find=_runtime_mismatch,
        scope="process",
        severity=WARN,
        category="driver",
        advice=STATUSES[10].advice,
        clears="10 minutes after it last happened",
        cannot="runtime lives in an image that cannot be seen",
        hold_ns=10 * MINUTE_NS,
        codes=(10,),
    ),
    Rule(
        id="counters-not-live",
        title="what the runtime counts does not move while it runs",
        needs=("devices",),
        find=_counters_not_live,
        scope="node",
        severity=INFO,
        category="monitor",
        advice=f"Install driver {LIVE_COUNTERS_SINCE} or later, or let AWS's neuron-monitor be read as well.",
        clears="when the counters are live",
        hidden_by=("monitor-blind",),
    ),
)
