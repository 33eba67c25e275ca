"""What collectives cost: published runs are predicted, sizes decide on algorithms, and hardware bounds the time."""

import csv
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.machine.collectives import Operation, algorithms_of
from device_model.runtime.execution import LAUNCH_NS, busy_ns, device_ns
from device_model.workloads.calibration.constants import DATA
from device_model.workloads.cost.collectives import (
    Collective,
    CollectiveCost,
    algorithms_for,
    all_reduce_seconds,
    choose,
    collective_cost,
    link_efficiency,
    traffic_of,
)
from device_model.workloads.cost.engines import Reduction
from device_model.workloads.cost.rates import rates_for
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from neurontools.hardware.topology import adjacency
from neurontools.units import GIB, KIB, MIB, format_bytes
from tests.conftest import Golden

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
ABLE = sorted(name for name, instance in INSTANCES.items() if chip_of(instance).cc_cores)
LINKED = [name for name in ABLE if lookup(name).topology != "none"]
SIZES = st.integers(1, 4 * GIB)

MEDIAN_ERROR, LARGEST_ERROR = 0.05, 0.20


def cost(name: str, operation: Operation, size_bytes: int, devices: int, ranks: int) -> CollectiveCost:
    """A collective among `ranks` logical cores on the first devices of an instance type."""
    chip = chip_of(lookup(name))
    algorithms = algorithms_of(operation, adjacency(lookup(name)), tuple(range(devices)), ranks, chip.name)
    return collective_cost(rates_for(name), algorithms, Collective(operation, size_bytes, ranks, chip.default_lnc))


