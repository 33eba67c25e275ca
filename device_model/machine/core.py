"""One physical NeuronCore: who holds it, and what it has counted since boot."""

from math import prod
from typing import NamedTuple

from device_model.kernel.meter import Credit
from device_model.machine.activity import NOTHING, Activity, Lockstep, activity_in


class Tally(NamedTuple):
    """A driver counter that moves by single events: the cumulative total and the last increment."""

    total: int = 0
    present: int = 0


class LastStep(NamedTuple):
    """The last execution that a core completed, and its time on the device."""

    flops: int = 0
    device_ns: int = 0


class Core:
    """A core works while it is attached to a lockstep group; its own totals outlive every group.

    What impairs it is kept by cause, so that causes come and go independently: `slowed_by` holds factors on the time
    of its engines, `hung_by` what keeps it from ever completing, `failing_by` the status codes of hardware errors that
    every execution runs into.
    """

    def __init__(self, number: int, device: int, index: int, bank: int) -> None:
        self.number = number
        self.device = device
        self.index = index
        self.bank = bank
        self.holder: int | None = None
        self.group: Lockstep | None = None
        self.tallies: dict[str, Tally] = {}
        self.failed_executions = 0
        self.slowed_by: dict[int, float] = {}
        self.hung_by: set[int] = set()
        self.failing_by: dict[int, int] = {}
        self._past = NOTHING
        self._credit = Credit()
        self._last_step = LastStep()

    @property
    def slowness(self) -> float:
        """How many times as long its engines take as they should."""
        return prod(self.slowed_by.values())

    @property
    def impaired(self) -> bool:
        """Whether an execution on it differs from one on a sound core."""
        return bool(self.slowed_by or self.hung_by or self.failing_by)

    def attach(self, group: Lockstep) -> None:
        """Begins to work with a group that has counted nothing yet."""
        self.group = group

    def detach(self, time_ns: int) -> None:
        """Stops working with its group and keeps what the group counted."""
        self._last_step = self.last_step(time_ns)
        self._past, self._credit, self.group = self.read(time_ns), self.credit(time_ns), None

    def read(self, time_ns: int) -> Activity:
        """Totals since boot at `time_ns`."""
        return self._past if self.group is None else self._past.plus(self.group.read(time_ns))

    def credit(self, time_ns: int) -> Credit:
        """Completed executions since boot and their time, as the driver credits them."""
        if self.group is None:
            return self._credit
        group = self.group.meter.credit(time_ns)
        return Credit(self._credit.executions + group.executions, self._credit.time_ns + group.time_ns)

    def last_step(self, time_ns: int) -> LastStep:
        """The last execution that was completed by `time_ns`."""
        run = None if self.group is None else self.group.meter.last_step(time_ns)
        return self._last_step if run is None else LastStep(activity_in(run.per_step).flops, run.credit_ns)

    def count(self, name: str, amount: int = 1) -> None:
        """Counts an event under the driver's name for it (a status or an other_info counter)."""
        self.tallies[name] = Tally(self.tallies.get(name, Tally()).total + amount, amount)
