"""What has been counted since boot, at one instant of a whole node. Everything that may be unknown is None.

Counters that the driver publishes keep the driver's names and units (`nc_time_in_use` is in
microseconds); numbers of our own carry their unit in the name. All core numbers are physical:
`Core.core` and `Process.cores` count over the node, `Core.index` inside its device.
"""

from msgspec import field

from neurontools.schema.document import Compact, Document, count_field, version_field
from neurontools.schema.histogram import Histogram


class Origin(Document, frozen=True, kw_only=True):
    """Where a reading comes from: `kind` is driver, aws, model or recording; `detail` its version or file."""

    kind: str
    detail: str | None = None
    simulated: bool = False
    scenario: str | None = None
    pinned: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """Where from, in a word or two; what is simulated says so."""
        return f"SIMULATED {self.scenario or ''}".rstrip() if self.simulated else self.kind


class Gap(Document, frozen=True, kw_only=True):
    """Why a part is unknown, and what would supply it."""

    reason: str
    supply: str | None = None


class Head(Document, frozen=True, kw_only=True):
    """The instant and the circumstances of a snapshot.

    `parts` has the origins of what is not from `origin`: core (what its execution is counted by), process, host, ecc.
    `gaps` is keyed by the part that is unknown.
    """

    time_ns: int
    boot_id: str
    origin: Origin
    parts: dict[str, Origin] = field(default_factory=dict)
    logical_neuroncore_config: int = 1
    lnc_assumed: bool = True
    gaps: dict[str, Gap] = field(default_factory=dict)


class Counter(Compact, frozen=True):
    """A driver counter: the cumulative `total` and `present`, the last increment."""

    total: int
    present: int = 0


class MemoryUse(Compact, frozen=True):
    """Bytes in use now (`total`), size of the last allocation or release (`present`), high-water mark (`peak`)."""

    total: int | None
    present: int | None = None
    peak: int | None = None


class EngineTimes(Compact, frozen=True):
    """Nanoseconds that each engine of a NeuronCore was active."""

    tensor_ns: int
    vector_ns: int
    scalar_ns: int
    gpsimd_ns: int


class PeRow(Compact, frozen=True):
    """One row group of `tensor_engine/pe_cntrs`, in cycles."""

    mm_active: int
    wl_active: int
    idle: int


class Core(Document, frozen=True, kw_only=True):
    """One physical NeuronCore.

    `busy_ns` is time in execution, waiting for peers included; `collectives_ns` is the part of it
    spent in collectives. `status` and `other_info` are keyed by the driver's names, `memory` by the
    driver's device memory categories. `time_ns` is when execution was counted, if not at the head's time.
    """

    core: int
    index: int
    time_ns: int | None = None
    busy_ns: int | None = None
    collectives_ns: int | None = None
    engines: EngineTimes | None = None
    flops: int | None = None
    hbm_read_bytes: int | None = None
    hbm_written_bytes: int | None = None
    host_memory: MemoryUse | None = None
    device_memory: MemoryUse | None = None
    memory: dict[str, MemoryUse] | None = None
    status: dict[str, Counter] | None = None
    other_info: dict[str, Counter] | None = None
    pe_cntrs: tuple[PeRow, ...] | None = None


class Bank(Document, frozen=True, kw_only=True):
    """One memory bank of a device; `cores` are the physical cores (numbers inside the device) that it serves."""

    index: int
    total_bytes: int
    used_bytes: int | None = None
    largest_free_bytes: int | None = None
    cores: tuple[int, ...] = ()


class Link(Document, frozen=True, kw_only=True):
    """One device's end of a NeuronLink; capacity is per direction."""

    peer: int
    up: bool | None = None
    transmitted_bytes: int | None = None
    received_bytes: int | None = None
    capacity_bytes_per_s: int | None = None


class Power(Document, frozen=True, kw_only=True):
    """Percent of the device's maximum power over the last full minute, idle power backed out.

    `status` is the driver's word (POWER_STATUS_VALID, POWER_STATUS_NO_DATA, POWER_STATUS_INVALID);
    `epoch_s` the second at which that minute ended.
    """

    status: str
    epoch_s: int = 0
    min_percent: float = 0.0
    max_percent: float = 0.0
    avg_percent: float = 0.0


