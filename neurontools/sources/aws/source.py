"""The source that reads AWS's neuron-monitor: starts it, waits for its lines, and says what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Condition

from neurontools.schema.allocations import Allocations
from neurontools.schema.events import Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import SourceError
from neurontools.sources.aws.lines import Line, Pump
from neurontools.sources.aws.producer import Lines, Producer
from neurontools.sources.aws.stream import Stream
from neurontools.units import NS_PER_S, format_duration_ns

FIRST_LINE_NS = 10 * NS_PER_S
"""How long the first line may take; AWS's tool prints it at once."""

STALL_NS = 5 * NS_PER_S
"""After what silence a producer is said to have stalled, if three of its periods are not longer."""

_STALLED_PERIODS = 3
_RESTART_NS = 10 * NS_PER_S
_LEAST_PERIOD_NS = NS_PER_S // 2
_LONGEST_WAIT_NS = 2 * NS_PER_S
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class AwsSource:
    """A Source over the lines of a producer; every failure is a SourceError.

    A thread reads the lines as they come and adds them up, so that a slow reader loses none. A reader that follows the
    lines' period waits for the one that is due; any other gets the same reading again until there is a new one.
    A command that has ended is started again, at the earliest ten seconds later.
    """

    def __init__(
        self,
        producer: Producer,
        first_line_ns: int = FIRST_LINE_NS,
        stall_ns: int = STALL_NS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._producer = producer
        self._first_line_ns = first_line_ns
        self._stall_ns = stall_ns
        self._now_ns = now_ns
        # A clock that somebody sets must not make a period longer.
        self._epoch_ns = time.time_ns() - now_ns()
        self._period_ns = NS_PER_S
        self._stream = Stream(producer.live, producer.detail, _boot_id())
        self._changed = Condition()
        self._run: _Run | None = None
        self._asked_ns = 0
        self._handed = 0

    def pace(self, period_ns: int) -> None:
        """How often the reader asks: so often AWS's own tool is told to print, where it is started from here."""
        self._period_ns = max(_LEAST_PERIOD_NS, period_ns)

    def inventory(self) -> Inventory:
        """The hardware as the newest line tells it, and the runtimes that it lists."""
        with self._changed:
            self._await_first()
            return self._stream.inventory()

    def snapshot(self) -> Snapshot:
        """What the lines have added up to."""
        with self._changed:
            run = self._await_first()
            self._await_due(run)
            if self._handed == self._stream.count:
                self._refuse_the_dead(run)
            self._asked_ns = self._now_ns()
            self._handed = self._stream.count
            return self._stream.snapshot()

    def past(self, age_ns: int = 0) -> Snapshot | None:
        """The reading before the first line, when nothing had been counted; None where that is too young."""
        with self._changed:
            self._await_first()
            return self._stream.past(age_ns)

    def events(self, since: int = 0) -> Events:
        """Runtimes that came and went."""
        with self._changed:
            self._await_first()
            return self._stream.events(since)

    def allocations(self, device: int) -> Allocations:
        """Raises SourceError: AWS's tool knows no addresses."""
        raise SourceError("AWS's neuron-monitor does not print the bank map", "only a device model has one")

    def close(self) -> None:
        """Ends the command; safe to call twice."""
        with self._changed:
            run, self._run = self._run, None
        # Not under the lock: the thread that reads the lines may wait for it.
        if run is not None:
            run.close()

    def _await_first(self) -> _Run:
        """The run under way, from its first line on; begins one where there is none, or the last one has ended."""
        run = self._run
        if run is not None and self._may_restart(run):
            run.close()
            run = None
        if run is None:
            self._stream.interrupt()
            run = self._run = _Run(self._producer.start(self._period_ns), self._now_ns(), self._take, self._end)
        begun = run
        self._wait(run.began_ns + self._first_line_ns, lambda: begun.lines_read > 0 or begun.ended_ns is not None)
        if not run.lines_read:
            within = f"has printed no line within {format_duration_ns(self._first_line_ns)}"
            raise self._error(run.how_it_ended or within, self._stream.what_was_lost(), run.talk)
        return run

    def _may_restart(self, run: _Run) -> bool:
        """A reading that nobody has seen goes first."""
        if run.ended_ns is None or not self._producer.restartable or self._handed != self._stream.count:
            return False
        return self._now_ns() - run.ended_ns >= _RESTART_NS

    def _await_due(self, run: _Run) -> None:
        """Waits for the line that a reader of the lines' own period would miss by a little."""
        period_ns = self._stream.period_ns or self._period_ns
        now_ns = self._now_ns()
        if self._handed and now_ns - self._asked_ns >= period_ns // 2:
            deadline_ns = now_ns + min(2 * period_ns, _LONGEST_WAIT_NS)
            self._wait(deadline_ns, lambda: self._stream.count != self._handed or run.ended_ns is not None)

    def _wait(self, deadline_ns: int, until: Callable[[], bool]) -> None:
        while not until() and (left_ns := deadline_ns - self._now_ns()) > 0:
            self._changed.wait(left_ns / NS_PER_S)

    def _refuse_the_dead(self, run: _Run) -> None:
        """Raises SourceError where no newer reading is to be expected; after a good end not at once."""
        now_ns = self._now_ns()
        if run.ended_ns is not None:
            if not run.ended_well or now_ns - run.ended_ns > self._stall_ns:
                raise self._error(run.how_it_ended, run.talk)
            return
        silent_ns = now_ns - run.heard_ns
        if silent_ns > max(self._stall_ns, _STALLED_PERIODS * (self._stream.period_ns or self._period_ns)):
            raise self._error(f"has printed nothing for {format_duration_ns(silent_ns, 0)}", run.talk)

    def _error(self, *words: str) -> SourceError:
        what, *why = filter(None, words)
        return SourceError(": ".join((f"{self._producer.name} {what}", *why)))

    def _take(self, run: _Run, lines: Sequence[Line]) -> None:
        """Lines have come; called on the thread that reads them."""
        with self._changed:
            run.heard_ns = self._now_ns()
            known = self._stream.count
            self._stream.add(lines, self._epoch_ns + run.heard_ns)
            run.read(self._stream.count - known)
            self._changed.notify_all()

    def _end(self, run: _Run, well: bool, how: str) -> None:
        """No more lines will come; called on the thread that read them."""
        with self._changed:
            run.ended_ns, run.ended_well, run.how_it_ended = self._now_ns(), well, how
            self._changed.notify_all()


class _Run:
    """One start of the producer: what has been heard of it, and how it ended if it did."""

    def __init__(
        self,
        lines: Lines,
        began_ns: int,
        take: Callable[[_Run, Sequence[Line]], None],
        end: Callable[[_Run, bool, str], None],
    ) -> None:
        self.began_ns = self.heard_ns = began_ns
        self.lines_read = 0
        self.ended_ns: int | None = None
        self.ended_well = True
        self.how_it_ended = ""
        self._lines = lines
        self._pump = Pump(
            lines.lines_fd,
            lines.talk_fd,
            take=lambda taken: take(self, taken),
            end=lambda: end(self, *lines.how_it_ended()),
        )

    @property
    def talk(self) -> str:
        """The last line that it wrote to stderr."""
        return self._pump.talk

    def read(self, count: int) -> None:
        """So many more lines have been read; whoever prints one has its configuration."""
        if not self.lines_read and count:
            self._lines.forget_config()
        self.lines_read += count

    def close(self) -> None:
        """Ends it."""
        self._pump.close()
        self._lines.close()


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "boot"
