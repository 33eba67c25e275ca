"""A core's own totals: they outlive the groups that it works with, and count events under the driver's names."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.kernel.meter import Credit, Run
from device_model.machine.activity import NOTHING, Activity, Lockstep
from device_model.machine.core import Core, LastStep, Tally, Zeroed
from neurontools.hardware.driver import COUNTER_BITS
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


def finished(core: Core, start_ns: int, steps: int) -> int:
    """The core executes some steps in a group of its own; returns when that ended."""
    group = Lockstep((core.number,))
    core.attach(group)
    end_ns = work(group, start_ns, 10, steps)
    core.detach(end_ns)
    return end_ns


def test_what_a_holder_counts_is_folded_when_it_closes_the_device() -> None:
    core = Core(0, 0, 0, 0)
    core.count("reset_req_count")
    for holder, (start_ns, steps) in enumerate(((0, 3), (100, 5)), 1):
        core.holder = holder
        core.count("timeout", 2)
        end_ns = finished(core, start_ns, steps)
        before = dict(core.folded)
        assert core.counters(end_ns)["inference_count"].total > before.get("inference_count", Tally()).total
        core.release(end_ns)
    assert core.holder is None
    assert core.folded["inference_count"] == core.folded["success"] == Tally(8, 5)
    assert core.folded["timeout"] == Tally(4, 2)
    assert "reset_req_count" not in core.folded, "the driver counts resets itself, always live"
    live = core.counters(end_ns)
    assert {name: tally.total for name, tally in core.folded.items()} == {
        name: live[name].total for name in core.folded
    }


def test_a_close_that_adds_nothing_leaves_the_last_increment() -> None:
    core = Core(0, 0, 0, 0)
    end_ns = finished(core, 0, 3)
    core.release(end_ns)
    core.release(end_ns)
    assert core.folded["inference_count"] == Tally(3, 3)


@given(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["success", "inference_count", "flop_count"]))
def test_a_zeroed_counter_goes_on_from_there(before: int, after: int, name: str) -> None:
    core, whole = Core(0, 0, 0, 0), Core(0, 0, 0, 0)
    for each in (core, whole):
        at_ns = finished(each, 0, before)
    core.zero(name, "total", at_ns)
    core.zero(name, "present", at_ns)
    assert core.shown(name, core.counters(at_ns)) == Tally(0, 0)
    earlier = whole.counters(at_ns).get(name, Tally()).total
    for each in (core, whole):
        end_ns = finished(each, at_ns, after)
    untouched = whole.counters(end_ns)[name]
    shown = core.shown(name, core.counters(end_ns))
    assert shown == Tally(untouched.total - earlier, untouched.present if after else 0)


def test_each_file_is_zeroed_by_itself_live_or_folded() -> None:
    core = Core(0, 0, 0, 0)
    core.count("timeout", 5)
    core.release(0)
    core.holder = 1
    core.count("timeout", 2)
    core.zero("timeout", "total", 0)
    assert core.shown("timeout", core.tallies) == Tally(0, 2)
    assert core.shown("timeout", core.folded, live=False) == Tally(0, 5)
    core.count("timeout", 4)
    core.release(0)
    assert core.shown("timeout", core.tallies) == Tally(4, 4)
    assert core.shown("timeout", core.folded, live=False) == Tally(6, 6), "what its holder had counted before, too"


def test_a_counter_that_has_wrapped_is_folded_and_zeroed_all_the_same() -> None:
    core, most = Core(0, 0, 0, 0), 1 << COUNTER_BITS
    core.fold("flop_count", most - 10)
    core.fold("flop_count", 5)
    assert core.folded["flop_count"] == Tally(5, 15)
    core.zeroed["flop_count", "total"] = Zeroed(most - 10, 0)
    assert core.shown("flop_count", {"flop_count": Tally(5, 1)}) == Tally(15, 1)
