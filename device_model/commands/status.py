"""`neuron-model status`: what the model is and what it does, once or line by line."""

import json
import sys
import time
from typing import Any, NamedTuple

from device_model.commands.ask import ask, asked, duration
from device_model.commands.failure import USAGE, Failure
from device_model.commands.injected import short
from neurontools.schema.document import decode
from neurontools.schema.interval import Interval, NoInterval, ProcessInterval, between, totals
from neurontools.schema.snapshot import Process, Snapshot
from neurontools.units import format_bytes, format_capacity, format_duration_ns
from neurontools.wire import Client

PERIOD_NS = 1_000_000_000
"""Rates are over at least this much of the model's time."""

_ADVANCE_S = 0.1
"""A running model shows a later instant after this long, on the way of a long advance too."""

UNKNOWN = "–"

_HEADINGS = ("PID", "TAG", "CORES", "MEMORY", "RATE", "RUNNING", "QUEUED", "COMMAND")
_TO_THE_RIGHT = frozenset({"PID", "MEMORY", "RATE", "RUNNING", "QUEUED"})


class _Output(NamedTuple):
    """What a kind of workload brings forth: a field of its interval, the unit in a narrow column and on a line."""

    field: str
    unit: str
    long_unit: str


_TOKENS = _Output("generated_tokens_per_s", "tok/s", "tokens/s")
_REQUESTS = _Output("requests_per_s", "req/s", "requests/s")
_COLLECTIVES = _Output("requests_per_s", "coll/s", "collectives/s")
_STEPS = _Output("requests_per_s", "steps/s", "steps/s")

_CHOICE = (_TOKENS, _REQUESTS, _COLLECTIVES, _STEPS)
"""In the order in which one is chosen for a line about several workloads."""

_OUTPUTS = {"llm": _TOKENS, "collectives": _COLLECTIVES, "training": _STEPS, "idle": None}
"""By kind of workload, None where it brings forth nothing; every other kind answers requests."""


def status(options: Any) -> int:
    """Prints the model's state; with --follow a line a second until interrupted."""
    if options.for_ is not None and not options.follow:
        raise Failure("--for needs --follow", "for example: neuron-model status --follow --for 30s", USAGE)
    if options.follow and options.json:
        raise Failure("--json does not go with --follow", "for a line of JSON a period: neuron-monitor", USAGE)
    if options.follow:
        return _follow(options)
    with Client(options.socket) as client:
        about = asked(client, "status")
        if options.json:
            print(json.dumps(about))
            return 0
        current = _snapshot(client)
        interval = _interval(_past(client), current)
        if interval is None and about["speed"]:
            # Too young, or on the way of a long advance: nothing is kept to compare with, but time passes.
            time.sleep(min(1.0, 1.0 / about["speed"]) + _ADVANCE_S)
            previous, current = current, _snapshot(client)
            interval = _interval(previous, current)
    print(_title(about))
    print(f"seed {about['seed']}, {_pace(about)}, up {format_duration_ns(about['uptime_ns'], 1)}")
    print(f"socket {about['socket']}, pid {about['pid']}")
    if about["host"]:
        print(f"its files are below {about['host']}")
    if about["faults"]:
        print(f"faults: {'; '.join(short(fault, about['time_ns']) for fault in about['faults'])}")
    if interval is None:
        moved = "" if about["speed"] else ": neuron-model advance 1s"
        print(f"no rates yet, they are over {format_duration_ns(PERIOD_NS)} of the model's time{moved}")
    else:
        print(_progress(interval))
    print("\n".join(["", *_process_table(current, interval)] if current.processes else ["no processes"]))
    return 0


def _title(about: dict[str, Any]) -> str:
    return f"SIMULATED {about['instance']}, scenario {about['scenario']}: {about['description']}"


def _pace(about: dict[str, Any]) -> str:
    return f"{about['speed']:g} × real time" if about["mode"] == "accelerated" else str(about["mode"])


