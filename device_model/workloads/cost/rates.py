"""The data-sheet rates of one physical core and its links."""

from __future__ import annotations

from typing import NamedTuple

from neurontools.hardware.chips import core_memory_bytes_per_s, core_share
from neurontools.hardware.instances import chip_of, link_bytes_per_s, lookup

_GPSIMD_LANE_BITS = 32


class CoreRates(NamedTuple):
    """Data-sheet rates of one physical core; zero where the generation has no such engine, or no figure for it."""

    generation: str
    """"v1" .. "v4", the key of the calibrated constants."""
    peak_flops: float
    """Tensor engine, BF16 dense, FLOP/s: the core's share of the chip's figure."""
    hbm_bytes_per_s: float
    """The core's share of its device's memory bandwidth."""
    vector_flops: float
    scalar_flops: float
    gpsimd_ops_per_s: float
    """32-bit lanes of all GPSIMD processors times their clock."""
    link_bytes_per_s: float
    """One link, one direction; zero on an instance without links."""
    chip: str
    """The chip's name, as in `neurontools.hardware.chips.CHIPS`."""
    instance: str


def rates_for(instance_name: str, data_type: str = "bf16") -> CoreRates:
    """The rates of one physical core of an instance type, its peak that of `data_type`.

    KeyError, naming the nearest type, for an unknown one; a peak of zero for a data type that the chip lacks.
    """
    instance = lookup(instance_name)
    chip = chip_of(instance)
    core = chip.core
    lanes = (core.gpsimd_processors or 0) * (core.gpsimd_bits_per_processor or 0) // _GPSIMD_LANE_BITS
    return CoreRates(
        generation=core.version,
        peak_flops=core_share(chip, data_type) or 0.0,
        hbm_bytes_per_s=core_memory_bytes_per_s(chip),
        vector_flops=float(core.vector_flops or 0),
        scalar_flops=float(core.scalar_flops or 0),
        gpsimd_ops_per_s=float(lanes * (core.engine_clocks_hz.get("gpsimd") or 0)),
        link_bytes_per_s=link_bytes_per_s(instance) or 0.0,
        chip=chip.name,
        instance=instance.name,
    )
