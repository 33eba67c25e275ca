"""The player of a replay: where it is after any row of orders and waits, against a plain model of it."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neurontools.recording import Player
from neurontools.recording.player import FASTEST, SLOWEST
from neurontools.schema.source import Playback

INSTANTS = (10, 20, 21, 50, 90)
SPAN = (INSTANTS[0], INSTANTS[-1])


class Instants:
    """A timeline of five readings."""

    span = SPAN

    def before(self, time_ns: int) -> int | None:
        at = bisect_left(INSTANTS, time_ns)
        return INSTANTS[at - 1] if at else None

    def after(self, time_ns: int) -> int | None:
        at = bisect_right(INSTANTS, time_ns)
        return INSTANTS[at] if at < len(INSTANTS) else None

    def eventful_after(self, time_ns: int) -> int | None:
        return None


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 1000

    def __call__(self) -> int:
        return self.now_ns


def player(at_ns: int = SPAN[0]) -> tuple[Player, Clock]:
    clock = Clock()
    return Player(Instants(), at_ns, clock), clock


ORDERS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 60)),
    st.tuples(st.just("seek"), st.integers(-5, 120)),
    st.tuples(st.just("step"), st.integers(-3, 3)),
    st.tuples(st.just("set_speed"), st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 16.0, 100.0])),
    st.just(("pause", None)),
    st.just(("resume", None)),
)


@given(st.lists(ORDERS, max_size=12))
def test_any_row_of_orders(orders: list[tuple[str, float | None]]) -> None:
    """The model keeps a position and moves it while time passes; the player only ever computes where it must be."""
    playing, clock = player()
    position, speed, paused = float(SPAN[0]), 1.0, True
    for order, argument in orders:
        if order == "wait":
            clock.now_ns += int(argument or 0)
            position = position if paused else min(position + (argument or 0) * speed, SPAN[1])
        elif argument is None:
            getattr(playing, order)()
            paused = order == "pause"
        else:
            getattr(playing, order)(argument)
            if order == "seek":
                position = min(max(argument, SPAN[0]), SPAN[1])
            elif order == "set_speed":
                speed = min(max(argument, SLOWEST), FASTEST)
            else:
                position, paused = playing.position_ns, True
        assert (playing.speed, playing.paused) == (speed, paused)
        # Each order may cut off a part of a nanosecond.
        assert 0 <= position - playing.position_ns <= len(orders)


def test_steps_go_from_reading_to_reading() -> None:
    playing, _ = player()
    for instant in INSTANTS[1:]:
        playing.step(1)
        assert playing.position_ns == instant
    playing.step(1)
    assert playing.position_ns == INSTANTS[-1]
    for instant in reversed(INSTANTS[:-1]):
        playing.step(-1)
        assert playing.position_ns == instant
    playing.step(-1)
    assert playing.position_ns == INSTANTS[0]
    playing.step(3)
    assert playing.position_ns == INSTANTS[3]


def test_a_step_back_leaves_the_reading_that_is_shown() -> None:
    playing, _ = player(45)
    playing.step(-1)
    assert playing.position_ns == 20, "at 45 the reading of 21 was shown"


def test_it_waits_for_the_first_order_and_ends_at_the_end() -> None:
    playing, clock = player()
    clock.now_ns += 50
    assert (playing.position_ns, playing.beyond_ns) == (10, 0)
    playing.resume()
    clock.now_ns += 85
    assert (playing.position_ns, playing.beyond_ns) == (90, 5)
    playing.seek(30)
    assert (playing.position_ns, playing.beyond_ns, playing.paused) == (30, 0, False)


def test_only_what_moves_it_is_a_jump() -> None:
    playing, clock = player()
    playing.resume()
    clock.now_ns += 5
    playing.set_speed(4)
    playing.pause()
    assert playing.jumps == 0
    playing.seek(20)
    playing.step(1)
    assert playing.jumps == 2


def test_it_is_what_a_source_may_offer() -> None:
    assert isinstance(player()[0], Playback)
    assert all(a < b for a, b in pairwise(INSTANTS))
