"""Where a publisher's intervals come from: a source that is sampled, or neuron-monitor's lines on standard input."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from neurontools.exporters.report import ReportError, decode, inventory_of, whole
from neurontools.schema.interval import Interval, NoInterval
from neurontools.schema.inventory import Inventory
from neurontools.schema.source import Source, SourceError, pace
from neurontools.sources.sampling import Sampler
from neurontools.units import NS_PER_S

MOST_LINE_BYTES = 16 * 1024 * 1024
"""The longest line known has 444 kB; what is longer is no document."""

_PIECE = 65536


class Read(NamedTuple):
    """An interval, and the host that it is about."""

    interval: Interval
    inventory: Inventory


class Lost(NamedTuple):
    """There is nothing to publish, and why."""

    reason: str


Item = Read | Lost


def sampled(source: Source, period_s: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[Item]:
    """What a source shows every `period_s` seconds, without end; while it is away, that, once a period.

    Where the source keeps a past, the first interval comes at once. Raises SourceError when the first reading fails.
    """
    pace(source, round(period_s * NS_PER_S))
    sampler = Sampler(source)
    # A source may know more of the host once it has been read.
    boot_id, inventory = sampler.take().head.boot_id, source.inventory()
    due_s = time.monotonic()
    first = True
    while True:
        try:
            if not first:
                taken = sampler.take().head.boot_id
                inventory, boot_id = (inventory if taken == boot_id else source.inventory()), taken
            yield Read(sampler.interval(), inventory)
        except SourceError as error:
            yield Lost(error.reason)
        except NoInterval as reason:
            if not first:
                yield Lost(reason.reason)
        first = False
        due_s = max(due_s + period_s, time.monotonic())
        sleep(max(0.0, due_s - time.monotonic()))


def piped(descriptor: int, silence_s: float, say: Callable[[str], None]) -> Iterator[Item]:
    """The documents that come through a descriptor, until its end; when nothing comes for `silence_s`, that.

    What is no document is told once and left out.
    """
    told = False
    for line in _lines(descriptor, silence_s):
        if line is None:
            yield Lost(f"nothing came on standard input for {silence_s:g} s")
            continue
        try:
            report = decode(line, time.time_ns())
            yield Read(whole(report), inventory_of(report))
        except ReportError as error:
            if not told:
                say(f"left out a line of standard input: {error}")
                told = True


def _lines(descriptor: int, silence_s: float) -> Iterator[bytes | None]:
    """Whole lines; None for each `silence_s` in which nothing came."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    kept = b""
    skipping = False
    while True:
        if not waiting.poll(silence_s * 1000):
            yield None
            continue
        piece = os.read(descriptor, _PIECE)
        *whole_lines, kept = (kept + piece).split(b"\n")
        for line in whole_lines:
            if not skipping and line.strip():
                yield line
            skipping = False
        if len(kept) > MOST_LINE_BYTES:
            kept, skipping = b"", True
        if not piece:
            if kept.strip() and not skipping:
                yield kept
            return
