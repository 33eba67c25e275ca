"""Lines to feed a stream with: a simulated host's, encoded as AWS's tool prints them, and captured ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.exporters.report import encode
from neurontools.schema.interval import Interval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.aws.stream import Stream
from tests.exporters.nodes import SECOND_NS, report_of

EPOCH_NS = 1_800_000_000 * SECOND_NS

Change = Callable[[Any], None]


@cache
def printed(scenario: str, instance: str, seconds: tuple[int, ...] = (60, 65, 70, 75)) -> tuple[bytes, ...]:
    """What neuron-monitor prints on a simulated host at these seconds, the first line left out."""
    model = Simulation(load(scenario), instance)
    readings = []
    for second in seconds:
        model.advance(model.epoch_ns + second * SECOND_NS)
        readings.append(model.snapshot())
    return tuple(line_of(model.inventory(), between(*pair)) for pair in pairwise(readings))


def line_of(inventory: Inventory, interval: Interval) -> bytes:
    """All groups of one interval as a line."""
    return encode(report_of(inventory, interval))


def stream(live: bool = False) -> Stream:
    """A stream that has heard nothing."""
    return Stream(live, "a test", "boot")


def readings_of(lines: Sequence[bytes], fed: Stream | None = None) -> list[Snapshot]:
    """What a reader sees who asks after every line, the past before the first one included."""
    fed = fed or stream()
    readings: list[Snapshot] = []
    for line in lines:
        fed.add([line], EPOCH_NS)
        if not readings:
            past = fed.past(0)
            assert past is not None
            readings.append(past)
        readings.append(fed.snapshot())
    return readings


def intervals_of(lines: Sequence[bytes]) -> list[Interval]:
    """The intervals between those readings."""
    return [between(*pair) for pair in pairwise(readings_of(lines))]


def changed(line: bytes, change: Change) -> bytes:
    """A line with a change to its document."""
    document = json.loads(line)
    change(document)
    return json.dumps(document, separators=(",", ":")).encode()
