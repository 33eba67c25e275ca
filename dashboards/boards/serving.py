"""Model servers: what they answer, how fast, and what holds them back."""

from dashboards.boards.board import (
    GRAPH,
    HEATMAP,
    HOST,
    PER_SECOND,
    PLAIN,
    RATE,
    RATIO,
    SECONDS,
    Board,
    Panel,
    Query,
    Row,
    number,
    quantiles,
)

_WHERE = f'{HOST},runtime_tag=~"$runtime_tag"'
_TAG = "{{runtime_tag}}"
_TTFT, _REQUEST = "neuron_process_time_to_first_token_seconds", "neuron_process_request_latency_seconds"
_EXECUTION, _ON_DEVICE = "neuron_process_latency_seconds", "neuron_process_device_latency_seconds"


def _rate(title: str, counter: str, about: str, by: str = "runtime_tag", legend: str = _TAG) -> Panel:
    expression = f"sum by ({by}) (rate({counter}{{{_WHERE}}}{RATE}))"
    return Panel(title, GRAPH, (Query(expression, legend),), about, PER_SECOND)


def _distribution(title: str, histogram: str, about: str) -> Panel:
    expression = f"sum by (le) (increase({histogram}_bucket{{{_WHERE}}}{RATE}))"
    return Panel(title, HEATMAP, (Query(expression, "{{le}}"),), about, SECONDS, width=12)


def _quantiles(title: str, histogram: str, about: str) -> Panel:
    return Panel(title, GRAPH, quantiles(histogram, "runtime_tag", _WHERE), about, SECONDS)


SERVING = Board(
    "neuron-serving",
    "Neuron: model serving",
    "What model servers answer, how fast, and what holds them back.",
    (
        Row(
            "Now",
            (
                number(
                    "Tokens generated a second",
                    f"sum(rate(neuron_process_generated_tokens_total{{{_WHERE}}}{RATE}))",
                    "The servers' useful output.",
                    PER_SECOND,
                ),
                number("Running", f"sum(neuron_process_requests_running{{{_WHERE}}})", "Requests in work."),
                number("Queued", f"sum(neuron_process_requests_queued{{{_WHERE}}})", "Requests that wait."),
                number(
                    "Cache used",
                    f"max(neuron_process_cached_tokens{{{_WHERE}}} / neuron_process_cache_capacity_tokens)",
                    "Of the fullest key-value cache.",
                    RATIO,
                ),
                number(
                    "p99 to first token",
                    f"max(instance_runtime_tag:{_TTFT}:p99_5m{{{_WHERE}}})",
                    "Of the slowest server, over five minutes.",
                    SECONDS,
                ),
                number(
                    "p99 of requests",
                    f"max(instance_runtime_tag:{_REQUEST}:p99_5m{{{_WHERE}}})",
                    "Of the slowest server, over five minutes; longer answers take longer.",
                    SECONDS,
                ),
            ),
        ),
        Row(
            "Throughput",
            (
                _rate("Tokens generated", "neuron_process_generated_tokens_total", "The servers' useful output."),
                _rate("Prompt tokens", "neuron_process_prompt_tokens_total", "Bursts of it delay what others get."),
                _rate(
                    "Requests by outcome",
                    "neuron_process_requests_total",
                    "submitted less all outcomes is what waits or runs.",
                    "runtime_tag, outcome",
                    f"{_TAG} {{{{outcome}}}}",
                ),
            ),
        ),
        Row(
            "Latency",
            (
                _quantiles("Time to first token", _TTFT, "Rises with the queue first."),
                _quantiles("Requests", _REQUEST, "From submission to the last token; grows with the answers' length."),
                _quantiles("Executions", _EXECUTION, "Of the runtime, queueing included."),
                _quantiles("Executions on the device", _ON_DEVICE, "Without the runtime's own queue."),
                Panel(
                    "Executions, as neuron-monitor says",
                    GRAPH,
                    (
                        Query(
                            f'execution_latency_seconds{{{_WHERE},percentile=~"p50|p99"}}',
                            f"{_TAG} {{{{percentile}}}}",
                        ),
                    ),
                    "Percentiles of each reading, which AWS's neuron-monitor has too; they do not add up.",
                    SECONDS,
                ),
            ),
        ),
        Row(
            "Distributions",
            (
                _distribution("Time to first token", _TTFT, "Two bands: two kinds of request, or a queue at times."),
                _distribution("Requests", _REQUEST, "From submission to the last token or answer."),
            ),
        ),
        Row(
            "What holds them back",
            (
                Panel(
                    "Queue and batch",
                    GRAPH,
                    (
                        Query(f"neuron_process_requests_queued{{{_WHERE}}}", f"{_TAG} queued"),
                        Query(f"neuron_process_requests_running{{{_WHERE}}}", f"{_TAG} running"),
                    ),
                    "At the batch limit and with a queue, a server is saturated.",
                    PLAIN,
                ),
                Panel(
                    "Cache used",
                    GRAPH,
                    (
                        Query(
                            f"neuron_process_cached_tokens{{{_WHERE}}} / neuron_process_cache_capacity_tokens",
                            _TAG,
                        ),
                    ),
                    "Near 100 % new requests wait, or running ones are put back.",
                    RATIO,
                ),
                _rate(
                    "Preemptions",
                    "neuron_process_preemptions_total",
                    "Requests put back, their cache needed by others: their tokens are computed again.",
                ),
            ),
        ),
    ),
    variables=(("instance", "neuron_source_up"), ("runtime_tag", "neuron_process_requests_running")),
)
