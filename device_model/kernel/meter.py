"""Counting without ticks: integer totals that grow along a straight line while identical steps run in a row."""

from collections import deque
from typing import NamedTuple

from msgspec import Struct


class Run(Struct, frozen=True):
    """`steps` identical steps of `step_ns` each from `start_ns` on; each adds `per_step` to the totals.

    A step that completes is credited with `credit_ns` as one execution; 0 marks work that is none (loading).
    A single step may be the rest of one, of which the beginning has been counted before: then `whole` is what all of it
    adds.
    There is one for every execution, and a Struct takes a quarter of a NamedTuple's time.
    """

    start_ns: int
    step_ns: int
    steps: int
    per_step: tuple[int, ...]
    credit_ns: int = 0
    whole: tuple[int, ...] = ()

    @property
    def end_ns(self) -> int:
        """When the last step ends."""
        return self.start_ns + self.step_ns * self.steps

    def elapsed_ns(self, time_ns: int) -> int:
        """Time spent in this run by `time_ns`, at most its length."""
        elapsed, length = time_ns - self.start_ns, self.step_ns * self.steps
        return 0 if elapsed < 0 else elapsed if elapsed < length else length

    def steps_done(self, time_ns: int) -> int:
        """Steps completed by `time_ns`."""
        return self.elapsed_ns(time_ns) // self.step_ns

    def until(self, end_ns: int) -> "Run":
        """The run that ends at `end_ns`, an end of one of its steps."""
        return Run(self.start_ns, self.step_ns, self.steps_done(end_ns), self.per_step, self.credit_ns)

    def boundary_after(self, time_ns: int) -> int:
        """End of the step that is under way at `time_ns`; `time_ns` itself if it is such an end."""
        return self.start_ns - (self.start_ns - min(time_ns, self.end_ns)) // self.step_ns * self.step_ns


class Stretch(NamedTuple):
    """A time over which equal steps ran, the last of them perhaps not to its end."""

    start_ns: int
    end_ns: int
    step_ns: int
    per_step: tuple[int, ...]


class Credit(NamedTuple):
    """What is credited when executions complete: how many, and their time in ns."""

    executions: int = 0
    time_ns: int = 0


class _Grains(Struct):
    """Grains of time from number `first` to before number `after`, and how many ns each kind of step ran in them.

    `stretch` is what that looks like, once somebody has asked and until more is put in.
    """

    first: int
    after: int
    ran: dict[tuple[tuple[int, ...], int], int]
    stretch: Stretch | None = None


_MOST_KINDS = 100
"""Kinds of steps that wait to be added up at most."""

_MOST_RUNS = 1000
"""Runs that wait to be put into grains at most."""


