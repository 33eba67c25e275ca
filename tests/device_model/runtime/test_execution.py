"""From a step's cost to counted activity."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.runtime.execution import LAUNCH_NS, LAUNCH_SHARE_DIVISOR, StepWork, activity_of, device_ns
from device_model.workloads.cost.steps import StepCost

amounts = st.integers(0, 10**9)
works = st.builds(StepWork, st.integers(1, 10**9), *[amounts] * 9)


def test_a_steps_cost_begins_with_the_work_that_it_stands_for() -> None:
    assert StepCost._fields[: len(StepWork._fields)] == StepWork._fields


@given(works, st.integers(1, 128), st.integers(1, 16))
def test_parts_of_a_step_stay_within_its_time_on_the_device(work: StepWork, cores: int, devices: int) -> None:
    done = activity_of(work, cores, devices)
    assert 0 < done.busy_ns == device_ns(work.duration_ns) <= work.duration_ns
    parts = (done.collectives_ns, done.tensor_ns, done.vector_ns, done.scalar_ns, done.gpsimd_ns)
    assert all(0 <= part <= done.busy_ns for part in parts)
    assert (done.flops, done.hbm_read_bytes, done.hbm_written_bytes) == work[6:9]
    assert done.ring_bytes == 2 * (devices - 1) * work.all_reduce_bytes // devices


@given(st.integers(1, 10**10))
def test_the_host_side_of_an_execution_is_bounded(duration_ns: int) -> None:
    launch = duration_ns - device_ns(duration_ns)
    assert 0 <= launch <= LAUNCH_NS
    assert launch * LAUNCH_SHARE_DIVISOR <= duration_ns
