"""Executions under way: lanes of processes run identical steps, and those on impaired hardware end as it makes them."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from device_model.kernel.chance import Chance
from device_model.kernel.meter import Run
from device_model.kernel.queue import EventQueue, Order, Ticket
from device_model.machine.activity import Edge, Lockstep
from device_model.machine.contention import ALONE, Contention, contend
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork, device_ns, metered
from device_model.runtime.fate import LATE, Fate, fate_of, until_spoiled
from device_model.runtime.impairment import Share, shares, unproductive
from device_model.runtime.process import Lane, Process
from device_model.runtime.sharing import LaneKey, Sharing
from device_model.runtime.stretching import WHOLE, left_of, rest_of, stretched

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


class Execution(Struct):
    """Identical steps under way in a lane; each that ends in `run` took `latency_ns`, `device_ns` of it on the device.

    `run` is the lane's last group's; its `credit_ns` is 0 while nothing leaves that group, or will complete. `works` is
    a step as it is alone on its links, a part for each group; `contention` is what it meets there. The first step of
    the run began at `begun_ns`, and `left` of it was left when the run did: earlier than that it ran at another speed,
    and before it `ended` steps of these have ended. `fate` is how it ends where it does not simply complete.
    """

    process: Process
    asked: Asked
    works: tuple[StepWork, ...]
    run: Run
    latency_ns: int
    device_ns: int
    begun_ns: int
    fate: Fate | None = None
    contention: Contention = ALONE
    ended: int = 0
    left: int = WHOLE
    ticket: Ticket | None = None

    @property
    def groups(self) -> Lane:
        """The groups that execute."""
        return self.process.lanes[self.asked.lane]

    def steps_done(self, time_ns: int) -> int:
        """Steps that have ended by `time_ns`."""
        return self.ended + self.run.steps_done(time_ns)

    def record(self, steps: int) -> None:
        """Steps of the run have ended well."""
        self.process.latency_total.add(self.latency_ns, steps)
        self.process.latency_device.add(self.device_ns, steps)

    def cancel(self) -> None:
        """Its end is not awaited any more."""
        if self.ticket is not None:
            self.ticket.cancel()

    def change_speed(self, time_ns: int, contention: Contention) -> None:
        """What is left of the step under way becomes the run: it meets something else on its links from now on."""
        run = self.run
        done, left = run.steps_done(time_ns), left_of(run, time_ns, self.left)
        if self.begun_ns == run.start_ns:
            self.begun_ns += done * run.step_ns
        if done and run.credit_ns:
            self.record(done)
        works = stretched(self.works, contention.stretch, self.asked.stages)
        for group, work in zip(self.groups, works, strict=True):
            if group.meter.run is None:
                raise RuntimeError("a group of a lane that executes is idle")
            self.run = rest_of(group.meter.run, time_ns, work, left)
            group.meter.finish(time_ns)
            group.meter.start(self.run)
        self.latency_ns = (self.run.end_ns - self.begun_ns) * self.asked.stages
        self.device_ns = device_ns(self.latency_ns)
        self.contention, self.left, self.ended = contention, left, self.ended + done


class Executor:
    """All executions of a node's processes."""

    def __init__(self, node: Node, queue: EventQueue, chance: Chance, failed: Failed) -> None:
        self._node = node
        self._queue = queue
        self._chance = chance
        self._failed = failed
        self._executions: dict[LaneKey, Execution] = {}
        self._sharing = Sharing(node.links)
        self._sharing_ticket: Ticket | None = None

    def join(self, process: Process) -> None:
        """A process has come whose executions there will be."""
        self._sharing.join(process)

    def execute(self, time_ns: int, process: Process, asked: Asked, contention: Contention = ALONE) -> None:
        """Begins what was asked for; the lane is idle. `contention` is what it meets on its links, if that is known."""
        if process.careful:
            self._execute_carefully(time_ns, process, asked, contention)
        else:
            self._begin(time_ns, process, asked, asked.works, None, contention)

    def cut(self, time_ns: int, process: Process, lane: int) -> None:
        """Lets the executions under way in a lane end with the one that is under way at `time_ns`."""
        execution = self._executions.get((process.pid, lane))
        if execution is None:
            return
        run = execution.run
        end_ns = max(run.boundary_after(time_ns), run.start_ns + run.step_ns)
        if end_ns < run.end_ns:
            self._shorten(execution, end_ns)

    def under_way(self, process: Process, lane: int) -> Execution | None:
        """The executions that a lane of the process is in the middle of."""
        return self._executions.get((process.pid, lane))

    def senders(self, edge: Edge) -> list[Execution]:
        """The executions under way whose traffic may go over a link."""
        return [self._executions[key] for key in self._sharing.users(edge) if key in self._executions]

    def drop(self, time_ns: int, process: Process) -> None:
        """Forgets what the process has under way: it ends."""
        for lane in range(len(process.lanes)):
            execution = self._executions.pop((process.pid, lane), None)
            if execution is not None:
                execution.cancel()
                self._touch_links(time_ns, execution)
        self._sharing.leave(process)

    def disturbed(self, time_ns: int, process: Process) -> None:
        """The hardware under a process, or the process itself, has changed.

        Steps under way end as they began; the next ones go by what has changed. An execution that hangs and has no
        reason to any more begins anew.
        """
        process.careful = True
        self._sharing.forget()
        for lane in range(len(process.lanes)):
            execution = self._executions.get((process.pid, lane))
            if execution is None:
                continue
            if execution.fate is None or not execution.fate.hangs:
                self.cut(time_ns, process, lane)
            elif fate_of(self._node, process, lane, execution.asked.works) != execution.fate:
                execution.cancel()
                self._finish(time_ns, execution)
                self.execute(time_ns, process, execution.asked)

    def _execute_carefully(self, time_ns: int, process: Process, asked: Asked, contention: Contention) -> None:
        lane = asked.lane
        fate = fate_of(self._node, process, lane, asked.works)
        parts = shares(process.teams[lane], asked.works, self._node.links, asked.stages)
        if fate is not None and not fate.computed:
            parts = tuple(unproductive(part, fate, process.timeout_ns) for part in parts)
        self._regroup(time_ns, process, lane, parts)
        works = tuple(part.work for part in parts)
        steps = asked.steps if fate is None else 1
        if fate is None and process.spoiled:
            step_ns = stretched(works, contention.stretch, asked.stages)[-1].duration_ns
            starts_ns = range(time_ns, time_ns + step_ns * steps, step_ns)
            steps, fate = until_spoiled(self._chance, process, lane, starts_ns)
        elif fate is None and self._sound(process):
            process.careful = False
        self._begin(time_ns, process, asked._replace(steps=steps), works, fate, contention)

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
        self,
        time_ns: int,
        process: Process,
        asked: Asked,
        works: tuple[StepWork, ...],
        fate: Fate | None,
        contention: Contention,
    ) -> None:
        groups = process.lanes[asked.lane]
        launched = sum([len(group.cores) for group in groups])
        credited = fate is None or fate.computed
        slowed = works if contention.stretch == 1.0 else stretched(works, contention.stretch, asked.stages)
        for group, work in zip(groups, slowed, strict=True):
            per_step, credit_ns = metered(work, launched if group is groups[-1] else 0)
            run = Run(time_ns, work.duration_ns, asked.steps, per_step, credit_ns if credited else 0)
            group.meter.start(run)
        latency_ns = slowed[-1].duration_ns * asked.stages
        execution = Execution(process, asked, works, run, latency_ns, device_ns(latency_ns), time_ns, fate, contention)
        self._executions[process.pid, asked.lane] = execution
        self._await(execution)
        if self._sharing.circle_of:
            self._touch_links(time_ns, execution)

    def _await(self, execution: Execution) -> None:
        """Lets the executions end with their run, or, where one of them takes too long, when its time is out."""
        process, run, fate = execution.process, execution.run, execution.fate
        end_ns, latest_ns = run.end_ns, execution.begun_ns + process.timeout_ns
        if run.start_ns + run.step_ns > latest_ns and any(_credits(group) for group in execution.groups):
            fate, end_ns = LATE, latest_ns

        def ended(now_ns: int) -> None:
            self._ended(now_ns, execution, fate)

        execution.ticket = self._queue.schedule(end_ns, Order.COMPLETION, process.identity.name, ended)

    def _ended(self, now_ns: int, execution: Execution, fate: Fate | None) -> None:
        process, asked, run = execution.process, execution.asked, execution.run
        if fate is not None and not fate.late:
            self._count_failed(execution)
        self._finish(now_ns, execution)
        if run.credit_ns and (fate is None or fate.completed):
            execution.record(run.steps)
        if fate is not None:
            self._failed(now_ns, process, asked.lane, fate)
        if not process.alive:
            return
        if fate is None or fate.completed or asked.lost is None:
            asked.done(now_ns, execution.ended + run.steps)
        else:
            asked.lost(now_ns)

    def _count_failed(self, execution: Execution) -> None:
        """An execution that is credited and fails is a success on none of its cores."""
        groups = execution.groups
        for group in groups:
            if _credits(group):
                execution.process.failed_executions += group is groups[-1]
                for number in group.cores:
                    self._node.cores[number].failed_executions += 1

    def _finish(self, now_ns: int, execution: Execution) -> None:
        process, lane = execution.process, execution.asked.lane
        del self._executions[process.pid, lane]
        for group in process.lanes[lane]:
            group.meter.finish(now_ns)
        if self._sharing.circle_of:
            self._touch_links(now_ns, execution)

    def _shorten(self, execution: Execution, end_ns: int) -> None:
        """Lets the run end at `end_ns`, an end of one of its steps."""
        execution.cancel()
        for group in execution.groups:
            group.meter.cut(end_ns)
        execution.run = execution.run.until(end_ns)
        self._await(execution)

    def _touch_links(self, time_ns: int, execution: Execution) -> None:
        """Looks, after all else that happens now, at the links that an execution shares: it begins or ends."""
        shares = (execution.process.pid, execution.asked.lane) in self._sharing.circle_of
        if shares and self._sharing_ticket is None:
            self._sharing_ticket = self._queue.schedule(time_ns, Order.TRAFFIC, "links", self._share_links)

    def _share_links(self, time_ns: int) -> None:
        """Lets steps under way go on as slowly as the others on their links make them, or as fast as these let them."""
        found: dict[LaneKey, Contention] = {}
        for circle in self._sharing.circles:
            keys = [key for key in circle.lanes if key in self._executions]
            demands = [self._sharing.demand(key, each.groups, each.works) for key, each in self._of(keys)]
            found |= zip(keys, contend(tuple(demands)), strict=True)
        for key, execution in self._of(sorted(self._executions)):
            contention = found.get(key, ALONE)
            if contention.stretch == execution.contention.stretch:
                execution.contention = contention
            else:
                self._change_speed(time_ns, execution, contention)
        self._sharing_ticket = None

    def _of(self, keys: list[LaneKey]) -> list[tuple[LaneKey, Execution]]:
        return [(key, self._executions[key]) for key in keys]

    def _change_speed(self, time_ns: int, execution: Execution, contention: Contention) -> None:
        """The step under way goes on at another speed, and the next ones begin anew."""
        execution.cancel()
        run, begins = execution.run, execution.begun_ns == execution.run.start_ns
        if begins and time_ns == run.start_ns:
            self._finish(time_ns, execution)
            self.execute(time_ns, execution.process, execution.asked, contention)
        elif begins and time_ns == run.boundary_after(time_ns):
            self._shorten(execution, time_ns)
        else:
            execution.change_speed(time_ns, contention)
            self._await(execution)


def _credits(group: Lockstep) -> bool:
    return group.meter.run is not None and group.meter.run.credit_ns > 0


def _threads(lane: Lane) -> tuple[int, ...]:
    return tuple(core for group in lane for core in group.cores)
