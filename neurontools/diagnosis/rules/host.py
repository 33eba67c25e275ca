"""Rules about the host around the devices: its driver, who holds what, its network, what EC2 plans, who can see."""

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
from neurontools.diagnosis.rules.progress import executed_ns, vcpu_percent
from neurontools.diagnosis.sample import ProcessSample
from neurontools.diagnosis.window import Window, counted
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.compatibility import unmet
from neurontools.hardware.driver import LIVE_COUNTERS_SINCE
from neurontools.hardware.instances import INSTANCES
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.events import RUNTIME_LOG
from neurontools.schema.finding import Scope
from neurontools.schema.host_facts import HolderFacts, HostFacts
from neurontools.units import MIB, NS_PER_S, format_bytes

_TOO_OLD = re.compile(
    r"Neuron Runtime \(compatibility id: \d+\) is not compatible|requires Neuron Driver version [\d.]+ or greater"
)
_NEWER_DRIVER = (
    "Install a newer aws-neuronx-dkms and load it, or use the runtime of the release that this driver is of."
)
_AS_ROOT = "run it as root, in the host's pid namespace"
_STATES = {"Z": "a zombie", "T": "stopped", "t": "stopped by a debugger", "X": "dying"}
_INIT = 1
_REST_NS = 20 * NS_PER_S
_REST_VCPU_PERCENT = 10.0
_EFA_EVENTS = ("retrans_timeout_events", "unresponsive_remote_events", "impaired_remote_conn_events")
_EFA_ACTIVE = "ACTIVE"
_NOTICES = {
    "spot": (REPLACE, "EC2 takes this Spot instance back"),
    "scheduled": (REPLACE, "EC2 has scheduled an event for this instance"),
    "rebalance": (WARN, "EC2 recommends to rebalance: this Spot instance may be taken back"),
}


def _driver_absent(window: Window, rule: Rule) -> Iterator[Outcome]:
    facts = window.facts
    if window.now.devices:
        return
    if facts is not None and facts.driver_loaded is not None:
        if not facts.driver_loaded and (facts.pci_devices or facts.instance_type in INSTANCES):
            yield Found(NODE, "the Neuron driver is not loaded", _of_driver(facts))
        return
    gap = window.gaps.get("device")
    if gap is None:
        yield Unknown("no device is shown, and not why", "run it on the host itself")
    else:
        yield Found(NODE, gap.reason, {"devices": 0}, advice=gap.supply)


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
    if instance is None and not expected:
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


def _core_held(window: Window, rule: Rule) -> Iterator[Outcome]:
    holders = {each.pid: each for each in (window.facts.holders or ())} if window.facts else {}
    for pid, process in (window.now.processes or {}).items():
        why = _leftover(window, process, holders.get(pid))
        if why:
            cores = ", ".join(map(str, process.cores)) or "unknown"
            evidence: dict[str, int | float | str] = {"pid": pid, "cores": cores}
            yield Found(process_scope(pid), f"process {pid} holds cores and is {why}", evidence)
    held_by_nobody = [device for device, _ in _unclaimed(window)]
    if held_by_nobody and "processes" in window.gaps:
        devices = ", ".join(map(str, held_by_nobody))
        yield Unknown(f"device {devices}: held by a process that cannot be seen", window.gaps["processes"].supply)
        return
    for device, used in _unclaimed(window):
        words = f"{format_bytes(used)} of the device are in use, and no process holds it"
        yield Found(device_scope(device), words, {"used_bytes": used, "holders": 0})


def _leftover(window: Window, process: ProcessSample, holder: HolderFacts | None) -> str:
    """What shows that a holder is left over; nothing where nothing does."""
    if holder is None:
        return ""
    if holder.state in _STATES:
        return _STATES[holder.state]
    orphaned = holder.parent == _INIT and not holder.owned
    # Many a job is started with nohup from a session that has ended: only one that does nothing is left over.
    return (
        "idle, its parent has ended, and no service or container owns it"
        if orphaned and _rests(window, process)
        else ""
    )


def _rests(window: Window, process: ProcessSample) -> bool:
    """Whether a process did nothing while it was watched, on the devices or on the host."""
    busy, executed = vcpu_percent(window, process), executed_ns(window, process)
    moved = executed is not None and executed > window.samples[0].time_ns
    return window.watched_ns >= _REST_NS and busy is not None and busy < _REST_VCPU_PERCENT and not moved


def _unclaimed(window: Window) -> Iterator[tuple[int, int]]:
    """Devices with memory in use at the last two readings that nobody holds, and how much of it."""
    before = window.before
    if before is None:
        return
    claimed = {device.device for device in window.inventory.devices if device.holders}
    for sample in (before, window.now):
        cores = [core for process in (sample.processes or {}).values() for core in process.cores]
        claimed |= {sample.cores[core].device for core in cores if core in sample.cores}
    used: dict[int, int] = {}
    for core in window.now.cores.values():
        earlier = before.cores.get(core.core)
        if core.device not in claimed and earlier is not None:
            used[core.device] = used.get(core.device, 0) + min(core.memory_bytes or 0, earlier.memory_bytes or 0)
    yield from ((device, size) for device, size in used.items() if size > _LEAST_HELD_BYTES)


