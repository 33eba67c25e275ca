"""The alerts: when each fires, what it means, and what a host must have to let it work."""

from typing import NamedTuple

RUNBOOKS = "docs/alerts.md"
"""Where each alert has a heading of its own; a link to it is relative to the repository."""

CRITICAL, WARNING, INFO = "critical", "warning", "info"

FROM_STREAM = "the lines of AWS's neuron-monitor"


class Alert(NamedTuple):
    """`held` is how long the expression must give something before it fires.

    `supply` says which source it needs, and whether the driver's files alone are enough.
    """

    name: str
    severity: str
    expression: str
    held: str
    summary: str
    description: str
    supply: str

    @property
    def runbook(self) -> str:
        """Where to read what to do."""
        return f"{RUNBOOKS}#{self.name.lower()}"


_HOST = "{{ $labels.instance }}"
_DEVICE = f"device {{{{ $labels.neuron_device }}}} of {_HOST}"
_CORE = f"NeuronCore {{{{ $labels.neuroncore }}}} of {_HOST}"
_PROCESS = f"{{{{ $labels.runtime_tag }}}} on {_HOST}"

ALERTS: tuple[Alert, ...] = (
    Alert(
        "NeuronSourceDown",
        CRITICAL,
        'neuron_source_up == 0 or up{job="neuron"} == 0',
        "1m",
        f"The Neuron devices of {_HOST} can not be read",
        "The exporter cannot be scraped, or it could read nothing for its --max-age: no other alert can fire.",
        "Works with every source.",
    ),
    Alert(
        "NeuronDriverAbsent",
        CRITICAL,
        "neuron_node_devices == 0",
        "1m",
        f"{_HOST} shows no Neuron device",
        "The driver is not loaded, or this container was granted no device; nothing can run on the host.",
        "Works from the driver's files alone.",
    ),
    Alert(
        "NeuronDeviceMissing",
        CRITICAL,
        'neuron_finding{rule="device-missing"} > 0',
        "5m",
        f"{_HOST} shows fewer Neuron devices than its instance type has",
        "A device was lost. In a container that was granted some of the devices the others are not missed.",
        "Works from the driver's files alone, where the instance type is known.",
    ),
    Alert(
        "NeuronUncorrectableError",
        CRITICAL,
        'max_over_time(neuron_device_ecc_total{event=~"(mem|sram)_ecc_uncorrected"}[10m]) > 0',
        "0s",
        f"Memory of {_DEVICE} has an error that can not be corrected",
        "Counted since the driver was loaded; when it happened is not known. Executions that touch the place fail.",
        "Works from the driver's files alone from driver 2.14.5 on, not on Inferentia1; a 0 may be a failed read.",
    ),
    Alert(
        "NeuronRepairableError",
        WARNING,
        'max_over_time(neuron_device_ecc_total{event="mem_ecc_repairable_uncorrected"}[10m]) > 0',
        "0s",
        f"Memory of {_DEVICE} has an error that the next load of the driver repairs",
        "Executions that touch the place fail until then.",
        "Works from the driver's files alone on Trainium2 and Trainium3 from driver 2.23.9 on; other chips count none.",
    ),
    Alert(
        "NeuronHardwareError",
        CRITICAL,
        'increase(neuron_core_status_total{status=~"hw_(nc_ue|hbm_ue|dma_abort)_error"}[15m]) > 0',
        "0s",
        f"An execution on {_CORE} ended with the hardware error {{{{ $labels.status }}}}",
        "The hardware failed under it and its process ended; the kernel's log has a line with NEURON_HW_ERR.",
        "From the driver's files alone it comes when the process closes the device, with driver 2.30.2 at once; "
        "AWS's neuron-monitor alone knows only the kind of error.",
    ),
    Alert(
        "NeuronEccGrowth",
        WARNING,
        'increase(neuron_device_ecc_total{event=~"(mem|sram)_ecc_corrected"}[1h]) > 60',
        "0s",
        f"Memory of {_DEVICE} corrects errors more and more often",
        "Nothing has failed yet; many corrected errors come before one that can not be. The 60 an hour are assumed.",
        f"From the driver's files alone only with driver 2.30.2; before, {FROM_STREAM} have these counts.",
    ),
    Alert(
        "NeuronResetFailed",
        CRITICAL,
        "max without (neuroncore, counter)"
        ' (increase(neuron_core_driver_counts_total{counter="reset_fail_count"}[1h])) > 0',
        "0s",
        f"A reset of {_DEVICE} failed",
        "The device takes no work until a reset succeeds. One reset request at boot is normal, a failed one never is.",
        "Works from the driver's files alone from driver 2.8.4 on.",
    ),
    Alert(
        "NeuronLinkDown",
        CRITICAL,
        'neuron_finding{rule="link-down"} > 0',
        "1m",
        f"A link of {_DEVICE} to another device is down",
        "Collectives over it take a longer way, slow down or hang. neuron-doctor on the host names both ends.",
        "From the driver's files alone on Trainium2 and Trainium3 with driver 2.30.2, whose health files name links; "
        "elsewhere the state of links is not shown.",
    ),
    Alert(
        "NeuronOutOfMemory",
        WARNING,
        'increase(neuron_core_status_total{status="resource_error"}[10m]) > 0',
        "0s",
        f"An allocation on {_CORE} failed",
        "Its bank had no free extent that was large enough; the process got NRT_RESOURCE. The runtime's log has a "
        "table of what holds the memory.",
        "From the driver's files alone it comes when the process closes the device, with driver 2.30.2 at once.",
    ),
    Alert(
        "NeuronExecutionTimeout",
        WARNING,
        'increase(neuron_core_status_total{status=~"timeout|hw_collectives_error"}[10m]) > 0',
        "0s",
        f"An execution on {_CORE} did not end in time ({{{{ $labels.status }}}})",
        "timeout is the core that hung or was too slow; hw_collectives_error are its peers, which are sound.",
        "From the driver's files alone it comes when the process closes the device, with driver 2.30.2 at once.",
    ),
    Alert(
        "NeuronNoProgress",
        CRITICAL,
        "min_over_time(neuron_core_utilization_ratio[2m]) > 0.95 and increase(neuron_core_executions_total[2m]) == 0",
        "1m",
        f"{_CORE} is busy and completes nothing",
        "It hangs, or waits for a peer that does, or its executions take minutes.",
        "Cannot work from the driver's files alone: the driver credits busy time when an execution ends, so a core "
        f"that hangs reads 0 %. It needs {FROM_STREAM} for utilization and driver 2.30.2 for executions; "
        "without them NeuronExecutionTimeout comes, after the time-out.",
    ),
    Alert(
        "NeuronAllocatedIdle",
        INFO,
        'sum without (category) (neuron_core_memory_bytes{category=~"constants|tensors"}) > 0'
        " and max_over_time(neuron_core_utilization_ratio[10m]) == 0",
        "20m",
        f"{_CORE} is held and does nothing",
        "For half an hour a process has held it and its memory and executed nothing; nobody else can start there.",
        "From the driver's files alone only with driver 2.30.2 (a compilation in progress or a hang look alike there); "
        f"before, {FROM_STREAM} have utilization.",
    ),
    Alert(
        "NeuronLatencyP99",
        WARNING,
        'execution_latency_seconds{percentile="p99"}'
        ' > 2 * quantile_over_time(0.5, execution_latency_seconds{percentile="p99"}[1d])',
        "10m",
        f"The 99th percentile of execution latency of {_PROCESS} is twice what it usually is",
        "Compared with the median of the last day. A straggler, a throttled device, longer inputs or a queue do that.",
        f"Cannot work from the driver's files alone, which have no latency: it needs {FROM_STREAM}.",
    ),
)

BY_NAME = {alert.name: alert for alert in ALERTS}
