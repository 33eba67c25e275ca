"""The Neuron chips and their cores as data: counts, sizes, rates and the names other programs know them by.

Peaks are dense FLOP/s (OP/s for int8). A data type or engine that a generation lacks is absent from the mapping, an
unknown value is None. The source and standing of every value is in `neurontools.hardware.provenance`.
"""

from typing import NamedTuple

from neurontools.units import GIB, KIB, MIB

_GIGA = 10**9
_TERA = 10**12


class NeuronCore(NamedTuple):
    """One physical core. Its peaks are those of the core's own specification, which AWS rounds apart from the chip's:
    92 TFLOP/s per NCv2 against 190 for two of them. `core_share` gives a core's part of the chip's figure."""

    version: str
    """Short version as the runtime writes it: "v1" .. "v4"."""
    arch_type: str
    """The driver's name: "NCv1" .. "NCv4"."""
    peak_flops: dict[str, int]
    """Tensor engine, dense: data type -> FLOP/s."""
    sparse_flops: int | None
    """Tensor engine with M:N structured sparsity, FLOP/s."""
    engine_clocks_hz: dict[str, int | None]
    """Every engine the core has -> clock in Hz; None where the clock is not published."""
    vector_flops: int | None
    scalar_flops: int | None
    """FP32 FLOP/s of the vector and the scalar engine."""
    sbuf_bytes: int | None
    psum_bytes: int | None
    gpsimd_processors: int | None
    gpsimd_bits_per_processor: int | None
    """Bits that one GPSIMD processor works on per cycle."""
    gpsimd_local_bytes: int | None
    """Local memory of one GPSIMD processor."""
    dma_engines: int
    dma_engine_bytes_per_s: int | None
    """What one DMA engine moves in theory."""
    dma_engine_measured_bytes_per_s: int | None
    """What one DMA engine was measured to move."""


class Chip(NamedTuple):
    """One Neuron device, as the driver numbers them; all figures are per device."""

    name: str
    """The driver's device_name, and the key in `CHIPS`."""
    arch_type: str
    """The driver's arch_type. Inferentia2 and Trainium2 both say "NDv3": tell chips apart by `family`."""
    family: str
    """The driver's instance_type: "Inf1", "Inf2", "Trn1", "Trn2", "Trn3"."""
    core: NeuronCore
    cores: int
    """Physical cores."""
    banks: int
    bank_bytes: int
    memory_bytes: int
    memory_kind: str
    """"DRAM" or "HBM"."""
    memory_bytes_per_s: int
    peak_flops: dict[str, int]
    """Tensor engines, dense: data type -> FLOP/s."""
    fp8_format: str | None
    """What the key "fp8" of the peaks stands for."""
    sparse_flops: int | None
    dma_engines: int
    dma_host_engines: int | None
    """Further DMA engines between host and device."""
    dma_bytes_per_s: int | None
    cc_cores: int | None
    """Processors for collective communication."""
    dice: int | None
    pci_device_ids: tuple[int, ...]
    default_lnc: int
    """Physical cores per logical core unless the runtime is told otherwise."""
    reset_timeout_s: int | None
    """How long a reset may take."""
    monitor_device_type: str | None
    monitor_device_version: str | None
    monitor_core_version: str | None
    """neuron_device_type, neuron_device_version and, at the default LNC, neuroncore_version in AWS's neuron-monitor;
    the device version there is another numbering than the driver's arch_type."""


def core_share(chip: Chip, data_type: str) -> float | None:
    """One physical core's part of the chip's dense peak in FLOP/s; None for a data type that the chip lacks."""
    peak = chip.peak_flops.get(data_type)
    return None if peak is None else peak / chip.cores


def core_memory_bytes_per_s(chip: Chip) -> float:
    """One physical core's part of the device memory's bandwidth, in bytes per second."""
    return chip.memory_bytes_per_s / chip.cores


def banks_of_core(chip: Chip, core: int) -> tuple[int, ...]:
    """The memory banks that serve physical core `core` of one device; IndexError for a core that it lacks."""
    if not 0 <= core < chip.cores:
        raise IndexError(f"{chip.name} has cores 0 to {chip.cores - 1}, not {core}")
    return tuple(bank for bank in range(chip.banks) if core in cores_of_bank(chip, bank))


