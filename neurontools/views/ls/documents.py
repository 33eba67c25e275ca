"""The JSON of neuron-ls: keys, their order, their types and the layout that scripts grep."""

import json
from typing import Any

from neurontools.schema.inventory import Holder, Inventory, InventoryDevice
from neurontools.views.ls import values


def render(inventory: Inventory, *, command_width: int = values.COMMAND_WIDTH) -> str:
    """A list of devices with 4-space indent, in ASCII, without a newline at the end."""
    return json.dumps(documents(inventory, command_width), indent=4)


def documents(inventory: Inventory, command_width: int) -> list[dict[str, Any]]:
    """The devices as plain JSON values, their keys in the printed order."""
    return [_device(inventory, device, command_width) for device in inventory.devices]


def _device(inventory: Inventory, device: InventoryDevice, command_width: int) -> dict[str, Any]:
    ids = values.core_ids(inventory, device)
    lnc = {"logical_neuroncore_config": inventory.logical_neuroncore_config} if values.shows_lnc(inventory) else {}
    return {
        "neuron_device": device.device,
        "bdf": device.bdf or "",
        "cpu_affinity": device.cpu_affinity or "",
        "numa_node": values.numa_node(device),
        "connected_to": list(device.connected_to) or None,
        "nc_count": len(ids),
        **lnc,
        "memory_size": device.memory_bytes,
        "neuroncore_ids": list(ids),
        "neuron_processes": [_process(holder, command_width) for holder in device.holders],
    }


def _process(holder: Holder, command_width: int) -> dict[str, Any]:
    return {
        "pid": holder.pid,
        "command": values.clip(holder.command, command_width).encode("utf-8", "replace").decode(),
        "neuron_runtime_version": values.runtime_version(holder),
    }
