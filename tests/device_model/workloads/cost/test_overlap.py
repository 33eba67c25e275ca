"""Engines side by side: a step takes at least its longest part and at most all of them, and never exceeds a rate."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.overlap import OVERLAP, EngineWork, Waiting, engine_step, overlapped
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import StepCost

ALL_RATES = [rates_for(name) for name in ("inf2.xlarge", "trn1.32xlarge", "trn2.48xlarge")]
INF1, INF2, TRN1 = (rates_for(name) for name in ("inf1.xlarge", "inf2.xlarge", "trn1.2xlarge"))
ENGINES = ("tensor_ns", "vector_ns", "scalar_ns", "gpsimd_ns")
COUNTED = (*ENGINES, "duration_ns", "collectives_ns", "flops", "hbm_read_bytes", "hbm_written_bytes")

amounts = st.floats(0, 1e14)
sizes = st.integers(0, 1 << 40)
works = st.builds(EngineWork, amounts, amounts, amounts, amounts, sizes, sizes)
waits = st.builds(Waiting, st.floats(0, 10), st.floats(0, 10), st.tuples(sizes, sizes))
efficiencies = st.floats(0.01, 1)
cores = st.sampled_from(ALL_RATES)


def step(
    work: EngineWork, rates: CoreRates = TRN1, efficiency: float = 0.5, waiting: Waiting | None = None
) -> StepCost:
    """The step at the constants of its generation."""
    waits_for = () if waiting is None else (waiting,)
    return engine_step(work, rates, constants_for(rates.generation), efficiency, *waits_for)


@given(works, cores, efficiencies, waits)
def test_a_step_lasts_between_its_longest_part_and_their_sum(
    work: EngineWork, rates: CoreRates, efficiency: float, waiting: Waiting
) -> None:
    cost = step(work, rates, efficiency, waiting)
    seconds = [part.seconds for part in cost.parts]
    duration = cost.work.duration_ns / 1e9
    assert max(seconds, default=0.0) <= duration * (1 + 1e-12)
    assert duration <= math.fsum(seconds) * (1 + 1e-12) + 1e-9
    assert duration >= waiting.collectives + waiting.fixed
    assert not seconds or max(seconds) in [part.seconds for part in cost.parts if part.name == cost.bound]


@given(works, cores, efficiencies, waits)
def test_no_engine_is_active_for_longer_than_the_step_or_does_more_than_its_data_sheet(
    work: EngineWork, rates: CoreRates, efficiency: float, waiting: Waiting
) -> None:
    counted = step(work, rates, efficiency, waiting).work
    seconds = counted.duration_ns / 1e9
    assert all(type(getattr(counted, name)) is int for name in COUNTED)
    assert all(0 <= getattr(counted, name) <= counted.duration_ns for name in (*ENGINES, "collectives_ns"))
    assert counted.flops <= rates.peak_flops * (counted.tensor_ns + 1) / 1e9 * (1 + 1e-12)
    assert counted.hbm_read_bytes + counted.hbm_written_bytes <= rates.hbm_bytes_per_s * seconds
    assert (counted.hbm_read_bytes, counted.hbm_written_bytes) == (work.hbm_read_bytes, work.hbm_written_bytes)
    assert counted.traffic == waiting.traffic


@given(works, works, cores, efficiencies, waits)
def test_more_work_never_costs_less(
    work: EngineWork, more: EngineWork, rates: CoreRates, efficiency: float, waiting: Waiting
) -> None:
    larger = work._replace(**{name: getattr(work, name) + getattr(more, name) for name in work._fields})
    less, much = (step(w, rates, efficiency, waiting).work for w in (work, larger))
    assert all(getattr(less, name) <= getattr(much, name) for name in COUNTED)


@given(st.lists(st.floats(0, 1e3), max_size=6))
def test_parts_side_by_side(seconds: list[float]) -> None:
    together = overlapped(tuple(seconds))
    assert max(seconds, default=0.0) <= together <= math.fsum(seconds) * (1 + 1e-15)
    assert overlapped(tuple(reversed(seconds))) == together
    assert overlapped((*seconds, 0.0)) == together


def test_the_longest_part_hides_all_but_a_tenth_of_the_others() -> None:
    assert overlapped((3.0, 1.0, 2.0)) == pytest.approx(3.0 + (1 - OVERLAP) * 3.0)
    assert overlapped((3.0,)) == 3.0
    assert overlapped(()) == 0.0


def test_an_engine_alone_takes_its_amount_at_its_rate() -> None:
    v2 = constants_for("v2")
    alone = {
        "compute": (EngineWork(tensor_flops=95e12), 2.0),
        "vector": (EngineWork(vector_elements=2.3e12), 1 / v2.vector_efficiency),
        "scalar": (EngineWork(scalar_elements=2.9e12), 1 / v2.scalar_efficiency),
        "gpsimd": (EngineWork(gpsimd_operations=1.4e9 * 128), 1 / v2.gpsimd_efficiency),
        "memory": (EngineWork(hbm_read_bytes=300 * 10**9, hbm_written_bytes=110 * 10**9), 1 / v2.weights_efficiency),
    }
    for bound, (work, seconds) in alone.items():
        cost = step(work)
        assert cost.work.duration_ns == pytest.approx(seconds * 1e9, abs=1)
        assert [part.name for part in cost.parts] == [cost.bound] == [bound]
        assert cost.parts[0].seconds == pytest.approx(seconds)


def test_the_tensor_engine_is_active_for_what_it_multiplies_not_for_what_it_waits() -> None:
    cost = step(EngineWork(tensor_flops=95e12), efficiency=0.25)
    assert cost.work.duration_ns == pytest.approx(4e9, abs=1)
    assert cost.work.tensor_ns == pytest.approx(1e9, abs=1)
    assert cost.work.flops == 95 * 10**12


def test_waiting_overlaps_with_nothing() -> None:
    work, waiting = EngineWork(tensor_flops=95e12), Waiting(collectives=0.25, fixed=0.125, traffic=(7,))
    cost = step(work, waiting=waiting)
    assert cost.work.duration_ns - step(work).work.duration_ns == pytest.approx(375_000_000, abs=1)
    assert cost.work.collectives_ns == 250_000_000
    assert [part.name for part in cost.parts] == ["compute", "collectives", "latency"]


def test_a_step_without_work_takes_the_shortest_time_there_is() -> None:
    cost = step(EngineWork())
    assert (cost.work.duration_ns, cost.parts, cost.bound) == (1, (), "latency")


def test_inferentia2_has_slower_engines_and_the_same_memory() -> None:
    share = constants_for("v2").inferentia2_share
    for work in (EngineWork(tensor_flops=1e12), EngineWork(gpsimd_operations=1e9)):
        slow, fast = (step(work, rates).work.duration_ns for rates in (INF2, TRN1))
        assert slow == pytest.approx(fast / share, rel=1e-6)
    assert step(EngineWork(hbm_read_bytes=10**9), INF2) == step(EngineWork(hbm_read_bytes=10**9), TRN1)


@pytest.mark.parametrize(
    ("work", "rates", "lacking"),
    [
        (EngineWork(vector_elements=1), INF1, "vector engine"),
        (EngineWork(scalar_elements=1), INF1, "scalar engine"),
        (EngineWork(gpsimd_operations=1), INF1, "GPSIMD engine"),
        (EngineWork(tensor_flops=1), rates_for("inf1.xlarge", "fp32"), "tensor engine for this data type"),
    ],
)
def test_work_for_an_engine_that_is_not_there_is_refused(work: EngineWork, rates: CoreRates, lacking: str) -> None:
    with pytest.raises(ValueError, match=f"NeuronCore-v1 has no {lacking}, or its speed was never published"):
        step(work, rates)
    assert step(work._replace(**dict.fromkeys(work._fields, 0)), rates).work.duration_ns == 1


def test_a_generation_without_some_engines_does_what_the_others_can() -> None:
    durations = [step(EngineWork(tensor_flops=flops), INF1).work.duration_ns for flops in (1e9, 1e12, 1e15)]
    assert all(less < more for less, more in pairwise(durations))
