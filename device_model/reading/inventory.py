"""What is installed on the simulated host, and who holds it."""

from device_model.build import World
from device_model.machine.driver import Driver
from device_model.reading.driver import MISSING, UNREADABLE
from device_model.runtime.runtime import RUNTIME_VERSION
from neurontools.schema.allocations import Allocation, Allocations, BankMap
from neurontools.schema.inventory import NO_INSTANCE_ID, Holder, Inventory, InventoryDevice

SIMULATED_PLACE = "simulated"


def take_inventory(world: World, scenario: str) -> Inventory:
    """The inventory now; instance id, region and zone mark it as simulated in formats that have no other place."""
    node = world.node
    instance = node.instance
    holders: dict[int, list[Holder]] = {device.index: [] for device in node.devices}
    for pid, process in sorted(world.runtime.processes.items()):
        for device in process.devices:
            holders[device].append(Holder(pid, process.identity.command, RUNTIME_VERSION))
    unreadable = _unreadable(node.driver)
    devices = tuple(
        InventoryDevice(
            device=i,
            cores=node.chip.cores,
            memory_bytes=node.chip.memory_bytes,
            connected_to=node.links.neighbours[i],
            bdf=instance.bdfs[i] if instance.bdfs else None,
            cpu_affinity=instance.cpu_affinity[i] if instance.cpu_affinity else None,
            numa_node=instance.numa_nodes[i] if instance.numa_nodes else None,
            holders=tuple(holders[i]),
        )
        for i in range(0 if unreadable else instance.devices)
    )
    return Inventory(
        instance_type=instance.name,
        instance_id=NO_INSTANCE_ID,
        chip=node.chip.name,
        neuroncore_version=node.chip.core.version,
        topology=instance.topology,
        logical_neuroncore_config=node.logical_neuroncore_config,
        devices=devices,
        origin="model",
        lnc_assumed=world.lnc_assumed,
        simulated=True,
        scenario=scenario,
        instance_name=f"simulated:{scenario}",
        region=SIMULATED_PLACE,
        availability_zone=SIMULATED_PLACE,
        gaps=unreadable,
    )


def _unreadable(driver: Driver) -> tuple[tuple[str, str], ...]:
    """Why no device is found; nothing where they are."""
    if driver.missing_by:
        return (("device", MISSING.reason),)
    return (("device", UNREADABLE.reason),) if driver.unreadable_by else ()


def take_allocations(world: World, device: int, time_ns: int) -> Allocations:
    """The bank map of one device now; IndexError for a device that there is not."""
    if not 0 <= device < len(world.node.devices):
        raise IndexError(device)
    banks = tuple(
        BankMap(
            index=bank.index,
            total_bytes=bank.total_bytes,
            reserved_bytes=bank.reserved_bytes,
            allocations=tuple(
                Allocation(
                    chunk.address,
                    chunk.size,
                    chunk.requested,
                    chunk.owner.pid,
                    chunk.owner.core,
                    chunk.owner.category,
                    chunk.owner.model,
                    chunk.pool,
                )
                for chunk in bank.chunks()
            ),
        )
        for bank in world.node.devices[device].banks
    )
    return Allocations(device=device, time_ns=time_ns, banks=banks)
