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

ARGUMENTS = (
    *("age_ns", "since", "device", "core", "pid", "number"),
    *("fault", "target", "parameters", "for_ns", "what", "driver_version", "unseen"),
)

numbers = st.sampled_from([0, 1, -1, MAX_NS, MAX_NS + 1, 10**400, 2**63, 1.0, float("inf"), float("nan")])
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=5)
names = st.sampled_from(["straggler", "crash", "device-reset", "driver-old", "link-down", "all", "x"])
words = st.sampled_from(["core", "device", "link", "process", "factor", "signal", "seconds", "fails", "version"])
fields = st.sampled_from(["status", "links", "memory", "index", "x"])
values = (
    scalars
    | names
    | st.integers(0, 5000)
    | st.lists(scalars, max_size=2)
    | st.dictionaries(words, scalars | st.lists(scalars | fields, max_size=2), max_size=2)
)


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


def test_there_is_no_core_beyond_the_last(model: Simulation) -> None:
    assert json.loads(CALLS["explain"](model, {"core": 23}))["core"] == 23
    with pytest.raises(WireError, match=r"there is no NeuronCore 24, inf2\.48xlarge has 0 to 23") as caught:
        CALLS["explain"](model, {"core": 24})
    assert caught.value.kind == "not_found"


def test_a_snapshot_is_a_document_of_the_schema(model: Simulation) -> None:
    snapshot = decode(Snapshot, CALLS["snapshot"](model, {}))
    assert snapshot.head.origin.simulated
    assert len(snapshot.devices) == 12


def test_a_fault_is_injected_listed_and_healed() -> None:
    model = Simulation(load("idle"))
    args: dict[str, Any] = {"fault": "straggler", "target": {"core": 3}, "parameters": {"factor": 3}, "for_ns": 10**9}
    assert json.loads(CALLS["inject"](model, args)) == {"id": 1}
    listed = json.loads(CALLS["faults"](model, {}))
    assert listed == {
        "time_ns": model.now_ns,
        "active": [
            {
                "id": 1,
                "fault": "straggler",
                "target": "core 3",
                "parameters": {"factor": 3},
                "since_ns": model.now_ns,
                "until_ns": model.now_ns + 10**9,
            }
        ],
    }
    assert json.loads(CALLS["heal"](model, {"what": 1})) == {"healed": [1]}
    assert json.loads(CALLS["faults"](model, {}))["active"] == []


@pytest.mark.parametrize(
    ("call", "args", "kind", "message"),
    [
        ("inject", {}, "bad_request", "expected fault, a name, and target and parameters, objects"),
        ("inject", {"fault": "x", "target": []}, "bad_request", "expected fault, a name"),
        ("inject", {"fault": "hang", "target": {"core": 0}, "for_ns": -1}, "bad_request", "for_ns: expected a whole"),
        ("inject", {"fault": "hang"}, "refused", "hang takes --core N, found no target"),
        ("heal", {}, "bad_request", "what: expected a whole number"),
        ("heal", {"what": 1}, "refused", "no fault 1 is active; none is"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(call: str, args: dict[str, Any], kind: str, message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        CALLS[call](Simulation(load("idle")), args)
    assert caught.value.kind == kind
