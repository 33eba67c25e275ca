"""The records of an Interval: what a node did between two snapshots, with every number in the unit its name says.

A record is made by `neurontools.schema.interval.between`, or filled by a decoder of another tool's lines.
None is unknown, never 0. A bare counter name (`flops`, `executions`) is what was counted in the period;
the same name with `_total` is what has been counted since boot, or since the process started.
"""

from msgspec import field

from neurontools.schema.document import Compact, Document, version_field
from neurontools.schema.histogram import Histogram
from neurontools.schema.snapshot import Head, Job, Snapshot


class NoInterval(ValueError):  # noqa: N818 (an outcome that callers expect, not a fault)
    """Two snapshots do not bound a period; `reason` is one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Percentiles(Document, frozen=True, kw_only=True):
    """A distribution of durations, all in seconds, with neuron-monitor's choice of percentiles.

    `mean` and `count` are None where the supplier gives percentiles only.
    """

    p0: float
    p1: float
    p25: float
    p50: float
    p75: float
    p99: float
    p100: float
    mean: float | None = None
    count: int | None = None


class EnginePercents(Compact, frozen=True):
    """Percent of the period that each engine of a NeuronCore was active."""

    tensor: float | None = None
    vector: float | None = None
    scalar: float | None = None
    gpsimd: float | None = None


class CoreInterval(Document, frozen=True, kw_only=True):
    """One NeuronCore, physical or logical; `core` counts over the node, `parts` are the physical cores behind it.

    Of a logical core, utilization and engines are the mean of its parts and everything else the
    sum; a number that one part does not know is unknown. So a peak is an upper bound, and an
    execution that both parts count is counted twice, as the driver's files do.
    `utilization_percent` is time in execution, waiting for peers included; it is never clamped,
    because a driver that credits time when an execution ends rightly shows 0 and then 500.
    `collectives_percent` is the part of the period spent in collectives. `executions` is the
    driver's inference_count. `memory` is device memory in bytes by the driver's categories.
    """

    core: int
    device: int
    parts: tuple[int, ...]
    utilization_percent: float | None = None
    collectives_percent: float | None = None
    engines: EnginePercents | None = None
    busy_ns: int | None = None
    busy_ns_total: int | None = None
    flops: int | None = None
    flops_per_s: float | None = None
    flops_total: int | None = None
    hbm_read_bytes: int | None = None
    hbm_read_bytes_per_s: float | None = None
    hbm_read_bytes_total: int | None = None
    hbm_written_bytes: int | None = None
    hbm_written_bytes_per_s: float | None = None
    hbm_written_bytes_total: int | None = None
    executions: int | None = None
    executions_per_s: float | None = None
    executions_total: int | None = None
    memory: dict[str, int] | None = None
    memory_used_bytes: int | None = None
    memory_peak_bytes: int | None = None
    host_memory_bytes: int | None = None
    status: dict[str, int] | None = None
    status_total: dict[str, int] | None = None
    other_info: dict[str, int] | None = None
    other_info_total: dict[str, int] | None = None


class BankInterval(Document, frozen=True, kw_only=True):
    """One memory bank; `cores` are the logical cores (over the node) that it serves.

    `fragmentation_percent` is the part of the free memory that lies outside the largest free extent.
    """

    bank: int
    cores: tuple[int, ...] = ()
    total_bytes: int
    used_bytes: int | None = None
    used_percent: float | None = None
    free_bytes: int | None = None
    largest_free_bytes: int | None = None
    fragmentation_percent: float | None = None


class LinkInterval(Document, frozen=True, kw_only=True):
    """One device's end of a NeuronLink; the percents are of the link's capacity in that direction."""

    peer: int
    up: bool | None = None
    capacity_bytes_per_s: int | None = None
    transmitted_bytes: int | None = None
    transmitted_bytes_per_s: float | None = None
    transmitted_percent: float | None = None
    transmitted_bytes_total: int | None = None
    received_bytes: int | None = None
    received_bytes_per_s: float | None = None
    received_percent: float | None = None
    received_bytes_total: int | None = None


class DeviceInterval(Document, frozen=True, kw_only=True):
    """One Neuron device. `ecc` and `health` are keyed by the names of the driver's files.

    The power percents are of the device's maximum power over the last full minute, idle power
    backed out; they are None unless `power_status` is POWER_STATUS_VALID. `host_memory` is bytes
    by the driver's host categories. `utilization_percent` is the mean over the device's cores.
    """

    device: int
    utilization_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    memory_used_percent: float | None = None
    banks: tuple[BankInterval, ...] = ()
    links: tuple[LinkInterval, ...] | None = None
    power_status: str | None = None
    power_epoch_s: int | None = None
    power_min_percent: float | None = None
    power_max_percent: float | None = None
    power_avg_percent: float | None = None
    ecc: dict[str, int] | None = None
    ecc_total: dict[str, int] | None = None
    health: dict[str, int | str] | None = None
    host_memory: dict[str, int] | None = None
    host_memory_bytes: int | None = None
    reset_state: str | None = None


class LoadedSubgraph(Document, frozen=True, kw_only=True):
    """A part of a loaded model on one logical core (over the node): bytes by category on host and device."""

    name: str
    core: int
    device: int
    host_memory: dict[str, int] = field(default_factory=dict)
    device_memory: dict[str, int] = field(default_factory=dict)


class LoadedModel(Document, frozen=True, kw_only=True):
    """A model (NEFF) that a process has loaded."""

    model_id: int
    name: str
    uuid: str
    running: bool
    subgraphs: tuple[LoadedSubgraph, ...] = ()


class WorkloadInterval(Document, frozen=True, kw_only=True):
    """What a model server did.

    `requests` is keyed by submitted and the final outcomes; `requests_per_s` counts the completed.
    The two distributions are of the requests that reached that point in the period, None when none
    did; the histograms beside them are cumulative.
    """

    kind: str
    requests: dict[str, int] | None = None
    requests_total: dict[str, int] | None = None
    requests_per_s: float | None = None
    queued: int | None = None
    running: int | None = None
    preempted: int | None = None
    preempted_total: int | None = None
    prompt_tokens: int | None = None
    prompt_tokens_per_s: float | None = None
    prompt_tokens_total: int | None = None
    generated_tokens: int | None = None
    generated_tokens_per_s: float | None = None
    generated_tokens_total: int | None = None
    cached_tokens: int | None = None
    cache_capacity_tokens: int | None = None
    cache_used_percent: float | None = None
    time_to_first_token: Percentiles | None = None
    time_to_first_token_histogram: Histogram | None = None
    request_latency: Percentiles | None = None
    request_latency_histogram: Histogram | None = None


class ProcessInterval(Document, frozen=True, kw_only=True):
    """A process with a Neuron runtime; all core numbers are logical and count over the node.

    `executions` is keyed by neuron-monitor's outcomes, `errors` by its error kinds;
    `executions_per_s` counts what ran to its end (the outcomes that begin with "completed").
    The latency percentiles are None when nothing ran; the histograms beside them are cumulative, and unknown where a
    source has percentiles only.
    `vcpu_user_ns` and `vcpu_system_ns` are CPU time in the period; the percents are of all vCPUs of
    the instance together, so 100 is every vCPU busy. That is neuron-monitor's unit: its captured
    `user` of 4 over 62.5 ms on 4 vCPUs is one kernel tick of 10 ms.
    `memory` is device memory in bytes by core and category; `utilization_percent` is the mean and
    `flops_per_s` the sum over the process's cores, which no other process can use meanwhile.
    `duration_ns` is the length of its own period, where that is not the interval's.
    """

    pid: int
    started_ns: int
    duration_ns: int | None = None
    user: str | None = None
    tag: str | None = None
    command: str | None = None
    job: Job | None = None
    runtime_version: str | None = None
    cores: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    utilization_percent: float | None = None
    flops_per_s: float | None = None
    executions: dict[str, int] | None = None
    executions_total: dict[str, int] | None = None
    executions_per_s: float | None = None
    errors: dict[str, int] | None = None
    errors_total: dict[str, int] | None = None
    latency_total: Percentiles | None = None
    latency_total_histogram: Histogram | None = None
    latency_device: Percentiles | None = None
    latency_device_histogram: Histogram | None = None
    vcpu_user_ns: int | None = None
    vcpu_user_ns_total: int | None = None
    vcpu_user_percent: float | None = None
    vcpu_system_ns: int | None = None
    vcpu_system_ns_total: int | None = None
    vcpu_system_percent: float | None = None
    memory: dict[int, dict[str, int]] | None = None
    memory_used_bytes: int | None = None
    host_memory: dict[str, int] | None = None
    host_memory_bytes: int | None = None
    resident_bytes: int | None = None
    models: tuple[LoadedModel, ...] | None = None
    workload: WorkloadInterval | None = None
    parent_pid: int | None = None


class CpuPercents(Compact, frozen=True):
    """Percent of the period that a vCPU (or all of them together) spent in each state."""

    user: float
    nice: float
    system: float
    idle: float
    io_wait: float
    irq: float
    soft_irq: float


class HostInterval(Document, frozen=True, kw_only=True):
    """The instance around the devices.

    `cpus` has an entry for each vCPU, None where it did not tick in the period; `average` is over
    the time of all vCPUs together, as neuron-monitor's average_usage.
    """

    vcpu_count: int | None = None
    cpus: tuple[CpuPercents | None, ...] | None = None
    average: CpuPercents | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    memory_used_percent: float | None = None
    swap_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    context_switches: int | None = None
    context_switches_total: int | None = None


class Interval(Document, frozen=True, kw_only=True):
    """A node between two instants; `head` is that of the later one, `snapshot` the later reading itself.

    `resets` names the counters that fell, as core/3/flops or device/0/ecc/mem_ecc_corrected. With
    `processes_known` false an empty `processes` says nothing.
    """

    version: int = version_field()
    head: Head
    duration_ns: int
    physical: tuple[CoreInterval, ...] = ()
    cores: tuple[CoreInterval, ...] = ()
    devices: tuple[DeviceInterval, ...] = ()
    processes: tuple[ProcessInterval, ...] = ()
    processes_known: bool = True
    host: HostInterval | None = None
    resets: tuple[str, ...] = ()
    snapshot: Snapshot | None = None
