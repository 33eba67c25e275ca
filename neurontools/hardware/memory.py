"""How AWS's tools group memory: their few categories, and which of them takes in each of the driver's.

That the parts stay the sum of the whole is certain; which category takes in another is assumed.
"""

from collections.abc import Mapping

OFFICIAL_HOST = ("application_memory", "constants", "dma_buffers", "tensors")
OFFICIAL_DEVICE = ("constants", "model_code", "model_shared_scratchpad", "runtime_memory", "tensors")

_HOST_TAKEN_IN = {"dma_rings": "dma_buffers", "notifications": "dma_buffers"}
_DEVICE_TAKEN_IN = {"nonshared_scratchpad": "model_shared_scratchpad"}


def official_host(memory: Mapping[str, int]) -> dict[str, int]:
    """Host bytes by OFFICIAL_HOST, all of them present; what has no category of its own is the application's."""
    return _folded(memory, OFFICIAL_HOST, _HOST_TAKEN_IN, "application_memory")


def official_device(memory: Mapping[str, int]) -> dict[str, int]:
    """Device bytes by OFFICIAL_DEVICE, all of them present; what has no category of its own is the runtime's."""
    return _folded(memory, OFFICIAL_DEVICE, _DEVICE_TAKEN_IN, "runtime_memory")


def _folded(
    memory: Mapping[str, int], official: tuple[str, ...], taken_in: Mapping[str, str], rest: str
) -> dict[str, int]:
    folded = dict.fromkeys(official, 0)
    for category, count in memory.items():
        folded[category if category in folded else taken_in.get(category, rest)] += count
    return folded