class Device(Document, frozen=True, kw_only=True):
    """One Neuron device with its cores, banks and links.

    `host_memory` is keyed by the driver's host categories, `ecc` and `health` by the names of the
    driver's files. `reset_state` is ready, reset or invalid.
    """

    index: int
    cores: tuple[Core, ...] = ()
    banks: tuple[Bank, ...] = ()
    links: tuple[Link, ...] | None = None
    host_memory: dict[str, MemoryUse] | None = None
    ecc: dict[str, int] | None = None
    health: dict[str, int | str] | None = None
    power: Power | None = None
    reset_state: str | None = None
    serial_number: str | None = None


class Subgraph(Document, frozen=True, kw_only=True):
    """A part of a loaded model on one physical core: bytes by category on host and device."""

    name: str
    core: int
    device: int
    host_memory: dict[str, int] = field(default_factory=dict)
    device_memory: dict[str, int] = field(default_factory=dict)


class Model(Document, frozen=True, kw_only=True):
    """A model (NEFF) that a process has loaded."""

    model_id: int
    name: str
    uuid: str
    running: bool
    subgraphs: tuple[Subgraph, ...] = ()


class Workload(Document, frozen=True, kw_only=True):
    """What a model server does, in its own terms. Request counts are final outcomes, but for `queued` and `running`.

    `preempted` counts how often a running request was put back into the queue, its memory needed by others.
    """

    kind: str
    submitted: int = count_field()
    completed: int = count_field()
    rejected: int = count_field()
    failed: int = count_field()
    timed_out: int = count_field()
    cancelled: int = count_field()
    queued: int = count_field()
    running: int = count_field()
    preempted: int = count_field()
    prompt_tokens: int = count_field()
    generated_tokens: int = count_field()
    cached_tokens: int | None = None
    cache_capacity_tokens: int | None = None
    time_to_first_token: Histogram | None = None
    request_latency: Histogram | None = None


class Job(Document, frozen=True, kw_only=True):
    """What started a process: `kind` is kubernetes (`id` is the pod's UID) or slurm (`id` is the job's number)."""

    kind: str
    id: str
    container: str | None = None


class Process(Document, frozen=True, kw_only=True):
    """A process with a Neuron runtime; (pid, started_ns) identifies it.

    `memory` is bytes by physical core (over the node) and category; `executions` is keyed by
    neuron-monitor's outcomes, `errors` by its error kinds; `groups` are tensor-parallel groups of
    physical cores. `time_ns` is when its counters were read, if not at the head's time. `parent_pid` is the pid of the
    process that started it, or of the one that took it over when that ended; 1 is the init process.
    """

    pid: int
    started_ns: int
    time_ns: int | None = None
    user: str | None = None
    tag: str | None = None
    command: str | None = None
    job: Job | None = None
    runtime_version: str | None = None
    cores: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    memory: dict[int, dict[str, int]] | None = None
    host_memory: dict[str, int] | None = None
    resident_bytes: int | None = None
    models: tuple[Model, ...] | None = None
    executions: dict[str, int] | None = None
    errors: dict[str, int] | None = None
    latency_total: Histogram | None = None
    latency_device: Histogram | None = None
    vcpu_user_ns: int | None = None
    vcpu_system_ns: int | None = None
    workload: Workload | None = None
    parent_pid: int | None = None


class CpuTimes(Compact, frozen=True):
    """Nanoseconds that one vCPU spent in each state since boot."""

    user: int
    nice: int
    system: int
    idle: int
    io_wait: int
    irq: int
    soft_irq: int


class Host(Document, frozen=True, kw_only=True):
    """The instance around the devices."""

    cpus: tuple[CpuTimes, ...] | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    context_switches: int | None = None


class Snapshot(Document, frozen=True, kw_only=True):
    """One instant of a whole node."""

    version: int = version_field()
    head: Head
    devices: tuple[Device, ...] = ()
    processes: tuple[Process, ...] | None = None
    host: Host | None = None
