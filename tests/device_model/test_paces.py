"""A model in real time, an accelerated one and a stepped one are the same at the same time of theirs."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

import device_model.daemon
from device_model.daemon import Daemon
from device_model.simulation import NS, Simulation
from tests.device_model.hosts import busy_host, costly, readings


class Clock:
    """A monotonic clock that moves when it is told to; each look at the time left for computing costs some of it."""

    def __init__(self, look_s: float) -> None:
        self.now_ns = 5 * NS
        self._look_s = look_s
        self._spent_s = 0.0

    def monotonic_ns(self) -> int:
        """What time.monotonic_ns would say."""
        return self.now_ns

    def monotonic(self) -> float:
        """What time.monotonic would say."""
        self._spent_s += self._look_s
        return self.now_ns / NS + self._spent_s


def strike(model: Simulation, what: str) -> None:
    """A command from outside."""
    if what == "kill":
        model.signal(min(model._world.runtime.processes), 15)
    elif what == "inject":
        model.inject("straggler", {"core": 1}, {"factor": 2.0}, for_ns=3 * NS)
    else:
        model.heal("all")


MOVES = st.lists(
    st.tuples(st.integers(0, 20 * NS), st.sampled_from(["kill", "inject", "heal", ""])), min_size=1, max_size=5
)


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0, 1000.0])
@given(moves=MOVES, look_s=st.sampled_from([0.0, 0.0001, 0.009]))
@costly
def test_whatever_the_pace_the_same_time_shows_the_same(
    speed: float, moves: list[tuple[int, str]], look_s: float
) -> None:
    clock, paced, stepped = Clock(look_s), busy_host(), busy_host()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_model.daemon, "time", clock)
        daemon = Daemon(paced, speed, "")
        for wait_ns, command in moves:
            clock.now_ns += round(wait_ns / speed)
            slices = 0
            while not daemon._move():
                slices += 1
                assert slices < 10_000, "it never gets there"
            assert paced.now_ns == paced.epoch_ns + int((clock.now_ns - 5 * NS) * speed)
            stepped.advance(paced.now_ns)
            if command and paced._world.runtime.processes:
                strike(paced, command)
                strike(stepped, command)
            assert readings(paced) == readings(stepped)


def test_a_slow_machine_is_late_and_loses_nothing() -> None:
    """Where a slice of computing is over after a few events, the model goes on in the next; readers look in between."""
    clock, paced, whole = Clock(0.009), busy_host(), busy_host()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_model.daemon, "time", clock)
        daemon = Daemon(paced, 1000.0, "")
        clock.now_ns += NS // 200
        seen = []
        while not daemon._move():
            seen.append(paced.now_ns)
            paced.snapshot()
    assert len(set(seen)) > 50
    assert seen == sorted(seen)
    assert paced.now_ns == paced.epoch_ns + 5 * NS
    whole.advance(paced.now_ns)
    assert readings(paced) == readings(whole)
