"""The families that AWS's neuron-monitor-prometheus has, under its names, labels and help.

In the lean form: the instance is one info family instead of seven labels everywhere, nothing has a `_created`, and what
is unknown is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from neurontools.exporters.prometheus.family import (
    BYTES,
    COUNTER,
    GAUGE,
    INFO,
    RATIO,
    SECONDS,
    Family,
    Point,
    View,
)
from neurontools.hardware.memory import OFFICIAL_DEVICE, official_device
from neurontools.metrics import BY_NAME
from neurontools.schema.interval_records import ProcessInterval

_ECC = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_corrected", "sram_ecc_uncorrected")
_PERCENT = 100

Read = Callable[[View], Iterable[Point]]


def _processes(view: View) -> Iterator[tuple[str, ProcessInterval]]:
    return ((view.tags[process.pid, process.started_ns], process) for process in view.interval.processes)


def _by_key(metric: str) -> Read:
    """The numbers of a metric of processes that has one label."""
    of = BY_NAME[metric]

    def read(view: View) -> Iterator[Point]:
        for tag, process in _processes(view):
            for keys, number in of.samples(process):
                yield (tag, *keys), number

    return read


def _by_word(metrics: dict[str, str], size: int = 1) -> Read:
    """Several metrics of processes as one family; the keys are the values of its second label."""

    def read(view: View) -> Iterator[Point]:
        for tag, process in _processes(view):
            for word, metric in metrics.items():
                for _, number in BY_NAME[metric].samples(process):
                    yield (tag, word), number / size

    return read


def _of_host(metric: str) -> Read:
    """One number of the host."""
    field = BY_NAME[metric].path.removeprefix("host.")

    def read(view: View) -> Iterator[Point]:
        number = getattr(view.interval.host, field, None)
        if number is not None:
            yield (), number

    return read


def _memory(category: str) -> Read:
    def read(view: View) -> Iterator[Point]:
        for tag, core, used in view.shared("memory by AWS's categories", lambda: _folded(view)):
            yield (tag, core, "None"), used[category]

    return read


def _folded(view: View) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Each process's memory on each core, by AWS's categories."""
    for tag, process in _processes(view):
        for core, used in (process.memory or {}).items():
            yield tag, str(core), official_device(used)


def _utilization(view: View) -> Iterator[Point]:
    cores = {core.core: core for core in view.interval.cores}
    for tag, process in _processes(view):
        for number in process.cores:
            percent = cores[number].utilization_percent if number in cores else None
            if percent is not None:
                yield (tag, str(number)), percent / _PERCENT


def _ecc(view: View) -> Iterator[Point]:
    for device in view.interval.devices:
        for event in _ECC:
            if device.ecc_total is not None and event in device.ecc_total:
                yield (str(device.device), event), device.ecc_total[event]


def _vcpus(view: View) -> Iterator[Point]:
    average = view.interval.host.average if view.interval.host is not None else None
    if average is not None:
        system = average.system + average.io_wait + average.irq + average.soft_irq
        for usage, percent in (("user", average.user + average.nice), ("system", system)):
            yield (usage,), min(1.0, percent / _PERCENT)


def _instance(view: View) -> Iterator[Point]:
    found = view.inventory
    yield (
        (
            found.availability_zone,
            found.instance_id,
            found.instance_name,
            found.instance_type,
            found.region,
        ),
        1.0,
    )


def _hardware(view: View) -> Iterator[Point]:
    found = view.inventory
    memory = found.devices[0].memory_bytes if found.devices else 0
    yield (str(len(found.devices)), str(found.logical_cores_per_device), str(memory)), 1.0


_TAG = "runtime_tag"
_HOST = {
    "host_memory_total_bytes": ("system_memory_total_bytes", "System memory total_bytes bytes"),
    "host_memory_used_bytes": ("system_memory_used_bytes", "System memory used_bytes bytes"),
    "host_swap_total_bytes": ("system_swap_total_bytes", "System swap total_bytes bytes"),
    "host_swap_used_bytes": ("system_swap_used_bytes", "System swap used_bytes bytes"),
}

OFFICIAL: tuple[Family, ...] = (
    Family(
        "execution_errors",
        COUNTER,
        "Execution errors total",
        (_TAG, "error_type"),
        _by_key("process_errors_total"),
        metrics=("process_errors_total",),
    ),
    Family(
        "execution_status",
        COUNTER,
        "Execution status total",
        (_TAG, "status_type"),
        _by_key("process_executions_total"),
        metrics=("process_executions_total",),
    ),
    Family(
        "execution_latency_seconds",
        GAUGE,
        "Execution latency in seconds",
        (_TAG, "percentile"),
        _by_key("process_latency_s"),
        SECONDS,
        ("process_latency_s",),
    ),
    Family(
        "neuron_runtime_memory_used_bytes",
        GAUGE,
        "Runtime memory used bytes",
        (_TAG, "memory_location"),
        _by_word({"host": "process_host_memory_used_bytes", "neuron_device": "process_memory_used_bytes"}),
        BYTES,
        ("process_host_memory_used_bytes", "process_memory_used_bytes"),
    ),
    *(
        Family(
            f"neuroncore_memory_usage_{category}",
            GAUGE,
            f"NeuronCore memory utilization for {category}",
            (_TAG, "neuroncore", "memory_location"),
            _memory(category),
            metrics=("process_memory_bytes",),
        )
        for category in OFFICIAL_DEVICE
    ),
    Family(
        "neuron_runtime_vcpu_usage_ratio",
        GAUGE,
        "Runtime vCPU utilization ratio",
        (_TAG, "usage_type"),
        _by_word({"user": "process_vcpu_user_percent", "system": "process_vcpu_system_percent"}, _PERCENT),
        RATIO,
        ("process_vcpu_user_percent", "process_vcpu_system_percent"),
    ),
    Family(
        "neuroncore_utilization_ratio",
        GAUGE,
        "NeuronCore utilization ratio",
        (_TAG, "neuroncore"),
        _utilization,
        RATIO,
        ("core_utilization_percent",),
    ),
    *(Family(name, GAUGE, text, (), _of_host(metric), BYTES, (metric,)) for metric, (name, text) in _HOST.items()),
    Family(
        "hardware_ecc_events",
        COUNTER,
        "Hardware ecc events total",
        ("neuron_device_index", "event_type"),
        _ecc,
        metrics=("device_ecc_total",),
    ),
    Family(
        "system_vcpu_count", GAUGE, "System vCPU count", (), _of_host("host_vcpu_count"), metrics=("host_vcpu_count",)
    ),
    Family(
        "system_vcpu_usage_ratio",
        GAUGE,
        "System CPU utilization ratio",
        ("usage_type",),
        _vcpus,
        RATIO,
        ("host_vcpu_percent",),
    ),
    Family(
        "instance",
        INFO,
        "EC2 instance information",
        ("availability_zone", "instance_id", "instance_name", "instance_type", "region"),
        _instance,
    ),
    Family(
        "neuron_hardware",
        INFO,
        "Neuron Hardware Information",
        ("neuron_device_count", "neuroncore_per_device_count", "neuron_device_memory_size"),
        _hardware,
    ),
)
