"""The runtime's life on a node: processes start and lock cores, load models, execute, and end without a trace."""

from collections.abc import Callable, Iterable

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.kernel.meter import Run
from device_model.kernel.queue import EventQueue, Order, Ticket
from device_model.machine.activity import Activity, Edge, Lockstep
from device_model.machine.core import Core
from device_model.machine.device import Device
from device_model.machine.host import VcpuTimes
from device_model.machine.kernel_log import ACTION_TERMINATE, hardware_error
from device_model.machine.node import Node
from device_model.runtime import log, memory
from device_model.runtime.eventlog import EventLog
from device_model.runtime.execution import StepWork
from device_model.runtime.executor import Asked, Executed, Execution, Executor, Lost
from device_model.runtime.fate import COLLECTIVES, ENDINGS, KERNEL_LOGGED, TIMEOUT, Fate
from device_model.runtime.impairment import REFUSED_NS
from device_model.runtime.loading import (
    LOAD_BYTES_PER_S,
    LOAD_SYSTEM_SHARE,
    LOAD_USER_SHARE,
    ModelImage,
    Piece,
    base_pieces,
)
from device_model.runtime.process import INIT_PID, TIMEOUT_NS, Ended, Failing, Identity, LoadedModel, Process, Team
from neurontools.hardware.chips import cores_of_bank
from neurontools.hardware.nrt import STATUSES
from neurontools.schema.events import KERNEL_LOG, PROCESS_END, PROCESS_START, RUNTIME_LOG

RUNTIME_VERSION = "2.31.24"
"""What the simulated processes report as the version of their runtime (assumed)."""

FIRST_PID, PID_STEP = 4096, 61
"""Process numbers lie a little apart, as on a host where other programs start too."""

LAUNCHER_BEFORE = 12
"""How far below the pid of the first process that it starts a launcher has its own."""

FIRST_MODEL_ID = 10001

RESET_NS = 20 * NS
"""How long a device's reset takes (assumed; AWS waits up to 120 s for one, on Trainium2 480 s)."""

_ASKED_FOR = 0
"""The cause of a reset that a user asks the driver for; those of faults are numbered from 1."""

Loaded = Callable[[int], None]
"""Called with the time in ns when a model has been loaded."""


