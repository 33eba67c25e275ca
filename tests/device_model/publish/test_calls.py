"""The table of calls: whatever the arguments, a result in JSON or a clear refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.publish.calls import CALLS, MAX_NS, whole_number
from device_model.scenario import load
from device_model.simulation import Simulation
from neurontools.schema.document import decode
from neurontools.schema.snapshot import Snapshot
from neurontools.wire import WireError

ARGUMENTS = ("age_ns", "since", "device", "pid", "number")

numbers = st.sampled_from([0, 1, -1, MAX_NS, MAX_NS + 1, 10**400, 2**63, 1.0, float("inf"), float("nan")])
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=5)
values = scalars | st.integers(0, 5000) | st.lists(scalars, max_size=2)


@pytest.fixture(scope="module")
def model() -> Simulation:
    return Simulation(load("idle"))


@given(call=st.sampled_from(sorted(CALLS)), args=st.dictionaries(st.sampled_from(ARGUMENTS), values))
def test_any_arguments_get_json_or_a_refusal(model: Simulation, call: str, args: dict[str, Any]) -> None:
    try:
        json.loads(CALLS[call](model, args))
    except WireError as error:
        assert error.kind in ("bad_request", "not_found", "refused")
        assert "\n" not in error.message


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "it is missing"),
        (True, "found True"),
        (-1, "found -1"),
        (1.5, "found 1.5"),
        ("7", "found '7'"),
        ([[]], "found a list"),
        ({"a": 1}, "found an object"),
        (10**400, "found 1000000"),
    ],
)
def test_a_wrong_number_is_named_with_what_was_expected(value: Any, found: str) -> None:
    with pytest.raises(WireError, match="n: expected a whole number from 0 to") as caught:
        whole_number({"n": value}, "n")
    assert found in caught.value.message
    assert len(caught.value.message) < 200


def test_an_argument_nested_as_deep_as_json_goes_is_refused() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(WireError, match="found a list"):
        whole_number({"n": nested}, "n")


def test_there_is_no_device_beyond_the_last(model: Simulation) -> None:
    with pytest.raises(WireError, match="there is no device 12") as caught:
        CALLS["allocations"](model, {"device": 12})
    assert caught.value.kind == "not_found"


def test_a_snapshot_is_a_document_of_the_schema(model: Simulation) -> None:
    snapshot = decode(Snapshot, CALLS["snapshot"](model, {}))
    assert snapshot.head.origin.simulated
    assert len(snapshot.devices) == 12
