"""Why a NeuronCore shows what it shows: who holds it, what that program does, and where the time of a step goes.

It looks at the work and at what tools can read too, and must not look at what was injected.
"""

import contextlib
from collections.abc import Iterable

from msgspec.structs import asdict, replace

from device_model.build import World
from device_model.machine.activity import activity_in
from device_model.machine.core import Core
from device_model.reading.explanation import (
    Counted,
    Ended,
    Explanation,
    Holding,
    Loading,
    Period,
    SharedLink,
    State,
    Step,
    StepPart,
    Trusted,
)
from device_model.reading.sentences import MEANINGS, sentences_of
from device_model.runtime.execution import device_ns
from device_model.runtime.process import Process, Team
from device_model.runtime.stretching import stretched
from device_model.workloads.calibration.trust import COLLECTIVES, Run, trust_in
from device_model.workloads.cost.steps import StepCost
from device_model.workloads.kinds.program import Account
from device_model.workloads.models.cnns import CnnShape, cnn_for
from device_model.workloads.models.families import ModelShape
from device_model.workloads.models.lookup import UnknownModelError
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.chips import core_memory_bytes_per_s, core_share
from neurontools.hardware.driver import STATUS_NAMES
from neurontools.schema.deltas import percent
from neurontools.schema.events import PROCESS_END
from neurontools.schema.interval import Interval, between
from neurontools.schema.snapshot import Snapshot
from neurontools.units import NS_PER_S

PEAK_DATA_TYPE = "bf16"
"""FLOP/s are compared with this type's dense peak, whatever a model computes in, as is usual for MFU."""

_LOADING_ASSUMED = "how fast weights get from the host into device memory was never published"

_ERRORS = (*(name for name in STATUS_NAMES if name != "success"), "reset_fail_count")

_CALIBRATED_KINDS = ("llm", "encoder", "vision")
"""Kinds of program whose steps published runs were fitted to."""

_UNASKED_KINDS = ("collectives", "training", "idle")
"""Kinds of program that go on by themselves; every other answers requests."""


def explain(
    world: World, core: int, current: Snapshot, previous: Snapshot | None, kept: Iterable[Snapshot]
) -> Explanation:
    """Why logical core `core` shows what it shows at the time of `current`; IndexError for a core that there is not.

    Rates are since `previous`; None, or equal times: there are none. `kept` are earlier snapshots, the newest first.
    """
    parts = _physical(world, core)
    time_ns = current.head.time_ns
    process = None if parts[0].holder is None else world.runtime.processes[parts[0].holder]
    account = None if process is None else world.programs[process.pid].account(time_ns)
    state = State.FREE if process is None else _state(process, parts[0])
    same_time = previous is None or previous.head.time_ns == time_ns
    gap = current.head.gaps.get("engines")
    found = Explanation(
        head=current.head,
        started_ns=world.node.boot_ns,
        core=core,
        physical_cores=tuple(part.number for part in parts),
        device=parts[0].device,
        chip=world.node.chip.name,
        state=state,
        holder=None if process is None else _holding(world, process, parts[0], current),
        last_holder=None if process is not None else _ended(world, parts, kept),
        doing=None if account is None else account.doing,
        notes=() if account is None else account.notes,
        loading=_loading(parts[0], time_ns) if state is State.LOADING else None,
        period=None if previous is None or same_time else _period(world, core, _between(previous, current, parts[0])),
        no_period=_why_no_period(world, previous, time_ns) if same_time else None,
        no_engines=None if gap is None else gap.reason,
        step=None if process is None or account is None else _step(process, parts[0], account),
        shared_link=None if process is None else _shared_link(world, process, parts[0]),
        counted=_counted(current, parts),
        trust=None if process is None else _trust(world, process, state),
    )
    return replace(found, sentences=sentences_of(found))


def _physical(world: World, core: int) -> tuple[Core, ...]:
    size = world.node.logical_neuroncore_config
    if not 0 <= core < len(world.node.cores) // size:
        raise IndexError(core)
    return tuple(world.node.cores[core * size : (core + 1) * size])


