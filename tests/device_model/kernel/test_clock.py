"""The pace of a model against real time."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.clock import NS, STEPPED_EPOCH_NS, Pace

speeds = st.sampled_from([0.5, 1, 3, 100])
times = st.integers(0, 10**6 * NS)


def test_a_stepped_model_starts_when_it_says() -> None:
    assert datetime.fromtimestamp(STEPPED_EPOCH_NS / NS, UTC).isoformat() == "2026-01-05T00:00:00+00:00"


@given(speeds, times, times, times)
def test_model_time_follows_real_time_and_never_falls_behind_its_anchor(
    speed: float, anchor: int, first: int, second: int
) -> None:
    pace = Pace(anchor, STEPPED_EPOCH_NS, speed)
    early, late = sorted((first, second))
    assert STEPPED_EPOCH_NS <= pace.model_time(early) <= pace.model_time(late)
    if early >= anchor:
        passed = pace.model_time(late) - pace.model_time(early)
        assert passed == pytest.approx((late - early) * speed, abs=1, rel=1e-12)


@given(speeds, st.integers(0, 3600 * NS))
def test_waiting_as_long_as_told_gets_there(speed: float, ahead_ns: int) -> None:
    pace = Pace(5, 1000, speed)
    delay = pace.real_delay_s(1000 + ahead_ns, 5)
    assert delay is not None
    assert pace.model_time(5 + round(delay * NS)) == pytest.approx(1000 + ahead_ns, abs=speed + 1, rel=1e-9)


def test_a_stepped_model_stands_still() -> None:
    pace = Pace(5, 1000, 0)
    assert pace.model_time(10**15) == 1000
    assert pace.real_delay_s(2000, 5) is None
    assert Pace(5, 1000, 1).real_delay_s(900, 5) == 0.0