class Runtime:
    """All Neuron processes of a node. Times are the model's, in ns."""

    def __init__(self, node: Node, queue: EventQueue, chance: Chance, events: EventLog) -> None:
        self.node = node
        self.queue = queue
        self.chance = chance
        self.events = events
        self.processes: dict[int, Process] = {}
        self._executor = Executor(node, queue, chance, self._execution_failed)
        self._loading: dict[int, list[Ticket]] = {}
        self._ended: dict[int, Ended] = {}
        self._started = 0
        self._launchers: dict[str, int] = {}

    def start(
        self, time_ns: int, identity: Identity, teams: tuple[Team, ...], ended: Ended, timeout_ns: int = TIMEOUT_NS
    ) -> Process | None:
        """A process starts and locks its cores; None when it ended at once, after the runtime has logged why.

        `ended` is called at its end, also in that case. It waits up to `timeout_ns` for an execution.
        """
        cores = tuple(core for team in teams for core in team.cores)
        pid = FIRST_PID + PID_STEP * self._started
        self._started += 1
        launcher = identity.launcher
        parent = self._launchers.setdefault(launcher, pid - LAUNCHER_BEFORE) if launcher else INIT_PID
        self._event(time_ns, PROCESS_START, identity.command, pid)
        if not self._admitted(time_ns, pid, cores):
            self._event(time_ns, PROCESS_END, f"{identity.command}: exit status 1", pid)
            ended(time_ns)
            return None
        self._ended[pid] = ended
        for core in cores:
            core.holder = pid
        lanes: dict[int, list[Team]] = {}
        for team in teams:
            lanes.setdefault(team.lane, []).append(team)
        groups = [
            tuple(self.node.begin_work(team.cores, team.patterns, time_ns) for team in lane) for lane in lanes.values()
        ]
        by_lane = tuple(map(tuple, lanes.values()))
        process = Process(pid, time_ns, identity, by_lane, tuple(groups), timeout_ns, parent)
        self.processes[pid] = process
        self._executor.join(process)
        self.disturbed(time_ns, process)
        memory.open_devices(self.node, process)
        return process if self._take(time_ns, process, base_pieces(), "") else None

    def load(self, time_ns: int, process: Process, image: ModelImage, done: Loaded) -> None:
        """Loads a model layer by layer; `done` is called when it can be executed, unless memory runs out before.

        Each layer's memory is taken before its weights are written. It waits for devices that are being reset; a load
        under way goes on meanwhile (assumed).
        """
        if not all(self.node.devices[device].ready for device in process.devices):
            at_ns, name = time_ns + REFUSED_NS, process.identity.name
            ticket = self.queue.schedule(
                at_ns, Order.ALLOCATION, name, lambda now_ns: self.load(now_ns, process, image, done)
            )
            self._loading[process.pid] = [ticket]
            return
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
        lost: Lost | None = None,
    ) -> None:
        """Runs `steps` identical executions one after another; `done` is called when the last has ended.

        `works` has a part for each team of the lane, all of one duration. What is executed has gone through `stages`
        groups one after another, so that is how many durations it took. When an execution fails and the process lives
        on, `lost` is called, or, where nothing hangs on the result, `done`.
        """
        self._executor.execute(time_ns, process, Asked(works, steps, done, lane, stages, lost))

    def cut(self, time_ns: int, process: Process, lane: int = 0) -> None:
        """Lets the executions under way in a lane end with the one that is under way at `time_ns`."""
        self._executor.cut(time_ns, process, lane)

    def under_way(self, process: Process, lane: int = 0) -> Execution | None:
        """The executions that a lane of the process is in the middle of."""
        return self._executor.under_way(process, lane)

    def senders(self, edge: Edge) -> list[Execution]:
        """The executions under way whose traffic may go over a link."""
        return self._executor.senders(edge)

    def disturbed(self, time_ns: int, process: Process) -> None:
        """Something about a process or the hardware under it has changed: what it executes next goes by that."""
        self._executor.disturbed(time_ns, process)

    def processes_on(self, cores: Iterable[Core]) -> list[Process]:
        """The processes that hold any of these cores, in the order of their starts."""
        holders = {core.holder for core in cores}
        return [process for pid, process in self.processes.items() if pid in holders]

    def fail_next(self, time_ns: int, process: Process, code: int, core: Core | None = None) -> None:
        """The process's next execution, on `core` where that matters, will end with a status code."""
        process.failing.append(Failing(code, core))
        self.disturbed(time_ns, process)

    def allocate(self, time_ns: int, process: Process, piece: Piece) -> None:
        """The program itself takes memory on each of its cores, which it keeps; where there is none, it ends."""
        self._take(time_ns, process, (piece,), "")

    def hardware_error(self, time_ns: int, core: Core, error: str, action: str = ACTION_TERMINATE) -> None:
        """The driver notices an error of a core, its memory or its DMA engines, and notes it in the kernel's log."""
        device = self.node.devices[core.device]
        device.hardware_errors += 1
        line = hardware_error(device, core.index, error, action)
        self.events.add(time_ns, KERNEL_LOG, line, None, core.device, core.number)

    def reset(self, time_ns: int, device: Device) -> None:
        """Somebody asks the driver to reset a device. One that a process has open, or that is being reset, is left
        alone."""
        if device.open or device.resetting_by:
            return
        device.begin_reset(_ASKED_FOR)

        def ready(now_ns: int) -> None:
            device.resetting_by.discard(_ASKED_FOR)
            for process in self.processes_on(device.cores):
                self.disturbed(now_ns, process)

        self.queue.schedule(time_ns + RESET_NS, Order.FAULT, f"reset {device.index}", ready)

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
        self._executor.drop(time_ns, process)
        for group in process.groups:
            self.node.end_work(group, time_ns)
        _add_threads(self.node.host.ended, process, time_ns)
        memory.release(self.node, process)
        memory.close_devices(self.node, process)
        for core in process.cores:
            core.release(time_ns)
        process.alive = False
        del self.processes[process.pid]
        self._event(time_ns, PROCESS_END, f"{process.identity.command}: {how}", process.pid)
        self._ended.pop(process.pid)(time_ns)

    def _admitted(self, time_ns: int, pid: int, cores: tuple[Core, ...]) -> bool:
        """Whether a new process gets its cores; if not, the runtime has logged why."""
        if self.node.driver.missing_by:
            self._log(time_ns, log.driver_missing(time_ns, pid), pid, None)
            return False
        if any(core.holder is not None for core in cores):
            cores[0].count("resource_nc_error")
            # The refused process closes the device at once; the core's holder goes on.
            cores[0].fold("resource_nc_error", cores[0].tallies["resource_nc_error"].total)
            first, last = (core.number // self.node.logical_neuroncore_config for core in (cores[0], cores[-1]))
            self._log(time_ns, log.core_conflict(time_ns, pid, first, last), pid, cores[0])
            return False
        return True

    def _execution_failed(self, time_ns: int, process: Process, lane: int, fate: Fate) -> None:
        """Counts and logs an execution that did not simply complete, and ends the process if it cannot go on."""
        process.outcomes[fate.outcome] += 1
        if fate.status.error_kind is not None:
            process.errors[fate.status.error_kind] += 1
        if (failing := Failing(fate.code, fate.core)) in process.failing:
            process.failing.remove(failing)
        reporters = _reporters(process, lane, fate)
        first = reporters[0][0]
        for core, code in reporters:
            if (directory := STATUSES[code].directory) is not None:
                core.count(directory)
            if code in KERNEL_LOGGED:
                self.hardware_error(time_ns, core, KERNEL_LOGGED[code])
            if fate.times_out or core is first:
                lines = log.execution_failed(time_ns, process.pid, core, process.timeout_ns, ENDINGS[code].lines)
                self._log(time_ns, lines, process.pid, core)
        if ENDINGS[fate.code].fatal:
            self.end(time_ns, process, f"exit status 1 ({fate.status.name})")

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

    def _log(self, time_ns: int, lines: list[str], pid: int, core: Core | None) -> None:
        device, number = (None, None) if core is None else (core.device, core.number)
        for line in lines:
            if line:
                self.events.add(time_ns, RUNTIME_LOG, line, pid, device, number)

    def _event(self, time_ns: int, kind: str, text: str, pid: int) -> None:
        self.events.add(time_ns, kind, text, pid, None, None)


def _reporters(process: Process, lane: int, fate: Fate) -> list[tuple[Core, int]]:
    """The cores that report a failure, each with its status code: peers of one that hangs blame the collective."""
    cores = [core for team in process.teams[lane] for core in team.cores]
    if fate.hangs:
        return [(core, TIMEOUT if core.hung_by else COLLECTIVES) for core in cores]
    return [(core, fate.code) for core in ([fate.core] if fate.core is not None else cores)]


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
