"""The sampler: every reader's periods join without a gap, and nothing is counted across a restart."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from neurontools.schema.interval import NoInterval
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import SourceError
from neurontools.sources.sampling import FIRST_AGE_NS, Sampler
from tests.exporters.nodes import SECOND_NS
from tests.sources.scripted import Scripted


def seconds(sampler: Sampler, reader: str | None = None) -> float:
    return sampler.interval(reader).duration_ns / SECOND_NS


def test_the_first_interval_begins_in_the_past_and_the_others_join() -> None:
    sampler = Sampler(Scripted([("a", 10), ("a", 11), ("a", 14)], {"a": 5}))
    found = []
    for _ in range(3):
        sampler.take()
        found.append(seconds(sampler))
    assert found == [5, 1, 3]


def test_readers_have_periods_of_their_own() -> None:
    sampler = Sampler(Scripted([("a", second) for second in range(10, 15)], {"a": 8}))
    each = {"every": 0.0, "second": 0.0}
    for turn in range(5):
        sampler.take()
        each["every"] += seconds(sampler, "every")
        if turn % 2 == 0:
            each["second"] += seconds(sampler, "second")
    assert each == {"every": 6, "second": 6}


def test_readers_of_one_period_share_its_interval() -> None:
    sampler = Sampler(Scripted([("a", 10)], {"a": 8}))
    sampler.take()
    assert sampler.interval("one") is sampler.interval("two")


def test_a_young_past_is_better_than_none() -> None:
    source = Scripted([("a", 10)], {"a": 9})
    sampler = Sampler(source)
    sampler.take()
    assert (seconds(sampler), source.asked) == (1, [FIRST_AGE_NS])
    source = Scripted([("a", 10), ("a", 11)], {"a": 10})
    sampler = Sampler(source)
    sampler.take()
    sampler.take()
    assert (seconds(sampler), source.asked) == (1, [FIRST_AGE_NS, 0])


def test_without_a_past_the_first_reading_is_the_beginning() -> None:
    sampler = Sampler(Scripted([("a", 10), ("a", 12)]))
    sampler.take()
    with pytest.raises(NoInterval, match="same instant"):
        sampler.interval()
    sampler.take()
    assert seconds(sampler) == 2


def test_a_time_that_stands_still_is_no_period_and_loses_none() -> None:
    sampler = Sampler(Scripted([("a", 10), ("a", 10), ("a", 13)], {"a": 9}))
    sampler.take()
    assert seconds(sampler) == 1
    sampler.take()
    with pytest.raises(NoInterval):
        sampler.interval()
    sampler.take()
    assert seconds(sampler) == 3


def test_a_loss_makes_the_next_period_longer() -> None:
    sampler = Sampler(Scripted([("a", 10), None, None, ("a", 17)], {"a": 9}))
    sampler.take()
    seconds(sampler)
    for _ in range(2):
        with pytest.raises(SourceError):
            sampler.take()
    sampler.take()
    assert seconds(sampler) == 7


@pytest.mark.parametrize(("pasts", "first"), [({"a": 9, "b": 1}, 2), ({"a": 9}, None)])
def test_nothing_is_counted_across_a_restart(pasts: dict[str, int], first: int | None) -> None:
    sampler = Sampler(Scripted([("a", 10), None, ("b", 3), ("b", 4)], pasts))
    sampler.take()
    seconds(sampler)
    with pytest.raises(SourceError):
        sampler.take()
    sampler.take()
    if first is None:
        with pytest.raises(NoInterval):
            sampler.interval()
    else:
        assert seconds(sampler) == first
    sampler.take()
    assert seconds(sampler) == 1


def test_what_nobody_looks_at_may_be_dropped() -> None:
    def keep(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, host=None)

    sampler = Sampler(Scripted([("a", 10)], {"a": 9}), keep)
    assert sampler.take().host is None
    interval = sampler.interval()
    assert interval.host is None
    assert interval.cores


def test_an_interval_needs_a_reading() -> None:
    with pytest.raises(RuntimeError, match="no reading"):
        Sampler(Scripted([])).interval()
