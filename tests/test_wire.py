"""The wire: framing both ways, one deadline for a call, and a clear line for everything that can go wrong."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools import wire
from tests.sources.server import Conversation, answering, serving, socket_path

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=3)


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with serving(answering({"status": {"ok": True}, "past": None, "bare": b"{}\n"})) as path:
        yield path


def failure(path: str, timeout_s: float = 5.0) -> wire.WireError:
    with wire.Client(path, timeout_s) as client, pytest.raises(wire.WireError) as caught:
        client.call("status")
    assert path in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


@given(st.text(), st.dictionaries(st.text(max_size=20), VALUES, max_size=5))
def test_a_request_is_one_line_that_reads_back(call: str, args: dict[str, object]) -> None:
    line = wire.encode_request(call, args)
    assert line.index(b"\n") == len(line) - 1
    assert wire.decode_request(line) == (call, args)


@given(st.sampled_from(wire.SERVER_KINDS), st.text(), st.text())
def test_an_error_is_one_line_that_reads_back(kind: str, message: str, hint: str) -> None:
    line = wire.encode_error(kind, message, hint)
    assert line.index(b"\n") == len(line) - 1
    error = wire.Client("unused").error_of(json.loads(line))
    assert (error.kind, error.message, error.hint) == (kind, message, hint)


@pytest.mark.parametrize(
    "line", [b"", b"hello", b"\xff", b"[]", b"3", b"{}", b'{"call": 1}', b'{"call": "a", "args": []}', b"[" * 100_000]
)
def test_a_bad_request_is_refused(line: bytes) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_request(line)
    assert caught.value.kind == "bad_request"


def test_arguments_may_be_left_out() -> None:
    assert wire.decode_request(b'{"call": "status"}') == ("status", {})


def test_a_request_that_no_server_takes_is_not_sent() -> None:
    with pytest.raises(wire.WireError, match="inject") as caught:
        wire.encode_request("inject", {"text": "x" * wire.MAX_REQUEST_BYTES})
    assert caught.value.kind == "too_long"


def test_a_connection_carries_many_calls(model: str) -> None:
    with wire.Client(model) as client:
        assert [client.call("status"), client.call("past"), client.call("status")] == [{"ok": True}, None, {"ok": True}]
        assert client.exchange("past", {}) == b'{"result":null}'
    client.close()


def test_an_error_that_the_server_answers_ends_nothing(model: str) -> None:
    with wire.Client(model) as client:
        with pytest.raises(wire.WireError) as caught:
            client.call("nonsense")
        assert (caught.value.kind, caught.value.message) == ("unknown_call", "there is no call nonsense")
        assert caught.value.hint == "calls: inventory"
        assert client.call("status") == {"ok": True}


def test_an_answer_without_result_or_error(model: str) -> None:
    with wire.Client(model) as client, pytest.raises(wire.WireError) as caught:
        client.call("bare")
    assert caught.value.kind == "garbage"


def test_arguments_reach_the_server() -> None:
    def echo(connection: socket.socket) -> None:
        call, args = wire.decode_request(connection.recv(1000))
        connection.sendall(wire.encode_answer(json.dumps([call, args]).encode()))

    with serving(echo) as path, wire.Client(path) as client:
        assert client.call("advance", duration_ns=5, call=1, path="a") == [
            "advance",
            {"duration_ns": 5, "call": 1, "path": "a"},
        ]


def test_a_long_answer_arrives_whole() -> None:
    text = "x" * 3_000_000
    with serving(answering({"snapshot": text})) as path, wire.Client(path) as client:
        assert client.call("snapshot") == text


def test_nothing_there() -> None:
    with socket_path() as path:
        error = failure(path)
    assert error.kind == "unreachable"
    assert error.hint == "start one with: neuron-model start"


def test_a_socket_that_its_server_left_behind() -> None:
    with socket_path() as path:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
        error = failure(path)
    assert (error.kind, error.hint) == ("unreachable", wire.START_HINT)
    assert "nobody listens" in error.message


def test_a_directory_a_file_and_a_path_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (str(tmp_path), str(tmp_path / "file"), str(tmp_path / "file" / "x"), "/" + "x" * 300):
        assert failure(path).kind == "unreachable"


def test_a_socket_of_another_kind() -> None:
    with socket_path() as path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        assert "another kind" in failure(path).message


def test_a_refused_permission_says_whose_socket_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(wire, "socket", Refusing)
    error = failure("another.sock")
    assert "another user" in error.message
    assert "neuron-model start" in error.hint


def silence(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.recv(1000)


def dripping(connection: socket.socket) -> None:
    """Never silent for long, and done long after this test: only a deadline for the whole call ends this."""
    with suppress(OSError):
        for _ in range(5000):
            connection.sendall(b" ")
            time.sleep(0.01)


@pytest.mark.parametrize("conversation", [silence, dripping])
def test_one_deadline_for_the_whole_call(conversation: Conversation) -> None:
    with serving(conversation) as path:
        error = failure(path, timeout_s=0.15)
    assert error.kind == "timeout"
    assert "0.15 s" in error.message


def test_a_full_queue_is_waited_for_until_the_deadline() -> None:
    with socket_path() as path, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with wire.Client(path, timeout_s=0.05) as first, pytest.raises(wire.WireError):
            first.call("status")
        assert failure(path, timeout_s=0.05).kind == "timeout"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"", "closed"),
        (b'{"result": ', "closed"),
        (b"hello\n", "garbage"),
        (b"\n", "garbage"),
        (b"[]\n", "garbage"),
        (b"\xff\xfe\n", "garbage"),
        (b"[" * 100_000 + b"\n", "garbage"),
        (b'{"error": "no"}\n', "garbage"),
        (b'{"result": 1}\n{"result": 2}\n', "garbage"),
    ],
)
def test_a_server_that_speaks_otherwise(said: bytes, kind: str) -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(said)

    with serving(speak) as path:
        assert failure(path).kind == kind


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 100_000)
    with serving(answering({"status": "x" * 100_000})) as path:
        assert failure(path).kind == "too_long"


def test_what_is_no_socket_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(failure(str(tmp_path / "file"))).endswith("file: it is no socket")


def test_after_a_failure_the_next_call_connects_anew() -> None:
    turns = iter([b"hello\n", b'{"result": 7}\n'])

    def worse_then_better(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(next(turns))

    with serving(worse_then_better) as path, wire.Client(path) as client:
        with pytest.raises(wire.WireError):
            client.call("status")
        assert client.call("status") == 7


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/neurontools/model.sock"),
        ({"XDG_RUNTIME_DIR": "relative"}, f"/tmp/neurontools-{os.getuid()}/model.sock"),
        ({"TMPDIR": "/var/tmp"}, f"/var/tmp/neurontools-{os.getuid()}/model.sock"),
        ({}, f"/tmp/neurontools-{os.getuid()}/model.sock"),
    ],
)
def test_where_a_model_listens(environ: dict[str, str], path: str) -> None:
    assert wire.default_socket_path(environ) == path
