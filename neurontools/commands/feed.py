"""Where a publisher's intervals come from: a source that is sampled, or neuron-monitor's lines on standard input."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

from neurontools.commands.group_errors import GroupErrors
from neurontools.commands.printed import Printed
from neurontools.diagnosis import Doctor
from neurontools.report_format import Report, ReportError, decode
from neurontools.schema.finding import Diagnosis
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import Source, SourceError, pace
from neurontools.sources.aws.lines import Line, Splitter
from neurontools.sources.aws.stream import Stream
from neurontools.sources.sampling import Sampler
from neurontools.units import NS_PER_S

_PIECE = 65536

_STANDS_STILL = 3
"""After so many periods in which the source's time did not move it is not expected to."""

_SILENCE: Line = b"(silence)"
"""No line of a pipe: told from one by its identity."""


class Read(NamedTuple):
    """An interval, the host that it is about, and what is wrong there; None where nobody has looked."""

    interval: Interval
    inventory: Inventory
    diagnosis: Diagnosis | None = None


class Lost(NamedTuple):
    """There is nothing to publish, and why; `lasts` when the next period is unlikely to have more."""

    reason: str
    lasts: bool = False


Item = Read | Lost


class Watcher(Protocol):
    """Who is told of every reading, and says what is wrong. Both may raise SourceError."""

    def begin(self) -> bool:
        """Looks at what there is from before the first reading."""
        ...

    def see(self, snapshot: Snapshot, inventory: Inventory) -> Diagnosis:
        """What is wrong at a reading."""
        ...


def sampled(
    source: Source,
    period_s: float,
    watcher: Watcher | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Item]:
    """What a source shows every `period_s` seconds, without end; while it is away, that, once a period.

    Where the source keeps a past, the first interval comes at once. Raises SourceError when the first reading fails.
    """
    pace(source, round(period_s * NS_PER_S))
    sampler = Sampler(source)
    if watcher is not None:
        with suppress(SourceError):
            watcher.begin()
    snapshot = sampler.take()
    due_s = time.monotonic()
    first, standing = True, 0
    while True:
        try:
            if not first:
                snapshot = sampler.take()
            # Anew each time: a source may know more of the host later, and who holds a device may change at any time.
            inventory = source.inventory()
            diagnosis = watcher.see(snapshot, inventory) if watcher is not None else None
            yield Read(sampler.interval(), inventory, diagnosis)
        except SourceError as error:
            yield Lost(error.reason, lasts=True)
        except NoInterval as reason:
            if not first:
                # Lines may come as seldom as they are looked for; a clock that stands still for longer has stopped.
                yield Lost(reason.reason, lasts=standing >= _STANDS_STILL)
            standing += 1
        else:
            standing = 0
        first = False
        due_s = max(due_s + period_s, time.monotonic())
        sleep(max(0.0, due_s - time.monotonic()))


def piped(descriptor: int, silence_s: float, say: Callable[[str], None], tell: Callable[[str], None]) -> Iterator[Item]:
    """What the documents that come through a descriptor add up to, until its end; when nothing comes for `silence_s`,
    that. What is no document is said once and left out; `tell` gets AWS's words for each group that failed.
    """
    stream, told, doctor, printed = Stream(live=False, detail="stdin"), False, Doctor(), Printed()
    errors = GroupErrors(tell)
    previous: Snapshot | None = None
    for line in _lines(descriptor, silence_s):
        if line is _SILENCE:
            yield Lost(f"nothing came on standard input for {silence_s:g} s")
            continue
        stream.add([line], time.time_ns())
        if stream.what_was_lost() and not told:
            say(f"left out from standard input: {stream.what_was_lost()}")
            told = True
        if not stream.count:
            continue
        current, inventory = stream.snapshot(), stream.inventory()
        diagnosis = doctor.see(inventory, current)
        report = _read(line)
        if report is not None:
            errors.see(report)
        with suppress(NoInterval):
            summed = between(_before(previous, current, stream), current)
            yield Read(printed.on(summed, report), inventory, diagnosis)
        previous = current


def _read(line: Line) -> Report | None:
    """A line as a report; None for one that is damaged."""
    try:
        return decode(line or b"")
    except ReportError:
        return None


def _before(previous: Snapshot | None, current: Snapshot, stream: Stream) -> Snapshot:
    """What the newest line is counted from: where counting began anew, nothing."""
    if previous is not None and previous.head.boot_id == current.head.boot_id:
        return previous
    return stream.past(0) or current


def _lines(descriptor: int, silence_s: float) -> Iterator[Line]:
    """Lines as they come; _SILENCE for each `silence_s` in which nothing came."""
    waiting, splitter = select.poll(), Splitter()
    waiting.register(descriptor, select.POLLIN)
    while True:
        if not waiting.poll(silence_s * 1000):
            yield _SILENCE
            continue
        piece = os.read(descriptor, _PIECE)
        yield from splitter.feed(piece) if piece else splitter.rest()
        if not piece:
            return
