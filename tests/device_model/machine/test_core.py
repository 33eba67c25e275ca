"""A core's own totals: they outlive the groups that it works with, and count events under the driver's names."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.kernel.meter import Credit, Run
from device_model.machine.activity import NOTHING, Activity, Lockstep
from device_model.machine.core import Core, LastStep, Tally
from tests.device_model.machine.lockstep import step, work

shifts = st.lists(st.tuples(st.integers(1, 100), st.integers(1, 9), st.integers(0, 50)), max_size=5)


@given(shifts)
def test_totals_are_the_sum_over_all_groups(plan: list[tuple[int, int, int]]) -> None:
    core, now, expected = Core(3, 1, 1, 0), 0, NOTHING
    for step_ns, steps, pause in plan:
        group = Lockstep((3,))
        core.attach(group)
        now = work(group, now, step_ns, steps) + pause
        for _ in range(steps):
            expected = expected.plus(step(step_ns))
        assert core.read(now) == expected
        core.detach(now)
        assert core.read(now) == core.read(now + 1000) == expected
    executed = sum(steps for _, steps, _ in plan)
    assert core.credit(now) == Credit(executed, expected.busy_ns)
    if plan:
        assert core.last_step(now) == LastStep(plan[-1][0], plan[-1][0])


def test_an_execution_that_is_broken_off_is_not_the_last_one() -> None:
    core, group = Core(0, 0, 0, 0), Lockstep((0,))
    core.attach(group)
    now = work(group, 0, 10, 2)
    group.meter.start(Run(now, 1000, 1, Activity(busy_ns=900, flops=500), credit_ns=900))
    group.meter.finish(now + 500)
    core.detach(now + 500)
    assert core.last_step(now + 500) == LastStep(10, 10)
    assert core.credit(now + 500) == Credit(2, 20)
    assert core.read(now + 500).flops == 20 + 250


def test_a_core_that_never_worked_has_counted_nothing() -> None:
    core = Core(0, 0, 0, 0)
    core.attach(Lockstep((0,)))
    assert (core.read(5), core.credit(5), core.last_step(5)) == (NOTHING, Credit(), LastStep())


def test_events_are_counted_with_their_last_increment() -> None:
    core = Core(0, 0, 0, 0)
    core.count("resource_error")
    core.count("resource_error", 3)
    core.count("reset_req_count")
    assert core.tallies == {"resource_error": Tally(4, 3), "reset_req_count": Tally(1, 1)}


def test_what_impairs_a_core_comes_and_goes_by_its_cause() -> None:
    core = Core(0, 0, 0, 0)
    assert (core.slowness, core.impaired) == (1.0, False)
    core.slowed_by |= {1: 2.0, 2: 1.5}
    assert (core.slowness, core.impaired) == (3.0, True)
    del core.slowed_by[1]
    assert (core.slowness, core.impaired) == (1.5, True)
    core.slowed_by.clear()
    core.hung_by.add(3)
    assert core.impaired
    core.hung_by.clear()
    core.failing_by[4] = 1203
    assert core.impaired
    core.failing_by.clear()
    assert not core.impaired
