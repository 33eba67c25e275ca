"""The shape of neuron-monitor's document: every key of the official format, in the official order.

Source: captured lines of AWS's tool, and its user guide for `flops`, `v3d` and the newer keys of neuron_hardware_info.
A key that older releases lack is UNSET where it is not there. Whole numbers are written without a fraction, as Go does.
A number that no host can have, such as a negative count, is refused when it is read.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

Number = int | float
"""As Go writes a float64."""

Count = Annotated[int, Meta(ge=0, le=1 << 53)]
"""The most is what JSON's readers agree on."""

Few = Annotated[int, Meta(ge=0, le=128)]
"""More devices of a host, or cores of a device, there are not."""

Index = Annotated[int, Meta(ge=0, le=9999)]
Key = Annotated[str, Meta(pattern="^[0-9]{1,4}$")]
"""An index as the key of an object."""

Seconds = Annotated[int, Meta(ge=0, le=10**7)] | Annotated[float, Meta(ge=0, le=1e7)]
Percent = Annotated[int, Meta(ge=0, le=10**6)] | Annotated[float, Meta(ge=0, le=1e6)]
"""Well over 100 where a core's time is credited when an execution ends."""

Rate = Annotated[int, Meta(ge=0, le=10**18)] | Annotated[float, Meta(ge=0, le=1e18)]


class Percentiles(Struct, kw_only=True):
    """A latency in seconds."""

    p0: Seconds
    p1: Seconds
    p100: Seconds
    p25: Seconds
    p50: Seconds
    p75: Seconds
    p99: Seconds


class LatencyStats(Struct, kw_only=True):
    """Of the executions that ended in the period; null when none did."""

    total_latency: Percentiles | None = None
    device_latency: Percentiles | None = None


class ErrorSummary(Struct, kw_only=True):
    """Errors of the period by kind."""

    generic: Count = 0
    numerical: Count = 0
    transient: Count = 0
    model: Count = 0
    runtime: Count = 0
    hardware: Count = 0


class ExecutionSummary(Struct, kw_only=True):
    """Executions of the period by outcome."""

    completed: Count = 0
    completed_with_err: Count = 0
    completed_with_num_err: Count = 0
    timed_out: Count = 0
    incorrect_input: Count = 0
    failed_to_queue: Count = 0


class ExecutionStats(Struct, kw_only=True):
    """What a runtime executed."""

    period: Seconds = 0
    error_summary: ErrorSummary = field(default_factory=ErrorSummary)
    execution_summary: ExecutionSummary = field(default_factory=ExecutionSummary)
    latency_stats: LatencyStats = field(default_factory=LatencyStats)
    error: str = ""


class HostBytes(Struct, kw_only=True):
    """Host memory by category."""

    application_memory: Count = 0
    constants: Count = 0
    dma_buffers: Count = 0
    tensors: Count = 0


class CoreBytes(Struct, kw_only=True):
    """Device memory on one core by category."""

    constants: Count = 0
    model_code: Count = 0
    model_shared_scratchpad: Count = 0
    runtime_memory: Count = 0
    tensors: Count = 0


class UsageBreakdown(Struct, kw_only=True):
    """A runtime's memory by place and category."""

    host: HostBytes = field(default_factory=HostBytes)
    neuroncore_memory_usage: dict[Key, CoreBytes] = field(default_factory=dict)


class RuntimeBytes(Struct, kw_only=True):
    """A runtime's memory; the totals are the sums of the breakdown."""

    host: Count = 0
    neuron_device: Count = 0
    usage_breakdown: UsageBreakdown = field(default_factory=UsageBreakdown)


class SubgraphDeviceBytes(Struct, kw_only=True):
    """Device memory of one sub-graph by category."""

    constants: Count = 0
    model_code: Count = 0
    runtime_memory: Count = 0
    tensors: Count = 0


class SubgraphBreakdown(Struct, kw_only=True):
    """A sub-graph's memory by place and category."""

    host: HostBytes = field(default_factory=HostBytes)
    neuron_device: SubgraphDeviceBytes = field(default_factory=SubgraphDeviceBytes)


class SubgraphBytes(Struct, kw_only=True):
    """A sub-graph's memory; the totals are the sums of the breakdown."""

    host: Count = 0
    neuron_device: Count = 0
    usage_breakdown: SubgraphBreakdown = field(default_factory=SubgraphBreakdown)


class Subgraph(Struct, kw_only=True):
    """A part of a loaded model; `neuroncore_index` counts inside the device."""

    memory_used_bytes: SubgraphBytes = field(default_factory=SubgraphBytes)
    neuroncore_index: int = 0
    neuron_device_index: int = 0


class Model(Struct, kw_only=True):
    """A loaded model."""

    name: str = ""
    uuid: str = ""
    model_id: Count = 0
    is_running: bool = False
    subgraphs: dict[str, Subgraph] | None = field(default_factory=dict)


class MemoryUsed(Struct, kw_only=True):
    """What a runtime holds now."""

    period: Seconds = 0
    neuron_runtime_used_bytes: RuntimeBytes = field(default_factory=RuntimeBytes)
    loaded_models: list[Model] | None = field(default_factory=list)
    error: str = ""


