"""The words for an explanation: each topic as a sentence or two with its numbers, in the order of importance."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from device_model.reading.explanation import Explanation, Period, Sentence, SharedLink, State, Step
from device_model.workloads.calibration.constants import FITTED_GENERATION, calibration_for
from device_model.workloads.calibration.trust import COLLECTIVES
from device_model.workloads.cost.steps import Bound
from neurontools.units import NS_PER_MS, format_bytes, format_duration_ns

HEADLINE, PARTS = "headline", "parts"
"""Topics that a view may lay out in its own way; the others are a word or two before their text."""


class Meaning(NamedTuple):
    """A part of a step in words: what takes the time, and what the cost model says would shorten it."""

    words: str
    remedy: str


MEANINGS: dict[Bound, Meaning] = {
    "weights": Meaning(
        "streaming weights",
        "Weights are streamed once a step, whatever the batch: a larger batch shares them, and on more cores each "
        "streams fewer.",
    ),
    "memory": Meaning(
        "moving data from and to device memory",
        "Bytes from and to device memory take longest: it gets faster with fewer bytes for the same work.",
    ),
    "compute": Meaning(
        "multiplying on the tensor engine",
        "The tensor engine's time grows with the tokens or images of a step, so a larger batch does not help: fewer "
        "operations do, and more cores where the model can be split.",
    ),
    "vector": Meaning(
        "passes of the vector engine",
        "The vector engine passes over every element: it gets faster with fewer elements or passes on each core.",
    ),
    "scalar": Meaning(
        "passes of the scalar engine",
        "The scalar engine passes over every element: it gets faster with fewer elements or passes on each core.",
    ),
    "gpsimd": Meaning(
        "the GPSIMD processors",
        "The GPSIMD processors work through every element: it gets faster with fewer or narrower elements, or fewer "
        "operations on each.",
    ),
    "kv": Meaning(
        "attention over the context",
        "Attention grows with the number of sequences and the length of the graph's context: it gets faster with "
        "shorter contexts, and on more cores each has fewer heads.",
    ),
    "collectives": Meaning(
        "sending data to other cores",
        "The bytes that cores exchange take longest: it gets faster with fewer bytes a step, or over fewer devices.",
    ),
    "latency": Meaning(
        "launch and synchronisation",
        "A fixed time is paid in every step, however much it does: more work in a step shares it.",
    ),
}

_STATES = {
    State.FREE: "no process holds it",
    State.LOADING: "its process loads a model now",
    State.UNLOADED: "its process holds it without a model now",
    State.WAITING: "it executes nothing now",
    State.EXECUTING: "it executes now",
}

_ROWS = {"decode": "decode steps", "encoder": "encoder batches", "cnn": "batches of convolutional networks"}
"""What the published rows measured."""

_WORTH_SAYING = 1000
"""A part of a step is not spoken of that is less than one in so many parts of it."""

_MUCH_LONGER = 2
"""A core that was in execution for so many steps' time and completed none stands still."""

_ROUNDING_PERCENT = 0.05
"""Shares that exceed 100 % by less do so because the step is counted in whole nanoseconds."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def sentences_of(found: Explanation) -> tuple[Sentence, ...]:
    """Every topic that there is something to say about; `found.sentences` is not looked at."""
    return tuple(Sentence(topic=topic, text=" ".join(text)) for topic, make in _TOPICS if (text := list(make(found))))


def rate(per_s: float, unit: str) -> str:
    """A rate with three digits in the unit's decimal multiple: "214 GB/s", "2.53 TFLOP/s"."""
    value, step = per_s, 0
    while value >= 999.5 and step < len(_PREFIXES) - 1:
        value, step = value / 1000, step + 1
    return f"{_digits(value)} {_PREFIXES[step]}{unit}"


def milliseconds(duration_ns: int) -> str:
    """A duration with three digits: "38.2 ms", "0.0163 ms"."""
    return f"{_digits(duration_ns / NS_PER_MS)} ms"


def _digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-3 or not value else f"{value:.6f}"


def percent_text(percent: float) -> str:
    """A percentage as every text here shows it: "12.3 %"."""
    return f"{percent:.1f} %"