def _state(process: Process, core: Core) -> State:
    run = None if core.group is None else core.group.meter.run
    if process.model is None:
        # While its model is compiled a process works on the host alone.
        loads = run is not None and activity_in(run.per_step).hbm_written_bytes
        return State.LOADING if loads else State.UNLOADED
    # A stage of a pipeline without a batch is part of a step, but not busy in it.
    return State.EXECUTING if run is not None and activity_in(run.per_step).busy_ns else State.WAITING


def _team(process: Process, core: Core) -> tuple[int, Team]:
    """The core's team and its position among the process's: unlike groups, teams stay what they are."""
    teams = [team for lane in process.teams for team in lane]
    return next((position, team) for position, team in enumerate(teams) if core in team.cores)


def _holding(world: World, process: Process, core: Core, current: Snapshot) -> Holding:
    size = world.node.logical_neuroncore_config
    reading = next(found for found in current.processes or () if found.pid == process.pid)
    kind, work = world.programs[process.pid].kind, reading.workload
    if kind in _UNASKED_KINDS:
        work = None
    return Holding(
        pid=process.pid,
        started_ns=process.started_ns,
        tag=process.identity.tag,
        user=process.identity.user,
        command=process.identity.command,
        kind=kind,
        cores=_logical((held.number for held in process.cores), size),
        group=_logical((held.number for held in _team(process, core)[1].cores), size),
        queued=None if work is None else work.queued,
        running=None if work is None else work.running,
    )


