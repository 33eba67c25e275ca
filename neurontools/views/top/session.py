"""What all screens of neuron-top share: the last reading, what is wrong with the source, and the recent past."""

from __future__ import annotations

from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.views.top import quantities
from neurontools.views.top.cells import NOTHING, Trends
from neurontools.views.top.control import Control
from neurontools.views.top.quantities import Sizes
from neurontools.views.top.reader import Reading
from neurontools.views.top.spans import clean, dots

NO_CONTROL = Control()
_TREND = 60
_NOTHING_PERCENT = 0.5


class Session:
    """One run of neuron-top. `hosts` counts the hosts that it has seen: what was chosen on one is not of the next."""

    def __init__(self, version: str, reading: Reading, control: Control = NO_CONTROL) -> None:
        self.version = version
        self.control = control
        self.sizes: Sizes = quantities.binary
        self.inventory: Inventory | None = None
        self.interval: Interval | None = None
        self.trouble = ""
        self.stale = False
        self.hosts = 0
        self._trends: dict[int, str] = {}
        self.take(reading)

    @property
    def trends(self) -> Trends:
        """Of each logical core the last utilizations."""
        return self._trends

    def take(self, reading: Reading) -> None:
        """A new reading; if it failed, the last values stay."""
        self.stale = bool(reading.error)
        self.trouble = f"source lost: {clean(reading.error)}" if reading.error else ""
        if reading.inventory is not None:
            if reading.inventory.instance_type != (self.inventory.instance_type if self.inventory else ""):
                self.hosts += 1
                self.interval = None
                self._trends = {}
            self.inventory = reading.inventory
        if reading.interval is not None:
            self.interval = reading.interval
            self._remember(reading.interval)
        if self.interval is None and reading.waiting:
            self.trouble = f"nothing to show yet: {reading.waiting}"

    def silent(self, seconds: int) -> None:
        """The source has not answered for so long."""
        self.trouble = f"source silent for {seconds} s"
        self.stale = True

    def _remember(self, interval: Interval) -> None:
        before = self._trends.get
        self._trends = {
            core.core: before(core.core, "")[1 - _TREND :] + _character(core.utilization_percent)
            for core in interval.cores
        }


def _character(percent: float | None) -> str:
    """A reading in a trend: a digit for the dots that it is high."""
    if percent is None:
        return " "
    return str(dots(percent / 100.0)) if percent >= _NOTHING_PERCENT else NOTHING
