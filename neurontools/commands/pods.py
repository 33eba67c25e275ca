"""Who was given which device, asked of the kubelet beside each reading; while it does not tell, that is said once."""

from __future__ import annotations

from collections.abc import Callable

from neurontools.schema.inventory import Inventory
from neurontools.schema.owners import Owners
from neurontools.schema.source import SourceError
from neurontools.sources.kubernetes.podresources import PodResources


class Pods:
    """The owners of a host's devices. Without an answer there are none: yesterday's pod must not get today's load."""

    def __init__(self, socket: str, say: Callable[[str], None]) -> None:
        """Raises SourceError when gRPC is not installed."""
        self._kubelet = PodResources(socket)
        self._say = say
        self._said = ""

    def owners(self, inventory: Inventory) -> Owners | None:
        """Who holds what now, of a host with these devices."""
        try:
            found = self._kubelet.owners(max(1, inventory.logical_cores_per_device))
        except SourceError as error:
            self._tell("; ".join(filter(None, [f"pods are unknown: {error.reason}", error.hint])))
            return None
        disputed = ", ".join(found.disputed)
        self._tell(f"given to several containers, so to none here: {disputed}" if disputed else "")
        return found

    def _tell(self, line: str) -> None:
        if line != self._said:
            self._say(line or "the kubelet tells again who has which device")
        self._said = line
