"""Which container Kubernetes has given a Neuron device or a NeuronCore to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from neurontools.schema.interval_records import ProcessInterval


class Owner(NamedTuple):
    """A container of a pod."""

    namespace: str
    pod: str
    container: str


class Owners(NamedTuple):
    """Containers by device index and by logical core over the node, as the kubelet lists them.

    `disputed` names what is listed for several containers, which then belongs to none here.
    """

    cores_per_device: int
    devices: Mapping[int, Owner] = {}
    cores: Mapping[int, Owner] = {}
    disputed: tuple[str, ...] = ()

    def of_core(self, core: int) -> Owner | None:
        """Whose a logical core is: by itself, or with its whole device."""
        return self.cores.get(core) or self.devices.get(core // self.cores_per_device)

    def of_device(self, device: int) -> Owner | None:
        """Whose a device is: all of it, or all that is given away of its cores."""
        first = device * self.cores_per_device
        found = {self.cores[core] for core in range(first, first + self.cores_per_device) if core in self.cores}
        whole = self.devices.get(device)
        found |= {whole} if whole is not None else set()
        return found.pop() if len(found) == 1 else None

    def of_process(self, process: ProcessInterval) -> Owner | None:
        """Whose a process is: its cores', where all have one owner."""
        found = {self.of_core(core) for core in process.cores}
        return found.pop() if len(found) == 1 else None
