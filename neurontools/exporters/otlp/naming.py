"""What each number of the catalogue is called in OpenTelemetry, and in which of its units.

Names and attributes are those of the semantic conventions for hardware (`hw.*`) where these have one, else
`aws.neuron.*`. What follows from other numbers (rates of counters, sums over the node) is not published again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from neurontools.metrics import CATALOGUE
from neurontools.metrics.metric import BANK, CORE, DEVICE, LINK, NODE, PROCESS, Metric

PREFIX = "aws.neuron"


class Unit(NamedTuple):
    """A unit in UCUM, the end of the catalogue's names that it replaces, and what to multiply a number with."""

    ucum: str
    suffix: str = ""
    scale: float | None = None


UNITS: Mapping[str, Unit] = {
    "1": Unit("1"),
    "percent": Unit("1", "_percent", 0.01),
    "bytes": Unit("By", "_bytes"),
    "bytes/s": Unit("By/s", "_bytes_per_s"),
    "ns": Unit("s", "_ns", 1e-9),
    "s": Unit("s", "_s"),
    "FLOP": Unit("{operation}"),
    "events": Unit("{event}"),
    "executions": Unit("{execution}"),
    "requests": Unit("{request}"),
    "tokens": Unit("{token}"),
}


class Name(NamedTuple):
    """How a metric is published: `attributes` name the labels of its scope and its own, `fixed` ones are always there.

    `up_down`: a sum that can fall, as the conventions want states and limits.
    """

    name: str
    unit: str
    scale: float | None
    attributes: tuple[str, ...]
    fixed: Mapping[str, str]
    up_down: bool = False


_SCOPE_ATTRIBUTES = {
    NODE: (),
    DEVICE: ("aws.neuron.device",),
    CORE: ("aws.neuron.core", "aws.neuron.device"),
    BANK: ("aws.neuron.device", "aws.neuron.bank"),
    LINK: ("aws.neuron.device", "aws.neuron.peer"),
    PROCESS: ("process.pid", "aws.neuron.runtime_tag"),
}

_NETWORK = {"hw.type": "network"}
_CONVENTIONS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "device_ecc_total": ("hw.errors", "{error}", {"hw.type": "memory"}),
    "link_up": ("hw.network.up", "1", _NETWORK),
    "link_capacity_bytes_per_s": ("hw.network.bandwidth.limit", "By/s", _NETWORK),
    "link_transmitted_bytes_total": ("hw.network.io", "By", {**_NETWORK, "network.io.direction": "transmit"}),
    "link_received_bytes_total": ("hw.network.io", "By", {**_NETWORK, "network.io.direction": "receive"}),
    "host_vcpu_percent": ("system.cpu.utilization", "1", {}),
    "host_swap_total_bytes": ("system.paging.limit", "By", {}),
    "host_swap_used_bytes": ("system.paging.usage", "By", {"system.paging.state": "used"}),
    "device_memory_total_bytes": ("aws.neuron.device.memory.limit", "By", {}),
    "device_memory_used_bytes": ("aws.neuron.device.memory.usage", "By", {}),
    "bank_total_bytes": ("aws.neuron.bank.limit", "By", {}),
    "bank_used_bytes": ("aws.neuron.bank.usage", "By", {}),
    "host_memory_total_bytes": ("system.memory.limit", "By", {}),
    "host_memory_used_bytes": ("system.memory.usage", "By", {"system.memory.state": "used"}),
    "process_vcpu_user_ns_total": ("process.cpu.time", "s", {"cpu.mode": "user"}),
    "process_vcpu_system_ns_total": ("process.cpu.time", "s", {"cpu.mode": "system"}),
    "process_resident_bytes": ("process.memory.usage", "By", {}),
}
"""Numbers for which OpenTelemetry's semantic conventions have a metric, or a pattern (limit and usage): name, unit and
attributes. That of swap's limit is ours: the conventions have only its usage."""

_OWN_LABELS = {"device_ecc_total": "error.type", "host_vcpu_percent": "cpu.mode"}
_UP_DOWN = frozenset(
    {
        "link_up",
        "link_capacity_bytes_per_s",
        "host_memory_total_bytes",
        "host_memory_used_bytes",
        "process_resident_bytes",
    }
)

_FOLLOWS = frozenset(
    {
        "device_utilization_percent",
        "device_memory_used_percent",
        "device_host_memory_used_bytes",
        "core_memory_used_bytes",
        "bank_used_percent",
        "bank_free_bytes",
        "process_memory_used_bytes",
        "process_host_memory_used_bytes",
        "process_cache_used_percent",
        "process_utilization_percent",
        "process_vcpu_user_percent",
        "process_vcpu_system_percent",
        "link_transmitted_percent",
        "link_received_percent",
        "host_each_vcpu_percent",
        "host_memory_used_percent",
    }
)


FINDING = Name(f"{PREFIX}.finding", "1", None, (f"{PREFIX}.rule", f"{PREFIX}.device", f"{PREFIX}.core"), {})
FINDING_HELP = "What is wrong by neuron-doctor's rules: 0 worth knowing, 1 a warning, 2 degraded, 3 replace it."
"""Not of the catalogue: rules find it, nobody reads it."""


def published() -> dict[str, Name]:
    """The names of all metrics that are published, by their names in the catalogue."""
    return {metric.name: name_of(metric) for metric in CATALOGUE if not _follows(metric)}


def name_of(metric: Metric) -> Name:
    """What a metric is called. KeyError for a unit that is not known here."""
    unit = UNITS[metric.unit]
    labels = tuple(_own_label(metric, label) for label in metric.labels)
    attributes = (*_SCOPE_ATTRIBUTES[metric.scope], *labels)
    if metric.name in _CONVENTIONS:
        name, ucum, fixed = _CONVENTIONS[metric.name]
        return Name(name, ucum, unit.scale, attributes, fixed, metric.name in _UP_DOWN)
    scope, _, rest = metric.name.partition("_")
    rest = rest.removesuffix("_total").removesuffix(unit.suffix).removesuffix("_histogram")
    return Name(f"{PREFIX}.{scope}.{rest}", unit.ucum, unit.scale, attributes, {})


def _own_label(metric: Metric, label: str) -> str:
    return _OWN_LABELS.get(metric.name, f"{PREFIX}.{label}")


def _follows(metric: Metric) -> bool:
    """Whether a number can be computed from others that are published."""
    counted = any(metric.name.endswith(f"_{end}") for end in ("per_s", "mean_s")) or metric.unit.endswith("/s")
    percentiles = metric.labels == ("percentile",)
    sums = metric.scope == NODE and not metric.name.startswith(("host_", "node_process_count"))
    capacity = metric.name == "link_capacity_bytes_per_s"
    return metric.name in _FOLLOWS or (counted and not capacity) or percentiles or sums
