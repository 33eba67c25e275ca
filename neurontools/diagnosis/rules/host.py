"""Rules about the host around the devices: who holds what, its network, what EC2 plans, who can see."""

from __future__ import annotations

from collections.abc import Iterator

from neurontools.diagnosis.rule import (
    DEGRADED,
    MINUTE_NS,
    NODE,
    REPLACE,
    WARN,
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
from neurontools.schema.host_facts import HolderFacts
from neurontools.schema.snapshot import Gap
from neurontools.units import MIB, NS_PER_S, format_bytes

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


def _monitor_blind(window: Window, rule: Rule) -> Iterator[Outcome]:
    gaps = window.gaps
    if "snapshot" in gaps:
        yield Found(NODE, gaps["snapshot"].reason, {})
    elif not window.now.devices:
        gap = gaps.get("device", Gap(reason="no device is shown"))
        yield Found(NODE, f"nothing can be seen: {gap.reason}", {"devices": 0}, advice=gap.supply)
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
