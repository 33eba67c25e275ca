"""The instance around the devices: vCPUs and memory, used by the processes and by a constant system."""

SYSTEM_MEMORY_BYTES = 1_600_000_000
"""What kernel and services hold on an idle host (assumed; an idle trn1.2xlarge showed 1.28 GB)."""

MAX_SYSTEM_SHARE = 8
"""Small hosts run small systems: at most this part (one eighth) of the memory."""


class Host:
    """Sizes of the host. Use is derived from the processes when it is read."""

    def __init__(self, vcpus: int, memory_bytes: int) -> None:
        self.vcpus = vcpus
        self.memory_bytes = memory_bytes
        self.system_bytes = min(SYSTEM_MEMORY_BYTES, memory_bytes // MAX_SYSTEM_SHARE)