def _headline(found: Explanation) -> Iterator[str]:
    period, step = found.period, found.step
    now = _STATES[found.state]
    if step is not None and found.state is State.EXECUTING:
        now = "in each step it waits for others" if step.idle_ns else f"its step is bound by {_meaning(step).words}"
        now = "it completed no execution in that time" if _stands_still(found) else now
    if period is None or period.busy_percent is None:
        yield f"NeuronCore {found.core}: {now}."
        return
    yield f"NeuronCore {found.core} was {percent_text(period.busy_percent)} busy over the last"
    peak = f" at {percent_text(period.flops_percent)} of its peak FLOP/s" if period.flops_percent else ""
    yield f"{_time(period.duration_ns)}{peak}; {now}."


def _stands_still(found: Explanation) -> bool:
    """Whether the core was in execution for much longer than its step takes by the work in it, and completed none."""
    period, step = found.period, found.step
    if period is None or step is None or period.executions != 0:
        return False
    return (period.busy_percent or 0.0) / 100 * period.duration_ns > _MUCH_LONGER * step.duration_ns


def _core(found: Explanation) -> Iterator[str]:
    physical, where = found.physical_cores, f"of device {found.device} ({found.chip})"
    if len(physical) == 1:
        yield f"Physical core {physical[0]} {where}."
    else:
        yield f"Physical cores {' and '.join(map(str, physical))} {where}:"
        yield "percentages of time are their mean, bytes and FLOP/s their sum."


def _held(found: Explanation) -> Iterator[str]:
    holder = found.holder
    if holder is None:
        yield from _held_before(found)
        return
    held, since = _time(found.head.time_ns - holder.started_ns), _after(found, holder.started_ns)
    yield f"{holder.tag} (pid {holder.pid}, user {holder.user}) has held {_numbers(holder.cores)} for {held}, since"
    yield f"{since}."
    if len(holder.group) > 1:
        who = "They" if holder.group == holder.cores else _numbers(holder.group)
        yield f"{who} execute in lockstep."
    yield f"It runs: {holder.command}"


def _held_before(found: Explanation) -> Iterator[str]:
    last = found.last_holder
    if last is not None:
        ended = "" if last.ended_ns is None else f" until {_after(found, last.ended_ns)}"
        how = "" if last.how is None else f": {last.how}"
        yield f"Nobody holds it. {last.tag} (pid {last.pid}, user {last.user}) did{ended}{how}."
        yield f"It ran: {last.command}"
    elif found.counted.models_loaded or found.counted.executions:
        yield "Nobody holds it. Who did is not remembered: it is more than 10 minutes ago, or was for less than 5s."
    else:
        yield "Nobody holds it, and nobody has loaded a model on it since the host's start."


def _doing(found: Explanation) -> Iterator[str]:
    if found.doing is not None:
        yield f"It is {found.doing}."
        yield from found.notes
    if found.loading is not None:
        yield f"The rest takes {_time(found.loading.left_ns)}."


def _busy(found: Explanation) -> Iterator[str]:
    period = found.period
    if period is None or period.busy_percent is None:
        yield f"There are no rates: {found.no_period or 'how long it was busy is not known'}."
        return
    last = f"the last {_time(period.duration_ns)}"
    if period.busy_percent:
        yield f"In execution for {percent_text(period.busy_percent)} of {last}{_in_collectives(period)}."
        yield from _completed(period, period.busy_percent)
    else:
        yield f"No time in execution over {last}."
    yield from _not_busy(found, period)


def _completed(period: Period, busy_percent: float) -> Iterator[str]:
    """How many executions there were, and how long each was: what a step takes by its work can be compared with it."""
    if period.executions:
        each = milliseconds(round(busy_percent / 100 * period.duration_ns / period.executions))
        count = "1 execution was" if period.executions == 1 else f"{period.executions:,} executions were"
        yield f"{count} completed, for {each} of busy time each."
    elif period.executions == 0:
        yield "No execution was completed."


