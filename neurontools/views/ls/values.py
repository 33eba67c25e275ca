"""How the table and the JSON of neuron-ls write the same facts: core numbers, processes, what is unknown."""

from neurontools.schema.inventory import Holder, Inventory, InventoryDevice

COMMAND_WIDTH = 40
WIDE_COMMAND_WIDTH = 80

NO_RUNTIME = "NA"
"""Runtime version of a process that has no Neuron runtime: a tool."""

_ELLIPSIS = "..."
_GIB = 1 << 30
_UNKNOWN_NODE = -1

# Cores of these versions cannot be joined to logical cores, so AWS's tool does not speak of it there.
_WITHOUT_LOGICAL_CORES = ("v1", "v2")


def shows_lnc(inventory: Inventory) -> bool:
    """Whether logical_neuroncore_config is printed: on chips that have it, whatever it is set to."""
    return not inventory.neuroncore_version.startswith(_WITHOUT_LOGICAL_CORES)


def core_ids(inventory: Inventory, device: InventoryDevice) -> range:
    """The logical cores of a device, counted over the node."""
    count = device.cores // inventory.logical_neuroncore_config
    return range(device.device * count, (device.device + 1) * count)


def numa_node(device: InventoryDevice) -> str:
    """The NUMA node; "-1", the kernel's own word, when it is not known."""
    return str(_UNKNOWN_NODE if device.numa_node is None else device.numa_node)


def memory(device: InventoryDevice) -> str:
    """The nominal memory: AWS's tool writes whole GiB and calls them GB."""
    return f"{device.memory_bytes // _GIB} GB"


def runtime_version(holder: Holder) -> str:
    """The version of a process's Neuron runtime."""
    return holder.neuron_runtime_version or NO_RUNTIME


def clip(command: str, width: int) -> str:
    """A command line of at most `width` characters, an ellipsis included."""
    return command if len(command) <= width else command[: width - len(_ELLIPSIS)] + _ELLIPSIS


def listed(inventory: Inventory, tool: Holder | None) -> Inventory:
    """The inventory with the processes that are to be listed.

    Without `tool` those that have a runtime; with it all, and `tool`, which is neuron-ls itself, on every device.
    """
    if tool is None:
        devices = [
            device._replace(holders=tuple(holder for holder in device.holders if holder.neuron_runtime_version))
            for device in inventory.devices
        ]
    else:
        devices = [device._replace(holders=(*device.holders, tool)) for device in inventory.devices]
    return inventory._replace(devices=tuple(devices))
