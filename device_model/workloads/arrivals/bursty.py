"""Clients who come in bursts: a Poisson process that changes between two rates at random times."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.workloads.arrivals.rates import Piece, when_due

_CYCLES = 4
"""Mean pairs of phases in a window; any number gives the same process in law, this one few draws for an arrival."""

_MOST_PHASES = 1 << 16
"""More than ever begin in a window; it keeps their numbers apart."""

_CACHED_WINDOWS = 4096
"""Windows kept: several for each process of the largest host."""


class Phase(NamedTuple):
    """Burst or base, from `begin_ns` until the next phase begins."""

    begin_ns: int
    burst: bool


class Bursty(NamedTuple):
    """`base_per_second`, and in bursts `burst_per_second`; phases last `base_ns` and `burst_ns` on average.

    The lengths are exponential (a Markov-modulated Poisson process of two states). Such a process can be seen as one
    that draws its phase anew, burst with the share of time that bursts take, at random instants, whose rate is that of
    the ends of both phases together. The model's time is divided into windows, and each draws, by its number, its
    first such instant and the phase there; from it phases follow each other, numbered too, to the end of the window,
    and the last of them goes on to the first instant of the next. That changes nothing in the law of the process, and
    the phase at any time can be told without the history before its window.
    """

    chance: Chance
    entity: str
    base_per_second: float
    burst_per_second: float
    base_ns: int
    burst_ns: int

    def following(self, index: int, time_ns: int) -> int:
        """When an exponential number of requests has become due."""
        requests = self.chance.gamma(self.entity, "arrival", index, 1.0, 1.0)
        return when_due(self._pieces(time_ns), time_ns, requests)

    def in_burst(self, time_ns: int) -> bool:
        """The phase at an instant."""
        window = time_ns // self.window_ns
        begun = [phase for phase in _phases(self, window) if phase.begin_ns <= time_ns]
        while not begun:
            window -= 1
            begun = list(_phases(self, window))
        return begun[-1].burst

    @property
    def window_ns(self) -> int:
        """How much time is drawn at once."""
        return _CYCLES * (self.base_ns + self.burst_ns)

    def phases(self, window: int) -> tuple[Phase, ...]:
        """Those that begin in a window, in order; hardly ever none."""
        begin_ns, end_ns = window * self.window_ns, (window + 1) * self.window_ns
        cycle_ns = self.base_ns + self.burst_ns
        begin_ns += self.chance.exponential_ns(self.entity, "window", window, self.base_ns * self.burst_ns // cycle_ns)
        burst = self.chance.uniform(self.entity, "phase", window) < self.burst_ns / cycle_ns
        number, phases = window * _MOST_PHASES, []
        while begin_ns < end_ns:
            phases.append(Phase(begin_ns, burst))
            mean_ns = self.burst_ns if burst else self.base_ns
            begin_ns += self.chance.exponential_ns(self.entity, "phase length", number, mean_ns)
            number, burst = number + 1, not burst
        return tuple(phases)

    def _pieces(self, time_ns: int) -> Iterator[Piece]:
        rates = (self.base_per_second / NS, self.burst_per_second / NS)
        burst, window = self.in_burst(time_ns), time_ns // self.window_ns
        while True:
            for phase in _phases(self, window):
                if phase.begin_ns > time_ns:
                    yield Piece(phase.begin_ns, rates[burst], 0.0)
                    burst = phase.burst
            window += 1


@lru_cache(maxsize=_CACHED_WINDOWS)
def _phases(process: Bursty, window: int) -> tuple[Phase, ...]:
    """The phases of a window, kept because every arrival in it asks for them."""
    return process.phases(window)
