"""The time of the lines: sums of periods, arrivals, and holes of which no line tells."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neurontools.sources.aws.clock import LineClock, Span
from neurontools.units import NS_PER_MS, NS_PER_S

EPOCH_NS = 10**18
ONE_S = {"memory_info": NS_PER_S, "vcpu_usage": NS_PER_S, "memory_used": NS_PER_S}


def test_periods_add_up_from_the_arrival_of_the_first_line() -> None:
    clock = LineClock(live=False)
    assert clock.advance({"a": 5 * NS_PER_S}, EPOCH_NS) == Span(EPOCH_NS - 5 * NS_PER_S, EPOCH_NS)
    assert clock.advance({"a": 5 * NS_PER_S}, EPOCH_NS) == Span(EPOCH_NS, EPOCH_NS + 5 * NS_PER_S)


@given(st.lists(st.integers(1, 10 * NS_PER_S), min_size=1, max_size=20))
def test_spans_join_and_are_as_long_as_their_periods(periods: list[int]) -> None:
    clock = LineClock(live=False)
    spans = [clock.advance({"a": period_ns, "b": period_ns}, EPOCH_NS) for period_ns in periods]
    assert [span.ended_ns - span.began_ns for span in spans] == periods
    assert all(one.ended_ns == next_one.began_ns for one, next_one in pairwise(spans))


def test_groups_with_different_periods_agree_on_the_time() -> None:
    """One group every 2 s, another every 3 s."""
    clock = LineClock(live=False)
    both = {"twos": 2 * NS_PER_S, "threes": 3 * NS_PER_S}
    clock.advance({"twos": NS_PER_MS, "threes": NS_PER_MS}, EPOCH_NS)
    ends = []
    for second in range(1, 13):
        due = {name: period for name, period in both.items() if second % (period // NS_PER_S) == 0}
        if due:
            ends.append((clock.advance(due, EPOCH_NS).ended_ns - EPOCH_NS) // NS_PER_S)
    assert ends == [2, 3, 4, 6, 8, 9, 10, 12]


def test_a_group_that_was_away_does_not_hold_the_time_back() -> None:
    clock = LineClock(live=False)
    clock.advance(ONE_S, EPOCH_NS)
    for _ in range(9):
        clock.advance({"vcpu_usage": NS_PER_S, "memory_info": NS_PER_S}, EPOCH_NS)
    assert clock.advance(ONE_S, EPOCH_NS).ended_ns == EPOCH_NS + 10 * NS_PER_S


def test_one_wild_period_does_not_move_the_time() -> None:
    clock = LineClock(live=False)
    clock.advance(ONE_S, EPOCH_NS)
    assert clock.advance(ONE_S | {"vcpu_usage": 10**6 * NS_PER_S}, 0).ended_ns == EPOCH_NS + NS_PER_S


def test_live_lines_end_when_they_arrive() -> None:
    clock = LineClock(live=True)
    arrivals = [EPOCH_NS + n * NS_PER_S + jitter for n, jitter in enumerate((0, 30_000_000, -20_000_000, 5))]
    assert [clock.advance(ONE_S, arrival).ended_ns for arrival in arrivals] == arrivals


def test_lines_that_come_together_are_a_period_apart() -> None:
    clock = LineClock(live=True)
    clock.advance(ONE_S, EPOCH_NS)
    late = EPOCH_NS + 3 * NS_PER_S + 200 * NS_PER_MS
    spans = [clock.advance(ONE_S, late, more_waiting) for more_waiting in (True, True, False)]
    assert [span.ended_ns - EPOCH_NS for span in spans] == [NS_PER_S, 2 * NS_PER_S, late - EPOCH_NS]
    assert not any(span.hole for span in spans)


def test_time_of_which_no_line_tells_is_a_hole() -> None:
    clock = LineClock(live=True)
    clock.advance(ONE_S, EPOCH_NS)
    assert not clock.advance(ONE_S, EPOCH_NS + 2 * NS_PER_S).hole
    assert clock.advance(ONE_S, EPOCH_NS + 9 * NS_PER_S).hole
    assert not clock.advance({"memory_info": 8 * NS_PER_S}, EPOCH_NS + 17 * NS_PER_S).hole


def test_a_clock_that_stands_still_gives_spans_that_do_not_run_backwards() -> None:
    clock = LineClock(live=True)
    spans = [clock.advance(ONE_S, EPOCH_NS) for _ in range(3)]
    assert [span.ended_ns for span in spans] == sorted({span.ended_ns for span in spans})


def test_a_line_without_periods_takes_no_time() -> None:
    for live in (False, True):
        clock = LineClock(live)
        clock.advance(ONE_S, EPOCH_NS)
        assert clock.advance({}, EPOCH_NS + NS_PER_S) == Span(EPOCH_NS, EPOCH_NS)
