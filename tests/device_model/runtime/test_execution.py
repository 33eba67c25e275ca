"""From a step's work to counted activity."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.machine.activity import activity_in
from device_model.runtime.execution import LAUNCH_NS, LAUNCH_SHARE_DIVISOR, StepWork, busy_ns, counted, device_ns

amounts = st.integers(0, 10**9)
works = st.builds(StepWork, st.integers(1, 10**9), *[amounts] * 8, st.tuples(amounts, amounts), amounts)


@given(works, st.integers(0, 128))
def test_parts_of_a_step_stay_within_its_time_on_the_device(work: StepWork, cores: int) -> None:
    done = activity_in(counted(work, cores))
    assert 0 <= done.busy_ns == busy_ns(work) <= device_ns(work.duration_ns) <= work.duration_ns
    assert work.idle_ns or done.busy_ns == device_ns(work.duration_ns)
    parts = (done.collectives_ns, done.tensor_ns, done.vector_ns, done.scalar_ns, done.gpsimd_ns)
    assert all(0 <= part <= done.busy_ns for part in parts)
    assert (done.flops, done.hbm_read_bytes, done.hbm_written_bytes) == work[6:9]
    assert counted(work, cores)[len(done) :] == work.traffic


@given(st.integers(1, 10**10))
def test_the_host_side_of_an_execution_is_bounded(duration_ns: int) -> None:
    launch = duration_ns - device_ns(duration_ns)
    assert 0 <= launch <= LAUNCH_NS
    assert launch * LAUNCH_SHARE_DIVISOR <= duration_ns
