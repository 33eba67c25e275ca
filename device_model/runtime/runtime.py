"""The runtime's life on a node: processes start and lock cores, load models, execute, and end without a trace."""

from collections.abc import Callable
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.meter import Run
from device_model.kernel.queue import EventQueue, Order, Ticket
from device_model.machine.activity import Activity, Lockstep
from device_model.machine.core import Core
from device_model.machine.host import VcpuTimes
from device_model.machine.node import Node
from device_model.runtime import log, memory
from device_model.runtime.eventlog import EventLog
from device_model.runtime.execution import StepWork, busy_ns, counted, device_ns
from device_model.runtime.loading import (
    LOAD_BYTES_PER_S,
    LOAD_SYSTEM_SHARE,
    LOAD_USER_SHARE,
    ModelImage,
    Piece,
    base_pieces,
)
from device_model.runtime.process import Identity, LoadedModel, Process, Team
from neurontools.hardware.chips import cores_of_bank
from neurontools.schema.events import PROCESS_END, PROCESS_START, RUNTIME_LOG

RUNTIME_VERSION = "2.31.24"
"""What the simulated processes report as the version of their runtime (assumed)."""

FIRST_PID, PID_STEP = 4096, 61
"""Process numbers lie a little apart, as on a host where other programs start too."""

FIRST_MODEL_ID = 10001

Loaded = Callable[[int], None]
"""Called with the time in ns when a model has been loaded."""

Executed = Callable[[int, int], None]
"""Called with the time in ns and the number of executions when they have ended."""


class Execution(NamedTuple):
    """Identical steps under way in a lane; each that has ended took `latency_ns`, `device_ns` of it on the device.

    `run` is the lane's last group's; its `credit_ns` is 0 while nothing leaves that group.
    """

    run: Run
    ticket: Ticket
    done: Executed
    latency_ns: int
    device_ns: int


