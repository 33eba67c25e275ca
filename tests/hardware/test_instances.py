"""The instance types against AWS's published totals and against captured listings."""

import subprocess
import sys
from pathlib import Path

import pytest

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.instances import (
    INSTANCES,
    Instance,
    chip_of,
    core_count,
    link_bytes_per_s,
    lookup,
    total_memory_bytes,
    total_memory_bytes_per_s,
    total_peak_flops,
)
from neurontools.units import GIB

EVERY = pytest.mark.parametrize("instance", INSTANCES.values(), ids=list(INSTANCES))

# devices, cores, vCPU, host GiB, device memory GiB, TB/s, BF16 PFLOP/s (FP16 on Inf1), each as AWS rounds it
PUBLISHED = {
    "inf1.xlarge": (1, 4, 4, 8, 8, 0.05, 0.064),
    "inf1.2xlarge": (1, 4, 8, 16, 8, 0.05, 0.064),
    "inf1.6xlarge": (4, 16, 24, 48, 32, 0.2, 0.256),
    "inf1.24xlarge": (16, 64, 96, 192, 128, 0.8, 1.02),
    "inf2.xlarge": (1, 2, 4, 16, 32, 0.82, 0.19),
    "inf2.8xlarge": (1, 2, 32, 128, 32, 0.82, 0.19),
    "inf2.24xlarge": (6, 12, 96, 384, 192, 4.92, 1.14),
    "inf2.48xlarge": (12, 24, 192, 768, 384, 9.84, 2.28),
    "trn1.2xlarge": (1, 2, 8, 32, 32, 0.82, 0.19),
    "trn1.32xlarge": (16, 32, 128, 512, 512, 13.12, 3.04),
    "trn1n.32xlarge": (16, 32, 128, 512, 512, 13.12, 3.04),
    "trn2.3xlarge": (1, 8, 12, 124, 96, 2.9, 0.667),
    "trn2.48xlarge": (16, 128, 192, 2048, 1536, 46.4, 10.7),
    "trn2u.48xlarge": (16, 128, 192, 2048, 1536, 46.4, 10.7),
}
# nodes, then the UltraServer's devices, cores, vCPU, host GiB, device memory GiB, TB/s, BF16 and FP8 PFLOP/s
ULTRASERVERS = {
    "trn2u.48xlarge": (4, 64, 512, 768, 8192, 6144, 185.6, 42.8, 83.2),
    "trn3p.48xlarge": (4, 64, 512, 768, 8192, 9216, 313.6, 42.9, 161),
    "trn3.48xlarge": (36, 144, 1152, 2304, 27648, 20736, 705.6, 96.6, 362),
}


def _sizes(instance: Instance) -> tuple[float, ...]:
    return (
        instance.devices,
        core_count(instance),
        instance.vcpus,
        instance.host_memory_bytes / GIB,
        total_memory_bytes(instance) / GIB,
    )


def _peak(instance: Instance, data_type: str = "bf16") -> float:
    peak = total_peak_flops(instance, data_type)
    assert peak is not None
    return peak / 1e15


def test_inf2_48xlarge_has_the_totals_that_aws_names() -> None:
    instance = INSTANCES["inf2.48xlarge"]
    assert total_peak_flops(instance, "bf16") == 2_280_000_000_000_000
    assert total_memory_bytes(instance) == 384 * GIB
    assert total_memory_bytes_per_s(instance) == 9_840_000_000_000
    assert core_count(instance) == 24


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_totals_follow_from_the_chips(name: str) -> None:
    *sizes, terabytes_per_s, petaflops = PUBLISHED[name]
    instance = INSTANCES[name]
    assert _sizes(instance) == tuple(sizes)
    # Inf1's bandwidth is 50 GiB/s a chip and rounded to 0.05 TB/s
    rounding = 0.08 if chip_of(instance).family == "Inf1" else 0.001
    assert total_memory_bytes_per_s(instance) / 1e12 == pytest.approx(terabytes_per_s, rel=rounding)
    assert _peak(instance) == pytest.approx(petaflops, rel=0.005)


