"""The recording rules: what dashboards of many hosts ask for again and again, computed once a minute."""

from typing import NamedTuple


class Recording(NamedTuple):
    """A series that Prometheus computes, named level:metric:operations as its customs are."""

    name: str
    expression: str


def _rate_by_host(name: str, counter: str) -> Recording:
    return Recording(f"instance:{name}:rate5m", f"sum by (instance) (rate({counter}[5m]))")


def _rate_by_process(name: str, counter: str, *labels: str) -> Recording:
    by = ", ".join(("instance", "runtime_tag", *labels))
    level = "_".join(("instance", "runtime_tag", *labels))
    return Recording(f"{level}:{name}:rate5m", f"sum by ({by}) (rate({counter}[5m]))")


def _p99_by_process(histogram: str) -> Recording:
    rate = f"sum by (instance, runtime_tag, le) (rate({histogram}_bucket[5m]))"
    return Recording(f"instance_runtime_tag:{histogram}:p99_5m", f"histogram_quantile(0.99, {rate})")


RECORDINGS: tuple[Recording, ...] = (
    Recording("instance:neuron_core_utilization:avg", "avg by (instance) (neuron_core_utilization_ratio)"),
    Recording(
        "instance:neuron_device_memory_used:ratio",
        "sum by (instance) (neuron_device_memory_used_bytes) / sum by (instance) (neuron_device_memory_total_bytes)",
    ),
    Recording("instance:neuron_device_power:avg", "avg by (instance) (neuron_device_power_avg_ratio)"),
    _rate_by_host("neuron_core_flops", "neuron_core_flops_total"),
    _rate_by_host("neuron_core_executions", "neuron_core_executions_total"),
    _rate_by_host("execution_errors", "execution_errors_total"),
    _rate_by_process("neuron_process_requests", "neuron_process_requests_total", "outcome"),
    _rate_by_process("neuron_process_generated_tokens", "neuron_process_generated_tokens_total"),
    _p99_by_process("neuron_process_latency_seconds"),
    _p99_by_process("neuron_process_time_to_first_token_seconds"),
    _p99_by_process("neuron_process_request_latency_seconds"),
)
