"""How far a computation has come, said on stderr when it takes long."""

import sys
import time
from collections.abc import Callable

from device_model.simulation import Simulation
from neurontools.units import format_duration_ns

_FIRST_WORD_S, _NEXT_WORD_S = 1.0, 10.0
"""A run says after this long, and again every so often, how far it has come; on a terminal every second."""


class Progress:
    """Says on stderr how far that has come which takes longer than a second; `said` puts it into words."""

    def __init__(self, said: Callable[[], str]) -> None:
        self._words = said
        self._due_s = time.monotonic() + _FIRST_WORD_S
        self._rewrites = sys.stderr.isatty()
        self._said = False

    def __call__(self) -> None:
        """To be called often; it seldom speaks."""
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + (_FIRST_WORD_S if self._rewrites else _NEXT_WORD_S)
        start, end = ("\r\x1b[K", "") if self._rewrites else ("", "\n")
        print(f"{start}neuron-model: {self._words()}", end=end, file=sys.stderr, flush=True)
        self._said = True

    def end(self) -> None:
        """Clears the line that it rewrote."""
        if self._said and self._rewrites:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def through_time(model: Simulation, lasts_ns: int) -> Progress:
    """How far a run of the model has come that lasts so long in the model's time."""
    total = format_duration_ns(lasts_ns)

    def said() -> str:
        return f"{format_duration_ns((model.now_ns - model.epoch_ns) // 10**9 * 10**9)} of {total}"

    return Progress(said)
