"""What is said of one NeuronCore, as records: numbers first, and the sentences that are made of them.

Unlike a snapshot's, unknown fields are written out as null. Core numbers are logical unless a name says physical.
"""

from enum import StrEnum

from msgspec import field

from device_model.workloads.cost.steps import Bound
from neurontools.schema.document import Document, version_field
from neurontools.schema.snapshot import Head


class State(StrEnum):
    """What a core is in the middle of."""

    FREE = "free"
    LOADING = "loading"
    UNLOADED = "unloaded"
    """Its process has no model in memory, and loads none."""
    WAITING = "waiting"
    EXECUTING = "executing"


class Sentence(Document, frozen=True, kw_only=True, omit_defaults=False):
    """A sentence or two under the word for what they are about."""

    topic: str
    text: str


class Holding(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The process that holds the core; `group` are the cores, this one included, that execute in lockstep."""

    pid: int
    started_ns: int
    tag: str
    user: str
    command: str
    kind: str
    cores: tuple[int, ...]
    group: tuple[int, ...]
    queued: int | None = None
    running: int | None = None
    """Requests; None for a program that takes none."""


class Ended(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The process that held a free core last, as far as that is remembered; `how` is the event of its end."""

    pid: int
    tag: str | None
    user: str | None
    command: str | None
    ended_ns: int | None = None
    how: str | None = None


class Loading(Document, frozen=True, kw_only=True, omit_defaults=False):
    """A model on its way into memory, in blocks of one layer each."""

    blocks_loaded: int
    blocks: int
    left_ns: int


class Period(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The core over the last period, as Interval gives it; percents are of the period, of capacity, or of the peak.

    `busy_percent` is the tools' utilization. Capacity and peak are the core's share of its chip's. `executions` are
    those that were completed, of one of the physical cores.
    """

    duration_ns: int
    busy_percent: float | None
    collectives_percent: float | None
    engine_percent: dict[str, float] | None
    memory_read_bytes_per_s: float | None
    memory_written_bytes_per_s: float | None
    memory_capacity_bytes_per_s: float
    memory_percent: float | None
    flops_per_s: float | None
    peak_flops_per_s: float
    peak_data_type: str
    flops_percent: float | None
    executions: int | None
    models_loaded: int | None


class StepPart(Document, frozen=True, kw_only=True, omit_defaults=False):
    """A part of a step's time; `meaning` is the name in words, `percent` of the step."""

    name: str
    meaning: str
    duration_ns: int
    percent: float


class Step(Document, frozen=True, kw_only=True, omit_defaults=False):
    """What the step under way costs this core by its work, on sound hardware and alone on its links; parts may overlap.

    Of the duration `host_ns` is the host's, and in `idle_ns` the core waits for other groups of its process.
    """

    duration_ns: int
    host_ns: int
    idle_ns: int
    bound: Bound
    parts: tuple[StepPart, ...]
    least_ns: int
    """What the step would still take if the part that bounds it cost nothing; it may be more, where parts overlap."""


class SharedLink(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The link of the step under way that is asked for most, where others send over it too.

    `asked` is what this step in its collectives and the others on the mean ask of it together, in capacities. That
    makes collectives take `stretch` times as long as alone: on sound hardware `collectives_ns` of a step of
    `duration_ns`, instead of `alone_ns`. `others` are the tags of the other processes; none where only groups of this
    one share it.
    """

    sender: int
    receiver: int
    others: tuple[str, ...]
    asked: float
    stretch: float
    duration_ns: int
    collectives_ns: int
    alone_ns: int


class Counted(Document, frozen=True, kw_only=True, omit_defaults=False):
    """What the core has counted since the host's start, whoever held it.

    Busy time is the mean of the physical cores, FLOPs and counters are their sum; executions are those of one of them.
    """

    executions: int
    busy_ns: int
    flops: int
    memory_used_bytes: int
    models_loaded: int
    errors: dict[str, int] = field(default_factory=dict)
    """The driver's counters of what went wrong that are above 0."""


class Trusted(Document, frozen=True, kw_only=True, omit_defaults=False):
    """How far to trust times: `standing` is calibrated, extrapolated or assumed; errors are relative."""

    standing: str
    reasons: tuple[str, ...] = ()
    rows: str | None = None
    median: float | None = None
    p90: float | None = None


class Explanation(Document, frozen=True, kw_only=True, omit_defaults=False):
    """One NeuronCore at one instant. `doing` is a clause that goes on after "it is"; `started_ns` the host's start."""

    version: int = version_field()
    head: Head
    started_ns: int
    core: int
    physical_cores: tuple[int, ...]
    device: int
    chip: str
    state: State
    holder: Holding | None = None
    last_holder: Ended | None = None
    doing: str | None = None
    notes: tuple[str, ...] = ()
    loading: Loading | None = None
    period: Period | None = None
    no_period: str | None = None
    """Why there is no period."""
    no_engines: str | None = None
    """Why it is not known how long engines were active."""
    step: Step | None = None
    shared_link: SharedLink | None = None
    counted: Counted
    trust: Trusted | None = None
    sentences: tuple[Sentence, ...] = ()
