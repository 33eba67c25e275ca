"""A server for tests of the wire: it speaks, stays silent or misbehaves exactly as told."""

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from neurontools.wire import decode_request, encode_answer, encode_error

Conversation = Callable[[socket.socket], None]


def answering(answers: dict[str, Any]) -> Conversation:
    """Answers each call with its plain JSON value; bytes are sent as they are, other calls are unknown."""

    def reply(line: bytes) -> bytes:
        call, _ = decode_request(line)
        if call not in answers:
            return encode_error("unknown_call", f"there is no call {call}", "calls: inventory")
        answer = answers[call]
        return answer if isinstance(answer, bytes) else encode_answer(json.dumps(answer).encode())

    def converse(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(reply(line))

    return converse


@contextmanager
def socket_path() -> Iterator[str]:
    """A path in a short fresh directory: a socket's has at most 107 bytes, a test's own may be longer."""
    with tempfile.TemporaryDirectory(prefix="wire-") as directory:
        yield f"{directory}/model.sock"


@contextmanager
def serving(conversation: Conversation) -> Iterator[str]:
    """Runs a conversation with every client, one after the other; gives the socket's path."""
    with socket_path() as path, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        clients: list[socket.socket] = []
        thread = threading.Thread(target=_serve, args=(listener, conversation, clients))
        thread.start()
        try:
            yield path
        finally:
            for open_socket in (listener, *clients):
                # A test that failed may not have closed its end: nothing waits for it.
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, conversation: Conversation, clients: list[socket.socket]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        clients.append(connection)
        # A client that gives up half-way is what many of these tests are about.
        with connection, suppress(OSError):
            conversation(connection)
