"""What a diagnosis asks of a host beside a snapshot: its driver module, buses, holders, network cards and notices.

Everything may be None, which is unknown; `gaps` then says why, by the field's name.
"""

from msgspec import field

from neurontools.schema.document import Document
from neurontools.schema.snapshot import Gap


class HolderFacts(Document, frozen=True, kw_only=True):
    """How the kernel sees a process that holds a device: the letter of its state, its parent, whether a service or a
    container owns it, and the version of the Neuron runtime that it has loaded."""

    pid: int
    state: str
    parent: int
    owned: bool = True
    runtime_version: str | None = None


class EfaPort(Document, frozen=True, kw_only=True):
    """One port of an Elastic Fabric Adapter, with the counters of its driver by the driver's names."""

    name: str
    port: int
    state: str | None = None
    counters: dict[str, int] = field(default_factory=dict)


class Notice(Document, frozen=True, kw_only=True):
    """What EC2 plans for this instance: `kind` is spot, scheduled or rebalance; action and time in EC2's words."""

    kind: str
    action: str = ""
    time: str = ""


class HostFacts(Document, frozen=True, kw_only=True):
    """One look at a host. Counts of devices are of the whole node, but `granted_devices`, of which there are nodes in
    /dev; `compilers` are the pids of Neuron compilers, and `closed_status` the status counters of physical cores over
    the node, read also where the driver moves them only when a process closes the device."""

    time_ns: int
    instance_type: str = ""
    driver_loaded: bool | None = None
    driver_version: str | None = None
    installed_drivers: tuple[str, ...] | None = None
    installed_runtimes: tuple[str, ...] | None = None
    pci_devices: int | None = None
    driver_devices: int | None = None
    granted_devices: int | None = None
    in_container: bool = False
    holders: tuple[HolderFacts, ...] | None = None
    compilers: tuple[int, ...] | None = None
    closed_status: dict[int, dict[str, int]] | None = None
    efa: tuple[EfaPort, ...] | None = None
    notices: tuple[Notice, ...] | None = None
    gaps: dict[str, Gap] = field(default_factory=dict)
