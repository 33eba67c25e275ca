"""Latency distributions while they are being recorded."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.runtime.process import Durations
from neurontools.schema.histogram import Histogram, bucket_of

samples = st.lists(st.tuples(st.integers(0, 10**10), st.integers(1, 5)), max_size=20)


@given(samples, st.integers(0, 10**10), st.integers(0, 5), st.booleans())
def test_a_reading_is_what_was_added_and_what_is_complete(
    added: list[tuple[int, int]], duration_ns: int, times: int, looked: bool
) -> None:
    durations, counts, total = Durations(), dict[int, int](), 0
    for value, count in added:
        if looked:
            durations.reading([(duration_ns, times)])
        durations.add(value, count)
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + count
        total += value * count
    assert durations.reading() == Histogram(counts=counts, sum_ns=total)
    if times:
        counts[bucket_of(duration_ns)] = counts.get(bucket_of(duration_ns), 0) + times
    reading = durations.reading([(duration_ns, times)])
    assert reading == Histogram(counts=counts, sum_ns=total + duration_ns * times)
    assert list(reading.counts) == sorted(reading.counts)


def test_a_reading_does_not_change_afterwards() -> None:
    durations = Durations()
    durations.add(1000)
    early = durations.reading()
    durations.add(1000)
    assert (early.count, durations.reading().count) == (1, 2)
