"""Meters: straight lines in whole numbers, the same whoever reads them and however a run is cut."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.meter import Credit, Meter, Run, Stretch

WIDTH = 2
KEEP_NS = 10_000

runs = st.lists(
    st.tuples(
        st.integers(1, 50),  # ns a step
        st.integers(1, 20),  # steps
        st.tuples(st.integers(0, 99), st.integers(0, 99)),  # per step
        st.integers(0, 30),  # credit
        st.integers(0, 40),  # pause before it
        st.none() | st.integers(0, 1200),  # ended early, at this time in the run
    ),
    max_size=6,
)
Plan = list[tuple[int, int, tuple[int, int], int, int, int | None]]


def played(plan: Plan, reads: list[int] | None = None, grain_ns: int = 1) -> tuple[Meter, int]:
    """A meter through which the runs have gone, and the time; `reads` are times at which it is read on the way."""
    meter, now = Meter(WIDTH, KEEP_NS, grain_ns), 0
    for step_ns, steps, per_step, credit_ns, pause, early in plan:
        now += pause
        run = Run(now, step_ns, steps, per_step, credit_ns)
        meter.start(run)
        end = run.end_ns if early is None else min(run.end_ns, now + early)
        for at in reads or []:
            meter.read(now + at % (end - now + 1))
        meter.finish(end)
        now = end
    return meter, now


def stepwise(plan: Plan) -> tuple[tuple[int, ...], Credit]:
    """The same totals by counting step after step."""
    totals, executions, credited = [0] * WIDTH, 0, 0
    for step_ns, steps, per_step, credit_ns, _, early in plan:
        left = step_ns * steps if early is None else min(early, step_ns * steps)
        done, rest = divmod(left, step_ns)
        for i, amount in enumerate(per_step):
            totals[i] += amount * done + amount * rest // step_ns
        executions += done * (credit_ns > 0)
        credited += done * credit_ns
    return tuple(totals), Credit(executions, credited)


@given(runs, st.lists(st.integers(0, 1000), max_size=4))
def test_totals_are_those_of_counting_step_by_step_and_reads_change_nothing(plan: Plan, reads: list[int]) -> None:
    for meter, now in (played(plan), played(plan, reads)):
        assert (meter.read(now), meter.credit(now)) == stepwise(plan)
        assert meter.read(now + 7) == meter.read(now)


@given(st.integers(1, 50), st.integers(1, 20), st.tuples(st.integers(0, 99), st.integers(0, 99)), st.integers(1, 20))
def test_a_cut_run_is_a_shorter_run(step_ns: int, steps: int, per_step: tuple[int, int], kept: int) -> None:
    cut, short = Meter(WIDTH, KEEP_NS), Meter(WIDTH, KEEP_NS)
    kept = min(kept, steps)
    cut.start(Run(5, step_ns, steps, per_step, 1))
    short.start(Run(5, step_ns, kept, per_step, 1))
    cut.cut(5 + kept * step_ns)
    for at in range(5, 5 + (kept + 1) * step_ns, 3):
        assert (cut.read(at), cut.credit(at)) == (short.read(at), short.credit(at))
    assert cut.stretches() == short.stretches()


@given(st.integers(0, 100), st.integers(1, 20), st.integers(1, 8), st.integers(0, 300))
def test_the_boundary_after_a_time_is_the_first_end_of_a_step_not_before_it(
    start: int, step_ns: int, steps: int, later: int
) -> None:
    run = Run(start, step_ns, steps, ())
    ends = [start + step_ns * i for i in range(steps + 1)]
    at = min(start + later, run.end_ns)
    assert run.boundary_after(start + later) == min(end for end in ends if end >= at)
    assert run.steps_done(start + later) == sum(end <= start + later for end in ends[1:])


def test_a_step_that_was_broken_off_is_remembered_but_is_no_execution() -> None:
    meter = Meter(1, KEEP_NS)
    first = Run(0, 10, 3, (100,), credit_ns=9)
    meter.start(first)
    meter.finish(30)
    meter.start(Run(40, 20, 5, (7,), credit_ns=15))
    meter.finish(50)
    assert meter.credit(50) == Credit(3, 27)
    assert meter.last_step(50) == first
    assert meter.stretches() == [Stretch(0, 30, 10, (100,)), Stretch(40, 50, 20, (7,))]


def test_the_last_execution_is_known_however_long_ago() -> None:
    meter = Meter(1, keep_ns=100)
    executed = Run(0, 10, 3, (100,), credit_ns=9)
    meter.start(executed)
    meter.finish(30)
    meter.start(Run(30, 5000, 1, (1,)))
    meter.finish(5030)
    assert meter.last_step(5030) == executed
    assert [stretch.start_ns for stretch in meter.stretches()] == [30]


def test_two_runs_at_one_time_are_refused() -> None:
    meter = Meter(1, KEEP_NS)
    meter.start(Run(0, 10, 1, (1,)))
    with pytest.raises(RuntimeError, match="under way"):
        meter.start(Run(0, 10, 1, (1,)))


@given(runs, st.integers(1, 500))
def test_how_steps_are_divided_into_runs_leaves_no_trace_in_what_is_remembered(plan: Plan, grain_ns: int) -> None:
    many, single = (Meter(WIDTH, KEEP_NS, grain_ns) for _ in range(2))
    now = 0
    for step_ns, steps, per_step, credit_ns, pause, _ in plan:
        now += pause
        many.start(Run(now, step_ns, steps, per_step, credit_ns))
        many.finish(now + step_ns * steps)
        for _ in range(steps):
            single.start(Run(now, step_ns, 1, per_step, credit_ns))
            assert single.stretches()
            now += step_ns
            single.finish(now)
    assert many.stretches() == single.stretches()


@given(runs, st.integers(1, 500))
def test_grains_hold_what_ran_in_them(plan: Plan, grain_ns: int) -> None:
    exact, _ = played(plan)
    meter, _ = played(plan, grain_ns=grain_ns)
    found = meter.stretches()
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(found))
    assert all(stretch.start_ns % grain_ns == stretch.end_ns % grain_ns == 0 for stretch in found)
    assert amounts(found) == pytest.approx(amounts(exact.stretches()), abs=3 * len(plan))


def amounts(stretches: list[Stretch]) -> list[float]:
    return [
        sum(stretch.per_step[i] * (stretch.end_ns - stretch.start_ns) / stretch.step_ns for stretch in stretches)
        for i in range(WIDTH)
    ]


def test_short_runs_that_nobody_reads_take_little_memory() -> None:
    meter = Meter(1, 10**9, grain_ns=10**6)
    for start_ns in range(0, 10**7, 1000):
        meter.start(Run(start_ns, 900, 1, (start_ns,), 1))
        meter.finish(start_ns + 900)
    assert (len(meter._history), len(meter._recent) <= 1000, len(meter._whole) <= 100) == (10, True, True)
    assert [(stretch.start_ns, stretch.step_ns) for stretch in meter.stretches()] == [
        (i * 10**6, 10**6) for i in range(10)
    ]
