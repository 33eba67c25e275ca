"""Every document survives its text; foreign and damaged text is one clear error."""

from __future__ import annotations

import json
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from neurontools.schema import allocations, events, finding, snapshot
from neurontools.schema.document import SCHEMA_MAJOR, Document, SchemaError, decode, encode, narrowed
from neurontools.schema.histogram import Histogram
from neurontools.schema.interval import Interval, between
from neurontools.schema.snapshot import Core, Device, Head, Origin, Snapshot
from tests.schema.strategies import node_at, series, snapshots

_OWNERS = (allocations, events, finding, snapshot)
_SMALL = [
    Histogram,
    *(
        kind
        for owner in _OWNERS
        for kind in vars(owner).values()
        if isinstance(kind, type) and issubclass(kind, Document) and kind not in (Document, Histogram, Snapshot)
    ),
]
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=5),
    bool: st.booleans(),
    NoneType: st.none(),
}


@cache
def _of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a document may hold."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*(_of(argument) for argument in arguments))
    if get_origin(hint) is tuple:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if get_origin(hint) is dict:
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=2)
    assert issubclass(hint, Struct), hint
    hints = {name: kind for name, kind in get_type_hints(hint).items() if name in hint.__struct_fields__}
    return st.builds(hint, **{name: _of(kind) for name, kind in hints.items()})


def _assert_survives(document: Document) -> None:
    text = encode(document)
    assert decode(type(document), text) == document
    assert encode(decode(type(document), text)) == text
    assert b"\n" not in text


@pytest.mark.parametrize("kind", _SMALL, ids=lambda kind: kind.__name__)
def test_round_trip(kind: type[Document]) -> None:
    @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_of(kind))
    def check(document: Document) -> None:
        _assert_survives(document)

    check()


@settings(max_examples=10, deadline=None)
@given(snapshots())
def test_snapshot_round_trip(taken: Snapshot) -> None:
    _assert_survives(taken)


@settings(max_examples=10, deadline=None)
@given(series(2))
def test_interval_round_trip(taken: tuple[Snapshot, Snapshot]) -> None:
    _assert_survives(between(*taken))


@settings(max_examples=10, deadline=None)
@given(snapshots())
def test_unknown_keys_are_ignored_at_every_level(taken: Snapshot) -> None:
    document = json.loads(encode(taken))
    for record in (document, document["head"], *document.get("devices", ())):
        record["a_key_of_a_later_release"] = {"deep": [1, None]}
    assert decode(Snapshot, json.dumps(document)) == taken


def test_the_version_is_always_written() -> None:
    head = Head(time_ns=1, boot_id="boot", origin=Origin(kind="model"))
    assert json.loads(encode(Snapshot(head=head)))["version"] == SCHEMA_MAJOR
    assert json.loads(encode(Interval(head=head, duration_ns=1)))["version"] == SCHEMA_MAJOR


@pytest.mark.parametrize("kind", [Snapshot, Interval])
def test_a_foreign_major_version_is_one_clear_line(kind: type[Document]) -> None:
    text = json.dumps({"version": SCHEMA_MAJOR + 1, "head": "of another shape"})
    with pytest.raises(SchemaError) as caught:
        decode(kind, text)
    message = str(caught.value)
    assert f"version {SCHEMA_MAJOR + 1}" in message
    assert f"reads version {SCHEMA_MAJOR}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b"\xff", b'{"version":1', b'{"version":1}', b'{"version":"1"}', b"{}", b'{"a":' * 100_000],
)
def test_damaged_text_is_a_schema_error_of_one_line(text: bytes) -> None:
    with pytest.raises(SchemaError) as caught:
        decode(Snapshot, text)
    assert str(caught.value).startswith("not a readable snapshot: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [None, SCHEMA_MAJOR + 1])
def test_a_document_of_the_right_shape_needs_the_right_version(version: int | None) -> None:
    document = json.loads(encode(node_at(1)))
    del document["version"]
    text = json.dumps(document if version is None else document | {"version": version})
    with pytest.raises(SchemaError, match="version"):
        decode(Snapshot, text.encode())


@settings(max_examples=10, deadline=None)
@given(snapshots())
def test_a_narrowed_kind_reads_its_fields_and_no_others(taken: Snapshot) -> None:
    core: Any = narrowed(Core, ("core", "index", "flops"))
    device: Any = narrowed(Device, ("index",), cores=tuple[core, ...])
    parts: dict[str, Any] = {"devices": tuple[device, ...]}
    found = decode(narrowed(Snapshot, ("version", "head"), **parts), encode(taken))
    assert (found.head, found.processes, found.host) == (taken.head, None, None)
    assert [device.index for device in found.devices] == [device.index for device in taken.devices]
    cores = [[core for device in node.devices for core in device.cores] for node in (taken, found)]
    for before, after in zip(*cores, strict=True):
        expected = Core(core=before.core, index=before.index, flops=before.flops)
        assert isinstance(after, Core)
        assert encode(after) == encode(expected)


def test_a_kind_cannot_do_without_what_has_no_default() -> None:
    with pytest.raises(TypeError, match="Core cannot do without index"):
        narrowed(Core, ("core",))
