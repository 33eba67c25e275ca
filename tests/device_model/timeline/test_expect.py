"""What expectations ask for: their periods, their comparisons, and how they read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.kernel.clock import NS
from device_model.timeline.expect import Expectation, factor_of
from device_model.timeline.parts import Window

BASELINE = {"baseline": {"from": "1m", "to": "2m"}}


def expectation(**keys: Any) -> Expectation:
    return Expectation.model_validate({"metric": "node.utilization_percent"} | keys)


def event(**keys: Any) -> Expectation:
    return Expectation.model_validate({"event": "gone", "by": "5m"} | keys)


@pytest.mark.parametrize(
    ("keys", "window"),
    [
        ({"at": "10s"}, Window(9 * NS, 10 * NS)),
        ({"at": "400ms"}, Window(0, 400_000_000)),
        ({"by": "10s"}, Window(0, 10 * NS)),
        ({"from": "0s", "to": "10s"}, Window(0, 10 * NS)),
    ],
)
def test_a_value_is_of_the_second_before_or_of_the_period(keys: dict[str, str], window: Window) -> None:
    assert expectation(above=1, **keys).measured == window


def test_a_baseline_without_period_is_of_the_same_one() -> None:
    other = {"metric": "node.running"}
    wanted = expectation(at_least="2 x", baseline=other, **{"from": "1m", "to": "3m"})
    assert wanted.compared == wanted.measured
    assert expectation(at_least="2 x", at="5m", **BASELINE).compared == Window(60 * NS, 120 * NS)
    assert expectation(above=1, at="5m").compared is None


@pytest.mark.parametrize(
    ("keys", "holds", "fails"),
    [
        ({"above": 3}, [3.1, 4], [3, 2.9]),
        ({"below": 3}, [2.9, -1], [3, 3.1]),
        ({"equals": 3}, [3, 3.0], [2, 3.0001]),
        ({"between": [3, 4.5]}, [3, 4.5, 4], [2.999, 4.501]),
        ({"above": 1e9}, [10**9 + 1], [10**9]),
    ],
)
def test_limits(keys: dict[str, Any], holds: list[float], fails: list[float]) -> None:
    wanted = expectation(at="1m", **keys)
    assert [wanted.holds(value, None) for value in holds] == [True] * len(holds)
    assert [wanted.holds(value, None) for value in fails] == [False] * len(fails)


@given(st.floats(0.01, 100), st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_multiples_are_of_the_baseline(factor: float, base: float, value: float) -> None:
    text = f"{factor:.2f} x"
    least = expectation(at="5m", at_least=text, **BASELINE)
    most = expectation(at="5m", at_most=text, **BASELINE)
    both = expectation(at="5m", at_least=text, at_most=text, **BASELINE)
    assert least.holds(value, base) == (value >= factor_of(text) * base)
    assert most.holds(value, base) == (value <= factor_of(text) * base)
    assert both.holds(value, base) == (value == factor_of(text) * base)


def test_texts_and_truths_can_only_be_equal() -> None:
    state = Expectation.model_validate({"metric": "devices[0].reset_state", "at": "1m", "equals": "ready"})
    assert state.holds("ready", None)
    assert not state.holds("reset", None)
    link = Expectation.model_validate({"metric": "devices[0].links[1].up", "at": "1m", "equals": False})
    assert link.holds(False, None)
    assert not link.holds(True, None)


def test_an_event_is_expected_at_least_once_unless_it_says_otherwise() -> None:
    assert [event().holds(count, None) for count in (0, 1, 7)] == [False, True, True]
    assert [event(equals=0).holds(count, None) for count in (0, 1)] == [True, False]
    assert [event(between=[2, 3]).holds(count, None) for count in (1, 2, 3, 4)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (expectation(at="10m", above=90), "node.utilization_percent at 10m: above 90"),
        (expectation(by="10m", between=[1, 25_000_000]), "node.utilization_percent by 10m: between 1 and 25,000,000"),
        (
            expectation(at_least="1.4 x", at_most="2 x", **{"from": "1m", "to": "3m"}, **BASELINE),
            "node.utilization_percent from 1m to 3m: at least 1.4 x and at most 2 x that from 1m to 2m",
        ),
        (
            Expectation.model_validate({"metric": "devices[0].links[1].up", "at": "1m", "equals": False}),
            "devices[0].links[1].up at 1m: equal to false",
        ),
        (
            expectation(at="5m", at_least="2 x", baseline={"metric": "node.running"}),
            "node.utilization_percent at 5m: at least 2 x node.running",
        ),
        (event(), "event 'gone' by 5m: at least one"),
        (event(kind="kernel_log", equals=0), "kernel_log 'gone' by 5m: equal to 0"),
    ],
)
def test_an_expectation_reads_as_a_line(wanted: Expectation, text: str) -> None:
    assert wanted.text == text


def test_what_a_saved_scenario_holds_is_what_was_written() -> None:
    document = {
        "metric": "node.running",
        "from": "1m",
        "to": "2m",
        "at_least": "2 x",
        "baseline": {"from": "0s", "to": "1m"},
    }
    assert Expectation.model_validate(document).model_dump(mode="json", exclude_unset=True) == document
