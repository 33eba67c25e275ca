"""The schedule does not drift, and every period of a plan is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neurontools.commands.monitor_plan import EXTENDED, SYSTEM, Key, Plan, Runtimes, Schedule, default_plan
from neurontools.exporters.report import GROUPS

MS_NS = 1_000_000
FAST: Key = (SYSTEM, "fast")
SLOW: Key = (SYSTEM, "slow")


def test_all_is_due_at_the_start() -> None:
    schedule = Schedule({FAST: 1000, SLOW: 5000}, start_ns=77)
    assert schedule.next_ns() == 77
    assert schedule.due(77) == [FAST, SLOW]
    assert schedule.due(78) == []


@given(st.lists(st.integers(0, 400), min_size=1, max_size=50), st.integers(0, 10**12))
def test_a_late_report_delays_no_other(delays: list[int], start_ns: int) -> None:
    schedule = Schedule({FAST: 1000 * MS_NS, SLOW: 5000 * MS_NS}, start_ns)
    for number, delay in enumerate(delays):
        assert schedule.next_ns() == start_ns + number * 1000 * MS_NS
        due = schedule.due(schedule.next_ns() + delay * MS_NS)
        assert due == ([FAST, SLOW] if number % 5 == 0 else [FAST])


def test_periods_that_were_missed_are_left_out() -> None:
    schedule = Schedule({FAST: 1000}, start_ns=0)
    assert schedule.due(0) == [FAST]
    assert schedule.due(3500) == [FAST]
    assert schedule.next_ns() == 4000


def test_every_group_of_a_plan_has_a_period() -> None:
    periods = default_plan(7).periods()
    assert sorted(name for _, name in periods) == sorted(GROUPS)
    assert set(periods.values()) == {7}
    assert (EXTENDED, "") in default_plan()._replace(extended=True).periods()


def test_two_entries_for_runtimes_have_periods_of_their_own() -> None:
    plan = Plan((Runtimes({"memory_used": 1}), Runtimes({"memory_used": 2})), {})
    assert plan.periods() == {(0, "memory_used"): 1, (1, "memory_used"): 2}


def test_a_plan_without_groups_still_beats() -> None:
    assert Plan((), {}, 9).periods() == {(EXTENDED, ""): 9}