def _process_table(snapshot: Snapshot, interval: Interval | None) -> list[str]:
    rates = {} if interval is None else {process.pid: _rate(process) for process in interval.processes}
    core_size = snapshot.head.logical_neuroncore_config
    rows = [
        _HEADINGS,
        *(_row(process, rates.get(process.pid, UNKNOWN), core_size) for process in snapshot.processes or ()),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    return ["  ".join(_cells(row, widths)).rstrip() for row in rows]


def _cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    named = zip(row, widths, _HEADINGS, strict=True)
    return [text.rjust(width) if name in _TO_THE_RIGHT else text.ljust(width) for text, width, name in named]


def _rate(process: ProcessInterval) -> str:
    output = None if process.workload is None else _OUTPUTS.get(process.workload.kind, _REQUESTS)
    return UNKNOWN if output is None else _per_s(getattr(process.workload, output.field), output.unit, 1)


def _per_s(value: float | None, unit: str, digits: int) -> str:
    """A rate with its unit; one of less than a unit a second with two significant digits instead."""
    if value is None:
        return UNKNOWN
    return f"{value:.2g} {unit}" if 0 < value < 1 else f"{value:,.{digits}f} {unit}"


def _row(process: Process, rate: str, core_size: int) -> tuple[str, ...]:
    cores = sorted({core // core_size for core in process.cores})
    memory = None if process.memory is None else sum(sum(held.values()) for held in process.memory.values())
    work = process.workload
    return (
        str(process.pid),
        _known(process.tag),
        UNKNOWN if not cores else f"{cores[0]}-{cores[-1]}" if len(cores) > 1 else f"{cores[0]}",
        UNKNOWN if memory is None else format_bytes(memory, 1),
        rate,
        _known(None if work is None else work.running),
        _known(None if work is None else work.queued),
        _known(process.command),
    )


def _known(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def _progress(interval: Interval) -> str:
    """One line: throughput, memory, busiest core, requests."""
    total = totals(interval)
    used = UNKNOWN if total.memory_used_bytes is None else format_bytes(total.memory_used_bytes, 1)
    whole = UNKNOWN if total.memory_total_bytes is None else format_capacity(total.memory_total_bytes)
    core = total.busiest_core
    busiest = (
        UNKNOWN
        if core is None or core.utilization_percent is None
        else f"nc{core.core} {core.utilization_percent:.1f} % busy"
    )
    return (
        f"{_throughput(interval):>16}   memory {used:>9} of {whole}   busiest core {busiest:<17} "
        f"requests {_known(total.running)} running, {_known(total.queued)} queued"
    )


def _throughput(interval: Interval) -> str:
    """What the workloads that bring forth the same do together; tokens where there is none."""
    rates: dict[_Output, list[float | None]] = {}
    for work in (process.workload for process in interval.processes if process.workload is not None):
        output = _OUTPUTS.get(work.kind, _REQUESTS)
        if output is not None:
            rates.setdefault(output, []).append(getattr(work, output.field))
    chosen = next((output for output in _CHOICE if output in rates), _TOKENS)
    known = [rate for rate in rates.get(chosen, []) if rate is not None]
    return _per_s(sum(known), chosen.long_unit, 0) if known else f"{UNKNOWN} {chosen.long_unit}"


def _follow(options: Any) -> int:
    lines = None if options.for_ is None else max(1, duration(options.for_) // PERIOD_NS)
    about = ask(options, "status")
    print(_title(about), flush=True)
    if not about["speed"]:
        print("neuron-model: this model moves by `neuron-model advance` only", file=sys.stderr)
    with Client(options.socket) as client:
        previous = _past(client)
        started, count = time.monotonic(), 0
        while lines is None or count < lines:
            current = _snapshot(client)
            interval = _interval(previous, current)
            if interval is not None:
                up_ns = interval.head.time_ns - about["time_ns"] + about["uptime_ns"]
                print(f"{_clock(up_ns)}  {_progress(interval)}", flush=True)
            previous = current
            count += 1
            time.sleep(max(0.0, started + count * PERIOD_NS / 1e9 - time.monotonic()))
    return 0


def _clock(up_ns: int) -> str:
    minutes, seconds = divmod(up_ns // PERIOD_NS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _snapshot(client: Client) -> Snapshot:
    return decode(Snapshot, json.dumps(asked(client, "snapshot")))


def _past(client: Client) -> Snapshot | None:
    document = asked(client, "past", age_ns=PERIOD_NS)
    return None if document is None else decode(Snapshot, json.dumps(document))


def _interval(previous: Snapshot | None, current: Snapshot) -> Interval | None:
    """None when there is nothing to compare with: too early, time that stood still, another model."""
    try:
        return None if previous is None else between(previous, current)
    except NoInterval:
        return None
