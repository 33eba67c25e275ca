"""The lines that the driver writes to the kernel's log about hardware that fails: pure functions from facts to text."""

from device_model.machine.device import Device
from neurontools.schema.inventory import NO_INSTANCE_ID

ACTION_TERMINATE, ACTION_REPLACE = "TERMINATE_INSTANCE", "REPLACE_INSTANCE"
"""What the driver's line asks for; the second word is assumed, only the first was seen."""

SRAM_UNCORRECTABLE = "SRAM_UNCORRECTABLE_ERROR"
CORE_UNCORRECTABLE = "NC_UNCORRECTABLE_ERROR"
HBM_UNCORRECTABLE = "HBM_UNCORRECTABLE_ERROR"
DMA_ERROR = "DMA_ERROR"
HANG_ON_COLLECTIVES = "HANG_ON_COLLECTIVES"

INSTANCE_ID = NO_INSTANCE_ID
HOST_NAME = "simulated"


def hardware_error(device: Device, core_index: int, error: str, action: str) -> str:
    """The line that node problem detectors look for; cores are numbered within their device.

    Their expression wants text on both sides of NEURON_HW_ERR=…, so there is a prefix.
    """
    return (
        f"neuron:nd{device.index}: NEURON_HW_ERR={error} instance-id={INSTANCE_ID} hostname={HOST_NAME} "
        f"nd-id={device.index} nc-id={core_index} serial-num={device.serial_number or 0} action={action}"
    )
