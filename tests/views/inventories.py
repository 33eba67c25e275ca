"""Inventories for tests: one of every instance type, with no, one or several processes, and random ones."""

from collections.abc import Mapping

from hypothesis import strategies as st

from neurontools.hardware.instances import INSTANCES, Instance, chip_of
from neurontools.hardware.topology import adjacency
from neurontools.schema.inventory import Holder, Inventory, InventoryDevice

SIMULATED_ID = "i-00000000000000000"

SERVER = Holder(4711, "python3 -m vllm.entrypoints.openai.api_server --model llama --port 8000", "2.27.23.0")
SHORT = Holder(16237, "python equinox_mnist_verification.py", "2.27.23")
TOOL = Holder(269192, "neuron-top")


def inventory_of(instance: Instance, holders: Mapping[int, tuple[Holder, ...]] | None = None) -> Inventory:
    """What a host of this type has installed; `holders` by device."""
    chip = chip_of(instance)
    neighbours = adjacency(instance)
    return Inventory(
        instance_type=instance.name,
        instance_id=SIMULATED_ID,
        chip=chip.name,
        neuroncore_version=chip.core.version,
        topology=instance.topology,
        logical_neuroncore_config=chip.default_lnc,
        origin="model",
        simulated=True,
        devices=tuple(
            InventoryDevice(
                device=i,
                cores=chip.cores,
                memory_bytes=chip.memory_bytes,
                connected_to=neighbours[i],
                bdf=instance.bdfs[i] if instance.bdfs else None,
                cpu_affinity=instance.cpu_affinity[i] if instance.cpu_affinity else None,
                numa_node=instance.numa_nodes[i] if instance.numa_nodes else None,
                holders=(holders or {}).get(i, ()),
            )
            for i in range(instance.devices)
        ),
    )


def with_processes(instance: Instance) -> dict[str, Inventory]:
    """The same host idle, with one process on all devices, and with several on some."""
    everywhere = dict.fromkeys(range(instance.devices), (SHORT,))
    return {
        "idle": inventory_of(instance),
        "one process": inventory_of(instance, everywhere),
        "several processes": inventory_of(instance, {0: (SERVER, SHORT, TOOL), 1: (SERVER,)}),
    }


COMMANDS = st.text(st.characters(max_codepoint=0x24F), max_size=100)

HOLDERS = st.builds(
    Holder,
    pid=st.integers(1, 2**22),
    command=COMMANDS,
    neuron_runtime_version=st.none() | st.sampled_from(["2.0.0", "2.27.23.0"]),
)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Any host: any number of devices of one kind, any links, anything unknown."""
    count = draw(st.integers(1, 16))
    lnc = draw(st.sampled_from([1, 2]))
    cores = lnc * draw(st.integers(1, 8))
    devices = [
        InventoryDevice(
            device=i,
            cores=cores,
            memory_bytes=draw(st.integers(1, 1 << 40)),
            connected_to=tuple(draw(st.lists(st.integers(0, 15), max_size=4, unique=True))),
            bdf=draw(st.none() | st.just("0000:00:1e.0")),
            cpu_affinity=draw(st.none() | st.sampled_from(["0-7", "48-95,144-191"])),
            numa_node=draw(st.none() | st.integers(-1, 1)),
            holders=tuple(draw(st.lists(HOLDERS, max_size=3))),
        )
        for i in range(count)
    ]
    instance = draw(st.sampled_from(sorted(INSTANCES)))
    return inventory_of(INSTANCES[instance])._replace(
        instance_id=draw(st.sampled_from(["", SIMULATED_ID])), logical_neuroncore_config=lnc, devices=tuple(devices)
    )
