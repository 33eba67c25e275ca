"""Where the devices sit on the PCI bus, which the driver does not tell: from published tables, where these fit."""

import re
from typing import NamedTuple

from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.layout import Layout, bound_functions
from neurontools.sources.sysfs.reasons import Reasons

_FUNCTIONS = "sys/bus/pci/devices"
_NODE = re.compile(r"-1|[0-9]{1,4}")


class Seat(NamedTuple):
    """One device's place; None is unknown."""

    bdf: str | None = None
    numa_node: int | None = None
    cpu_affinity: str | None = None


NOWHERE = Seat()


def seats(root: Root, layout: Layout, reasons: Reasons) -> dict[int, Seat]:
    """The places of the visible devices, where they can be told."""
    order = _order(layout, bound_functions(root), reasons)
    return {device.device: _seat(root, order[device.device]) for device in layout.devices if device.device in order}


def _order(layout: Layout, bound: list[str], reasons: Reasons) -> dict[int, str]:
    """The PCI address of each device of the node.

    One function can only be the one device. More of them are told apart by a published order for this instance type,
    if it is of just these functions, and the only such order.
    """
    if len(bound) == 1:
        return {device.device: bound[0] for device in layout.devices} if len(layout.devices) == 1 else {}
    instance = layout.instance
    published = [] if instance is None else [order for order in (instance.bdfs, *instance.other_bdfs) if order]
    fitting = [order for order in published if sorted(order) == bound]
    if len(fitting) == 1:
        return dict(enumerate(fitting[0]))
    if not bound:
        why = "no PCI function is bound to the driver"
    elif fitting:
        why = f"{len(fitting)} orders of these PCI functions are published for {layout.instance_type}"
    else:
        why = "no published order has just these PCI functions"
    reasons.one("bdf", (why, None))
    return {}


def _seat(root: Root, bdf: str) -> Seat:
    node = root.text(f"{_FUNCTIONS}/{bdf}/numa_node")
    affinity = root.text(f"{_FUNCTIONS}/{bdf}/local_cpulist")
    return Seat(bdf, int(node) if _NODE.fullmatch(node) else None, affinity or None)
