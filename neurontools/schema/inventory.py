"""What is installed: instance, devices, their place in the host, and who holds them.

Imports nothing but the standard library's tuples, because `neuron-ls` is made of this alone.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

INVENTORY_VERSION = 1

NO_INSTANCE_ID = "i-00000000000000000"
"""The instance id of what is no real host, or not one of now."""

RECORDING = "recording"
"""The kind of origin of what is read from a recording."""

REPLAY = "replay"
"""What stands for region and zone of a real host that is replayed."""
REPLAY_MARK = f"{REPLAY}:"
"""How an instance name begins whose readings are not of now."""


class Holder(NamedTuple):
    """A process that has a device open; `neuron_runtime_version` is None for a tool without a runtime."""

    pid: int
    command: str
    neuron_runtime_version: str | None = None


class InventoryDevice(NamedTuple):
    """One Neuron device. `cores` counts physical NeuronCores; `memory_bytes` is the chip's nominal memory."""

    device: int
    cores: int
    memory_bytes: int
    connected_to: tuple[int, ...] = ()
    bdf: str | None = None
    cpu_affinity: str | None = None
    numa_node: int | None = None
    holders: tuple[Holder, ...] = ()


class Inventory(NamedTuple):
    """A host and its Neuron devices at one instant.

    `origin` is driver, aws, model or recording; `simulated` and `scenario` travel with it.
    `topology` is none, chain, ring or torus. `logical_neuroncore_config` is the number of
    physical cores behind one logical core; `lnc_assumed` says that it was not read but taken
    from the chip's default.
    """

    instance_type: str
    instance_id: str
    chip: str
    neuroncore_version: str
    topology: str
    logical_neuroncore_config: int
    devices: tuple[InventoryDevice, ...]
    origin: str
    lnc_assumed: bool = True
    simulated: bool = False
    scenario: str | None = None
    instance_name: str = ""
    region: str = ""
    availability_zone: str = ""
    availability_zone_id: str = ""
    ami_id: str = ""
    subnet_id: str = ""
    ultraserver_id: str = ""
    driver_version: str | None = None
    gaps: tuple[tuple[str, str], ...] = ()

    @property
    def logical_cores_per_device(self) -> int:
        """Logical NeuronCores of each device; 0 on a host without devices."""
        return self.devices[0].cores // self.logical_neuroncore_config if self.devices else 0

    @property
    def why_no_devices(self) -> str:
        """What the source says of a host on which it finds none; nothing where it does not say."""
        return dict(self.gaps).get("device", "")


class InventoryError(ValueError):
    """A document is not an inventory that this version can read."""


def to_document(inventory: Inventory) -> dict[str, Any]:
    """The inventory as plain JSON values, with its version."""
    devices = [
        device._asdict() | {"holders": [holder._asdict() for holder in device.holders]} for device in inventory.devices
    ]
    return {"version": INVENTORY_VERSION} | inventory._asdict() | {"devices": devices}


def from_document(document: Mapping[str, Any]) -> Inventory:
    """The inverse of to_document; keys that this version does not know are ignored.

    Raises InventoryError for another major version or a missing field.
    """
    if not isinstance(document, Mapping):
        raise InventoryError("not a readable inventory: it is no JSON object")
    version = document.get("version")
    if version != INVENTORY_VERSION:
        raise InventoryError(
            f"inventory has schema version {version}, this program reads version {INVENTORY_VERSION}: "
            "use the same neurontools release on both sides"
        )
    try:
        devices = tuple(_device(device) for device in document["devices"])
        gaps = tuple((part, reason) for part, reason in document.get("gaps", ()))
        return Inventory(**_known(Inventory, document) | {"devices": devices, "gaps": gaps})
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise InventoryError(f"not a readable inventory: {error}") from None


def _device(document: Mapping[str, Any]) -> InventoryDevice:
    holders = tuple(Holder(**_known(Holder, holder)) for holder in document.get("holders", ()))
    connected = tuple(document.get("connected_to", ()))
    return InventoryDevice(**_known(InventoryDevice, document) | {"holders": holders, "connected_to": connected})


def _known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in kind._fields if name in document}
