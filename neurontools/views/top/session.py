"""What all screens of neuron-top share: the reading that is looked at, when it was, and whether the source is well."""

from __future__ import annotations

from neurontools.schema.events import Event
from neurontools.schema.finding import Diagnosis
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.schema.source import Playback
from neurontools.units import NS_PER_S
from neurontools.views.top import quantities
from neurontools.views.top.cells import Trends
from neurontools.views.top.control import Control
from neurontools.views.top.history import History
from neurontools.views.top.quantities import Sizes
from neurontools.views.top.reader import BankMapRead, Reader, Reading
from neurontools.views.top.spans import clean

NO_CONTROL = Control()


class Session:
    """One run of neuron-top. `hosts` counts the hosts that it has seen: what was chosen on one is not of the next."""

    def __init__(self, version: str, reader: Reader, reading: Reading, control: Control = NO_CONTROL) -> None:
        self.version = version
        self.control = control
        self.sizes: Sizes = quantities.binary
        self.history: History = reader.history
        self.playback: Playback = reader.playback
        self.replays = reader.replays
        self.inventory: Inventory | None = None
        self.interval: Interval | None = None
        self.trends: Trends = {}
        self.trouble = ""
        self.stale = False
        self.hosts = 0
        self.banks: BankMapRead | None = None
        self._newest: Interval | None = None
        self.take(reading)

    @property
    def rewound(self) -> bool:
        """Whether another instant than the newest is looked at, of a host that goes on meanwhile."""
        return not self.replays and self.playback.paused

    @property
    def now_ns(self) -> int:
        """The instant that is looked at; 0 while there is none."""
        return self.interval.head.time_ns if self.interval is not None else 0

    @property
    def behind_s(self) -> int:
        """How long ago that was, on the host's clock."""
        newest = self._newest.head.time_ns if self._newest is not None else 0
        return (newest - self.now_ns) // NS_PER_S

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What was known to be wrong then; None before anybody looked."""
        return self.history.diagnosis(self.now_ns if self.rewound else None)

    def events(self) -> list[Event]:
        """What had happened then, the newest first."""
        return self.history.events(self.now_ns if self.rewound else None)

    def take(self, reading: Reading) -> None:
        """A new reading; if it failed, the last values stay."""
        self.stale = bool(reading.error)
        self.trouble = f"source lost: {clean(reading.error)}" if reading.error else ""
        if reading.error and self.replays:
            # At its end it stands still: there one can look around, and go back.
            self.playback.pause()
        if reading.inventory is not None:
            if reading.inventory.instance_type != (self.inventory.instance_type if self.inventory else ""):
                self.hosts += 1
                self.interval = None
                if not self.replays:
                    self.playback.resume()
            self.inventory = reading.inventory
        if reading.banks is not None:
            self.banks = reading.banks
        if reading.interval is not None:
            self._newest = reading.interval
            if not self.rewound:
                self._show(reading.interval)
        if self.interval is None and reading.waiting:
            self.trouble = f"nothing to show yet: {reading.waiting}"

    def silent(self, seconds: int) -> None:
        """The source has not answered for so long."""
        self.trouble = f"source silent for {seconds} s"
        self.stale = True

    def look(self) -> None:
        """Shows the instant to which one went."""
        if not self.rewound:
            if self._newest is not None:
                self._show(self._newest)
            return
        found = self.history.interval(self.playback.position_ns)
        if found is not None:
            self._show(found)

    def _show(self, interval: Interval) -> None:
        self.interval = interval
        self.trends = self.history.trends(interval.head.time_ns)