def _not_busy(found: Explanation, period: Period) -> Iterator[str]:
    """What of the rest of the time can be told."""
    holder, step = found.holder, found.step
    if holder is None:
        return
    held_ns = found.head.time_ns - holder.started_ns
    if held_ns < period.duration_ns:
        yield f"It has been held for {_time(held_ns)} of that only."
    if period.models_loaded:
        yield "A model was loaded in that time, and loading is no execution."
    elif found.state in (State.LOADING, State.UNLOADED):
        yield "Without a model in memory nothing executes."
    if step is not None and step.host_ns * _WORTH_SAYING >= step.duration_ns:
        yield f"Of each step {_share(step.host_ns, step)} are the host's launch, which is not busy time."
    if step is not None and step.idle_ns:
        yield f"In {_share(step.idle_ns, step)} of each step it is idle until other cores of its process are done."
    if holder.queued is not None and holder.running is not None:
        yield f"Requests: {holder.running:,} in work, {holder.queued:,} waiting."
        if found.state is State.WAITING and not holder.queued + holder.running:
            yield "With more requests it could do more."


def _share(duration_ns: int, step: Step) -> str:
    return f"{milliseconds(duration_ns)} ({percent_text(100 * duration_ns / step.duration_ns)})"


def _in_collectives(period: Period) -> str:
    share = period.collectives_percent
    if share is None or period.busy_percent is None:
        return ""
    if not share:
        return ", none of it in collectives"
    of_busy, of_all = percent_text(100 * share / period.busy_percent), percent_text(share)
    in_all = "" if of_all == of_busy else f" ({of_all} of all time)"
    return f", {of_busy} of that{in_all} in collectives, waiting for its peers included"


def _engines(found: Explanation) -> Iterator[str]:
    if found.period is None or not found.period.busy_percent:
        return
    if found.period.engine_percent is None:
        yield f"How long each engine was active is not known: {found.no_engines or 'no counter tells'}."
        return
    named = {"GPSIMD" if name == "gpsimd" else name: share for name, share in found.period.engine_percent.items()}
    shares = (f"{name} {percent_text(share)}" for name, share in named.items())
    yield f"Active for {', '.join(shares)} of the time."


def _memory(found: Explanation) -> Iterator[str]:
    period = found.period
    if period is None or not period.memory_percent:
        return
    read, written = period.memory_read_bytes_per_s or 0.0, period.memory_written_bytes_per_s or 0.0
    yield f"{rate(read, 'B/s')} read and {rate(written, 'B/s')} written, {percent_text(period.memory_percent)} of the"
    yield f"{rate(period.memory_capacity_bytes_per_s, 'B/s')} of device memory that are the core's share."


def _compute(found: Explanation) -> Iterator[str]:
    period = found.period
    if period is None or period.flops_percent is None or period.flops_per_s is None or not period.busy_percent:
        return
    peak = f"{period.peak_data_type.upper()} peak of {rate(period.peak_flops_per_s, 'FLOP/s')}"
    if period.flops_per_s:
        yield f"{rate(period.flops_per_s, 'FLOP/s')}, padding included: {percent_text(period.flops_percent)} of the"
        yield f"{peak}, the most that MFU can be."
    else:
        yield f"No FLOPs were counted, of the {peak}."
    yield "Busy is not MFU: a core is busy also while it waits for memory or for its peers."


def _step(found: Explanation) -> Iterator[str]:
    step = found.step
    if step is None:
        return
    who = "what this core does of it" if step.idle_ns else "it"
    yield f"By its work a step like the one under way takes {milliseconds(step.duration_ns)};"
    yield f"{who} is bound by {_meaning(step).words}."
    if sum(part.percent for part in step.parts) > 100 + _ROUNDING_PERCENT:
        yield "Its parts overlap, so they add up to more than the step."


def _parts(found: Explanation) -> Iterator[str]:
    step = found.step
    if step is None:
        return
    parts = (f"{part.meaning} {milliseconds(part.duration_ns)} ({percent_text(part.percent)})" for part in step.parts)
    yield f"Parts: {', '.join(parts)}."


