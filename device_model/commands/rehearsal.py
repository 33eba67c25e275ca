"""The first minutes of a scenario, run ahead of time to tell what its author will hardly have meant."""

import time

from device_model.simulation import Simulation
from neurontools.schema.events import PROCESS_END, Event
from neurontools.units import format_duration_ns, parse_duration_ns

REHEARSED_NS = parse_duration_ns("5m")
"""Enough for the largest models to be loaded."""

_MEANT = ": exit status 0"
_MOST_LINES = 5


def early_ends(model: Simulation, limit_s: float) -> list[str]:
    """One line for each process that ends in failure within REHEARSED_NS, as far as `limit_s` of computing shows."""
    deadline = time.monotonic() + limit_s
    last_ns = max((parse_duration_ns(spec.start) for spec in model.scenario.processes), default=0)
    model.advance(model.epoch_ns + last_ns + REHEARSED_NS, lambda: time.monotonic() > deadline)
    ends = [event for event in model.events(0).events if event.kind == PROCESS_END and not event.text.endswith(_MEANT)]
    lines = [_line(event, model.epoch_ns) for event in ends]
    return [*lines[:_MOST_LINES], *([f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else [])]


def missed_faults(model: Simulation) -> list[str]:
    """A line for each fault of the scenario that could not happen, the first of its times."""
    first = {missed.entry: missed for missed in reversed(model.missed_faults())}
    return [
        f"faults[{i}] does not happen {format_duration_ns(missed.time_ns - model.epoch_ns)} after the start: "
        f"{missed.reason}"
        for i, missed in sorted(first.items())
    ]


def _line(event: Event, epoch_ns: int) -> str:
    command, _, how = event.text.rpartition(": ")
    return f"{command} ends {format_duration_ns(event.time_ns - epoch_ns, 1)} after the start: {how}"