def _logical(numbers: Iterable[int], size: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number // size for number in numbers))


def _ended(world: World, parts: tuple[Core, ...], kept: Iterable[Snapshot]) -> Ended | None:
    """The process of the newest kept snapshot in which one held the core, with the event of its end."""
    number = parts[0].number
    earlier = (process for snapshot in kept for process in snapshot.processes or () if number in process.cores)
    last = next(earlier, None)
    if last is None:
        return None
    events = world.events.since(0).events
    end = next((event for event in reversed(events) if event.kind == PROCESS_END and event.pid == last.pid), None)
    return Ended(
        pid=last.pid,
        tag=last.tag,
        user=last.user,
        command=last.command,
        ended_ns=None if end is None else end.time_ns,
        how=None if end is None else end.text.removeprefix(f"{last.command}: "),
    )


def _loading(core: Core, time_ns: int) -> Loading | None:
    run = None if core.group is None else core.group.meter.run
    return (
        None
        if run is None
        else Loading(blocks_loaded=run.steps_done(time_ns), blocks=run.steps, left_ns=run.end_ns - time_ns)
    )


def _why_no_period(world: World, previous: Snapshot | None, time_ns: int) -> str:
    if previous is None and time_ns > world.node.boot_ns:
        return "nothing is kept to compare with while the model is on its way through a long advance"
    return "no time has passed since the host's start"


def _between(previous: Snapshot, current: Snapshot, core: Core) -> Interval:
    """What the core's device did; the others would cost time and change nothing of it."""
    before, after = (
        replace(snapshot, devices=snapshot.devices[core.device : core.device + 1], processes=(), host=None)
        for snapshot in (previous, current)
    )
    return between(before, after)


def _period(world: World, number: int, interval: Interval) -> Period:
    chip, core = world.node.chip, next(core for core in interval.cores if core.core == number)
    size = len(core.parts)
    capacity, peak = size * core_memory_bytes_per_s(chip), size * (core_share(chip, PEAK_DATA_TYPE) or 0.0)
    read, written = core.hbm_read_bytes_per_s, core.hbm_written_bytes_per_s
    moved = None if read is None or written is None else read + written
    loads = (core.other_info or {}).get("model_load_count")
    return Period(
        duration_ns=interval.duration_ns,
        busy_percent=core.utilization_percent,
        collectives_percent=core.collectives_percent,
        engine_percent=None if core.engines is None else asdict(core.engines),
        memory_read_bytes_per_s=read,
        memory_written_bytes_per_s=written,
        memory_capacity_bytes_per_s=capacity,
        memory_percent=percent(moved, capacity),
        flops_per_s=core.flops_per_s,
        peak_flops_per_s=peak,
        peak_data_type=PEAK_DATA_TYPE,
        flops_percent=percent(core.flops_per_s, peak),
        executions=None if core.executions is None else core.executions // size,
        models_loaded=None if loads is None else loads // size,
    )


def _step(process: Process, core: Core, account: Account) -> Step | None:
    """The cost that the account gives for this core's team, where the core is in the middle of a step."""
    if core.group is None or core.group.meter.run is None or process.model is None or not account.costs:
        return None
    cost = account.costs[_team(process, core)[0]]
    # A team that rests costs nothing, and so has no parts.
    return _step_of(cost) if cost.parts else None


def _step_of(cost: StepCost) -> Step:
    duration_ns = cost.work.duration_ns
    parts = tuple(
        StepPart(
            name=part.name,
            meaning=MEANINGS[part.name].words,
            duration_ns=round(part.seconds * NS_PER_S),
            percent=100 * part.seconds * NS_PER_S / duration_ns,
        )
        for part in cost.parts
    )
    longest_ns = max((part.duration_ns for part in parts if part.name == cost.bound), default=0)
    return Step(
        duration_ns=duration_ns,
        host_ns=duration_ns - device_ns(duration_ns),
        idle_ns=cost.work.idle_ns,
        bound=cost.bound,
        parts=parts,
        least_ns=max(0, duration_ns - longest_ns),
    )


def _shared_link(world: World, process: Process, core: Core) -> SharedLink | None:
    """The link on which the step under way meets the traffic of others most; times are those of sound hardware."""
    _, team = _team(process, core)
    execution = world.runtime.under_way(process, team.lane)
    if execution is None or execution.contention.link is None:
        return None
    (link, stretch), asked = (execution.contention.link, execution.contention.stretch), execution.asked
    others = [found.process for found in world.runtime.senders(link) if found is not execution]
    if not others and stretch == 1.0:
        return None
    position = process.teams[team.lane].index(team)
    alone, now = asked.works[position], stretched(asked.works, stretch, asked.stages)[position]
    return SharedLink(
        sender=link[0],
        receiver=link[1],
        others=tuple(dict.fromkeys(other.identity.tag for other in others if other is not process)),
        asked=execution.contention.asked,
        stretch=stretch,
        duration_ns=now.duration_ns,
        collectives_ns=now.collectives_ns,
        alone_ns=alone.collectives_ns,
    )


def _counted(current: Snapshot, parts: tuple[Core, ...]) -> Counted:
    numbers = {part.number for part in parts}
    cores = [core for device in current.devices for core in device.cores if core.core in numbers]
    counters = [{**(core.status or {}), **(core.other_info or {})} for core in cores]
    errors = {name: sum(named[name].total for named in counters) for name in _ERRORS}
    return Counted(
        executions=counters[0]["inference_count"].total,
        busy_ns=sum(core.busy_ns or 0 for core in cores) // len(cores),
        flops=sum(core.flops or 0 for core in cores),
        memory_used_bytes=sum((core.device_memory.total or 0) for core in cores if core.device_memory is not None),
        models_loaded=counters[0]["model_load_count"].total,
        errors={name: count for name, count in errors.items() if count},
    )


def _trust(world: World, process: Process, state: State) -> Trusted | None:
    """How far to trust the times of what a process does; None where nothing of it is predicted."""
    if state is State.LOADING:
        return Trusted(standing="assumed", reasons=(_LOADING_ASSUMED,))
    program = world.programs[process.pid]
    if process.model is None or program.kind == "idle":
        return None
    chip, size = world.node.chip, world.node.logical_neuroncore_config
    shape = _shape(process.model.image.name) if program.kind in _CALIBRATED_KINDS else None
    degree = len(process.teams[0][0].cores) // size
    found = trust_in(Run(chip.core.version, shape, program.kind == COLLECTIVES, degree))
    return Trusted(
        standing="extrapolated" if found.extrapolated else "calibrated",
        reasons=found.reasons,
        rows=found.rows,
        median=found.median,
        p90=found.p90,
    )


def _shape(name: str) -> ModelShape | CnnShape | None:
    for find in (shape_for, cnn_for):
        with contextlib.suppress(UnknownModelError):
            return find(name)
    return None
