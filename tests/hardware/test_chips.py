"""The chips' figures against each other and against what follows from the engines."""

import pytest

from neurontools.hardware.chips import (
    CHIPS,
    CORES,
    Chip,
    NeuronCore,
    banks_of_core,
    core_memory_bytes_per_s,
    core_share,
    cores_of_bank,
)

DATA_TYPES = {"fp32", "tf32", "bf16", "fp16", "fp8", "int8"}
PE_ARRAY = 128 * 128


@pytest.mark.parametrize("chip", CHIPS.values(), ids=list(CHIPS))
def test_memory_and_banks_agree(chip: Chip) -> None:
    assert chip.memory_bytes == chip.banks * chip.bank_bytes
    served = [core for bank in range(chip.banks) for core in cores_of_bank(chip, bank)]
    assert served == list(range(chip.cores))


@pytest.mark.parametrize("chip", CHIPS.values(), ids=list(CHIPS))
def test_a_bank_serves_the_cores_that_name_it(chip: Chip) -> None:
    for core in range(chip.cores):
        (bank,) = banks_of_core(chip, core)
        assert core in cores_of_bank(chip, bank)
    with pytest.raises(IndexError, match="has cores 0 to"):
        banks_of_core(chip, chip.cores)
    with pytest.raises(IndexError, match="has banks 0 to"):
        cores_of_bank(chip, -1)


def test_two_physical_cores_share_a_bank_from_trainium2_on() -> None:
    assert cores_of_bank(CHIPS["Inferentia2"], 1) == (1,)
    assert cores_of_bank(CHIPS["Trainium2"], 3) == (6, 7)
    assert banks_of_core(CHIPS["Trainium3"], 2) == (1,)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=list(CHIPS))
def test_core_and_chip_name_the_same_data_types_and_nearly_the_same_peaks(chip: Chip) -> None:
    assert set(chip.peak_flops) == set(chip.core.peak_flops) <= DATA_TYPES
    assert ("fp8" in chip.peak_flops) == (chip.fp8_format is not None)
    for data_type, peak in chip.core.peak_flops.items():
        assert peak == pytest.approx(core_share(chip, data_type), rel=0.13)


def test_a_data_type_that_a_chip_lacks_has_no_share() -> None:
    assert core_share(CHIPS["Trainium2"], "int8") is None
    assert core_share(CHIPS["Inferentia2"], "bf16") == 95e12


@pytest.mark.parametrize(("name", "share"), [("Trainium1", 410e9), ("Trainium2", 362.5e9), ("Trainium3", 612.5e9)])
def test_cores_share_the_memory_bandwidth(name: str, share: float) -> None:
    assert core_memory_bytes_per_s(CHIPS[name]) == share


@pytest.mark.parametrize("name", ["NCv2", "NCv3", "NCv4"])
def test_the_bf16_peak_is_what_the_array_does_at_its_clock(name: str) -> None:
    core = CORES[name]
    clock = core.engine_clocks_hz["tensor"]
    assert clock is not None
    assert core.peak_flops["bf16"] == pytest.approx(PE_ARRAY * 2 * clock, rel=0.01)


@pytest.mark.parametrize(("name", "measured"), [("NCv2", 272e9), ("NCv3", 368e9), ("NCv4", 528e9)])
def test_the_dma_engines_of_a_core_add_up(name: str, measured: float) -> None:
    core = CORES[name]
    assert core.dma_engine_measured_bytes_per_s is not None
    assert core.dma_engine_bytes_per_s is not None
    assert core.dma_engines * core.dma_engine_measured_bytes_per_s == measured
    assert core.dma_engine_measured_bytes_per_s < core.dma_engine_bytes_per_s


@pytest.mark.parametrize("chip", CHIPS.values(), ids=list(CHIPS))
def test_the_chip_counts_its_cores_dma_engines(chip: Chip) -> None:
    assert chip.dma_engines == chip.cores * chip.core.dma_engines


def test_gpsimd_works_on_4096_bits_a_cycle() -> None:
    core: NeuronCore = CHIPS["Inferentia2"].core
    assert core.gpsimd_processors is not None
    assert core.gpsimd_bits_per_processor is not None
    assert core.gpsimd_processors * core.gpsimd_bits_per_processor == 4096


def test_inf1_has_no_gpsimd_engine() -> None:
    assert list(CORES["NCv1"].engine_clocks_hz) == ["tensor", "vector", "scalar"]
    assert CORES["NCv1"].gpsimd_processors is None


def test_the_names_that_tell_chips_apart_are_unique() -> None:
    chips = list(CHIPS.values())
    assert len({chip.family for chip in chips}) == len(chips)
    ids = [device_id for chip in chips for device_id in chip.pci_device_ids]
    assert len(set(ids)) == len(ids)
    assert CHIPS["Inferentia2"].arch_type == CHIPS["Trainium2"].arch_type == "NDv3"


def test_monitor_strings_at_the_default_logical_core() -> None:
    found = {name: (chip.monitor_device_version, chip.monitor_core_version) for name, chip in CHIPS.items()}
    assert found == {
        "Inferentia": ("v1", "v1"),
        "Inferentia2": ("v3", "v2"),
        "Trainium1": ("v2", "v2"),
        "Trainium2": ("v4", "v3d"),
        "Trainium3": (None, None),
    }
