"""Placement: whole devices side by side or an even part of one, on logical cores, each core once."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.runtime.placement import Placement, PlacementError, degrees
from neurontools.hardware.instances import INSTANCES
from tests.device_model.machine.lockstep import node

NODES = {(name, lnc): node(name, lnc) for name in ("inf2.48xlarge", "trn1.2xlarge") for lnc in (1,)} | {
    (name, lnc): node(name, lnc) for name in ("trn2.3xlarge", "trn3.48xlarge") for lnc in (1, 2)
}


@pytest.mark.parametrize(
    ("name", "lnc", "expected"),
    [
        ("inf2.48xlarge", 1, [1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]),
        ("inf2.xlarge", 1, [1, 2]),
        ("inf1.xlarge", 1, [1, 2, 4]),
        ("trn2.3xlarge", 2, [1, 2, 4]),
        ("trn2.3xlarge", 1, [1, 2, 4, 8]),
        ("trn3.48xlarge", 2, [1, 2, 4]),  # its devices have no links of their own
    ],
)
def test_degrees_count_logical_cores(name: str, lnc: int, expected: list[int]) -> None:
    assert degrees(node(name, lnc)) == expected


@given(st.sampled_from(sorted(NODES)), st.lists(st.integers(0, 99), max_size=12))
def test_every_core_is_given_once_and_a_replica_never_splits_a_device(
    where: tuple[str, int], wanted: list[int]
) -> None:
    host = NODES[where]
    placement, given_out = Placement(host), list[int]()
    for choice in wanted:
        degree = degrees(host)[choice % len(degrees(host))]
        try:
            cores = [core.number for core in placement.place(degree, "tp")]
        except PlacementError as error:
            assert "side by side" in str(error)
            continue
        assert len(cores) == degree * host.logical_neuroncore_config
        assert cores == list(range(cores[0], cores[0] + len(cores)))
        assert cores[0] % min(len(cores), host.chip.cores) == 0
        given_out += cores
    assert len(set(given_out)) == len(given_out)


def test_cores_that_a_scenario_insists_on_may_be_taken() -> None:
    placement = Placement(node("trn2.3xlarge"))
    first, second = placement.place(2, "tp"), placement.place(2, "tp", first_core=0)
    assert [core.number for core in first] == [core.number for core in second] == [0, 1, 2, 3]
    assert [core.number for core in placement.place(1, "tp")] == [4, 5]


@pytest.mark.parametrize(
    ("name", "degree", "first_core", "message"),
    [
        ("inf2.48xlarge", 3, None, "tp = 3 does not fit on inf2.48xlarge: expected one of 1, 2, 4, 6"),
        ("trn3.48xlarge", 8, None, "tp = 8 does not fit on trn3.48xlarge: expected one of 1, 2, 4"),
        ("inf2.48xlarge", 4, 22, "go beyond the last NeuronCore of inf2.48xlarge, 23"),
        ("trn2.3xlarge", 4, 4, "go beyond the last NeuronCore of trn2.3xlarge, 3"),
        ("inf2.48xlarge", 2, 1, "first_core = 1 would split devices: .* expected a multiple of 2"),
        ("trn3.48xlarge", 4, 2, "first_core = 2 would split devices: .* expected a multiple of 4"),
    ],
)
def test_what_does_not_fit_is_explained(name: str, degree: int, first_core: int | None, message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        Placement(node(name)).place(degree, "tp", first_core)


def test_a_full_node_says_what_is_free() -> None:
    placement = Placement(node("trn2.3xlarge"))
    placement.place(2, "tp")
    placement.place(1, "tp")
    with pytest.raises(PlacementError, match=r"needs 2 free NeuronCores .* has 4 and 1 of them are free"):
        placement.place(2, "tp")


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_a_node_holds_its_largest_replica(name: str) -> None:
    host = node(name)
    cores = Placement(host).place(degrees(host)[-1], "tp")
    alone = host.links.capacity_bytes_per_s is None and len(host.devices) > 1
    assert len(cores) == (host.chip.cores if alone else len(host.cores))
