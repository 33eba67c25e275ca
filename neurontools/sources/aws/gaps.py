"""Why a part of a reading of AWS's stream is unknown, or not what its name promises, and what would supply it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from neurontools.metrics import BY_NAME
from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS
from neurontools.schema.snapshot import Gap
from neurontools.sources.aws.totals import Totals

TOLD_BY: Mapping[str, tuple[str, ...]] = {
    "execution_stats": ("executions", "errors"),
    "memory_used": ("memory", "models", "core_memory_bytes"),
    "neuron_runtime_vcpu_usage": ("vcpu_user_ns", "vcpu_system_ns", "process_vcpu_user_percent"),
    "neuroncore_counters": ("busy_ns", "flops", "core_utilization_percent", "core_flops_per_s"),
    "memory_info": (),
    "neuron_hw_counters": ("ecc",),
    "vcpu_usage": ("cpus", "host_vcpu_percent"),
}
"""Under which names the reason is looked for, beside the group's own."""

_LACKS = {
    "engines": "core_engine_percent",
    "collectives_ns": "core_collectives_percent",
    "hbm_read_bytes": "core_hbm_read_bytes_total",
    "hbm_written_bytes": "core_hbm_written_bytes_total",
    "status": "core_status_total",
    "other_info": "core_other_info_total",
    "device_memory": "core_memory_peak_bytes",
    "core_host_memory_bytes": "core_host_memory_bytes",
    "device_host_memory_bytes": "device_host_memory_bytes",
    "bank": "bank_used_bytes",
    "link": "link_transmitted_bytes_total",
    "health": "device_health",
    "power": "device_power_avg_percent",
    "resident_bytes": "process_resident_bytes",
    "workload": "process_requests_total",
}
"""Parts that are never in the stream, and the metric of which the catalogue says why and who has it."""

_SINCE_THE_FIRST_LINE = Gap(
    reason="AWS's neuron-monitor prints what happened in a period: totals count from the first line that was read",
)
_RECONSTRUCTED = Gap(
    reason="made of the seven percentiles of each period: counts are weights, and between the percentiles it is a guess"
)
_SPLIT = Gap(
    reason="AWS's neuron-monitor prints memory and FLOP/s by logical core: its physical cores show equal parts",
    supply="the driver's sysfs",
)
_DRIVER_S = Gap(reason="AWS's neuron-monitor does not print it", supply="the driver's sysfs")
_UNNAMED = Gap(
    reason="AWS's neuron-monitor does not print users, commands, versions and parents", supply="/proc, run as root"
)
_NO_FLOPS = Gap(reason="this release of AWS's neuron-monitor does not print FLOP/s", supply="a newer release of it")
_NO_VCPUS = Gap(reason="how many vCPUs this instance has is not known", supply="vcpu_usage in its configuration")

_MOST_TEXTS = 3
_LONGEST_TEXT = 300


def gaps_of(totals: Totals) -> dict[str, Gap]:
    """The gaps of a reading, by part."""
    gaps = dict(_always())
    if totals.core_size > 1:
        gaps["physical"] = _SPLIT
    if any(runtime.no_flops for runtime in totals.runtimes.values()):
        gaps |= dict.fromkeys(("flops", "core_flops_per_s"), _NO_FLOPS)
    if totals.vcpu_count() is None:
        gaps |= dict.fromkeys(TOLD_BY["neuron_runtime_vcpu_usage"], _NO_VCPUS)
    for group, gap in _of_groups(totals).items():
        gaps |= dict.fromkeys((group, *TOLD_BY.get(group, ())), gap)
    return gaps


@cache
def _always() -> dict[str, Gap]:
    named = dict.fromkeys(("user", "command", "runtime_version", "parent_pid"), _UNNAMED)
    made = dict.fromkeys(("latency_total_histogram", "latency_device_histogram"), _RECONSTRUCTED)
    lacks = {part: _lack(name) for part, name in _LACKS.items()}
    lacks |= dict.fromkeys(("serial_number", "reset_state"), _DRIVER_S)
    return {"totals": _SINCE_THE_FIRST_LINE} | made | named | lacks


def _lack(name: str) -> Gap:
    """The catalogue's words for a number that the stream does not have."""
    supplied_by = BY_NAME[name].supplied_by
    sysfs = supplied_by["sysfs"]
    supply = None
    if supplied_by["host"].available:
        supply = "the host's operating system"
    elif sysfs.available:
        supply = f"the driver's sysfs, from {sysfs.since} on" + f" ({sysfs.note})" * bool(sysfs.note)
    return Gap(reason=supplied_by["aws"].note, supply=supply)


def _of_groups(totals: Totals) -> dict[str, Gap]:
    """What the lines themselves say went wrong, and what could not be read of them."""
    runtimes = totals.runtimes.values()
    texts: dict[str, list[str]] = {}
    for name in SYSTEM_GROUPS:
        texts[name] = [totals.errors.get(name, _not_printed(name))]
    for name in RUNTIME_GROUPS:
        texts[name] = [runtime.errors_of.get(name, _not_printed(name)) for runtime in runtimes]
    for name in ("instance_info", "neuron_hardware_info"):
        texts[name] = [totals.errors.get(name, ""), totals.lost.get(name, "")]
    texts["system_data"] = [totals.lost.get("system_data", "")]
    texts["process"] = [
        totals.lost.get("neuron_runtime_data", ""),
        *(_of_runtime(r.pid, r.errors_of) for r in runtimes),
    ]
    return {name: Gap(reason=text) for name, said in texts.items() if (text := _joined(said))}


def _of_runtime(pid: int, errors: Mapping[str, str]) -> str:
    return f"runtime {pid}: {errors['']}" if errors.get("") else ""


def _not_printed(group: str) -> str:
    return f"AWS's neuron-monitor has not printed {group}: its configuration may leave it out"


def _joined(texts: Iterable[str]) -> str:
    """Different texts as one, of which the most are left out."""
    said = list(dict.fromkeys(filter(None, texts)))
    more = f"; and {len(said) - _MOST_TEXTS} more" if len(said) > _MOST_TEXTS else ""
    return "; ".join(text[:_LONGEST_TEXT] for text in said[:_MOST_TEXTS]) + more
