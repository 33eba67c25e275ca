"""The driver's lines in the kernel's log: what AWS's node problem detector looks for is there, and found."""

import re

import pytest

from device_model.machine import kernel_log
from tests.device_model.machine.lockstep import node

DETECTED = re.compile(r".* NEURON_HW_ERR=(SRAM_UNCORRECTABLE|NC_UNCORRECTABLE|HBM_UNCORRECTABLE|DMA)_ERROR .*")
"""The expression of AWS's node problem detector for Neuron."""

ERRORS = (
    kernel_log.SRAM_UNCORRECTABLE,
    kernel_log.CORE_UNCORRECTABLE,
    kernel_log.HBM_UNCORRECTABLE,
    kernel_log.DMA_ERROR,
)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("instance", ["inf2.48xlarge", "trn2.48xlarge"])
def test_the_detector_finds_the_error_in_the_line(instance: str, error: str) -> None:
    device = node(instance).devices[3]
    line = kernel_log.hardware_error(device, 1, error, kernel_log.ACTION_TERMINATE)
    found = DETECTED.fullmatch(line)
    assert found is not None
    assert f"{found[1]}_ERROR" == error
    assert line.endswith(
        f"instance-id={kernel_log.INSTANCE_ID} hostname={kernel_log.HOST_NAME} nd-id=3 nc-id=1 "
        f"serial-num={device.serial_number} action=TERMINATE_INSTANCE"
    )


def test_a_hang_is_another_matter() -> None:
    line = kernel_log.hardware_error(node().devices[0], 0, kernel_log.HANG_ON_COLLECTIVES, kernel_log.ACTION_TERMINATE)
    assert DETECTED.fullmatch(line) is None
    assert " NEURON_HW_ERR=HANG_ON_COLLECTIVES " in line


def test_a_chip_whose_driver_shows_no_serial_number_has_none_in_the_line() -> None:
    device = node("inf1.xlarge").devices[0]
    assert " serial-num=0 " in kernel_log.hardware_error(device, 0, kernel_log.DMA_ERROR, kernel_log.ACTION_REPLACE)