@pytest.mark.parametrize("name", ULTRASERVERS)
def test_nodes_of_ultraservers_add_up(name: str) -> None:
    nodes, *sizes, terabytes_per_s, petaflops, fp8_petaflops = ULTRASERVERS[name]
    instance = INSTANCES[name]
    assert tuple(size * nodes for size in _sizes(instance)) == tuple(sizes)
    assert nodes * total_memory_bytes_per_s(instance) / 1e12 == pytest.approx(terabytes_per_s)
    assert nodes * _peak(instance) == pytest.approx(petaflops, rel=0.005)
    assert nodes * _peak(instance, "fp8") == pytest.approx(fp8_petaflops, rel=0.005)


def test_a_data_type_that_the_chip_lacks_has_no_total() -> None:
    assert total_peak_flops(INSTANCES["inf1.xlarge"], "fp8") is None


@EVERY
def test_per_device_tables_have_one_entry_per_device(instance: Instance) -> None:
    assert instance.chip in CHIPS
    for table in (instance.bdfs, instance.numa_nodes, instance.cpu_affinity, *instance.other_bdfs):
        assert table is None or len(table) == instance.devices
    for order in (instance.bdfs, *instance.other_bdfs):
        assert order is None or len(set(order)) == instance.devices
    for order in instance.other_bdfs:
        assert set(order) == set(instance.bdfs or ())


@EVERY
def test_a_numa_node_has_one_list_of_cpus(instance: Instance) -> None:
    pairs = set(zip(instance.numa_nodes or (), instance.cpu_affinity or (), strict=True))
    assert len({node for node, _ in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("inf1.6xlarge", 16 * GIB),
        ("inf2.48xlarge", 96e9),
        ("inf2.24xlarge", 96e9),
        ("trn1.32xlarge", 96e9),
        ("trn1n.32xlarge", 192e9),
        ("trn2.48xlarge", 256e9),
        ("inf2.xlarge", None),
        ("trn3.48xlarge", None),
    ],
)
def test_a_link_has_its_share_of_the_bandwidth_in_the_server(name: str, link: float | None) -> None:
    assert link_bytes_per_s(INSTANCES[name]) == link


def test_a_known_name_is_found_and_an_unknown_one_gets_a_suggestion() -> None:
    assert lookup("trn2.48xlarge") is INSTANCES["trn2.48xlarge"]
    with pytest.raises(KeyError, match=r"the nearest known one is 'inf2\.48xlarge'"):
        lookup("inf2.48xlrage")
    with pytest.raises(KeyError, match="unknown instance type ''"):
        lookup("")


def _rows(text: str) -> list[list[str]]:
    """The cells of the first listing's device rows in a captured table."""
    lines = [line for line in text.splitlines() if line[:3] == "| " + line[2:3] and line[2:3].isdigit()]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", ["inf2.48xlarge", "trn1.32xlarge", "trn2n.48xlarge"])
def test_pci_addresses_are_those_of_captured_listings(name: str, captures: Path) -> None:
    source = captures / f"neuron-ls.{name}.txt"
    if not source.is_file():
        source = captures / f"neuron-ls.{name}.docs.plain.txt"
    rows = _rows(source.read_text())
    addresses = tuple("0000:" + next(cell for cell in row if cell.endswith(".0")).removeprefix("0000:") for row in rows)
    instance = INSTANCES[name]
    assert addresses in (instance.bdfs, *instance.other_bdfs)
    if len(rows[0]) == 8:
        assert tuple(row[6] for row in rows) == instance.cpu_affinity
        assert tuple(int(row[7]) for row in rows) == instance.numa_nodes


def test_importing_the_tables_pulls_in_nothing_dear() -> None:
    modules = "instances, topology, driver, nrt"
    program = f"import sys, typing\nbefore = set(sys.modules)\nfrom neurontools.hardware import {modules}\n"
    program += "print(*sorted(set(sys.modules) - before))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    extra = {name for name in answer.stdout.split() if name.partition(".")[0] != "neurontools"}
    assert extra == set()
    assert "neurontools.hardware.provenance" not in answer.stdout