def _links(found: Explanation) -> Iterator[str]:
    shared = found.shared_link
    if shared is None:
        return
    who = " and ".join(shared.others) or "other cores of its process"
    yield f"What it sends over the link from device {shared.sender} to {shared.receiver} meets what {who} sends there:"
    if shared.stretch == 1.0:
        yield f"they ask for {percent_text(100 * shared.asked)} of the link, so nobody waits."
        return
    yield f"they ask for {_digits(shared.asked)} times what the link carries, so collectives take {_longer(shared)}."


def _longer(shared: SharedLink) -> str:
    times = f"{_digits(shared.stretch)} times as long as by the work in them"
    alone, now, whole = (milliseconds(ns) for ns in (shared.alone_ns, shared.collectives_ns, shared.duration_ns))
    return f"{times}, {now} of a step of {whole} instead of {alone}"


def _faster(found: Explanation) -> Iterator[str]:
    step = found.step
    if step is None:
        return
    if step.idle_ns:
        yield "Others of its process need longer in each step: to make this core faster gains nothing before they are."
        return
    if _stands_still(found):
        yield "By the work in it the step would have ended: the cause is not in the work. Look at how long each core of"
        yield "its group is in collectives, and at the logs."
        return
    yield _meaning(step).remedy
    yield f"Without this part a step would still take {milliseconds(step.least_ns)} or more."


def _counters(found: Explanation) -> Iterator[str]:
    counted = found.counted
    yield f"{format_bytes(counted.memory_used_bytes, 1)} of device memory are in use on it."
    if counted.executions or counted.models_loaded:
        loads = f"{counted.models_loaded} model load{'' if counted.models_loaded == 1 else 's'}"
        yield f"Since the host's start: {loads}, {counted.executions:,} executions,"
        yield f"{_time(counted.busy_ns)} in execution, {rate(counted.flops, 'FLOP')}."
    if counted.errors:
        yield f"Errors: {', '.join(f'{name} {count}' for name, count in sorted(counted.errors.items()))}."


def _trust(found: Explanation) -> Iterator[str]:
    trust = found.trust
    if trust is None:
        return
    why = f": {'; '.join(trust.reasons)}" if trust.reasons else ""
    yield f"Times are {trust.standing}{why}."
    if trust.rows == COLLECTIVES and trust.standing == "calibrated":
        yield "Launch, hops and rates were fitted to nccom-test runs of Trainium1 that AWS published."
    if trust.rows is None or trust.median is None or trust.p90 is None:
        return
    where = "" if trust.standing == "calibrated" else f" on NeuronCore-{FITTED_GENERATION}"
    yield f"The error{where} for {_ROWS[trust.rows]} of models left out of the fit is"
    yield f"{_error(trust.median, trust.p90)}{'.' if trust.rows != 'decode' else ';'}"
    if trust.rows == "decode":
        first = calibration_for(FITTED_GENERATION).residuals["first_token_leave_one_model_out"]
        yield f"for a time to first token {_error(first['median'], first['p90'])}."
    if found.no_engines is None:
        yield "How long engines are active is assumed: no published run times one."


def _error(median: float, p90: float) -> str:
    return f"{100 * median:.0f} % in the median and {100 * p90:.0f} % at the 90th percentile"


def _meaning(step: Step) -> Meaning:
    return MEANINGS[step.bound]


def _time(duration_ns: int) -> str:
    return format_duration_ns(duration_ns, 1)


def _after(found: Explanation, time_ns: int) -> str:
    after_ns = time_ns - found.started_ns
    return f"{_time(after_ns)} after the host's start" if after_ns else "the host's start"


def _numbers(cores: tuple[int, ...]) -> str:
    """A range where the numbers are one, which those of a process always are."""
    return f"NeuronCore {cores[0]}" if len(cores) == 1 else f"NeuronCores {cores[0]}-{cores[-1]}"


_TOPICS: tuple[tuple[str, Callable[[Explanation], Iterator[str]]], ...] = (
    (HEADLINE, _headline),
    ("core", _core),
    ("held by", _held),
    ("doing", _doing),
    ("busy", _busy),
    ("engines", _engines),
    ("memory", _memory),
    ("compute", _compute),
    ("step", _step),
    (PARTS, _parts),
    ("links", _links),
    ("faster", _faster),
    ("counted", _counters),
    ("trust", _trust),
)