class VcpuShare(Struct, kw_only=True):
    """Percent of all vCPUs together."""

    user: Percent = 0
    system: Percent = 0


class RuntimeVcpuUsage(Struct, kw_only=True):
    """CPU time of a runtime's process."""

    period: Seconds = 0
    vcpu_usage: VcpuShare = field(default_factory=VcpuShare)
    error: str = ""


class CorePart(Struct, kw_only=True):
    """One physical core behind a logical one."""

    neuroncore_utilization: Percent = 0


class CoreInUse(Struct, kw_only=True):
    """One logical core; the two FLOP/s are one number under the names of the user guide and of newer releases."""

    neuroncore_utilization: Percent = 0
    flops: Rate | UnsetType = UNSET
    effective_flops: Rate | UnsetType = UNSET
    v3d: dict[str, CorePart] | UnsetType = UNSET


class NeuroncoreCounters(Struct, kw_only=True):
    """The cores that a runtime holds, by number over the node."""

    period: Seconds = 0
    neuroncores_in_use: dict[Key, CoreInUse] | None = field(default_factory=dict)
    error: str = ""


class RuntimeReport(Struct, kw_only=True):
    """The groups of a runtime that were due."""

    execution_stats: ExecutionStats | UnsetType = UNSET
    memory_used: MemoryUsed | UnsetType = UNSET
    neuron_runtime_vcpu_usage: RuntimeVcpuUsage | UnsetType = UNSET
    neuroncore_counters: NeuroncoreCounters | UnsetType = UNSET


class RuntimeData(Struct, kw_only=True):
    """One process with a Neuron runtime."""

    pid: Count
    neuron_runtime_tag: str = ""
    error: str = ""
    report: RuntimeReport = field(default_factory=RuntimeReport)


class MemoryInfo(Struct, kw_only=True):
    """The host's memory."""

    period: Seconds = 0
    memory_total_bytes: Count = 0
    memory_used_bytes: Count = 0
    swap_total_bytes: Count = 0
    swap_used_bytes: Count = 0
    error: str = ""


class EccCounts(Struct, kw_only=True):
    """ECC errors of one device in the period."""

    neuron_device_index: Index
    mem_ecc_corrected: Count = 0
    mem_ecc_uncorrected: Count = 0
    sram_ecc_uncorrected: Count = 0
    sram_ecc_corrected: Count = 0


class HwCounters(Struct, kw_only=True):
    """ECC errors of all devices."""

    period: Seconds = 0
    neuron_devices: list[EccCounts] | None = field(default_factory=list)
    error: str = ""


class CpuShares(Struct, kw_only=True):
    """Percent of the period in each state."""

    user: Percent = 0
    nice: Percent = 0
    system: Percent = 0
    idle: Percent = 0
    io_wait: Percent = 0
    irq: Percent = 0
    soft_irq: Percent = 0


class VcpuUsage(Struct, kw_only=True):
    """The host's vCPUs, together and by number."""

    period: Seconds = 0
    average_usage: CpuShares = field(default_factory=CpuShares)
    usage_data: dict[Key, CpuShares] | None = field(default_factory=dict)
    context_switch_count: Count = 0
    error: str = ""


class SystemData(Struct, kw_only=True):
    """The groups of the node that were due."""

    memory_info: MemoryInfo | UnsetType = UNSET
    neuron_hw_counters: HwCounters | UnsetType = UNSET
    vcpu_usage: VcpuUsage | UnsetType = UNSET


class InstanceInfo(Struct, kw_only=True):
    """The EC2 instance, from its metadata service."""

    instance_name: str = ""
    instance_id: str = ""
    instance_type: str = ""
    instance_availability_zone: str = ""
    instance_availability_zone_id: str = ""
    instance_region: str = ""
    ami_id: str = ""
    subnet_id: str = ""
    ultraserver_id: str | UnsetType = UNSET
    error: str = ""


class HardwareInfo(Struct, kw_only=True):
    """The Neuron devices; counts of cores are logical."""

    neuron_device_type: str | UnsetType = UNSET
    neuron_device_version: str | UnsetType = UNSET
    neuroncore_version: str | UnsetType = UNSET
    neuron_device_count: Few = 0
    neuron_device_memory_size: Count | UnsetType = UNSET
    neuroncore_per_device_count: Few = 0
    logical_neuroncore_config: Annotated[int, Meta(ge=1, le=8)] | UnsetType = UNSET
    error: str = ""


class Document(Struct, kw_only=True):
    """One line. `neurontools` is our own key, written on request only and last."""

    neuron_runtime_data: list[RuntimeData] | None = field(default_factory=list)
    system_data: SystemData = field(default_factory=SystemData)
    instance_info: InstanceInfo = field(default_factory=InstanceInfo)
    neuron_hardware_info: HardwareInfo = field(default_factory=HardwareInfo)
    neuron_k8s_info: Raw | UnsetType = UNSET
    neurontools: dict[str, Any] | UnsetType = UNSET