def cores_of_bank(chip: Chip, bank: int) -> tuple[int, ...]:
    """The physical cores of one device that bank `bank` serves, in order; IndexError for a bank that it lacks."""
    if not 0 <= bank < chip.banks:
        raise IndexError(f"{chip.name} has banks 0 to {chip.banks - 1}, not {bank}")
    per_bank = chip.cores // chip.banks
    return tuple(range(bank * per_bank, (bank + 1) * per_bank))


def official_core_version(chip_name: str, logical_neuroncore_config: int) -> str | None:
    """What AWS's tools call the logical cores, such as "v3d"; None for a chip or an LNC without a known name."""
    chip = CHIPS.get(chip_name)
    if chip is None or logical_neuroncore_config != chip.default_lnc:
        return None
    return chip.monitor_core_version


_NC_V1 = NeuronCore(
    version="v1",
    arch_type="NCv1",
    peak_flops={"bf16": 16 * _TERA, "fp16": 16 * _TERA, "int8": 32 * _TERA},
    sparse_flops=None,
    engine_clocks_hz={"tensor": None, "vector": None, "scalar": None},
    vector_flops=None,
    scalar_flops=None,
    sbuf_bytes=None,
    psum_bytes=None,
    gpsimd_processors=None,
    gpsimd_bits_per_processor=None,
    gpsimd_local_bytes=None,
    dma_engines=3,
    dma_engine_bytes_per_s=None,
    dma_engine_measured_bytes_per_s=None,
)

_NC_V2 = NeuronCore(
    version="v2",
    arch_type="NCv2",
    peak_flops={
        "fp32": 23 * _TERA,
        "tf32": 92 * _TERA,
        "bf16": 92 * _TERA,
        "fp16": 92 * _TERA,
        "fp8": 92 * _TERA,
        "int8": 190 * _TERA,
    },
    sparse_flops=None,
    engine_clocks_hz={
        "tensor": 2_800_000_000,
        "vector": 1_120_000_000,
        "scalar": 1_400_000_000,
        "gpsimd": 1_400_000_000,
    },
    vector_flops=2_300 * _GIGA,
    scalar_flops=2_900 * _GIGA,
    sbuf_bytes=24 * MIB,
    psum_bytes=2 * MIB,
    gpsimd_processors=8,
    gpsimd_bits_per_processor=512,
    gpsimd_local_bytes=64 * KIB,
    dma_engines=16,
    dma_engine_bytes_per_s=27_200_000_000,
    dma_engine_measured_bytes_per_s=17 * _GIGA,
)

_NC_V3 = _NC_V2._replace(
    version="v3",
    arch_type="NCv3",
    peak_flops={"fp32": 20 * _TERA, "bf16": 79 * _TERA, "fp16": 79 * _TERA, "fp8": 158 * _TERA},
    sparse_flops=316 * _TERA,
    engine_clocks_hz={
        "tensor": 2_400_000_000,
        "vector": 960_000_000,
        "scalar": 1_200_000_000,
        "gpsimd": 1_200_000_000,
    },
    vector_flops=1_000 * _GIGA,
    scalar_flops=1_200 * _GIGA,
    sbuf_bytes=28 * MIB,
    dma_engine_measured_bytes_per_s=23 * _GIGA,
)

_NC_V4 = _NC_V3._replace(
    version="v4",
    arch_type="NCv4",
    peak_flops={"fp32": 20 * _TERA, "bf16": 79 * _TERA, "fp16": 79 * _TERA, "fp8": 315 * _TERA},
    sparse_flops=315 * _TERA,
    engine_clocks_hz={
        "tensor": 2_400_000_000,
        "vector": 1_200_000_000,
        "scalar": 1_200_000_000,
        "gpsimd": 1_200_000_000,
    },
    vector_flops=1_200 * _GIGA,
    sbuf_bytes=32 * MIB,
    dma_engine_bytes_per_s=38_400_000_000,
    dma_engine_measured_bytes_per_s=33 * _GIGA,
)

