"""`neuron-model record`: a stretch of simulated time as a recording, computed here, without a daemon."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from device_model.commands.arguments import add_model
from device_model.commands.ask import duration
from device_model.commands.failure import USAGE, Failure, of_system
from device_model.commands.progress import Progress
from device_model.commands.rehearsal import missed_faults
from device_model.commands.serve import make_model
from device_model.simulation import NS, Simulation
from neurontools.recording import Frame, Writer, create
from neurontools.schema.events import Event, Events
from neurontools.units import format_duration_ns, parse_duration_ns

MOST = "36500d"
"""A hundred years; the times in a recording reach twice as far."""

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
        count = _write(model, Writer(fd, options.command_lines), for_ns, step_ns)
        size = os.fstat(fd).st_size
    except OSError as error:
        raise of_system("cannot write", options.file, error) from None
    finally:
        os.close(fd)
    for line in missed_faults(model):
        print(f"neuron-model: note: {line}", file=sys.stderr)
    print(
        f"recorded: {options.file}: {count:,} readings of {model.name} on {model.instance}, "
        f"{format_duration_ns(for_ns)} in steps of {format_duration_ns(step_ns)}, {size:,} bytes"
    )
    return 0


def _durations(options: Any) -> tuple[int, int]:
    for_ns, step_ns = duration(options.for_), duration(options.step)
    if not step_ns:
        raise Failure("--step: expected more than 0", "for example: --step 15s", USAGE)
    if not step_ns <= for_ns <= parse_duration_ns(MOST):
        raise Failure(
            f"--for: expected at least a step ({format_duration_ns(step_ns)}) and at most {MOST}, "
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


def _write(model: Simulation, writer: Writer, for_ns: int, step_ns: int) -> int:
    """Writes a frame at the start and after each whole step; returns how many."""
    progress, log = Progress(model, for_ns), _Log(model)
    lost = 0
    try:
        for up_ns in range(0, for_ns + 1, step_ns):
            events = log.until(model.epoch_ns + up_ns, progress)
            lost += events.lost
            writer.write(Frame(model.snapshot(), model.inventory(), events))
    finally:
        progress.end()
        writer.end_block()
    if lost:
        print(f"neuron-model: note: {lost:,} events came faster than they could be fetched", file=sys.stderr)
    return for_ns // step_ns + 1


class _Log:
    """A model's events in order."""

    def __init__(self, model: Simulation) -> None:
        self._model = model
        self._seen = 0

    def until(self, to_ns: int, progress: Callable[[], None]) -> Events:
        """Moves the model on, and returns what happened on the way."""

        def go_on() -> bool:
            progress()
            return False

        happened: list[Event] = []
        lost = 0
        while True:
            self._model.advance(min(to_ns, self._model.now_ns + _STRIDE_NS), go_on)
            fetched = self._model.events(self._seen)
            happened += fetched.events
            lost += fetched.lost
            self._seen = happened[-1].seq if happened else self._seen
            if self._model.now_ns == to_ns:
                return Events(events=tuple(happened), lost=lost)
