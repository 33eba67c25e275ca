"""A custom operator's call: the GPSIMD processors' published width, monotone in all it does, and its bytes."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.runtime.execution import busy_ns, counted
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.operator import (
    Operator,
    operator_image,
    operator_step,
    operator_work,
    processors_of,
)
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import StepCost
from neurontools.hardware.chips import CHIPS
from neurontools.units import KIB, MIB

TRN1 = rates_for("trn1.2xlarge")
RATES = [TRN1, *map(rates_for, ("inf2.xlarge", "trn2.48xlarge"))]
BYTES_PER_S = 8 * 512 / 8 * 1.4e9
SBUF_BYTES = 24 * MIB

operators = st.builds(
    Operator,
    elements=st.integers(1, 1 << 30),
    element_bits=st.sampled_from([8, 16, 32]),
    operations=st.integers(1, 1000),
    inputs=st.integers(1, 4),
    outputs=st.integers(0, 4),
    local=st.floats(0, 1),
    matmul_flops=st.floats(0, 1e14),
    vector_elements=st.floats(0, 1e11),
)
cores = st.sampled_from(RATES)
loops = st.integers(1, 1000)
PLAIN = Operator(elements=1 << 20, element_bits=16, operations=10, inputs=2, outputs=1, local=0.0)


def step(operator: Operator, trips: int, rates: CoreRates = TRN1) -> StepCost:
    """A call at the constants of its generation."""
    return operator_step(operator, rates, constants_for(rates.generation), trips)


@pytest.mark.parametrize(
    ("chip", "bytes_per_s"),
    [("Inferentia2", 716.8e9), ("Trainium1", 716.8e9), ("Trainium2", 614.4e9), ("Trainium3", 614.4e9)],
)
def test_the_processors_take_4096_bits_a_cycle(chip: str, bytes_per_s: float) -> None:
    assert processors_of(CHIPS[chip]) == (bytes_per_s, 512 * KIB)


@given(operators, loops, cores)
def test_engines_are_active_within_the_busy_time(operator: Operator, trips: int, rates: CoreRates) -> None:
    work = step(operator, trips, rates).work
    engines = (work.tensor_ns, work.vector_ns, work.scalar_ns, work.gpsimd_ns)
    assert all(0 <= active <= busy_ns(work) for active in engines)
    assert counted(work, 1)[2:6] == engines, "nothing is cut off: the fixed part covers the launch"


@given(operators, st.integers(0, 1 << 20), st.integers(0, 100), st.integers(0, 3), loops, st.integers(0, 100), cores)
def test_more_never_costs_less(
    operator: Operator, elements: int, operations: int, tensors: int, trips: int, more_trips: int, rates: CoreRates
) -> None:
    larger = operator._replace(
        elements=operator.elements + elements,
        operations=operator.operations + operations,
        inputs=operator.inputs + tensors,
        outputs=operator.outputs + tensors,
    )
    less, more = step(operator, trips, rates).work, step(larger, trips + more_trips, rates).work
    for name in ("duration_ns", "gpsimd_ns", "hbm_read_bytes", "hbm_written_bytes"):
        assert getattr(less, name) <= getattr(more, name)


@given(operators, loops, cores, st.sampled_from([16, 32]))
def test_half_the_bits_take_half_the_time(operator: Operator, trips: int, rates: CoreRates, bits: int) -> None:
    def seconds(bits: int, local: float) -> float:
        operator_of_bits = operator._replace(element_bits=bits, local=local)
        return operator_work(operator_of_bits, rates, trips).gpsimd_operations / rates.gpsimd_ops_per_s

    assert seconds(bits // 2, 0.0) == pytest.approx(seconds(bits, 0.0) / 2, rel=1e-12)
    assert seconds(bits // 2, operator.local) <= seconds(bits, operator.local) / 2 * (1 + 1e-12), "more of it is kept"


@given(operators, loops)
def test_local_memory_saves_reading_again_and_nothing_else(operator: Operator, trips: int) -> None:
    none, some = (operator_work(operator._replace(local=local), TRN1, trips) for local in (0.0, operator.local))
    saved = (none.gpsimd_operations - some.gpsimd_operations) * 4
    kept = min(operator.local * operator.input_bytes, 512 * KIB)
    assert saved == pytest.approx((trips - 1) * kept, rel=1e-6, abs=1e-6 * none.gpsimd_operations)
    assert some._replace(gpsimd_operations=none.gpsimd_operations) == none


def test_every_element_passes_the_processors_once_for_each_thing_done_with_it() -> None:
    passes = 3 * 10 + 3 * 2 + 1  # three trips of ten operations on two inputs, one output
    work = step(PLAIN, 3).work
    assert work.gpsimd_ns == int(passes * 2 * MIB / BYTES_PER_S * 1e9)
    assert step(PLAIN, 3).bound == "latency"
    assert step(PLAIN, 300).bound == "gpsimd"


@given(operators, loops)
def test_inputs_come_from_hbm_and_outputs_go_there(operator: Operator, trips: int) -> None:
    work = step(operator, trips).work
    data = operator.elements * operator.element_bits // 8
    assert work.hbm_written_bytes == operator.outputs * data
    again = (trips - 1) * max(0, operator.inputs * data - SBUF_BYTES)
    assert work.hbm_read_bytes == operator.inputs * data + again, "what SBUF cannot keep"


def test_the_operator_itself_counts_no_flops() -> None:
    """As in the driver's flop_count, they are the tensor engine's."""
    assert step(PLAIN, 100).work.flops == 0
    beside = step(PLAIN._replace(matmul_flops=1e9, vector_elements=1e6), 100)
    assert beside.work.flops == 10**9
    assert beside.work.gpsimd_ns == step(PLAIN, 100).work.gpsimd_ns


def test_other_engines_work_at_the_same_time() -> None:
    alone = step(PLAIN, 300).work.duration_ns
    tensor, vector = PLAIN._replace(matmul_flops=1e11), PLAIN._replace(vector_elements=1e8)
    for beside in (tensor, vector):
        hidden = beside._replace(elements=1, operations=1)
        assert alone < step(beside, 300).work.duration_ns < alone + step(hidden, 1).work.duration_ns / 2


def test_a_core_without_the_processors_and_a_call_without_a_trip_are_refused() -> None:
    assert processors_of(CHIPS["Inferentia"]) is None
    with pytest.raises(ValueError, match="Inferentia has no GPSIMD processors"):
        step(PLAIN, 1, rates_for("inf1.xlarge"))
    with pytest.raises(ValueError, match="trips 0 must be at least 1"):
        step(PLAIN, 0)


@given(operators)
def test_memory_holds_the_tensors_and_a_scratchpad(operator: Operator) -> None:
    held = operator_image(operator).device_bytes()
    assert held["tensors"] == (operator.inputs + operator.outputs) * operator.tensor_bytes
    assert 0 <= held["model_shared_scratchpad"] - operator.tensor_bytes < 64 * MIB
    assert held["constants"] == 1 * MIB
