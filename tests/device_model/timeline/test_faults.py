"""When the faults of a scenario happen: once, regularly, or at random with the rate that was asked for."""

from itertools import islice, pairwise
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.timeline.faults import FaultSpec, When, link_ends, mean_gap_ns


def fault(**keys: Any) -> FaultSpec:
    return FaultSpec.model_validate({"fault": "crash", "process": "a"} | keys)


def times(spec: FaultSpec, count: int, seed: int = 1, entity: str = "x") -> list[int]:
    return list(islice(spec.times_ns(Chance(seed), entity), count))


def test_a_fault_at_a_time_happens_once() -> None:
    assert times(fault(at="10m"), 9) == [600 * NS]
    assert times(fault(at="0s"), 9) == [0]


def test_a_fault_that_waits_has_no_times_of_its_own() -> None:
    assert times(fault(when={"metric": "node.running", "above": 1}), 9) == []


def test_without_jitter_the_times_are_equally_far_apart() -> None:
    assert times(fault(every="5m"), 3) == [300 * NS, 600 * NS, 900 * NS]


@given(st.integers(1, 600), st.integers(0, 600), st.integers(0, 2**32))
def test_jitter_only_delays_and_never_reorders(every_s: int, jitter_s: int, seed: int) -> None:
    jitter_s = min(every_s, jitter_s)
    found = times(fault(every=f"{every_s}s", jitter=f"{jitter_s}s"), 20, seed)
    assert found == sorted(found)
    assert all(0 <= at_ns - (i + 1) * every_s * NS <= jitter_s * NS for i, at_ns in enumerate(found))
    assert len({at_ns % (every_s * NS) for at_ns in found}) > 1 or not jitter_s


def test_random_times_have_their_rate() -> None:
    """The mean of n exponential gaps is within three of its standard errors, for each of ten seeds."""
    count, mean_ns = 2000, 1800 * NS
    for seed in range(10):
        gaps = [late - early for early, late in pairwise([0, *times(fault(rate="2/h"), count, seed)])]
        assert min(gaps) > 0
        assert abs(sum(gaps) / count / mean_ns - 1) < 3 / sqrt(count)


def test_draws_belong_to_the_entity_and_the_seed() -> None:
    spec = fault(rate="2/h")
    assert times(spec, 5) == times(spec, 5)
    assert times(spec, 5) != times(spec, 5, entity="y")
    assert times(spec, 5) != times(spec, 5, seed=2)


@pytest.mark.parametrize(
    ("text", "gap_ns"),
    [("1/s", NS), ("2/h", 1800 * NS), ("0.5/m", 120 * NS), ("3 / d", 28_800 * NS), ("100/s", NS // 100)],
)
def test_rates_are_read(text: str, gap_ns: int) -> None:
    assert mean_gap_ns(text) == gap_ns


@pytest.mark.parametrize("text", ["", "2", "2/w", "0/h", "-1/h", "1e3/s", "101/s", "2/hour", "٢/h"])
def test_other_rates_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="expected a rate such as"):
        mean_gap_ns(text)


def test_targets_are_in_the_words_of_what_injects() -> None:
    assert fault(at="1s").target == {"process": "a"}
    assert FaultSpec.model_validate({"fault": "link-down", "link": "2-3", "at": "1s"}).target == {"link": [2, 3]}
    assert FaultSpec.model_validate({"fault": "driver-missing", "at": "1s"}).target == {}
    assert link_ends("12-0") == (12, 0)


@pytest.mark.parametrize(("limit", "met"), [({"above": 3.0}, [4, 3.5]), ({"below": 3}, [2, -1.0])])
def test_a_limit_is_crossed_strictly(limit: dict[str, float], met: list[float]) -> None:
    when = When.model_validate({"metric": "node.running", **limit})
    assert [when.met(value) for value in met] == [True, True]
    assert not when.met(3)


def test_what_a_saved_scenario_holds_is_what_was_written() -> None:
    document = {
        "fault": "straggler",
        "core": 3,
        "parameters": {"factor": 2.5},
        "every": "5m",
        "jitter": "1s",
        "for": "1m",
    }
    spec = FaultSpec.model_validate(document)
    assert spec.model_dump(mode="json", exclude_unset=True) == document
    assert spec.lasts_ns == 60 * NS
