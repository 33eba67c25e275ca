"""One physical NeuronCore: who holds it, and what it has counted since boot."""

from collections.abc import Iterable, Mapping
from math import prod
from typing import NamedTuple

from device_model.kernel.meter import Credit
from device_model.machine.activity import NOTHING, Activity, Lockstep, activity_in
from neurontools.hardware.driver import COUNTER_BITS, DRIVER_KEPT_OTHER_INFO


class Tally(NamedTuple):
    """A driver counter that moves by single events: the cumulative total and the last increment."""

    total: int = 0
    present: int = 0


class LastStep(NamedTuple):
    """The last execution that a core completed, and its time on the device."""

    flops: int = 0
    device_ns: int = 0


class Zeroed(NamedTuple):
    """Where a counter stood when one of its files was zeroed: as it is, and without the holder's part."""

    live: int
    folded: int


_NONE_YET = Tally()
_WRAP = 1 << COUNTER_BITS
_MOVES_WITH = {"flop_count": "inference_count", "nc_time_in_use": "inference_count"}
"""Counters whose last increment is that of the last execution: it is another one when this counter has moved."""


def driver_counters(
    tallies: Iterable[tuple[str, Tally]], done: Activity, credit: Credit, last: LastStep, failed: int
) -> dict[str, Tally]:
    """The driver's counters of a core, by name, from what it has counted; those that are missing are zero."""
    succeeded = credit.executions - failed
    flops = done.flops % _WRAP  # the only counter that gets so far: at full speed in a few days
    return dict(tallies) | {
        "success": Tally(succeeded, 1 if succeeded else 0),
        "inference_count": Tally(credit.executions, 1 if credit.executions else 0),
        "flop_count": Tally(flops, last.flops),
        "nc_time_in_use": Tally(credit.time_ns // 1000, last.device_ns // 1000),
    }


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
        self.folded: dict[str, Tally] = {}
        """The runtime's counters without what the holder has counted: a driver that is not live adds that at once
        when the holder closes the device."""
        self.zeroed: dict[tuple[str, str], Zeroed] = {}
        """Files that were written to, by counter and file."""
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
        return self._last_step if run is None else LastStep(activity_in(run.whole or run.per_step).flops, run.credit_ns)

    def count(self, name: str, amount: int = 1) -> None:
        """Counts an event under the driver's name for it (a status or an other_info counter)."""
        self.tallies[name] = Tally(self.tallies.get(name, _NONE_YET).total + amount, amount)

    def counters(self, time_ns: int) -> dict[str, Tally]:
        """The driver's counters by name, as they are; those that are missing are zero."""
        done, credit, last = self.read(time_ns), self.credit(time_ns), self.last_step(time_ns)
        return driver_counters(self.tallies.items(), done, credit, last, self.failed_executions)

    def release(self, time_ns: int) -> None:
        """Its holder closes the device."""
        self.holder = None
        for name, tally in self.counters(time_ns).items():
            if name not in DRIVER_KEPT_OTHER_INFO:
                self.fold(name, tally.total)

    def fold(self, name: str, total: int) -> None:
        """A process that has closed the device leaves one of the runtime's counters at this total."""
        added = (total - self.folded.get(name, _NONE_YET).total) % _WRAP
        # An increment of nothing leaves the last one in its file (assumed).
        if added:
            self.folded[name] = Tally(total, added)

    def zero(self, name: str, file: str, time_ns: int) -> None:
        """Zeroes the file "total" or "present" of a counter, as a write to it does."""
        moving = name if file == "total" else _MOVES_WITH.get(name, name)
        live = self.counters(time_ns).get(moving, _NONE_YET).total
        self.zeroed[name, file] = Zeroed(live, self.folded.get(moving, _NONE_YET).total)

    def shown(self, name: str, counters: Mapping[str, Tally], live: bool = True) -> Tally:
        """What the files of a counter show where `counters` says how it stands, `live` or folded.

        A total goes on from where it was zeroed; a last increment is shown again from the next one on.
        """
        tally = counters.get(name, _NONE_YET)
        gone, stale = self.zeroed.get((name, "total")), self.zeroed.get((name, "present"))
        total, present = tally
        if gone is not None:
            total = (total - (gone.live if live else gone.folded)) % _WRAP
        if stale is not None:
            moved = counters.get(_MOVES_WITH.get(name, name), _NONE_YET).total
            present = 0 if moved == (stale.live if live else stale.folded) else present
        return Tally(total, present)
