"""Where a replay is: an instant that moves at a pace between the ends of a recording, and can be moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import NamedTuple, Protocol

SLOWEST, FASTEST = 0.25, 16.0
"""How much slower and faster than the host itself a replay can be."""


class Timeline(Protocol):
    """The instants that have a reading, in ns."""

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last one."""
        ...

    def before(self, time_ns: int) -> int | None:
        """The last one before an instant."""
        ...

    def after(self, time_ns: int) -> int | None:
        """The first one after an instant."""
        ...

    def eventful_after(self, time_ns: int) -> int | None:
        """The first one after an instant at which an event was recorded."""
        ...


class _State(NamedTuple):
    """Where it was when the clock showed `clock_ns`, and how it goes on; replaced as a whole: threads share it."""

    position_ns: int
    clock_ns: int
    speed: float
    paused: bool


class Player:
    """Moves through a recording; a new one is paused. `jumps` counts how often it was moved other than by playing."""

    def __init__(self, timeline: Timeline, at_ns: int, clock: Callable[[], int] = monotonic_ns) -> None:
        """Begins at `at_ns`, or at the end that is nearest. `clock` is in ns and never runs backwards."""
        self._timeline = timeline
        self._clock = clock
        self.jumps = 0
        self._state = _State(self._within(at_ns), clock(), 1.0, True)

    @property
    def span_ns(self) -> tuple[int, int]:
        """The first and the last instant."""
        return self._timeline.span

    @property
    def position_ns(self) -> int:
        """The instant that is played now."""
        return min(self._reached_ns(), self.span_ns[1])

    @property
    def beyond_ns(self) -> int:
        """For how long the end has been passed."""
        return max(0, self._reached_ns() - self.span_ns[1])

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._state.paused

    @property
    def speed(self) -> float:
        """How many seconds of the host pass in one."""
        return self._state.speed

    def seek(self, to_ns: int) -> None:
        """Goes to an instant, or to the end that is nearest; plays on from there if it was playing."""
        self._move(self._within(to_ns))

    def step(self, count: int) -> None:
        """Goes so many readings on, or back where negative, as far as there are; it is paused then."""
        position_ns = self.position_ns
        for _ in range(abs(count)):
            found = self._timeline.after(position_ns) if count > 0 else self._step_back(position_ns)
            if found is None:
                break
            position_ns = found
        self._state = self._state._replace(paused=True)
        self._move(position_ns)

    def eventful_after(self, time_ns: int) -> int | None:
        """The instant of the next reading with which an event was recorded."""
        return self._timeline.eventful_after(time_ns)

    def pause(self) -> None:
        """Stands still."""
        self._state = self._now()._replace(paused=True)

    def resume(self) -> None:
        """Plays on."""
        self._state = self._now()._replace(paused=False)

    def set_speed(self, speed: float) -> None:
        """Plays that much faster than the host was; within SLOWEST and FASTEST, else at that which is nearer."""
        self._state = self._now()._replace(speed=min(max(speed, SLOWEST), FASTEST))

    def _step_back(self, position_ns: int) -> int | None:
        """The reading before the one that is shown, which may itself be older than the position."""
        shown_ns = self._timeline.before(position_ns + 1)
        return None if shown_ns is None else self._timeline.before(shown_ns)

    def _move(self, position_ns: int) -> None:
        self.jumps += 1
        self._state = self._state._replace(position_ns=position_ns, clock_ns=self._clock())

    def _now(self) -> _State:
        return self._state._replace(position_ns=self.position_ns, clock_ns=self._clock())

    def _reached_ns(self) -> int:
        position_ns, clock_ns, speed, paused = self._state
        return position_ns if paused else position_ns + int((self._clock() - clock_ns) * speed)

    def _within(self, at_ns: int) -> int:
        first_ns, last_ns = self.span_ns
        return min(max(at_ns, first_ns), last_ns)
