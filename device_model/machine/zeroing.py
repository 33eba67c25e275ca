"""What a write to one of the driver's counter files does: it zeroes that one value, and counting goes on from there."""

from device_model.machine.device import Device
from neurontools.hardware.driver import ATTRIBUTES

_ZEROED = frozenset((attribute.scope, attribute.path) for attribute in ATTRIBUTES if attribute.clears)


def zero_file(device: Device, core: int | None, path: str, time_ns: int) -> bool:
    """Zeroes the file at `path` below the directory of a device, or of one of its cores, numbered within it.

    Returns whether it is a file that a write zeroes.
    """
    if ("device" if core is None else "core", path) not in _ZEROED:
        return False
    _, group, *names, file = path.split("/")
    if group != "memory_usage":
        assert core is not None
        device.cores[core].zero(names[0], file, time_ns)
        return True
    pool, category = names[0], names[1] if len(names) > 1 else None
    if pool == "host_mem":
        device.ledger.zero_host(core, category, file)
    else:
        assert core is not None
        device.ledger.zero_device(core, category, file)
    return True