_INFERENTIA = Chip(
    name="Inferentia",
    arch_type="NDv1",
    family="Inf1",
    core=_NC_V1,
    cores=4,
    banks=2,
    bank_bytes=4 * GIB,
    memory_bytes=8 * GIB,
    memory_kind="DRAM",
    memory_bytes_per_s=50 * GIB,
    peak_flops={"bf16": 64 * _TERA, "fp16": 64 * _TERA, "int8": 128 * _TERA},
    fp8_format=None,
    sparse_flops=None,
    dma_engines=12,
    dma_host_engines=None,
    dma_bytes_per_s=None,
    cc_cores=None,
    dice=None,
    pci_device_ids=(0x7064, 0x7065, 0x7066, 0x7067),
    default_lnc=1,
    reset_timeout_s=None,
    monitor_device_type="inferentia",
    monitor_device_version="v1",
    monitor_core_version="v1",
)

_TRAINIUM1 = Chip(
    name="Trainium1",
    arch_type="NDv2",
    family="Trn1",
    core=_NC_V2,
    cores=2,
    banks=2,
    bank_bytes=16 * GIB,
    memory_bytes=32 * GIB,
    memory_kind="HBM",
    memory_bytes_per_s=820 * _GIGA,
    peak_flops={
        "fp32": 47_500 * _GIGA,
        "tf32": 190 * _TERA,
        "bf16": 190 * _TERA,
        "fp16": 190 * _TERA,
        "fp8": 190 * _TERA,
        "int8": 380 * _TERA,
    },
    fp8_format="cFP8",
    sparse_flops=None,
    dma_engines=32,
    dma_host_engines=2,
    dma_bytes_per_s=1_000 * _GIGA,
    cc_cores=6,
    dice=1,
    pci_device_ids=(0x7164,),
    default_lnc=1,
    reset_timeout_s=120,
    monitor_device_type="trainium",
    monitor_device_version="v2",
    monitor_core_version="v2",
)

_INFERENTIA2 = _TRAINIUM1._replace(
    name="Inferentia2",
    arch_type="NDv3",
    family="Inf2",
    pci_device_ids=(0x7264,),
    monitor_device_type="inferentia2",
    monitor_device_version="v3",
)

_TRAINIUM2 = Chip(
    name="Trainium2",
    arch_type="NDv3",
    family="Trn2",
    core=_NC_V3,
    cores=8,
    banks=4,
    bank_bytes=24 * GIB,
    memory_bytes=96 * GIB,
    memory_kind="HBM",
    memory_bytes_per_s=2_900 * _GIGA,
    peak_flops={"fp32": 181 * _TERA, "bf16": 667 * _TERA, "fp16": 667 * _TERA, "fp8": 1_299 * _TERA},
    fp8_format="FP8",
    sparse_flops=2_563 * _TERA,
    dma_engines=128,
    dma_host_engines=4,
    dma_bytes_per_s=3_500 * _GIGA,
    cc_cores=16,
    dice=2,
    pci_device_ids=(0x7364,),
    default_lnc=2,
    reset_timeout_s=480,
    monitor_device_type="trainium2",
    monitor_device_version="v4",
    monitor_core_version="v3d",
)

_TRAINIUM3 = Chip(
    name="Trainium3",
    arch_type="NDv4",
    family="Trn3",
    core=_NC_V4,
    cores=8,
    banks=4,
    bank_bytes=36 * GIB,
    memory_bytes=144 * GIB,
    memory_kind="HBM",
    memory_bytes_per_s=4_900 * _GIGA,
    peak_flops={"fp32": 183 * _TERA, "bf16": 671 * _TERA, "fp16": 671 * _TERA, "fp8": 2_517 * _TERA},
    fp8_format="MXFP8",
    sparse_flops=2_517 * _TERA,
    dma_engines=128,
    dma_host_engines=None,
    dma_bytes_per_s=4_900 * _GIGA,
    cc_cores=16,
    dice=2,
    pci_device_ids=(0x7564, 0x7565),
    default_lnc=2,
    reset_timeout_s=None,
    monitor_device_type="trainium3",
    monitor_device_version=None,
    monitor_core_version=None,
)

CORES = {core.arch_type: core for core in (_NC_V1, _NC_V2, _NC_V3, _NC_V4)}
CHIPS = {chip.name: chip for chip in (_INFERENTIA, _INFERENTIA2, _TRAINIUM1, _TRAINIUM2, _TRAINIUM3)}
