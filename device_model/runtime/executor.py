"""Executions under way: lanes of processes run identical steps, and those on impaired hardware end as it makes them."""

from collections.abc import Callable
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.meter import Run
from device_model.kernel.queue import EventQueue, Order, Ticket
from device_model.machine.activity import Lockstep
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork, busy_ns, counted, device_ns
from device_model.runtime.fate import LATE, Fate, fate_of, until_spoiled
from device_model.runtime.impairment import Share, shares, unproductive
from device_model.runtime.process import Lane, Process

Executed = Callable[[int, int], None]
"""Called with the time in ns and the number of executions when they have ended."""

Lost = Callable[[int], None]
"""Called with the time in ns when an execution has failed and its process goes on."""

Failed = Callable[[int, Process, int, Fate], None]
"""Called with the time in ns and the lane when an execution has failed, before its program is told."""


class Asked(NamedTuple):
    """What a program asked for: a step of each team of a lane, how many of them, and whom to tell."""

    works: tuple[StepWork, ...]
    steps: int
    done: Executed
    lane: int
    stages: int
    lost: Lost | None


class Execution(NamedTuple):
    """Identical steps under way in a lane; each that has ended took `latency_ns`, `device_ns` of it on the device.

    `run` is the lane's last group's; its `credit_ns` is 0 while nothing leaves that group, or will complete. `fate` is
    how it ends where it does not simply complete.
    """

    run: Run
    ticket: Ticket
    asked: Asked
    latency_ns: int
    device_ns: int
    fate: Fate | None = None


