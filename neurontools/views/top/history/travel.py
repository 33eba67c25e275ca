"""Going back in time: one way to do it for the hour that is remembered and for a recording that is replayed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from neurontools.views.top.history.history import History


class Rewind:
    """A Playback over the last hour of a live host: it follows the newest reading, or stands still at an older one."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._at_ns: int | None = None
        self.jumps = 0

    @property
    def span_ns(self) -> tuple[int, int]:
        """The first and the last instant; both 0 while nothing is remembered."""
        times = self._history.times()
        return (times[0], times[-1]) if times else (0, 0)

    @property
    def position_ns(self) -> int:
        """The instant that is looked at."""
        return self.span_ns[1] if self._at_ns is None else self._at_ns

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._at_ns is not None

    @property
    def speed(self) -> float:
        """A live host is as fast as it is."""
        return 1.0

    def seek(self, to_ns: int) -> None:
        """Goes to the last reading that is not after an instant, or to the end that is nearest."""
        times = self._history.times()
        if times:
            self._at_ns = times[max(0, bisect_right(times, to_ns) - 1)]
            self.jumps += 1

    def step(self, count: int) -> None:
        """Goes so many readings on, or back where negative, and pauses."""
        times = self._history.times()
        if times:
            place = bisect_left(times, self.position_ns) + count
            self._at_ns = times[max(0, min(len(times) - 1, place))]
            self.jumps += 1

    def eventful_after(self, time_ns: int) -> int | None:
        """Ahead of what the history has lies nothing."""
        return None

    def pause(self) -> None:
        """Stands still at the newest reading."""
        self._at_ns = self.position_ns or None

    def resume(self) -> None:
        """Follows the newest reading again."""
        self._at_ns = None

    def set_speed(self, speed: float) -> None:
        """Does nothing: a live host cannot be made faster."""