_LEAST_HELD_BYTES = 256 * MIB
"""What the driver itself takes on a device is less."""


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


def _monitor_blind(window: Window, rule: Rule) -> Iterator[Outcome]:
    gaps = window.gaps
    if "snapshot" in gaps:
        yield Found(NODE, gaps["snapshot"].reason, {})
    elif not window.now.devices:
        reason = gaps["device"].reason if "device" in gaps else "no device is shown"
        yield Found(NODE, f"nothing can be seen: {reason}", {"devices": 0})
    elif "core" in gaps and all(core.memory_bytes is None for core in window.now.cores.values()):
        words = f"the devices cannot be read: {gaps['core'].reason}"
        yield Found(NODE, words, {"devices": len(window.now.devices)}, advice=gaps["core"].supply)


def _retirement(window: Window, rule: Rule) -> Iterator[Outcome]:
    for notice in (window.facts.notices or ()) if window.facts else ():
        severity, words = _NOTICES.get(notice.kind, (WARN, "EC2 has a notice for this instance"))
        evidence = {name: text for name, text in (("action", notice.action), ("time", notice.time)) if text}
        when = f" at {notice.time}" if notice.time else ""
        what = f" ({notice.action})" if notice.action else ""
        yield Found(NODE, f"{words}{what}{when}", evidence, severity=severity)


def _efa(window: Window, rule: Rule) -> Iterator[Outcome]:
    facts, earlier = window.facts, window.earlier_facts
    ports = (facts.efa or ()) if facts else ()
    if not ports:
        yield Unknown("no EFA here")
        return
    before = {(port.name, port.port): port for port in (earlier.efa or ())} if earlier else {}
    for port in ports:
        if port.state is not None and _EFA_ACTIVE not in port.state.upper():
            evidence: dict[str, int | float | str] = {"port": f"{port.name}/{port.port}", "state": port.state}
            yield Found(NODE, f"EFA {port.name} is {port.state}", evidence, severity=DEGRADED)
        old = before.get((port.name, port.port))
        grown = {
            name: count
            for name, total in port.counters.items()
            if (name.endswith("_err") or name in _EFA_EVENTS)
            and (count := counted(old.counters.get(name) if old else None, total))
        }
        if grown:
            words = ", ".join(f"{name} {count}" for name, count in grown.items())
            yield Found(NODE, f"EFA {port.name} counts errors: {words}", {"port": f"{port.name}/{port.port}", **grown})


BLIND = Rule(
    id="monitor-blind",
    title="nothing, or not enough, can be seen",
    needs=(),
    find=_monitor_blind,
    scope="node",
    severity=DEGRADED,
    category="monitor",
    advice="Make the driver's files readable to this program, or run it where they are.",
    clears="when there is a reading again",
    hidden_by=("driver-absent",),
)

RULES = (
    Rule(
        id="driver-absent",
        title="the driver is not loaded",
        needs=(),
        find=_driver_absent,
        scope="node",
        severity=DEGRADED,
        category="driver",
        advice="Load it: modprobe neuron. If that fails, see dmesg, and install aws-neuronx-dkms for this kernel.",
        clears="when the driver is loaded",
    ),
    Rule(
        id="device-missing",
        title="fewer devices than the instance type has",
        needs=("devices",),
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
        id="core-held",
        title="a core is held by a process that is left over",
        needs=("processes",),
        find=_core_held,
        scope="process",
        severity=WARN,
        category="process",
        advice="End that process, or its container; where nobody is to be seen, look in other containers. The "
        "device is free when its last holder has ended.",
        clears="when the process has ended or the memory is free",
        cannot="held by a process that cannot be seen",
        threshold=_LEAST_HELD_BYTES,
        meaning="bytes in use on a device that nobody holds",
        codes=(9,),
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
    Rule(
        id="retirement",
        title="EC2 is going to end, stop or reboot this instance",
        needs=("notices",),
        find=_retirement,
        scope="node",
        severity=REPLACE,
        category="instance",
        advice="Save a checkpoint and move the work away in time.",
        clears="when EC2 withdraws the notice",
        cannot="metadata service unreachable (hop limit?)",
    ),
    Rule(
        id="efa-errors",
        title="the network card for collectives is down or counts errors",
        needs=("efa",),
        find=_efa,
        scope="node",
        severity=WARN,
        category="network",
        advice="Check EFA's security group, the other nodes of the job, and the card's counters: rdma statistic.",
        clears="5 minutes after the last error",
        cannot="no EFA here",
        hold_ns=5 * MINUTE_NS,
        codes=(1206,),
    ),
    BLIND,
)
