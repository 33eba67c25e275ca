"""The source over a device model's socket: every document arrives as its type, every failure as a SourceError."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.allocations import Allocations, BankMap
from neurontools.schema.document import encode, narrowed
from neurontools.schema.events import PROCESS_START, Event, Events
from neurontools.schema.interval import between
from neurontools.schema.inventory import to_document
from neurontools.schema.snapshot import Core, Device, Head, Origin, Snapshot
from neurontools.schema.source import Source, SourceError
from neurontools.sources.model import ModelSource
from neurontools.wire import encode_answer, encode_error
from tests.schema.strategies import series
from tests.sources.server import answering, serving, socket_path
from tests.views.inventories import inventory_of

INVENTORY = inventory_of(INSTANCES["trn2.48xlarge"])
SNAPSHOT = Snapshot(
    head=Head(time_ns=5, boot_id="b", origin=Origin(kind="model", simulated=True)),
    devices=(Device(index=0, cores=(Core(core=0, index=0, busy_ns=3),)),),
)
EVENTS = Events(events=(Event(seq=1, time_ns=2, kind=PROCESS_START, text="python", pid=7),), lost=3)
ALLOCATIONS = Allocations(device=1, time_ns=5, banks=(BankMap(index=0, total_bytes=9, reserved_bytes=1),))

ANSWERS: dict[str, Any] = {
    "inventory": to_document(INVENTORY),
    "snapshot": encode_answer(encode(SNAPSHOT)),
    "past": encode_answer(encode(SNAPSHOT)),
    "events": encode_answer(encode(EVENTS)),
    "allocations": encode_answer(encode(ALLOCATIONS)),
    "signal": None,
}

READS: dict[str, Callable[[ModelSource], object]] = {
    "inventory": lambda source: source.inventory(),
    "snapshot": lambda source: source.snapshot(),
    "past": lambda source: source.past(5),
    "events": lambda source: source.events(3),
    "allocations": lambda source: source.allocations(1),
    "signal": lambda source: source.signal(7, 15),
}


def refused(answers: dict[str, Any], call: str) -> SourceError:
    with serving(answering(answers)) as path:
        source = ModelSource(path)
        with pytest.raises(SourceError) as caught:
            READS[call](source)
        source.close()
    return caught.value


def test_every_document_arrives_as_its_type() -> None:
    with serving(answering(ANSWERS)) as path:
        source: Source = ModelSource(path)
        assert source.inventory() == INVENTORY
        assert source.snapshot() == SNAPSHOT
        assert source.past(5) == SNAPSHOT
        assert source.events(3) == EVENTS
        assert source.allocations(1) == ALLOCATIONS
        source.close()
        source.close()


def test_what_is_asked_for_reaches_the_model() -> None:
    requests = []

    def remember(connection: Any) -> None:
        for _ in range(len(READS)):
            requests.append(msgspec.json.decode(connection.recv(1000)))
            connection.sendall(encode_error("internal", "no"))

    with serving(remember) as path:
        source = ModelSource(path)
        for read in READS.values():
            with pytest.raises(SourceError, match="no"):
                read(source)
        source.close()
    assert [(request["call"], request["args"]) for request in requests] == [
        ("inventory", {}),
        ("snapshot", {}),
        ("past", {"age_ns": 5}),
        ("events", {"since": 3}),
        ("allocations", {"device": 1}),
        ("signal", {"pid": 7, "number": 15}),
    ]


def test_a_model_without_a_past() -> None:
    with serving(answering({"past": None})) as path:
        source = ModelSource(path)
        assert source.past() is None
        source.close()


def test_a_narrowed_reading_leaves_out_the_rest() -> None:
    with serving(answering(ANSWERS)) as path:
        source = ModelSource(path)
        source.narrow(narrowed(Snapshot, ("version", "head")))
        for reading in (source.snapshot(), source.past()):
            assert reading is not None
            assert (reading.head, reading.devices) == (SNAPSHOT.head, ())
        source.close()


def test_a_narrowed_reading_asks_for_less() -> None:
    requests = []

    def remember(connection: Any) -> None:
        requests.append(msgspec.json.decode(connection.recv(1000)))
        connection.sendall(encode_answer(encode(SNAPSHOT)))

    core: Any = narrowed(Core, [name for name in Core.__struct_fields__ if name not in ("status", "pe_cntrs")])
    device: Any = narrowed(Device, ("index",), cores=tuple[core, ...])
    with serving(remember) as path:
        source = ModelSource(path)
        source.narrow(narrowed(Snapshot, ("version", "head"), devices=tuple[device, ...]))
        assert source.snapshot().devices[0].cores[0].busy_ns == 3
        source.close()
    (unseen,) = [request["args"]["unseen"] for request in requests]
    assert unseen["core"] == ["status", "pe_cntrs"]
    assert {"links", "power", "health"} <= {*unseen["device"]}


@given(readings=series(count=3))
def test_cores_that_stood_still_are_the_same_objects(readings: tuple[Snapshot, ...]) -> None:
    still = replace(readings[1], devices=readings[0].devices)
    answers = iter([readings[0], still, readings[2]])

    def converse(connection: Any) -> None:
        for answer in answers:
            connection.recv(1000)
            connection.sendall(encode_answer(encode(answer)))

    with serving(converse) as path:
        source = ModelSource(path)
        read = [source.snapshot() for _ in range(3)]
        source.close()
    assert read == [readings[0], still, readings[2]]
    for before, now in zip(read[0].devices, read[1].devices, strict=True):
        assert before.cores is now.cores
    assert between(read[0], read[1]) == between(readings[0], still)


def test_an_answer_that_another_program_wrote_is_read_too() -> None:
    result = b' { "error": null, "result": ' + encode(SNAPSHOT) + b" } \n"
    with serving(answering({"snapshot": result})) as path:
        source = ModelSource(path)
        assert source.snapshot() == SNAPSHOT
        source.close()


def test_a_signal_is_answered_with_nothing() -> None:
    with serving(answering(ANSWERS)) as path:
        source = ModelSource(path)
        source.signal(7, 15)
        source.close()
        with pytest.raises(SourceError):
            ModelSource(path + ".gone").signal(7, 15)


@pytest.mark.parametrize("call", READS)
def test_an_error_keeps_its_words_and_its_hint(call: str) -> None:
    error = refused({call: encode_error("refused", "this model is stepped", "use advance")}, call)
    assert (error.reason, error.hint) == ("this model is stepped", "use advance")


@pytest.mark.parametrize("call", READS)
def test_nobody_there(call: str) -> None:
    with socket_path() as path:
        source = ModelSource(path)
        with pytest.raises(SourceError, match="no such socket") as caught:
            READS[call](source)
    assert "neuron-model start" in caught.value.hint


@pytest.mark.parametrize("call", ["inventory", "snapshot", "past", "events", "allocations"])
@pytest.mark.parametrize("answer", [[], 3, {"devices": 7, "banks": 7, "events": 7}, b"hello\n", b"{}\n"])
def test_an_answer_of_another_shape(call: str, answer: object) -> None:
    assert "cannot read the device model at " in refused({call: answer}, call).reason


@pytest.mark.parametrize("call", ["inventory", "snapshot", "past"])
def test_another_release_is_named_as_the_reason(call: str) -> None:
    assert "99" in refused({call: {"version": 99}}, call).reason


@pytest.mark.parametrize("call", ["snapshot", "events", "allocations"])
def test_null_where_a_document_must_be(call: str) -> None:
    assert f"no {call}" in refused({call: None}, call).reason
