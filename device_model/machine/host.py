"""The instance around the devices: vCPUs and memory, used by the processes and by a constant system."""

from device_model.machine.activity import Activity

SYSTEM_MEMORY_BYTES = 1_600_000_000
"""What kernel and services hold on an idle host (assumed; an idle trn1.2xlarge showed 1.28 GB)."""

SYSTEM_SHARE_DIVISOR = 8
"""Small hosts run small systems: they hold at most one part in this many of the memory (assumed)."""


class VcpuTimes:
    """Time that processes have spent on each vCPU, in ns, and their context switches."""

    def __init__(self, vcpus: int) -> None:
        self.user_ns = [0] * vcpus
        self.system_ns = [0] * vcpus
        self.context_switches = 0

    def copy(self) -> "VcpuTimes":
        """The same times, to be added to."""
        same = VcpuTimes(0)
        same.user_ns, same.system_ns = self.user_ns[:], self.system_ns[:]
        same.context_switches = self.context_switches
        return same

    def add(self, threads: tuple[int, ...], used: Activity) -> None:
        """Adds a process: a thread for each of its cores, on the vCPU with the core's number, carries an equal part."""
        for totals, amount in ((self.user_ns, used.user_ns), (self.system_ns, used.system_ns)):
            share, rest = divmod(amount, len(threads))
            for i, thread in enumerate(threads):
                totals[thread % len(totals)] += share + (i < rest)
        self.context_switches += used.context_switches


class Host:
    """Sizes of the host, and what ended processes have used; the use of the others is derived when it is read."""

    def __init__(self, vcpus: int, memory_bytes: int) -> None:
        self.vcpus = vcpus
        self.memory_bytes = memory_bytes
        self.ended = VcpuTimes(vcpus)
        self.system_bytes = min(SYSTEM_MEMORY_BYTES, memory_bytes // SYSTEM_SHARE_DIVISOR)
