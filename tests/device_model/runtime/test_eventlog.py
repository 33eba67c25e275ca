"""The numbered record: complete, in order, and honest about what it no longer has."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.runtime import eventlog
from device_model.runtime.eventlog import EventLog

KEPT = 8


@given(st.integers(0, 30), st.integers(0, 40))
def test_events_after_a_number_and_those_lost(count: int, since: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eventlog, "KEPT", KEPT)
        log = EventLog()
    for i in range(1, count + 1):
        log.add(i * 10, "runtime_log", f"line {i}", 7, None, None)
    found = log.since(since)
    kept = range(max(1, count - KEPT + 1), count + 1)
    assert [event.seq for event in found.events] == [seq for seq in kept if seq > since]
    assert [event.text for event in found.events] == [f"line {event.seq}" for event in found.events]
    assert found.lost == sum(seq > since for seq in range(1, kept.start))


def test_a_reader_that_is_ahead_sees_nothing() -> None:
    assert EventLog().since(5).events == ()