def whole_devices(name: str, operation: Operation, size_bytes: int, devices: int) -> CollectiveCost:
    chip = chip_of(lookup(name))
    return cost(name, operation, size_bytes, devices, devices * chip.cores // chip.default_lnc)


groups = st.sampled_from(ABLE).flatmap(
    lambda name: st.tuples(st.just(name), st.integers(1, lookup(name).devices if name in LINKED else 1))
)


class Sample(NamedTuple):
    """A published run: bytes as nccom-test counts them, its time in µs, and the time that is predicted."""

    operation: Operation
    ranks: int
    size_bytes: int
    measured_us: int
    predicted_us: float

    @property
    def error(self) -> float:
        return self.predicted_us / self.measured_us - 1


def samples() -> list[Sample]:
    lines = [line for line in (DATA / "nccom_samples.csv").read_text().splitlines() if not line.startswith("#")]
    found = []
    for row in csv.DictReader(lines):
        (operation,) = (known for known in OPERATIONS if known == row["operation"])
        ranks, size_bytes, name = int(row["ranks"]), int(row["size_bytes"]), row["inst"]
        devices = ranks // chip_of(lookup(name)).cores
        predicted = cost(name, operation, size_bytes, devices, ranks).duration_ns / 1000
        found.append(Sample(operation, ranks, size_bytes, int(row["time_us"]), predicted))
    return found


def test_published_runs_are_predicted(golden: Golden) -> None:
    lines = [
        f"{s.operation:<11}{s.ranks:>4} ranks{format_bytes(s.size_bytes, 0):>9}{s.measured_us:>7} µs measured"
        f"{s.predicted_us:>9.1f} µs predicted{s.error:>+8.1%}"
        for s in samples()
    ]
    errors = sorted(abs(sample.error) for sample in samples())
    median = (errors[len(errors) // 2] + errors[(len(errors) - 1) // 2]) / 2
    lines.append(f"median {median:.1%}, largest {errors[-1]:.1%}")
    golden("neuron-model/nccom-samples.txt", "\n".join(lines) + "\n")
    assert len(errors) == 16
    assert median <= MEDIAN_ERROR
    assert errors[-1] <= LARGEST_ERROR


@given(groups, st.sampled_from(OPERATIONS), SIZES, SIZES)
def test_a_larger_payload_never_takes_less_time(group: tuple[str, int], what: Operation, one: int, other: int) -> None:
    name, devices = group
    small, large = (whole_devices(name, what, size, devices).duration_ns for size in sorted((one, other)))
    assert small <= large


@pytest.mark.parametrize("name", ["trn2.48xlarge", "trn3p.48xlarge"])
@pytest.mark.parametrize("what", OPERATIONS)
def test_time_does_not_fall_where_the_algorithm_changes(name: str, what: Operation) -> None:
    for edge in (MIB - 1, 56 * MIB):
        below, above = (whole_devices(name, what, size, 16).duration_ns for size in (edge, edge + 1))
        assert below <= above


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("size_bytes", [KIB, MIB, GIB])
def test_a_larger_group_in_a_ring_never_takes_less_time_unless_it_gets_more_rings(name: str, size_bytes: int) -> None:
    chip, rates = chip_of(lookup(name)), rates_for(name)
    times_ns, shares = [], []
    for devices in range(1, lookup(name).devices + 1):
        ranks = devices * chip.cores // chip.default_lnc
        ring = algorithms_of("all-reduce", adjacency(lookup(name)), tuple(range(devices)), ranks, chip.name)[:1]
        collective = Collective("all-reduce", size_bytes, ranks, chip.default_lnc)
        times_ns.append(collective_cost(rates, ring, collective).duration_ns)
        shares.append(ring[0].busiest_share)
    faster = [n for n in range(1, len(times_ns)) if times_ns[n] < times_ns[n - 1]]
    assert all(shares[n] < shares[n - 1] for n in faster)
    # Three devices close a ring, 16 have two: that helps where links are slow for what cores move.
    assert [n + 1 for n in faster] == ([3, 16] if (name, size_bytes) == ("trn3p.48xlarge", GIB) else [])


@given(groups, st.sampled_from(OPERATIONS), SIZES)
def test_no_link_and_no_memory_is_faster_than_its_data_sheet(
    group: tuple[str, int], what: Operation, size: int
) -> None:
    name, devices = group
    rates, found = rates_for(name), whole_devices(name, what, size, devices)
    seconds = found.duration_ns / 1e9
    assert found.busiest_bytes <= rates.link_bytes_per_s * link_efficiency(rates.chip) * seconds
    assert found.step.work.hbm_read_bytes + found.step.work.hbm_written_bytes <= rates.hbm_bytes_per_s * seconds
    assert sum(found.step.work.traffic) == size
    assert found.step.work.flops == 0


@given(groups, st.sampled_from(OPERATIONS), SIZES)
def test_a_step_is_busy_for_its_collective_and_leaves_the_host_time(
    group: tuple[str, int], what: Operation, size: int
) -> None:
    found = whole_devices(group[0], what, size, group[1])
    work = found.step.work
    assert work.duration_ns == max(found.duration_ns, LAUNCH_NS)
    assert busy_ns(work) == min(found.duration_ns, device_ns(work.duration_ns))
    assert work.collectives_ns >= busy_ns(work)
    assert sum(part.seconds for part in found.step.parts) == pytest.approx(work.duration_ns / 1e9)


@pytest.mark.parametrize(
    ("operation", "factor"),
    [("all-reduce", 126 / 64), ("all-gather", 63 / 64), ("reduce-scatter", 63 / 64), ("all-to-all", 63 / 64),
     ("send-receive", 1.0)],
)  # fmt: skip
def test_bus_bandwidth_counts_what_nccom_test_counts(operation: Operation, factor: float) -> None:
    assert Collective(operation, 64 * MIB, 64, 2).received_bytes == 64 * MIB * factor
    assert Collective(operation, 64 * MIB, 1, 2).received_bytes == 0


@pytest.mark.parametrize(
    ("payload_bytes", "algorithm"),
    [(1, "mesh"), (MIB - 1, "mesh"), (MIB, "rdh"), (56 * MIB, "rdh"), (56 * MIB + 1, "kangaring"), (GIB, "kangaring")],
)
def test_the_size_decides_on_the_algorithm_where_there_is_a_choice(payload_bytes: int, algorithm: str) -> None:
    algorithms = algorithms_for("trn2.48xlarge", 16)
    position = choose(algorithms, payload_bytes)
    assert algorithms[position].pattern.name == algorithm
    assert choose(algorithms_for("trn1.32xlarge", 16), payload_bytes) == 0
    sent = traffic_of(rates_for("trn2.48xlarge"), 16, Reduction(3, payload_bytes))
    assert sent == tuple(3 * payload_bytes if i == position else 0 for i in range(4)), "one payload decides, not all"


def test_all_reduces_of_a_step_take_the_ways_of_their_algorithm() -> None:
    rates = rates_for("trn2.48xlarge")
    mesh, rdh = (all_reduce_seconds(rates, 16, Reduction(2, size)) for size in (MIB - 1, MIB))
    assert mesh == pytest.approx(2 * (MIB - 1) / rates.link_bytes_per_s)
    assert rdh == pytest.approx(2 * MIB * 30 / 64 / rates.link_bytes_per_s)


@pytest.mark.parametrize(("operation", "saved"), [("all-gather", 1 / 4), ("reduce-scatter", 1 / 3)])
def test_kangaring_touches_memory_less(operation: Operation, saved: float) -> None:
    """The savings that AWS documents."""
    whole, part = (whole_devices("trn2.48xlarge", operation, 64 * MIB, devices) for devices in (16, 8))
    assert (whole.algorithm.pattern.name, part.algorithm.pattern.name) == ("kangaring", "ring")
    touched = [
        (found.step.work.hbm_read_bytes + found.step.work.hbm_written_bytes) / ((ranks - 1) / ranks)
        for found, ranks in ((whole, 64), (part, 32))
    ]
    assert 1 - touched[0] / touched[1] == pytest.approx(saved, abs=1e-6)


@pytest.mark.parametrize(("operation", "reads", "writes"), [("all-reduce", 3, 2), ("all-gather", 1, 1)])
def test_a_reduction_reads_two_chunks_and_writes_one(operation: Operation, reads: int, writes: int) -> None:
    work = whole_devices("trn1.32xlarge", operation, 32 * MIB, 16).step.work
    assert (work.hbm_read_bytes, work.hbm_written_bytes) == (31 * MIB * reads, 31 * MIB * writes)


def test_waiting_bounds_small_payloads_and_moving_large_ones() -> None:
    bounds = [whole_devices("trn1.32xlarge", "all-reduce", size, 16).step.bound for size in (KIB, GIB)]
    assert bounds == ["latency", "collectives"]


def test_the_rate_of_links_that_nobody_measured_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="nobody published"):
        link_efficiency("Inferentia")
