"""A device's own counters and states: memory errors as the driver counts them, and what a reset has come to."""

import pytest

from device_model.machine.device import Device
from neurontools.hardware.driver import RESET_STATES
from tests.device_model.machine.lockstep import node


def device() -> Device:
    return node().devices[0]


@pytest.mark.parametrize(("name", "times", "shown"), [
    ("sram_ecc_corrected", 65_535, 65_535),
    ("sram_ecc_corrected", 65_537, 1),
    ("sram_ecc_uncorrected", 65_536, 0),
    ("mem_ecc_corrected", 65_537, 65_537),
])  # fmt: skip
def test_counts_of_sram_wrap_at_sixteen_bits_and_those_of_device_memory_do_not(
    name: str, times: int, shown: int
) -> None:
    counting = device()
    for _ in range(times):
        counting.count_ecc(name)
    assert counting.ecc == dict.fromkeys(counting.ecc, 0) | {name: shown}


def test_the_reset_state_is_the_drivers_word_for_all_causes_together() -> None:
    resetting = device()
    states = [resetting.reset_state]
    resetting.unusable_by.add(1)
    states.append(resetting.reset_state)
    resetting.resetting_by.update({2, 3})
    states.append(resetting.reset_state)
    resetting.resetting_by.remove(3)
    assert (states, resetting.reset_state, resetting.ready) == (["ready", "invalid", "reset"], "reset", False)
    resetting.resetting_by.clear()
    resetting.unusable_by.clear()
    assert resetting.ready
    assert {state.upper() for state in states} == set(RESET_STATES)