class Executor:
    """All executions of a node's processes."""

    def __init__(self, node: Node, queue: EventQueue, chance: Chance, failed: Failed) -> None:
        self._node = node
        self._queue = queue
        self._chance = chance
        self._failed = failed
        self._executions: dict[tuple[int, int], Execution] = {}

    def execute(self, time_ns: int, process: Process, asked: Asked) -> None:
        """Begins what was asked for; the lane is idle."""
        if process.careful:
            self._execute_carefully(time_ns, process, asked)
        else:
            self._begin(time_ns, process, asked, asked.works)

    def cut(self, time_ns: int, process: Process, lane: int) -> None:
        """Lets the executions under way in a lane end with the one that is under way at `time_ns`."""
        execution = self._executions.get((process.pid, lane))
        if execution is None:
            return
        end_ns = max(execution.run.boundary_after(time_ns), execution.run.start_ns + execution.run.step_ns)
        if end_ns < execution.run.end_ns:
            execution.ticket.cancel()
            for group in process.lanes[lane]:
                group.meter.cut(end_ns)
            run = execution.run.until(end_ns)
            self._await(process, run, execution.asked, execution.latency_ns, execution.fate)

    def under_way(self, process: Process, lane: int) -> Execution | None:
        """The executions that a lane of the process is in the middle of."""
        return self._executions.get((process.pid, lane))

    def drop(self, process: Process) -> None:
        """Forgets what the process has under way: it ends."""
        for lane in range(len(process.lanes)):
            execution = self._executions.pop((process.pid, lane), None)
            if execution is not None:
                execution.ticket.cancel()

    def disturbed(self, time_ns: int, process: Process) -> None:
        """The hardware under a process, or the process itself, has changed.

        Steps under way end as they began; the next ones go by what has changed. An execution that hangs and has no
        reason to any more begins anew.
        """
        process.careful = True
        for lane in range(len(process.lanes)):
            execution = self._executions.get((process.pid, lane))
            if execution is None:
                continue
            if execution.fate is None or not execution.fate.hangs:
                self.cut(time_ns, process, lane)
            elif fate_of(self._node, process, lane, execution.asked.works) != execution.fate:
                execution.ticket.cancel()
                self._finish(time_ns, process, lane)
                self.execute(time_ns, process, execution.asked)

    def _execute_carefully(self, time_ns: int, process: Process, asked: Asked) -> None:
        lane = asked.lane
        fate = fate_of(self._node, process, lane, asked.works)
        parts = shares(process.teams[lane], asked.works, self._node.links, asked.stages)
        if fate is not None and not fate.computed:
            parts = tuple(unproductive(part, fate, process.timeout_ns) for part in parts)
        self._regroup(time_ns, process, lane, parts)
        works = tuple(part.work for part in parts)
        steps = asked.steps if fate is None else 1
        if fate is None and process.spoiled:
            step_ns = works[-1].duration_ns
            starts_ns = range(time_ns, time_ns + step_ns * steps, step_ns)
            steps, fate = until_spoiled(self._chance, process, lane, starts_ns)
        elif fate is None and self._sound(process):
            process.careful = False
        self._begin(time_ns, process, asked._replace(steps=steps), works, fate)

    def _sound(self, process: Process) -> bool:
        """Whether nothing of the process has to be looked at any more before it executes."""
        if process.failing or process.spoiled or process.stuck_by or any(core.impaired for core in process.cores):
            return False
        node, teams = self._node, [team for lane in process.teams for team in lane]
        crossed = (edge for team in teams for pattern in team.patterns for edge, _ in pattern.crossings)
        return (
            all(node.devices[device].ready for device in process.devices)
            and all(node.links.speed(edge) == 1 for edge in crossed)
            and len(process.groups) == len(teams)
        )

    def _regroup(self, time_ns: int, process: Process, lane: int, parts: tuple[Share, ...]) -> None:
        """Makes the lane's groups those of `parts`; every counter keeps what the groups before have added."""
        groups = process.lanes[lane]
        if [group.cores for group in groups] == [tuple(core.number for core in part.cores) for part in parts]:
            return
        self._node.host.ended.add(_threads(groups), groups[-1].read(time_ns))
        for group in groups:
            self._node.end_work(group, time_ns)
        new = tuple(self._node.begin_work(part.cores, part.patterns, time_ns) for part in parts)
        process.regroup(time_ns, lane, new)

    def _begin(
        self, time_ns: int, process: Process, asked: Asked, works: tuple[StepWork, ...], fate: Fate | None = None
    ) -> None:
        groups = process.lanes[asked.lane]
        launched = sum([len(group.cores) for group in groups])
        credited = fate is None or fate.computed
        for group, work in zip(groups, works, strict=True):
            per_step = counted(work, launched if group is groups[-1] else 0)
            run = Run(time_ns, work.duration_ns, asked.steps, per_step, busy_ns(work) if credited else 0)
            group.meter.start(run)
        self._await(process, run, asked, works[-1].duration_ns * asked.stages, fate)

    def _await(self, process: Process, run: Run, asked: Asked, latency_ns: int, fate: Fate | None) -> None:
        lane, on_device_ns = asked.lane, device_ns(latency_ns)
        late = run.step_ns > process.timeout_ns and any(_credits(group) for group in process.lanes[lane])
        end_ns, ending = (run.start_ns + process.timeout_ns, LATE) if late else (run.end_ns, fate)

        def finished(now_ns: int) -> None:
            if ending is not None and not ending.late:
                self._count_failed(process, lane)
            self._finish(now_ns, process, lane)
            if run.credit_ns and (ending is None or ending.completed):
                process.latency_total.add(latency_ns, run.steps)
                process.latency_device.add(on_device_ns, run.steps)
            if ending is not None:
                self._failed(now_ns, process, lane, ending)
            if not process.alive:
                return
            if ending is None or ending.completed or asked.lost is None:
                asked.done(now_ns, run.steps)
            else:
                asked.lost(now_ns)

        ticket = self._queue.schedule(end_ns, Order.COMPLETION, process.identity.name, finished)
        self._executions[process.pid, lane] = Execution(run, ticket, asked, latency_ns, on_device_ns, fate)

    def _count_failed(self, process: Process, lane: int) -> None:
        """An execution that is credited and fails is a success on none of its cores."""
        groups = process.lanes[lane]
        for group in groups:
            if _credits(group):
                process.failed_executions += group is groups[-1]
                for number in group.cores:
                    self._node.cores[number].failed_executions += 1

    def _finish(self, now_ns: int, process: Process, lane: int) -> None:
        del self._executions[process.pid, lane]
        for group in process.lanes[lane]:
            group.meter.finish(now_ns)


def _credits(group: Lockstep) -> bool:
    return group.meter.run is not None and group.meter.run.credit_ns > 0


def _threads(lane: Lane) -> tuple[int, ...]:
    return tuple(core for group in lane for core in group.cores)
