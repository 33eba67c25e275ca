"""Credited time: as much is handed on as was credited, never more than time has passed, and none before it is known."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.interval import between
from neurontools.schema.snapshot import Core, Device, Head, Origin, Snapshot
from neurontools.sources.sysfs.credit import LONGEST_CARRIED_NS, Counted, Credit

S = 1_000_000_000
FLOPS_PER_S = 7_000


def executed(until_ns: int, length_ns: int, gap_ns: int, begin_ns: int = 0) -> int:
    """Busy time that is credited by then to a core that executes again and again, with a pause after each."""
    return max(0, until_ns - begin_ns) // (length_ns + gap_ns) * length_ns if until_ns >= begin_ns + length_ns else 0


def credited(busy_ns: int) -> Counted:
    return Counted(busy_ns, busy_ns * FLOPS_PER_S // S)


def percents(counts: list[Counted | None], period_ns: int) -> list[float | None]:
    """The utilization of each period, as every tool computes it."""
    readings = [
        Snapshot(
            head=Head(time_ns=i * period_ns, boot_id="b", origin=Origin(kind="driver")),
            devices=(Device(index=0, cores=(Core(core=0, index=0, busy_ns=count.busy_ns if count else None),)),),
        )
        for i, count in enumerate(counts)
    ]
    return [between(old, new).cores[0].utilization_percent for old, new in pairwise(readings)]


def watched(length_ns: int, gap_ns: int, period_ns: int, readings: int) -> list[Counted | None]:
    """What is handed on at each reading of such a core."""
    credit = Credit(0, credited(0))
    times = [i * period_ns for i in range(readings)]
    return [credit.take(time, credited(executed(time, length_ns, gap_ns)), length_ns) for time in times]


def test_a_step_of_five_seconds_read_once_a_second() -> None:
    counts = watched(5 * S, 0, S, 12)
    assert percents(counts, S) == [None] * 5 + [100] * 6


def test_a_core_that_pauses_shows_the_pauses() -> None:
    counts = watched(3 * S, 2 * S, S, 20)
    shown = percents(counts, S)
    # The first execution is credited at 3 s, but read as the pause ends with it: one execution late, each is 3 of 5 s.
    assert shown[-10:].count(100) == 6 and shown[-10:].count(0) == 4


def test_short_executions_are_handed_on_at_once() -> None:
    counts = watched(S // 25, S // 100, S, 10)
    for i, count in enumerate(counts):
        assert count is not None
        assert executed(i * S, S // 25, S // 100) - count.busy_ns <= S // 25


@given(
    st.lists(st.tuples(st.integers(1, 3 * S), st.integers(0, 20 * S)), min_size=1, max_size=30),
    st.integers(0, 10**15),
)
def test_what_is_handed_on_was_credited_and_nothing_is_lost(steps: list[tuple[int, int]], start: int) -> None:
    credit, time, busy = Credit(0, credited(start)), 0, start
    last = credited(start)
    for passed, more in steps:
        time, busy = time + passed, busy + more
        count = credit.take(time, credited(busy), 0)
        assert count is not None and count.flops is not None and last.flops is not None
        assert last.busy_ns <= count.busy_ns <= busy
        assert last.flops <= count.flops <= credited(busy).flops  # type: ignore[operator]
        assert count.busy_ns - last.busy_ns <= passed or count.busy_ns == busy
        last = count
    assert credit.take(time + LONGEST_CARRIED_NS, credited(busy), 0) == credited(busy)


def test_flops_are_spread_over_the_busy_time_that_they_took() -> None:
    counts = [count for count in watched(5 * S, 0, S, 11)[5:] if count is not None]
    flops = [count.flops or 0 for count in counts]
    assert [new - old for old, new in pairwise(flops)] == [FLOPS_PER_S] * 5


def test_flops_that_wrap_are_spread_across_the_wrap() -> None:
    wrap = 1 << 64
    credit = Credit(0, Counted(0, wrap - 100))
    counts = [credit.take(i * S, Counted(4 * S, 300), 0) for i in range(1, 5)]
    assert counts == [Counted(S, 0), Counted(2 * S, 100), Counted(3 * S, 200), Counted(4 * S, 300)]


def test_flops_that_were_cleared_are_handed_on_as_they_are() -> None:
    credit = Credit(0, Counted(0, 5000))
    assert credit.take(S, Counted(4 * S, 300), 0) == Counted(S, 300)


def test_without_a_credit_a_long_execution_may_be_under_way() -> None:
    credit = Credit(0, credited(50 * S))
    counts = [credit.take(i * S, credited(50 * S), 3 * S) for i in range(6)]
    assert [count is None for count in counts] == [False, True, True, False, False, False]
    assert percents(counts, S) == [None, None, None, 0, 0]


def test_a_counter_that_was_cleared_begins_anew() -> None:
    credit = Credit(0, credited(10 * S))
    credit.take(S, credited(16 * S), 0)
    assert credit.take(2 * S, credited(S), 0) == credited(S)


def test_time_that_nothing_explains_is_not_held_back_for_ever() -> None:
    credit = Credit(0, credited(0))
    strange = credited(LONGEST_CARRIED_NS + 2 * S)
    assert credit.take(S, strange, 0) == strange


def test_two_looks_at_one_instant_are_alike() -> None:
    credit = Credit(0, credited(0))
    first = credit.take(S, credited(4 * S), 0)
    assert credit.take(S, credited(4 * S), 0) == first == Counted(S, FLOPS_PER_S)
