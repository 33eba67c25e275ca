"""Power: the driver's full minutes, derived from what ran, against a brute-force integration."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.meter import Run
from device_model.machine.activity import NS_PER_MINUTE, Activity, Lockstep
from device_model.machine.power import ENGINE_WEIGHT, MEMORY_WEIGHT, Minute, PowerMeter, last_full_minute, run_percent

BANDWIDTH = 410e9
TICK_NS = 50_000_000
TICKS = NS_PER_MINUTE // TICK_NS

plans = st.lists(
    st.tuples(
        st.integers(0, 200),  # ticks of rest
        st.integers(1, 40),  # ticks a step
        st.integers(1, 15),  # steps
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),  # how busy
    ),
    min_size=1,
    max_size=8,
)


def activity(step_ns: int, share: float) -> Activity:
    active = round(step_ns * share)
    return Activity(active, 0, active, active // 2, 0, active // 3, 0, int(share * BANDWIDTH * step_ns / 1e9))


def group_with(plan: list[tuple[int, int, int, float]]) -> Lockstep:
    group, now = Lockstep((0,)), 0
    for rest, ticks, steps, share in plan:
        now += rest * TICK_NS
        step_ns = ticks * TICK_NS
        run = Run(now, step_ns, steps, activity(step_ns, share), 1)
        group.meter.start(run)
        now = run.end_ns
        group.meter.finish(now)
    return group


def brute(groups: list[tuple[Lockstep, float]]) -> Minute:
    """Looks at the middle of every 50 ms of the first minute."""
    levels = []
    for tick in range(TICKS):
        at = tick * TICK_NS + TICK_NS // 2
        level = 0.0
        for group, share in groups:
            for part in group.meter.stretches():
                if part.start_ns <= at < part.end_ns:
                    level += share * run_percent(part.per_step, part.step_ns, BANDWIDTH)
        levels.append(level)
    return Minute(NS_PER_MINUTE, min(levels), max(levels), sum(levels) / TICKS)


@given(plans, plans)
def test_a_minute_is_the_integral_of_what_ran(
    first: list[tuple[int, int, int, float]], second: list[tuple[int, int, int, float]]
) -> None:
    groups = [(group_with(first), 0.5), (group_with(second), 0.25)]
    minute = PowerMeter(BANDWIDTH).minute(NS_PER_MINUTE, tuple(groups))
    assert minute == pytest.approx(brute(groups), abs=0.0051)
    assert 0 <= minute.low <= minute.mean <= minute.high <= 75


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_core_takes_at_most_all_of_its_power(step_ns: int, engines: float, other: float, memory: float) -> None:
    work = Activity(
        tensor_ns=int(engines * step_ns),
        vector_ns=int(other * step_ns),
        scalar_ns=int(other * step_ns),
        gpsimd_ns=int(engines * step_ns),
        hbm_read_bytes=int(memory * BANDWIDTH * step_ns / 1e9),
    )
    assert 0 <= run_percent(work, step_ns, BANDWIDTH) <= 100


def test_the_weights_are_all_of_the_power() -> None:
    assert sum(ENGINE_WEIGHT.values()) + MEMORY_WEIGHT == pytest.approx(1)


def test_nothing_is_drawn_where_nothing_works() -> None:
    assert PowerMeter(BANDWIDTH).minute(NS_PER_MINUTE, ()) == Minute(NS_PER_MINUTE, 0, 0, 0)


@given(st.integers(0, 3 * NS_PER_MINUTE), st.integers(0, 5 * NS_PER_MINUTE))
def test_only_whole_minutes_since_boot_count(boot_ns: int, up_ns: int) -> None:
    end = last_full_minute(boot_ns + up_ns, boot_ns)
    whole = [m for m in range(0, boot_ns + up_ns + 1, NS_PER_MINUTE) if m - NS_PER_MINUTE >= boot_ns]
    assert end == (whole[-1] if whole else None)


def test_a_run_broken_off_after_the_minute_changes_nothing_in_it() -> None:
    whole, broken = Lockstep((0,)), Lockstep((0,))
    for group in (whole, broken):
        group.meter.start(Run(0, 7_000_000_001, 20, activity(7_000_000_001, 0.3), 1))
    broken.meter.finish(NS_PER_MINUTE + 12_345)
    minutes = [PowerMeter(BANDWIDTH).minute(NS_PER_MINUTE, ((group, 0.5),)) for group in (whole, broken)]
    assert minutes[0] == minutes[1]
    assert minutes[0].low == minutes[0].high > 0
