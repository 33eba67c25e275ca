"""What shows that a machine has Neuron devices, whether or not their driver is loaded."""

import os
import re

from neurontools.hardware.driver import DIRECTORIES, PCI_VENDOR_ID

_HOST_TYPE = r"(inf|trn)\d"
_DRIVER_DIRECTORIES = (f"sys/{DIRECTORIES['class']}", f"sys/{DIRECTORIES['device'].rpartition('/')[0]}")


def neuron_host(root: str = "/") -> str | None:
    """What shows that this machine has Neuron devices; None where nothing does."""
    product = _text(root, "sys/class/dmi/id/product_name")
    if re.match(_HOST_TYPE, product):
        return f"DMI product name {product}"
    for directory in _DRIVER_DIRECTORIES:
        if os.path.isdir(os.path.join(root, directory)):
            return f"/{directory}"
    return _neuron_function(root)


def _neuron_function(root: str) -> str | None:
    from neurontools.hardware.chips import CHIPS  # most machines are known before this import is needed

    known = {device_id for chip in CHIPS.values() for device_id in chip.pci_device_ids}
    directory = "sys/bus/pci/devices"
    try:
        functions = sorted(os.listdir(os.path.join(root, directory)))
    except OSError:
        return None
    for function in functions:
        vendor, device = (_number(_text(root, f"{directory}/{function}/{name}")) for name in ("vendor", "device"))
        if vendor == PCI_VENDOR_ID and device in known:
            return f"PCI function {function}"
    return None


def _text(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None
