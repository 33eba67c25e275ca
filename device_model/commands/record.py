"""`neuron-model record`: a stretch of simulated time as a recording, computed here, without a daemon."""

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType
from typing import Any, Self

from device_model.commands.arguments import add_model
from device_model.commands.ask import LONGEST, duration
from device_model.commands.failure import SIGNALLED, USAGE, Failure, of_system
from device_model.commands.progress import Progress, through_time
from device_model.commands.rehearsal import missed_faults
from device_model.commands.serve import make_model
from device_model.commands.signals import handling
from device_model.simulation import NS, Simulation
from neurontools.recording import Frame, Writer, create
from neurontools.schema.events import Event, Events
from neurontools.units import format_duration_ns, parse_duration_ns

_STRIDE_NS = 60 * NS
"""Events are fetched at least this often: the model keeps the last 10,000."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_model(parser)
    parser.add_argument(
        "--for", dest="for_", required=True, metavar="DURATION", help="how much of the model's time: 10m, 24h, 7d"
    )
    parser.add_argument(
        "--step", default="5s", metavar="DURATION", help="the time from one reading to the next (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--command-lines", action="store_true", help="record the processes' command lines, not only the programs' names"
    )
    parser.add_argument("file", metavar="FILE", help="where to; by custom its name ends in .nrec")


def record(options: Any) -> int:
    """Writes the readings of a model's first hours or days; what was written stays, should it not get to the end."""
    for_ns, step_ns = _durations(options)
    model = make_model(options.scenario, options.instance, options.seed, stepped=True)
    fd = _created(options.file, options.force)
    try:
        with _Stop() as stop:
            count = _write(model, Writer(fd, options.command_lines), for_ns, step_ns, stop)
        size = os.fstat(fd).st_size
    except OSError as error:
        raise of_system("cannot write", options.file, error) from None
    finally:
        os.close(fd)
    if stop.number is not None:
        print(f"neuron-model: stopped early: {options.file} has {count:,} readings", file=sys.stderr)
        return SIGNALLED + stop.number
    for line in missed_faults(model):
        print(f"neuron-model: note: {line}", file=sys.stderr)
    print(
        f"recorded: {options.file}: {count:,} readings of {model.name} on {model.instance}, "
        f"{format_duration_ns(for_ns)} in steps of {format_duration_ns(step_ns)}, {size:,} bytes"
    )
    return 0


def _durations(options: Any) -> tuple[int, int]:
    for_ns, step_ns = duration(options.for_, longest=None), duration(options.step)
    if not step_ns:
        raise Failure("--step: expected more than 0", "for example: --step 15s", USAGE)
    if not step_ns <= for_ns <= parse_duration_ns(LONGEST):
        raise Failure(
            f"--for: expected at least a step ({format_duration_ns(step_ns)}) and at most {LONGEST}, "
            f"found {options.for_!r:.40}",
            "for example: --for 24h --step 15s",
            USAGE,
        )
    return for_ns, step_ns


def _created(path: str, force: bool) -> int:
    try:
        return create(path, replace=force)
    except FileExistsError:
        raise Failure(f"{path} is there already", "replace it with --force, or choose another name") from None
    except OSError as error:
        raise of_system("cannot write", path, error) from None


class _Stop:
    """Inside, SIGINT and SIGTERM only ask to stop: a reading that is under way is recorded whole, or not at all.

    `number` is that of the signal that came. A second one acts at once, as ever.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.number: int | None = None
        self._handling = ExitStack()

    def __enter__(self) -> Self:
        self._handling.enter_context(handling(self._NUMBERS, self._ask))
        return self

    def __exit__(self, *_: object) -> None:
        self._handling.close()

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self._handling.close()


def _write(model: Simulation, writer: Writer, for_ns: int, step_ns: int, stop: _Stop) -> int:
    """Writes a frame at the start and after each whole step, until it is stopped; returns how many."""
    log = _Log(model, through_time(model, for_ns), stop)
    count = 0
    try:
        for up_ns in range(0, for_ns + 1, step_ns):
            events = log.until(model.epoch_ns + up_ns)
            if events is None:
                break
            writer.write(Frame(model.snapshot(), model.inventory(), events))
            count += 1
    finally:
        log.progress.end()
        writer.end_block()
    if log.lost:
        print(f"neuron-model: note: {log.lost:,} events came faster than they could be fetched", file=sys.stderr)
    return count


class _Log:
    """A model's events in order."""

    def __init__(self, model: Simulation, progress: Progress, stop: _Stop) -> None:
        self.progress = progress
        self.lost = 0
        self._model = model
        self._stop = stop
        self._seen = 0

    def until(self, to_ns: int) -> Events | None:
        """Moves the model on, and returns what happened on the way; None when it was stopped."""
        happened: list[Event] = []
        lost = 0
        while self._model.advance(min(to_ns, self._model.now_ns + _STRIDE_NS), self._pauses):
            fetched = self._model.events(self._seen)
            happened += fetched.events
            lost += fetched.lost
            self._seen = happened[-1].seq if happened else self._seen
            if self._model.now_ns == to_ns:
                self.lost += lost
                return None if self._stop.number else Events(events=tuple(happened), lost=lost)
        return None

    def _pauses(self) -> bool:
        self.progress()
        return self._stop.number is not None
