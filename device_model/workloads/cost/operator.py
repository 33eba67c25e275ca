"""What one call of a custom operator on the GPSIMD processors costs one NeuronCore, in time and in memory."""

from __future__ import annotations

from typing import NamedTuple

from device_model.runtime.loading import Caches, ModelImage, Piece, decoder_image
from device_model.workloads.cost.overlap import EngineWork, Waiting, engine_step
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import CostConstants, StepCost
from neurontools.hardware.chips import CHIPS, Chip
from neurontools.units import MIB

LIBRARY_BYTES = 1 * MIB
"""The operator's compiled library with its tables, on every core (assumed)."""


class Operator(NamedTuple):
    """A custom operator. Amounts are one physical core's part of a call; a call goes over its data once a trip."""

    elements: int
    """Of each input and output."""
    element_bits: int
    operations: int
    """On each element in each trip."""
    inputs: int
    outputs: int
    local: float
    """Share of the inputs that stay in the processors' local memory from trip to trip, as far as they fit there."""
    matmul_flops: float = 0.0
    vector_elements: float = 0.0
    """What the tensor and the vector engine do meanwhile, on data that is in SBUF already."""

    @property
    def tensor_bytes(self) -> int:
        """One input or output."""
        return self.elements * self.element_bits // 8

    @property
    def input_bytes(self) -> int:
        """All inputs."""
        return self.inputs * self.tensor_bytes


class Processors(NamedTuple):
    """The GPSIMD processors of one core together."""

    bytes_per_s: float
    """What they read or work on: 8 × 512 bits a cycle, 717 GB/s at 1.4 GHz."""
    local_bytes: int
    """Their local memories."""


def processors_of(chip: Chip) -> Processors | None:
    """None for a chip that has none."""
    core = chip.core
    count, bits, local_bytes = core.gpsimd_processors, core.gpsimd_bits_per_processor, core.gpsimd_local_bytes
    clock_hz = core.engine_clocks_hz.get("gpsimd")
    if count is None or bits is None or local_bytes is None or clock_hz is None:
        return None
    return Processors(count * bits / 8 * clock_hz, count * local_bytes)


def operator_work(operator: Operator, rates: CoreRates, trips: int) -> EngineWork:
    """What a call of `trips` trips asks of one core. ValueError for no trip, or a core without GPSIMD processors.

    The bandwidth of SBUF is not published. Reading an element from it, operating on it and writing it back each pass
    it through the processors once, at their 4096 bits a cycle, and none of the three hides another (assumed).
    What local memory cannot keep is read from SBUF again in every trip, what SBUF cannot keep also from HBM.
    FLOPs are the tensor engine's alone, as in the driver's flop_count: twice its multiply-accumulates.
    """
    chip = CHIPS[rates.chip]
    processors = processors_of(chip)
    if processors is None:
        raise ValueError(f"{chip.name} has no GPSIMD processors")
    if trips < 1:
        raise ValueError(f"trips {trips} must be at least 1")
    kept_bytes = min(operator.local * operator.input_bytes, processors.local_bytes)
    spilled_bytes = max(0, operator.input_bytes - (chip.core.sbuf_bytes or 0))
    again = trips - 1
    read_bytes = operator.input_bytes + again * (operator.input_bytes - kept_bytes)
    other_bytes = operator.tensor_bytes * (operator.operations * trips + operator.outputs)
    return EngineWork(
        tensor_flops=operator.matmul_flops,
        vector_elements=operator.vector_elements,
        gpsimd_operations=(read_bytes + other_bytes) * rates.gpsimd_ops_per_s / processors.bytes_per_s,
        hbm_read_bytes=operator.input_bytes + again * spilled_bytes,
        hbm_written_bytes=operator.outputs * operator.tensor_bytes,
    )


def operator_step(operator: Operator, rates: CoreRates, constants: CostConstants, trips: int) -> StepCost:
    """One call; its matrices fill the PE array as an encoder's do, and its fixed part is an encoder's (assumed)."""
    work = operator_work(operator, rates, trips)
    waiting = Waiting(fixed=constants.encoder_seconds)
    return engine_step(work, rates, constants, constants.encoder_compute_efficiency, waiting)


def operator_image(operator: Operator) -> ModelImage:
    """The compiled graph around the operator with its inputs and outputs, and scratch space for one of them."""
    graph = decoder_image("custom-operator", 1, LIBRARY_BYTES, Caches(0, 0), operator.tensor_bytes, 1)
    tensors = (Piece("tensors", "tensors", operator.tensor_bytes),) * (operator.inputs + operator.outputs)
    return graph._replace(last=(*graph.last, *tensors))