class Meter:
    """Totals of a fixed set of quantities. Reading is pure; start, cut and finish are the only changes.

    What ran in the last `keep_ns` is remembered, for what looks at shapes over time. Of a grain, which is `grain_ns`
    long and begins at a multiple of that, only the mean is remembered where it does not run through in one kind of
    step: so it does not matter how steps are divided into runs, and a million short ones take little memory.
    """

    def __init__(self, width: int, keep_ns: int, grain_ns: int = 1) -> None:
        self._done = (0,) * width
        self._whole: dict[tuple[int, ...], int] = {}
        """Steps that are complete but not in `_done` yet: most are alike, so they are added up when somebody reads."""
        self._executions = self._credited_ns = 0
        self._keep_ns = keep_ns
        self._grain_ns = grain_ns
        self._last_read: tuple[int, tuple[int, ...]] = (-1, self._done)
        self._recent: deque[tuple[Run, int]] = deque()
        """Runs that ended, with the time, and are not in `_history` yet."""
        self._history: deque[_Grains] = deque()
        self._last_executed: Run | None = None
        self.run: Run | None = None

    def start(self, run: Run) -> None:
        """Begins a run; the one before must have been finished."""
        if self.run is not None:
            raise RuntimeError("a run is under way")
        self._change(run)

    def _change(self, run: Run | None) -> None:
        self.run = run
        self._last_read = (-1, self._done)

    def cut(self, end_ns: int) -> None:
        """Shortens the run under way so that it ends at `end_ns`, an end of one of its steps."""
        if self.run is not None:
            self._change(self.run.until(end_ns))

    def finish(self, time_ns: int) -> None:
        """Ends the run under way at `time_ns`; a step that is not complete counts by its share of time."""
        run = self.run
        if run is None:
            return
        steps = run.steps
        end_ns = run.start_ns + run.step_ns * steps
        if time_ns < end_ns:
            self._done = self.read(time_ns)
            end_ns, steps = time_ns, run.steps_done(time_ns)
        else:
            self._add_whole(run.per_step, steps)
        if run.credit_ns and steps:
            self._executions += steps
            self._credited_ns += steps * run.credit_ns
            self._last_executed = run
        self._change(None)
        if end_ns > run.start_ns:
            self._remember(run, end_ns, time_ns - self._keep_ns)

    def _add_whole(self, per_step: tuple[int, ...], steps: int) -> None:
        whole = self._whole
        whole[per_step] = whole.get(per_step, 0) + steps
        if len(whole) > _MOST_KINDS:
            self._add_up()

    def _add_up(self) -> None:
        for per_step, steps in self._whole.items():
            self._done = _sum(self._done, per_step, steps, 1)
        self._whole.clear()

    def _remember(self, run: Run, end_ns: int, oldest_ns: int) -> None:
        recent, history = self._recent, self._history
        recent.append((run, end_ns))
        while recent[0][1] < oldest_ns:
            recent.popleft()
        while history and history[0].after * self._grain_ns < oldest_ns:
            history.popleft()
        if len(recent) > _MOST_RUNS:
            self._into_grains()

    def _into_grains(self) -> None:
        for run, end_ns in self._recent:
            _put(self._history, run, end_ns, self._grain_ns)
        self._recent.clear()

    def read(self, time_ns: int) -> tuple[int, ...]:
        """The totals at `time_ns`, which is not before the last change."""
        if self._whole:
            self._add_up()
        run = self.run
        if run is None:
            return self._done
        if self._last_read[0] != time_ns:
            elapsed, step_ns = run.elapsed_ns(time_ns), run.step_ns
            steps, rest = divmod(elapsed, step_ns)
            amounts = (elapsed, step_ns) if rest else (steps, 1)
            self._last_read = (time_ns, _sum(self._done, run.per_step, *amounts))
        return self._last_read[1]

    def stretches(self) -> list[Stretch]:
        """What is remembered, in order, with the run under way to its planned end."""
        self._into_grains()
        history = deque(self._history)
        if self.run is not None:
            if history:
                last = history.pop()
                history.append(_Grains(last.first, last.after, dict(last.ran)))
            _put(history, self.run, self.run.end_ns, self._grain_ns)
        found: list[Stretch] = []
        for grains in history:
            stretch = grains.stretch = grains.stretch or _stretch(grains, self._grain_ns)
            if found and found[-1] == stretch._replace(start_ns=found[-1].start_ns, end_ns=stretch.start_ns):
                stretch = stretch._replace(start_ns=found.pop().start_ns)
            found.append(stretch)
        return found

    def last_step(self, time_ns: int) -> Run | None:
        """The run in which an execution was last completed by `time_ns`."""
        run = self.run
        return run if run is not None and run.credit_ns and run.steps_done(time_ns) else self._last_executed

    def credit(self, time_ns: int) -> Credit:
        """Executions completed by `time_ns` and the time that they took."""
        run = self.run
        steps = run.steps_done(time_ns) if run is not None and run.credit_ns else 0
        if run is None or not steps:
            return Credit(self._executions, self._credited_ns)
        return Credit(self._executions + steps, self._credited_ns + steps * run.credit_ns)


def _put(history: deque[_Grains], run: Run, end_ns: int, grain_ns: int) -> None:
    """Divides a run that ended at `end_ns` among its first grain, its last, and those between."""
    kind = (run.per_step, run.step_ns)
    first, last = run.start_ns // grain_ns, (end_ns - 1) // grain_ns
    if first == last and history and history[-1].first == first:
        # Most are short and go on where the one before them ended.
        newest = history[-1]
        newest.stretch = None
        newest.ran[kind] = newest.ran.get(kind, 0) + end_ns - run.start_ns
        return
    parts = [(first, first + 1), (first + 1, last), (last, last + 1)] if last > first else [(first, first + 1)]
    for begin, after in parts:
        ran_ns = min(after * grain_ns, end_ns) - max(begin * grain_ns, run.start_ns)
        if history and history[-1].first == begin:
            ran, history[-1].stretch = history[-1].ran, None
            ran[kind] = ran.get(kind, 0) + ran_ns
        elif after > begin:
            history.append(_Grains(begin, after, {kind: ran_ns}))


def _stretch(grains: _Grains, grain_ns: int) -> Stretch:
    """One kind of step where that ran through, otherwise all as one step as long as the grains."""
    start_ns, end_ns = grains.first * grain_ns, grains.after * grain_ns
    if len(grains.ran) == 1:
        ((per_step, step_ns), ran_ns) = next(iter(grains.ran.items()))
        if ran_ns == end_ns - start_ns:
            return Stretch(start_ns, end_ns, step_ns, per_step)
    amounts = (0,) * len(next(iter(grains.ran))[0])
    for (per_step, step_ns), ran_ns in grains.ran.items():
        amounts = _sum(amounts, per_step, ran_ns, step_ns)
    return Stretch(start_ns, end_ns, end_ns - start_ns, amounts)


def _sum(totals: tuple[int, ...], amounts: tuple[int, ...], times: int, parts: int) -> tuple[int, ...]:
    """Totals to which amounts are added, each so many times, divided by `parts` and rounded down."""
    pairs = zip(totals, amounts, strict=True)
    if parts == 1:
        return tuple([total + amount * times for total, amount in pairs])
    return tuple([total + amount * times // parts for total, amount in pairs])
