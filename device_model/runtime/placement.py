"""Which cores a process gets: whole devices side by side, or an even part of one device."""

from device_model.machine.core import Core
from device_model.machine.node import Node


class PlacementError(ValueError):
    """A process does not fit on the node; one line says what it needs and what there is."""


def degrees(node: Node) -> list[int]:
    """The tensor-parallel degrees that the node can hold, in logical NeuronCores."""
    per_device = node.chip.cores // node.logical_neuroncore_config
    parts = [n for n in range(1, per_device + 1) if per_device % n == 0]
    linked = len(node.devices) if node.links.capacity_bytes_per_s or len(node.devices) == 1 else 1
    return parts + [per_device * n for n in range(2, linked + 1)]


class Placement:
    """Hands out the cores of a node, lowest first, each once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._free = [True] * len(node.cores)

    def place(self, degree: int, key: str, first_core: int | None = None) -> tuple[Core, ...]:
        """Cores for one replica of `degree` logical NeuronCores, at `first_core` (logical) where the scenario insists.

        `key` is what the scenario calls the degree.

        Cores that a scenario insists on may be taken already: the runtime will refuse the second process.
        """
        node, lnc = self._node, self._node.logical_neuroncore_config
        if degree not in degrees(node):
            raise PlacementError(
                f"{key} = {degree} does not fit on {node.instance.name}: expected one of "
                f"{', '.join(str(d) for d in degrees(node))}"
            )
        count = degree * lnc
        if first_core is not None:
            first = first_core * lnc
            step = min(count, node.chip.cores) // lnc
            if first_core % step:
                raise PlacementError(
                    f"first_core = {first_core} would split devices: with {key} = {degree} on {node.instance.name} "
                    f"expected a multiple of {step}"
                )
            if first + count > len(node.cores):
                raise PlacementError(
                    f"first_core = {first_core} and {key} = {degree} go beyond the last NeuronCore of "
                    f"{node.instance.name}, {len(node.cores) // lnc - 1}"
                )
        else:
            first = self._first_free(count)
        self._free[first : first + count] = [False] * count
        return tuple(node.cores[first : first + count])

    def _first_free(self, count: int) -> int:
        step = min(count, self._node.chip.cores)
        for first in range(0, len(self._free) - count + 1, step):
            if all(self._free[first : first + count]):
                return first
        lnc = self._node.logical_neuroncore_config
        raise PlacementError(
            f"needs {count // lnc} free NeuronCores side by side, but {self._node.instance.name} has "
            f"{len(self._free) // lnc} and {sum(self._free) // lnc} of them are free"
        )
