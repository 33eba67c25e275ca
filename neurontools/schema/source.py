"""The one interface between what can be read and everything that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from neurontools.schema.allocations import Allocations
    from neurontools.schema.events import Events
    from neurontools.schema.inventory import Inventory
    from neurontools.schema.snapshot import Snapshot


class SourceError(Exception):
    """A source cannot answer. `hint` says what to do next; both are one line for people."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Source(Protocol):
    """A host that can be read. Every call may raise SourceError and changes nothing on the host."""

    def inventory(self) -> Inventory:
        """What is installed, and who holds it."""
        ...

    def snapshot(self) -> Snapshot:
        """What has been counted, at one instant."""
        ...

    def past(self, age_ns: int = 0) -> Snapshot | None:
        """The newest kept snapshot that is at least `age_ns` older than now; None if none is kept."""
        ...

    def events(self, since: int = 0) -> Events:
        """Events with a number greater than `since`."""
        ...

    def allocations(self, device: int) -> Allocations:
        """The bank map of one device."""
        ...

    def close(self) -> None:
        """Lets go of sockets and files; safe to call twice."""
        ...


@runtime_checkable
class Narrowing(Protocol):
    """What a source can do besides, where it reads text: skip what its reader does not look at."""

    def narrow(self, kind: type[Snapshot]) -> None:
        """From now on readings are of this kind, see schema.document.narrowed."""
        ...


def narrow(source: Source, kind: type[Snapshot]) -> None:
    """Lets a source skip what `kind` does not look at; one that cannot goes on giving whole snapshots."""
    if isinstance(source, Narrowing):
        source.narrow(kind)


@runtime_checkable
class Pacing(Protocol):
    """What a source can do besides, where it is itself told of the host in periods: let them be its reader's."""

    def pace(self, period_ns: int) -> None:
        """From now on there is a reading in each such period; to be called before the first one."""
        ...


def pace(source: Source, period_ns: int) -> None:
    """Tells a source how often it will be read; one that can be read at any time does not mind."""
    if isinstance(source, Pacing):
        source.pace(period_ns)


@runtime_checkable
class Playback(Protocol):
    """Where a replay is: an instant that moves by itself unless it is paused, and can be moved. Times are in ns.

    After a jump, which `jumps` counts, nothing should be compared with a reading from before it. Threads may share it.
    """

    jumps: int

    @property
    def span_ns(self) -> tuple[int, int]:
        """The first and the last instant."""
        ...

    @property
    def position_ns(self) -> int:
        """The instant that is played now."""
        ...

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        ...

    @property
    def speed(self) -> float:
        """How many seconds of the host pass in one."""
        ...

    def seek(self, to_ns: int) -> None:
        """Goes to an instant, or to the end that is nearest."""
        ...

    def step(self, count: int) -> None:
        """Goes so many readings on, or back where negative, and pauses."""
        ...

    def eventful_after(self, time_ns: int) -> int | None:
        """The first reading after an instant that tells of an event, where it is known what lies ahead."""
        ...

    def pause(self) -> None:
        """Stands still."""
        ...

    def resume(self) -> None:
        """Plays on."""
        ...

    def set_speed(self, speed: float) -> None:
        """Plays that much faster than the host was, from 0.25 to 16; another value counts as the nearer of these."""
        ...


@runtime_checkable
class Replaying(Protocol):
    """What a source can do besides, where its readings were recorded: be moved in time."""

    playback: Playback

    @property
    def about(self) -> str:
        """What is replayed, in a few words."""
        ...


def playback(source: Source) -> Playback | None:
    """What moves a replay; None for a source whose readings are of now."""
    return source.playback if isinstance(source, Replaying) else None