class Runtime:
    """All Neuron processes of a node. Times are the model's, in ns."""

    def __init__(self, node: Node, queue: EventQueue, chance: Chance, events: EventLog) -> None:
        self.node = node
        self.queue = queue
        self.chance = chance
        self.events = events
        self.processes: dict[int, Process] = {}
        self._executions: dict[tuple[int, int], Execution] = {}
        self._loading: dict[int, list[Ticket]] = {}
        self._started = 0

    def start(self, time_ns: int, identity: Identity, teams: tuple[Team, ...]) -> Process | None:
        """A process starts and locks its cores; None when it ended at once, after the runtime has logged why."""
        cores = tuple(core for team in teams for core in team.cores)
        pid = FIRST_PID + PID_STEP * self._started
        self._started += 1
        self._event(time_ns, PROCESS_START, identity.command, pid)
        if any(core.holder is not None for core in cores):
            cores[0].count("resource_nc_error")
            first, last = (core.number // self.node.logical_neuroncore_config for core in (cores[0], cores[-1]))
            self._log(time_ns, log.core_conflict(time_ns, pid, first, last), pid, cores[0])
            self._event(time_ns, PROCESS_END, f"{identity.command}: exit status 1", pid)
            return None
        for core in cores:
            core.holder = pid
        lanes: dict[int, list[Lockstep]] = {}
        for team in teams:
            lanes.setdefault(team.lane, []).append(self.node.begin_work(team.cores, team.patterns, time_ns))
        process = Process(pid, time_ns, identity, cores, tuple(tuple(lane) for lane in lanes.values()))
        self.processes[pid] = process
        memory.open_devices(self.node, process)
        return process if self._take(time_ns, process, base_pieces(), "") else None

    def load(self, time_ns: int, process: Process, image: ModelImage, done: Loaded) -> None:
        """Loads a model layer by layer; `done` is called when it can be executed, unless memory runs out before.

        Each layer's memory is taken before its weights are written.
        """
        if not self._take(time_ns, process, (*image.fixed, image.layer), image.name):
            return
        runs = [_load_run(time_ns, process, group, image) for group in process.groups]
        for group, run in zip(process.groups, runs, strict=True):
            group.meter.start(run)

        def next_layer(now_ns: int) -> None:
            self._take(now_ns, process, (image.layer,), image.name)

        def written(now_ns: int) -> None:
            if self._take(now_ns, process, image.last, image.name):
                for group in process.groups:
                    group.meter.finish(now_ns)
                self._loading.pop(process.pid)
                self._loaded(process, image)
                done(now_ns)

        actions = [next_layer] * (image.layers - 1) + [written]
        self._loading[process.pid] = [
            self.queue.schedule(time_ns + runs[0].step_ns * (i + 1), Order.ALLOCATION, process.identity.name, action)
            for i, action in enumerate(actions)
        ]

    def unload(self, process: Process) -> None:
        """Releases the memory of the process's model; the process keeps its cores."""
        if process.model is not None:
            memory.release(self.node, process, process.model.image.name)
            process.model = None

    def execute(
        self,
        time_ns: int,
        process: Process,
        works: tuple[StepWork, ...],
        steps: int,
        done: Executed,
        lane: int = 0,
        stages: int = 1,
    ) -> None:
        """Runs `steps` identical executions one after another; `done` is called when the last has ended.

        `works` has a part for each group of the lane, all of one duration. What is executed has gone through
        `stages` groups one after another, so that is how many durations it took.
        """
        groups = process.lanes[lane]
        launched = sum([len(group.cores) for group in groups])
        for group, work in zip(groups, works, strict=True):
            per_step = counted(work, launched if group is groups[-1] else 0)
            run = Run(time_ns, work.duration_ns, steps, per_step, busy_ns(work))
            group.meter.start(run)
        duration_ns = works[-1].duration_ns * stages
        self._await(process, lane, run, done, duration_ns, device_ns(duration_ns))

    def cut(self, time_ns: int, process: Process, lane: int = 0) -> None:
        """Lets the executions under way in a lane end with the one that is under way at `time_ns`."""
        execution = self._executions.get((process.pid, lane))
        if execution is None:
            return
        end_ns = max(execution.run.boundary_after(time_ns), execution.run.start_ns + execution.run.step_ns)
        if end_ns < execution.run.end_ns:
            execution.ticket.cancel()
            for group in process.lanes[lane]:
                group.meter.cut(end_ns)
            run = execution.run._replace(steps=execution.run.steps_done(end_ns))
            self._await(process, lane, run, execution.done, execution.latency_ns, execution.device_ns)

    def under_way(self, process: Process, lane: int = 0) -> Execution | None:
        """The executions that a lane of the process is in the middle of."""
        return self._executions.get((process.pid, lane))

    def vcpu_times(self, time_ns: int) -> VcpuTimes:
        """What all processes since boot have used of the host's vCPUs."""
        times = self.node.host.ended.copy()
        for process in self.processes.values():
            _add_threads(times, process, time_ns)
        return times

    def end(self, time_ns: int, process: Process, how: str) -> None:
        """The process ends: its memory is released exactly, its cores are free, what they counted stays."""
        for ticket in self._loading.pop(process.pid, []):
            ticket.cancel()
        for lane in range(len(process.lanes)):
            execution = self._executions.pop((process.pid, lane), None)
            if execution is not None:
                execution.ticket.cancel()
        for group in process.groups:
            self.node.end_work(group, time_ns)
        _add_threads(self.node.host.ended, process, time_ns)
        memory.release(self.node, process)
        memory.close_devices(self.node, process)
        for core in process.cores:
            core.holder = None
        process.alive = False
        del self.processes[process.pid]
        self._event(time_ns, PROCESS_END, f"{process.identity.command}: {how}", process.pid)

    def _await(self, process: Process, lane: int, run: Run, done: Executed, latency_ns: int, on_device_ns: int) -> None:
        def finished(now_ns: int) -> None:
            del self._executions[process.pid, lane]
            if run.credit_ns:
                process.latency_total.add(latency_ns, run.steps)
                process.latency_device.add(on_device_ns, run.steps)
            for group in process.lanes[lane]:
                group.meter.finish(now_ns)
            done(now_ns, run.steps)

        ticket = self.queue.schedule(run.end_ns, Order.COMPLETION, process.identity.name, finished)
        self._executions[process.pid, lane] = Execution(run, ticket, done, latency_ns, on_device_ns)

    def _take(self, time_ns: int, process: Process, pieces: tuple[Piece, ...], model: str) -> bool:
        try:
            memory.take(self.node, process, pieces, model)
        except memory.NoMemory as refusal:
            self._out_of_memory(time_ns, process, refusal)
            return False
        return True

    def _out_of_memory(self, time_ns: int, process: Process, refusal: memory.NoMemory) -> None:
        core, node = refusal.core, self.node
        mine = node.devices[core.device].chunks_of(process.pid)
        chunks = [chunk for chunk in mine if node.devices[core.device].cores[chunk.owner.core].bank == core.bank]
        sharing = cores_of_bank(node.chip, core.bank)
        request = log.Request(process.pid, core.device, core.index, refusal.piece.size, refusal.piece.usage)
        neffs = [] if process.model is None else [self._neff(process.model, core)]
        shown = sharing if len(sharing) > 1 and node.logical_neuroncore_config == 1 else ()
        core.count("resource_error")
        self._log(time_ns, log.allocation_failure(time_ns, request, chunks, neffs, shown), process.pid, core)
        self.end(time_ns, process, "exit status 1 (NRT_RESOURCE)")

    def _neff(self, model: LoadedModel, core: Core) -> log.Neff:
        return log.Neff(model.model_id, core.index, model.image.name, f"{model.image.name}.neff")

    def _loaded(self, process: Process, image: ModelImage) -> None:
        uuid = (
            f"{self.chance.bits(process.identity.name, 'uuid', 0):016x}{self.chance.bits(image.name, 'uuid', 0):016x}"
        )
        process.model = LoadedModel(FIRST_MODEL_ID + process.models_loaded, uuid, image, image.device_bytes())
        process.models_loaded += 1
        for core in process.cores:
            core.count("model_load_count")

    def _log(self, time_ns: int, lines: list[str], pid: int, core: Core) -> None:
        for line in lines:
            if line:
                self.events.add(time_ns, RUNTIME_LOG, line, pid, core.device, core.number)

    def _event(self, time_ns: int, kind: str, text: str, pid: int) -> None:
        self.events.add(time_ns, kind, text, pid, None, None)


def _add_threads(times: VcpuTimes, process: Process, time_ns: int) -> None:
    """Each lane has a thread for each of its cores, known by the core's number; its last group counts their time."""
    for lane in process.lanes:
        times.add(tuple(core for group in lane for core in group.cores), lane[-1].read(time_ns))


def _load_run(time_ns: int, process: Process, group: Lockstep, image: ModelImage) -> Run:
    """One group's part of loading; the thread that loads is counted with the last group of the first lane."""
    cores_per_device = len(process.cores) / len(process.devices)
    layer_ns = max(1, round(image.layer_bytes * cores_per_device / LOAD_BYTES_PER_S * 1e9))
    loads = group is process.lanes[0][-1]
    per_layer = Activity(
        hbm_written_bytes=image.layer_bytes,
        user_ns=int(layer_ns * LOAD_USER_SHARE) if loads else 0,
        system_ns=int(layer_ns * LOAD_SYSTEM_SHARE) if loads else 0,
        context_switches=2 if loads else 0,
    )
    return Run(time_ns, layer_ns, image.layers, (*per_layer, *[0] * len(group.patterns)))
