"""A program whose model is compiled on the host before it begins: its cores are held and rest, vCPUs are busy."""

from typing import Final

from device_model.kernel.meter import Run
from device_model.kernel.queue import Order
from device_model.machine.activity import Activity
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from device_model.workloads.kinds.program import Account, Program
from neurontools.schema.snapshot import Workload
from neurontools.units import format_duration_ns

USER_SHARE, SYSTEM_SHARE = 0.95, 0.03
"""vCPU time of a compiling thread, as shares of the time that it takes (assumed)."""


class Compiling:
    """Compiles for `duration_ns` with a thread for each of the process's cores (assumed), then lets `program` begin."""

    def __init__(self, runtime: Runtime, process: Process, program: Program, duration_ns: int) -> None:
        self.kind: Final = program.kind
        self._runtime = runtime
        self._process = process
        self._program = program
        self._duration_ns = duration_ns
        self._until_ns: int | None = None

    def begin(self, time_ns: int) -> None:
        """The compiler starts."""
        self._until_ns = time_ns + self._duration_ns
        for lane in self._process.lanes:
            threads = sum(len(group.cores) for group in lane)
            used = Activity(
                user_ns=int(self._duration_ns * USER_SHARE) * threads,
                system_ns=int(self._duration_ns * SYSTEM_SHARE) * threads,
            )
            lane[-1].meter.start(Run(time_ns, self._duration_ns, 1, (*used, *[0] * len(lane[-1].patterns))))
        self._runtime.queue.schedule(self._until_ns, Order.PROCESS, self._process.identity.name, self._compiled)

    def reading(self, time_ns: int) -> Workload:
        """The program's counts, which stay at zero until it begins."""
        return self._program.reading(time_ns)

    def account(self, time_ns: int) -> Account:
        """What it or its program is doing at `time_ns`."""
        if self._until_ns is None:
            return self._program.account(time_ns)
        left = format_duration_ns(self._until_ns - time_ns, 1)
        return Account(f"compiling its model on the host, for another {left}")

    def _compiled(self, time_ns: int) -> None:
        if not self._process.alive:
            return
        self._until_ns = None
        for lane in self._process.lanes:
            lane[-1].meter.finish(time_ns)
        self._program.begin(time_ns)
