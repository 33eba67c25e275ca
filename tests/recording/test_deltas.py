"""Deltas of texts: what comes out is what went in, byte for byte, or there is no delta."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.recording.deltas import Decoder, DeltaError, Encoder
from neurontools.schema.document import encode
from neurontools.schema.snapshot import Snapshot
from tests.recording.recorded import troubled_frames
from tests.schema.strategies import series, snapshots


def checked_deltas(texts: list[bytes]) -> list[bytes | None]:
    """Checks that every delta gives its text back, whether it is asked for each time or once; returns the deltas."""
    encoder, deltas = Encoder(), []
    often = seldom = None
    for text in texts:
        delta = encoder.delta(text)
        deltas.append(delta)
        if delta is None:
            often, seldom = Decoder(text), Decoder(text)
        else:
            assert often is not None
            assert seldom is not None
            often.apply(delta)
            seldom.apply(delta)
        assert often is not None
        assert often.text() == text
    if texts:
        assert seldom is not None
        assert seldom.text() == texts[-1]
    return deltas


def text_of(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def one_delta(before: object, after: object) -> bool:
    """Whether the second document is told as a delta; checks that it comes back either way."""
    return checked_deltas([text_of(before), text_of(after)])[1] is not None


@given(series(4))
def test_the_texts_of_a_node_come_back(taken: tuple[Snapshot, ...]) -> None:
    checked_deltas([encode(snapshot) for snapshot in taken])


@given(st.lists(snapshots(), min_size=1, max_size=3))
def test_the_texts_of_different_nodes_come_back(taken: list[Snapshot]) -> None:
    checked_deltas([encode(snapshot) for snapshot in taken])


# Small documents that differ in everything that a text can differ in.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a 1  b", "007", "1 2", "\x01", "\n", '"counts":{"1":2}', "{}", "µ"]),
)
TALLIES = st.dictionaries(st.integers(-5, 5), st.integers(-3, 3), max_size=4)
SORTED = TALLIES.map(lambda tally: dict(sorted(tally.items())))
RECORDS = st.fixed_dictionaries(
    {"a": LEAVES, "pid": LEAVES, "core": LEAVES, "counts": st.one_of(SORTED, TALLIES, LEAVES)}
)


@given(st.lists(st.lists(RECORDS, min_size=1, max_size=2), min_size=1, max_size=4))
def test_any_text_of_json_comes_back(documents: list[object]) -> None:
    checked_deltas([text_of({"all": document}) for document in documents])


@pytest.mark.parametrize(
    ("before", "after", "is_delta"),
    [
        ({"a": 1}, {"a": 2}, True),
        ({"a": 9}, {"a": 10}, True),
        ({"a": 0}, {"a": 2**64}, False),
        ({"a": 2**80}, {"a": 2**80 + 1}, True),
        ({"a": 1}, {"a": -1}, False),
        ({"a": -1}, {"a": -12}, True),
        ({"a": 12.5}, {"a": 13.25}, True),
        ({"a": 12.5}, {"a": 12.05}, False),
        ({"a": 12.05}, {"a": 12.5}, True),
        ({"a": 12.05, "b": 1}, {"a": 12.05, "b": 2}, True),
        ({"a": "b1"}, {"a": "1b"}, False),
        ({"a": "x 1"}, {"a": "x  1"}, False),
        ({"a": True}, {"a": False}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"counts": {}}, {"counts": {"7": 1}}, True),
        ({"counts": {"7": 1}}, {"counts": {"3": 2, "7": 1}}, True),
        ({"counts": {"7": 1}}, {"counts": {"7": 1, "3": 2}}, False),
        ({"counts": {"7": 1}}, {"counts": {}}, False),
        ({"counts": {"7": 9}}, {"counts": {"7": 1}}, True),
        ({"counts": {"7": 0}}, {"counts": {"7": 1}}, True),
        ({"counts": {"7": 1}}, {"counts": {"7": 1, "8": 0}}, True),
        ({"counts": {"07": 1}}, {"counts": {"07": 2}}, False),
        ({"counts": {"a": 1}}, {"counts": {"a": 2}}, False),
        ({"counts": {"7": 1}}, {"counts": {"7": 2**70}}, False),
        ({"a": 10**5000}, {"a": 10**5000 + 1}, False),
    ],
)
def test_what_is_told_as_a_delta(before: object, after: object, is_delta: bool) -> None:
    if before == {"a": 10**5000}:
        assert checked_deltas([b'{"a":1%b}' % (b"0" * 5000), b'{"a":1%b1}' % (b"0" * 4999)])[1] is None
        return
    assert one_delta(before, after) is is_delta


def test_cores_in_lockstep_are_told_each() -> None:
    """Equal segments are compared once, and each core gets its own numbers back."""

    def node(at: int) -> dict[str, object]:
        cores = [{"core": core, "index": core % 2, "busy_ns": at * (core // 4 + 1)} for core in range(8)]
        devices = [{"index": i, "cores": cores[2 * i : 2 * i + 2], "banks": [{"used": at + i}]} for i in range(4)]
        return {"devices": devices, "processes": [{"pid": 7, "executions": {"completed": at}}], "host": {"x": at}}

    assert checked_deltas([text_of(node(at)) for at in (1, 5, 7, 7, 12)])[1:].count(None) == 0


def test_a_run_with_faults_comes_back() -> None:
    texts = [encode(frame.snapshot) for frame in troubled_frames()]
    assert len({re.sub(rb"[0-9]+", b"0", text) for text in texts}) > 5
    deltas = checked_deltas(texts)
    assert 5 < deltas.count(None) < len(texts) - 5


@pytest.mark.parametrize("text", [b"", b"1", b"[1]", b'{"a":1', b'{"a":1} '])
def test_a_keyframe_that_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(DeltaError, match="no object of JSON"):
        Decoder(text)


@given(st.binary(max_size=80))
def test_no_bytes_harm_a_decoder(delta: bytes) -> None:
    decoder = Decoder(b'{"a":1,"counts":{"7":1}}')
    try:
        decoder.apply(delta)
        assert decoder.text().startswith(b"{")
    except DeltaError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((b'{"a":1,"b":2}', b'{"a":1,"b":3}'), "numbers that there are not"),
        ((b'{"counts":{"1":1},"counts":{"1":1}}', b'{"counts":{"1":1},"counts":{"1":2}}'), "a tally that there is not"),
    ],
)
def test_a_delta_of_another_series_is_refused(texts: tuple[bytes, bytes], reason: str) -> None:
    encoder = Encoder()
    encoder.delta(texts[0])
    delta = encoder.delta(texts[1])
    assert delta is not None
    with pytest.raises(DeltaError, match=reason):
        Decoder(b'{"a":1}').apply(delta)
