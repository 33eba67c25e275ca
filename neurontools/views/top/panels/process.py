"""One process in full: who it is, what it executes, its memory, and its models with their sub-graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from textwrap import wrap

from neurontools.schema.interval import LoadedModel, Percentiles, ProcessInterval
from neurontools.units import NS_PER_S, format_duration_ns, format_ranges, format_time_ns
from neurontools.views.top import quantities
from neurontools.views.top.history.rows import makes_tokens
from neurontools.views.top.memory import fold_device, fold_host
from neurontools.views.top.quantities import Sizes
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, clean, cut, left, right
from neurontools.views.top.table import errors_of

_LABEL = 19
_SIZE = 13
_MOST_BAR = 40
_MOST_LINES = 8
_MOST_COMMAND = 2_000
_LEAST_COMMAND = 16
_PERCENTILES = ("p0", "p25", "p50", "p75", "p99", "p100")


def facts(process: ProcessInterval, now_ns: int, sizes: Sizes, width: int, why: Callable[[str], str]) -> Block:
    """Name, cores, work and latencies; a line for each, with the reason for what is unknown."""
    rows = [
        *_command(process, width),
        *_identity(process, now_ns),
        Line(),
        *_work(process, why),
        *_requests(process),
        *_latencies(process, width),
    ]
    rows += [Line(), *_memory(process, sizes, width, why)]
    heading = (Span(f"Process {process.pid}", "heading"), Span(f"  {clean(process.tag or '')}".rstrip(), "strong"))
    note = (Span("esc: back", "key", "back"),)
    return Block(heading, note, [Line(cut(row.spans, width)) for row in rows])


def models(process: ProcessInterval, sizes: Sizes, width: int, why: Callable[[str], str]) -> Block:
    """The loaded models, each with its sub-graphs, the cores they are on and what they hold."""
    if process.models is None:
        rows = [_line("models", None, why("process_memory_bytes"))]
    elif not process.models:
        rows = [Line((Span("no model is loaded", "dim"),))]
    else:
        rows = [line for model in process.models for line in _model(model, sizes, width)]
    note = () if process.models is None else (Span(f"{len(process.models)} loaded", "dim"),)
    return Block((Span("Models and sub-graphs", "heading"),), note, [Line(cut(row.spans, width)) for row in rows])


def _command(process: ProcessInterval, width: int) -> list[Line]:
    """The command, on as many lines as it takes up to a limit: a person looks here for its end, too."""
    words = clean((process.command or "")[:_MOST_COMMAND])
    lines = wrap(words, max(_LEAST_COMMAND, width - _LABEL), break_on_hyphens=False, max_lines=_MOST_LINES)
    return [_line("command" if place == 0 else "", line) for place, line in enumerate(lines)]


def _identity(process: ProcessInterval, now_ns: int) -> list[Line]:
    age_s = max(0, now_ns - process.started_ns) // NS_PER_S
    since = f"{format_time_ns(process.started_ns // NS_PER_S * NS_PER_S)}, {format_duration_ns(age_s * NS_PER_S)} ago"
    groups = "; ".join(format_ranges(group) for group in process.groups)
    entries = (
        ("user", clean(process.user) if process.user else None),
        ("started", since if process.started_ns else None),
        ("parent", _parent(process.parent_pid)),
        ("runtime", clean(process.runtime_version) if process.runtime_version else None),
        ("cores", format_ranges(process.cores) or "none"),
        ("groups", groups or None),
    )
    return [_line(name, value) for name, value in entries if value is not None]


def _parent(pid: int | None) -> str | None:
    """The process that started it, by its pid."""
    return None if pid is None else f"{pid}{' (init)' * (pid == 1)}"


def _work(process: ProcessInterval, why: Callable[[str], str]) -> list[Line]:
    percent, per_s, errors = process.utilization_percent, process.executions_per_s, errors_of(process)
    outcomes = process.executions_total
    shown = ", ".join(f"{name} {count:,}" for name, count in (outcomes or {}).items() if count)
    kinds = ", ".join(f"{name} {count:,}" for name, count in (process.errors_total or {}).items() if count)
    vcpu = (process.vcpu_user_percent, process.vcpu_system_percent)
    return [
        _line("utilization", None if percent is None else f"{percent:.2f}%", _why(why, "utilization_percent", percent)),
        _line("executions/s", None if per_s is None else quantities.rate(per_s), _why(why, "executions_per_s", per_s)),
        _line("executions", None if outcomes is None else shown or "none", _why(why, "executions_total", outcomes)),
        _line("errors", None if errors is None else kinds or "none", _why(why, "errors_total", errors)),
        _line(
            "vCPU",
            None if None in vcpu else f"{vcpu[0]:.2f}% user, {vcpu[1]:.2f}% system, of all vCPUs",
            _why(why, "vcpu_user_percent", vcpu[0]),
        ),
    ]


def _requests(process: ProcessInterval) -> list[Line]:
    """What a model server says of itself; nothing of a process that is none."""
    work = process.workload
    if work is None:
        return []
    parts = (
        ("running", work.running),
        ("queued", work.queued),
        ("tokens/s", quantities.rate(work.generated_tokens_per_s or 0) if makes_tokens((process,)) else None),
        ("requests/s", None if work.requests_per_s is None else quantities.rate(work.requests_per_s)),
        ("preempted", work.preempted_total or None),
    )
    spans = [Span(left("requests", _LABEL), "dim")]
    for name, value in parts:
        if value is not None:
            spans += [Span(f"{value} ", "strong"), Span(f"{name}   ", "dim")]
    return [Line(tuple(spans))]


def _latencies(process: ProcessInterval, width: int) -> list[Line]:
    """Percentiles, on as many lines as it takes: half a number is none."""
    work = process.workload
    found: tuple[tuple[str, Percentiles | None], ...] = (
        ("latency", process.latency_total),
        ("first token", None if work is None else work.time_to_first_token),
        ("request", None if work is None else work.request_latency),
    )
    return [line for name, latency in found if latency is not None for line in _percentiles(name, latency, width)]


def _percentiles(name: str, latency: Percentiles, width: int) -> Iterator[Line]:
    spans, taken = [Span(left(name, _LABEL), "dim")], _LABEL
    for percentile in _PERCENTILES:
        value = Span(f"{quantities.latency(getattr(latency, percentile)):<9}")
        if taken > _LABEL and taken + len(percentile) + 1 + len(value.text.rstrip()) > width:
            yield Line(tuple(spans))
            spans, taken = [Span(" " * _LABEL)], _LABEL
        spans += [Span(f"{percentile} ", "dim"), value]
        taken += len(percentile) + 1 + len(value.text)
    yield Line(tuple(spans))


def _memory(process: ProcessInterval, sizes: Sizes, width: int, why: Callable[[str], str]) -> list[Line]:
    device = None
    if process.memory is not None:
        sums: dict[str, int] = {}
        for categories in process.memory.values():
            for category, count in categories.items():
                sums[category] = sums.get(category, 0) + count
        device = fold_device(sums)
    host = None if process.host_memory is None else fold_host(process.host_memory)
    return [
        *_sizes("device memory", device, process.memory_used_bytes, sizes, width, why),
        *_sizes("host memory", host, process.host_memory_bytes, sizes, width, why),
        *([_line("resident", sizes(process.resident_bytes))] if process.resident_bytes is not None else []),
    ]


def _sizes(
    name: str,
    parts: Mapping[str, int] | None,
    total: int | None,
    sizes: Sizes,
    width: int,
    why: Callable[[str], str],
) -> list[Line]:
    if total is None:
        return [_line(name, None, why("process_memory_used_bytes"))]
    room = max(0, min(_MOST_BAR, width - _LABEL - _SIZE - 4))
    lines = [Line((Span(left(name, _LABEL), "strong"), Span(right(sizes(total), _SIZE), "strong")))]
    for category, count in (parts or {}).items():
        drawn = bar(((count / total if total else 0.0, "memory"),), room)
        size = Span(right(sizes(count), _SIZE), "text" if count else "dim")
        lines.append(Line((Span(left(f"  {category}", _LABEL)), size, Span("  "), *drawn)))
    return lines


def _model(model: LoadedModel, sizes: Sizes, width: int) -> list[Line]:
    role = "strong" if model.running else "dim"
    state = "running" if model.running else "loaded, idle"
    lines = [Line((Span(f"{model.model_id}  ", "dim"), Span(clean(model.name), role), Span(f"  {state}", "dim")))]
    name = max(8, min(30, width - 2 * _SIZE - 12))
    for piece in model.subgraphs:
        held, on_host = sum(piece.device_memory.values()), sum(piece.host_memory.values())
        spans = (
            Span(left(f"  {clean(piece.name)}", name)),
            Span(left(f" NC{piece.core}", 7), "dim"),
            Span(right(sizes(held), _SIZE)),
            *([Span(right(f"{sizes(on_host)} host", _SIZE + 5), "dim")] if on_host else []),
        )
        lines.append(Line(spans))
    return lines


def _why(why: Callable[[str], str], name: str, value: object) -> str:
    return why(f"process_{name}") if value is None else ""


def _line(name: str, value: str | None, reason: str = "") -> Line:
    label = Span(left(name, _LABEL), "dim")
    return Line((label, Span(f"{NOT_KNOWN}: {reason}", "dim") if value is None else Span(value)))
