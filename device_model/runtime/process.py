"""One process with a Neuron runtime: who it is, what it holds, and what it has counted."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from device_model.kernel.clock import NS
from device_model.machine.activity import NOTHING, Activity, Lockstep, Pattern
from device_model.machine.core import Core
from device_model.runtime.loading import ModelImage
from neurontools.hardware.nrt import DEFAULT_EXECUTION_TIMEOUT_S, ERROR_KINDS, OUTCOMES
from neurontools.schema.histogram import Histogram, bucket_of


class Identity(NamedTuple):
    """How a process is known: `name` keys its draws and is unique, `tag` is its NEURON_PROCESS_TAG.

    Processes with the same `launcher` are started by one program, which holds no device; without one, by init.
    """

    name: str
    tag: str
    user: str
    command: str
    launcher: str = ""


INIT_PID = 1
"""The process that starts a host's services."""

TIMEOUT_NS = DEFAULT_EXECUTION_TIMEOUT_S * NS
"""How long a process waits for an execution, unless it was told otherwise (NEURON_RT_EXEC_TIMEOUT)."""

MOST_RECENT = 1000
"""Different durations that are kept before they go into buckets, so that they take little memory without a reader."""


class Durations:
    """A latency distribution that is being recorded."""

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        """Durations that are not in buckets yet, and how many times each: most are those of equal steps."""
        self._recorded = Histogram()

    def add(self, duration_ns: int, times: int = 1) -> None:
        """Records a duration in ns, `times` times."""
        recent = self._recent
        if duration_ns in recent:
            recent[duration_ns] += times
        else:
            recent[duration_ns] = times
            if len(recent) == MOST_RECENT:
                self.reading()

    def reading(self, pending: Sequence[tuple[int, int]] = ()) -> Histogram:
        """What is recorded, with durations and how many times each that are complete but not recorded yet."""
        if self._recent:
            self._recorded = _with(self._recorded, self._recent.items())
            self._recent = {}
        return _with(self._recorded, pending) if any([times for _, times in pending]) else self._recorded


def _with(recorded: Histogram, more: Iterable[tuple[int, int]]) -> Histogram:
    """A histogram to which durations, so many times each, are added; its buckets are in order."""
    counts, sum_ns = dict(recorded.counts), recorded.sum_ns
    for duration_ns, times in more:
        if times:
            bucket = bucket_of(duration_ns)
            counts[bucket] = counts.get(bucket, 0) + times
            sum_ns += duration_ns * times
    if len(counts) > len(recorded.counts):
        counts = dict(sorted(counts.items()))
    return Histogram(counts=counts, sum_ns=sum_ns)


class LoadedModel(NamedTuple):
    """A model in device memory. `model_id` is the runtime's number for it, `device_bytes` the image's, by category."""

    model_id: int
    uuid: str
    image: ModelImage
    device_bytes: dict[str, int]


class Team(NamedTuple):
    """Cores of a process that work in lockstep, and the ways that their traffic can take.

    Teams of one `lane` execute together, such as the stages of a pipeline; lanes execute each for themselves.
    """

    cores: tuple[Core, ...]
    patterns: tuple[Pattern, ...] = ()
    lane: int = 0


class Failing(NamedTuple):
    """A status code that the next execution on `core`, or, where that is None, the next one at all ends with."""

    code: int
    core: Core | None


Lane = tuple[Lockstep, ...]
"""Groups that execute together, in the order in which work goes through them."""


Ended = Callable[[int], None]
"""Called with the time in ns when a process has ended, however."""


class Process:
    """A process and its cores, from its start to its end. (pid, started_ns) identifies it.

    It has lanes of groups, a group for each of its teams. What leaves the last group of a lane has been executed.
    """

    def __init__(
        self,
        pid: int,
        started_ns: int,
        identity: Identity,
        teams: tuple[tuple[Team, ...], ...],
        lanes: tuple[Lane, ...],
        timeout_ns: int = TIMEOUT_NS,
        parent_pid: int = INIT_PID,
    ) -> None:
        self.pid = pid
        self.parent_pid = parent_pid
        self.started_ns = started_ns
        self.identity = identity
        self.cores = tuple(core for lane in teams for team in lane for core in team.cores)
        self.devices = sorted({core.device for core in self.cores})
        self.teams = teams
        self.lanes = list(lanes)
        self.timeout_ns = timeout_ns
        self.careful = False
        """Whether something is wrong with the process or its hardware, so that executions must be looked at."""
        self.failed_executions = 0
        self.failing: list[Failing] = []
        self.spoiled: dict[int, float] = {}
        """Status codes by which executions end through the program's own fault, and the share of them that does."""
        self.stuck_by: set[int] = set()
        """What keeps its collectives from ever completing, by cause."""
        self.memory: dict[int, dict[str, int]] = {core.number: {} for core in self.cores}
        self.model: LoadedModel | None = None
        self.models_loaded = 0
        self.alive = True
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.errors = dict.fromkeys(ERROR_KINDS, 0)
        self.latency_total = Durations()
        self.latency_device = Durations()
        self._past = NOTHING
        self._past_executions = 0

    @property
    def groups(self) -> tuple[Lockstep, ...]:
        """The groups of all lanes."""
        return tuple([group for lane in self.lanes for group in lane])

    def regroup(self, time_ns: int, lane: int, groups: Lane) -> None:
        """A lane works in other groups from now on; the process keeps what the ones before have counted."""
        last = self.lanes[lane][-1]
        self._past = last.read(time_ns).plus(self._past)
        self._past_executions += last.meter.credit(time_ns).executions
        self.lanes[lane] = groups

    def read(self, time_ns: int) -> Activity:
        """What the process itself has used of the host: the quantities that are counted per process."""
        total = self._past
        for lane in self.lanes:
            total = lane[-1].read(time_ns).plus(total)
        return total

    def executions(self, time_ns: int) -> int:
        """Executions that have ended, however."""
        return self._past_executions + sum([lane[-1].meter.credit(time_ns).executions for lane in self.lanes])
