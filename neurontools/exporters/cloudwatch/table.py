"""Which numbers of the catalogue CloudWatch gets, under which name and unit, and how a host's many become one."""

from __future__ import annotations

from typing import Literal, NamedTuple

How = Literal["each", "sum"]
"""A value for every record, so that a host's series knows the lowest and the highest; or the sum over all of them."""

SOURCE_UP = "SourceUp"
"""1 for every reading that was taken, 0 for every one that failed: what the alarm on a silent host looks at."""


WORST_FINDING = "WorstFinding"
"""How bad the worst is that neuron-doctor's rules find: 0 nothing, or nothing bad, 1 a warning, 2 degraded, 3 replace
the host. Not there where no rule could look."""


class Row(NamedTuple):
    """One metric. `keys` chooses among the values of its first own label; none: all of them.

    Of a counter it is what was counted in the period.
    """

    name: str
    metric: str
    unit: str
    how: How
    title: str
    keys: frozenset[str] = frozenset()


_CORRECTED = frozenset({"sram_ecc_corrected", "mem_ecc_corrected"})
_UNCORRECTED = frozenset({"sram_ecc_uncorrected", "mem_ecc_uncorrected", "mem_ecc_repairable_uncorrected"})
_COMPLETED = frozenset({"completed", "completed_with_err", "completed_with_num_err"})
_FAILED = frozenset({"timed_out", "incorrect_input", "failed_to_queue"})
_OF_ALL_VCPUS = frozenset({"user", "nice", "system", "irq", "soft_irq"})

ROWS: tuple[Row, ...] = (
    Row("NeuronCoreUtilization", "core_utilization_percent", "Percent", "each", "NeuronCore utilization"),
    Row("NeuronCoreFlops", "core_flops_per_s", "Count/Second", "each", "FLOP/s per NeuronCore"),
    Row("NeuronCoreMemoryUsed", "core_memory_used_bytes", "Bytes", "each", "Memory in use per NeuronCore"),
    Row("NeuronDeviceMemoryUtilization", "device_memory_used_percent", "Percent", "each", "Device memory in use"),
    Row("NeuronDevicePower", "device_power_avg_percent", "Percent", "each", "Device power, of its maximum"),
    Row("EccCorrected", "device_ecc_total", "Count", "sum", "Corrected memory errors", _CORRECTED),
    Row("EccUncorrected", "device_ecc_total", "Count", "sum", "Uncorrected memory errors", _UNCORRECTED),
    Row(
        "ExecutionsCompleted",
        "process_executions_total",
        "Count",
        "sum",
        "Executions that ran to their end",
        _COMPLETED,
    ),
    Row("ExecutionsFailed", "process_executions_total", "Count", "sum", "Executions that did not", _FAILED),
    Row("ExecutionErrors", "process_errors_total", "Count", "sum", "Execution errors of every kind"),
    Row("ExecutionLatencyP50", "process_latency_s", "Seconds", "each", "Median latency", frozenset({"p50"})),
    Row(
        "ExecutionLatencyP99", "process_latency_s", "Seconds", "each", "99th percentile of latency", frozenset({"p99"})
    ),
    Row("GeneratedTokens", "process_generated_tokens_total", "Count", "sum", "Generated tokens"),
    Row("RequestsQueued", "process_requests_queued", "Count", "each", "Waiting requests"),
    Row("NeuronProcesses", "node_process_count", "Count", "each", "Processes with a Neuron runtime"),
    Row("NeuronDevices", "node_device_count", "Count", "each", "Neuron devices"),
    Row("HostVcpuUtilization", "host_vcpu_percent", "Percent", "sum", "vCPUs busy", _OF_ALL_VCPUS),
    Row("HostMemoryUtilization", "host_memory_used_percent", "Percent", "each", "Host memory in use"),
)
"""With SOURCE_UP and WORST_FINDING 20 series a host: each costs money every month."""
