"""All faults by name."""

from device_model.faults import core, device, driver, links, memory, process
from device_model.faults.fault import Fault, FaultError
from neurontools.spelling import did_you_mean

_FAMILIES = (memory, core, links, process, device, driver)

FAULTS: dict[str, Fault] = {fault.name: fault for family in _FAMILIES for fault in family.FAULTS}
"""In the order of their families."""


def fault_named(name: str) -> Fault:
    """The fault of that name; FaultError, which names the nearest, where there is none."""
    if name not in FAULTS:
        raise FaultError(f"there is no fault {name!r:.40}{did_you_mean(name, FAULTS)}")
    return FAULTS[name]
