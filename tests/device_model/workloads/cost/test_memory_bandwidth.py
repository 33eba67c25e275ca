"""Device memory: no step of any kind moves more than its core's share of the bandwidth, so no bank can be overrun.

A bank that two cores share gives each of them half, whatever the other one does.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.cnn import cnn_step
from device_model.workloads.cost.collectives import Collective, algorithms_for, collective_cost
from device_model.workloads.cost.decoder import Chunk, decode_step, mixed_step, prefill
from device_model.workloads.cost.encoder import encoder_step
from device_model.workloads.cost.operator import Operator, operator_step
from device_model.workloads.cost.rates import CoreRates, rates_for
from device_model.workloads.cost.steps import CostConstants, StepCost
from device_model.workloads.models.cnns import CNNS
from device_model.workloads.models.datatypes import DATA_TYPES, data_types_of
from device_model.workloads.models.shapes import SHAPES
from neurontools.hardware.chips import banks_of_core, cores_of_bank
from neurontools.hardware.instances import INSTANCES, chip_of, lookup

KINDS = ("cnn", "collective", "decode", "encoder", "mixed", "operator", "prefill")
POWERS = st.integers(0, 12).map(lambda power: 1 << power)


@st.composite
def steps(draw: st.DrawFn, kind: str) -> tuple[CoreRates, StepCost]:
    """A step of this kind on any chip, in any of its data types, however the model is divided."""
    instance = lookup(draw(st.sampled_from(sorted(INSTANCES))))
    chip = chip_of(instance)
    data_type = DATA_TYPES[draw(st.sampled_from(data_types_of(chip)))]
    rates = rates_for(instance.name, data_type.multiplied)
    linked = instance.topology != "none"
    devices = draw(st.sampled_from([1, 2, 4, instance.devices])) if linked else 1
    tp = devices * chip.cores if devices > 1 else draw(st.sampled_from([1, 2, chip.cores]))
    sizes = (data_type.weight_bytes, data_type.element_bytes)
    return rates, _made(draw, kind, rates, constants_for(rates.generation), tp, devices, sizes)


def _made(
    draw: st.DrawFn,
    kind: str,
    rates: CoreRates,
    constants: CostConstants,
    tp: int,
    devices: int,
    sizes: tuple[int, int],
) -> StepCost:
    batch, tokens = draw(POWERS), draw(POWERS)
    if kind == "cnn":
        return cnn_step(draw(st.sampled_from(list(CNNS.values()))), rates, constants, batch, sizes[0])
    if kind == "collective":
        assume(rates.generation != "v1" and tp > 1)
        collective = Collective("all-reduce", batch * tokens, tp, 1)
        return collective_cost(rates, algorithms_for(rates.instance, devices), collective).step
    if kind == "operator":
        assume(rates.gpsimd_ops_per_s)
        operator = Operator(batch * tokens, draw(st.sampled_from([8, 32])), draw(st.integers(1, 8)), 3, 2, 0.0)
        return operator_step(operator, rates, constants, draw(st.integers(1, 9)))
    family = "encoder" if kind == "encoder" else "decoder"
    shape = draw(st.sampled_from([shape for shape in SHAPES.values() if shape.kind == family]))
    common = (shape, rates, constants, tp, devices, batch, tokens)
    if kind == "mixed":
        chunk = draw(POWERS)
        return mixed_step(*common, Chunk(chunk, max(chunk, tokens)), *sizes)
    if kind == "encoder":
        return encoder_step(*common, *sizes)
    return (decode_step if kind == "decode" else prefill)(*common, *sizes)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_step_moves_no_more_than_its_cores_share_allows(kind: str, data: st.DataObject) -> None:
    rates, cost = data.draw(steps(kind))
    work = cost.work
    assert work.hbm_read_bytes + work.hbm_written_bytes <= rates.hbm_bytes_per_s * work.duration_ns / 1e9


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_the_shares_of_a_banks_cores_are_all_of_it(name: str) -> None:
    chip = chip_of(lookup(name))
    per_bank = chip.memory_bytes_per_s / chip.banks
    served = [cores_of_bank(chip, bank) for bank in range(chip.banks)]
    assert sorted(core for cores in served for core in cores) == list(range(chip.cores))
    for core in range(chip.cores):
        (bank,) = banks_of_core(chip, core)
        assert rates_for(name).hbm_bytes_per_s * len(served[bank]) <= per_bank * (1 + 1e-12)
