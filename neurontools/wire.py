"""The socket between tools and a device model: where it is, one JSON document per line, and a blocking client.

Loads little (`_socket`, without the 15 million instructions of `socket`'s own start), because neuron-ls waits for it.
"""

import errno
import json
import os
import stat
from _socket import AF_UNIX, SOCK_STREAM, socket
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any

MAX_REQUEST_BYTES = 1 << 20
"""The longest request line, its newline included."""

MAX_ANSWER_BYTES = 256 << 20
"""The longest answer line, its newline included."""

SERVER_KINDS = ("bad_request", "unknown_call", "not_found", "refused", "busy", "internal")
"""Kinds of error that a server answers with."""

CLIENT_KINDS = ("unreachable", "timeout", "closed", "garbage", "too_long")
"""Kinds of error that a client finds by itself."""

START_HINT = "start one with: neuron-model start"
_STATUS_HINT = "look at it with: neuron-model status"
_RELEASE_HINT = "is this a device model's socket, and of the same neurontools release?"

_RECEIVE_BYTES = 1 << 18
_FULL_QUEUE_WAIT_S = 0.01

# Why a connection failed, and what to do next; other errors bring the system's own words.
_CONNECT_FAILURES = {
    errno.ENOENT: ("there is no such socket", START_HINT),
    errno.ENOTDIR: ("there is no such socket", START_HINT),
    errno.ECONNREFUSED: ("nobody listens there any more", START_HINT),
    errno.EACCES: ("permission denied, the socket is another user's", "start your own with: neuron-model start"),
    errno.EPROTOTYPE: ("this is another kind of socket", _RELEASE_HINT),
}


class WireError(Exception):
    """A call failed: `kind` is one of SERVER_KINDS or CLIENT_KINDS; `message` and `hint` are one line for people."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def default_socket_path(environ: Mapping[str, str] = os.environ) -> str:
    """Where a user's device model listens unless told otherwise; the file need not exist."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return f"{runtime}/neurontools/model.sock"
    return f"{environ.get('TMPDIR') or '/tmp'}/neurontools-{os.getuid()}/model.sock"


def encode_request(call: str, args: Mapping[str, Any]) -> bytes:
    """One request line. Raises WireError (too_long) when a server would refuse its size."""
    line = json.dumps({"call": call, "args": args}).encode() + b"\n"
    if len(line) > MAX_REQUEST_BYTES:
        raise WireError("too_long", f"the request {call} has {len(line)} bytes, at most {MAX_REQUEST_BYTES} are taken")
    return line


def decode_request(line: bytes) -> tuple[str, dict[str, Any]]:
    """The call and its arguments. Raises WireError (bad_request) that says what is wrong with the line."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError("bad_request", f"not a line of JSON: {error}") from None
    call = request.get("call") if isinstance(request, dict) else None
    args = request.get("args", {}) if isinstance(request, dict) else None
    if not isinstance(call, str) or not isinstance(args, dict):
        raise WireError("bad_request", 'expected {"call": "<name>", "args": {…}}')
    return call, args


def encode_answer(result: bytes) -> bytes:
    """One answer line around a result that is JSON already."""
    return b'{"result":' + result + b"}\n"


def encode_error(kind: str, message: str, hint: str = "") -> bytes:
    """One answer line that tells a client why it gets no result; `kind` is one of SERVER_KINDS."""
    return json.dumps({"error": {"kind": kind, "message": message, "hint": hint}}).encode() + b"\n"


class Client:
    """A connection to a device model, made at the first call and made anew after a failure.

    `timeout_s` bounds each call as a whole: connecting, sending and receiving.
    """

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._socket: socket | None = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, call: str, /, **args: Any) -> Any:
        """The result of a call as plain JSON values. Raises WireError, also for an error that the server answers."""
        line = self.exchange(call, args)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise self._garbage() from None
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        raise self.error_of(answer)

    def exchange(self, call: str, args: Mapping[str, Any]) -> bytes:
        """Sends one request and returns the answer's line, whatever it holds, without its newline.

        Raises WireError with one of CLIENT_KINDS.
        """
        line = encode_request(call, args)
        try:
            return self._exchange(line, monotonic() + self.timeout_s)
        except TimeoutError:
            raise self._failure("timeout", f"no answer within {self.timeout_s:g} s", _STATUS_HINT) from None
        except OSError as error:
            raise self._failure(
                "closed", "it closed the connection before the answer was complete", _STATUS_HINT
            ) from error
        except BaseException:
            # Whatever is still under way on this connection would be taken for the next call's answer.
            self.close()
            raise

    def error_of(self, answer: object) -> WireError:
        """The error that a decoded answer without a result stands for."""
        error = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(error, dict):
            return self._garbage()
        kind, message, hint = (error.get(key, "") for key in ("kind", "message", "hint"))
        return WireError(str(kind), str(message), str(hint))

    def _exchange(self, line: bytes, deadline: float) -> bytes:
        connection = self._socket = self._socket or self._connect(deadline)
        connection.settimeout(_left(deadline))
        connection.sendall(line)
        chunks: list[bytes] = []
        received = 0
        while not chunks or b"\n" not in chunks[-1]:
            connection.settimeout(_left(deadline))
            chunk = connection.recv(_RECEIVE_BYTES)
            received += len(chunk)
            if not chunk:
                raise ConnectionResetError
            if received > MAX_ANSWER_BYTES:
                raise self._failure("too_long", f"its answer exceeds {MAX_ANSWER_BYTES} bytes", _RELEASE_HINT)
            chunks.append(chunk)
        answer, _, rest = b"".join(chunks).partition(b"\n")
        if rest:
            raise self._garbage()
        return answer

    def _connect(self, deadline: float) -> socket:
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            while True:
                connection.settimeout(_left(deadline))
                try:
                    connection.connect(self.path)
                    return connection
                except BlockingIOError:
                    # The server's queue is full: unlike TCP, a Unix socket does not wait for a place in it.
                    sleep(_FULL_QUEUE_WAIT_S)
        except TimeoutError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            why, hint = _CONNECT_FAILURES.get(error.errno or 0, (error.strerror or str(error), ""))
            if error.errno == errno.ECONNREFUSED and not _is_socket(self.path):
                why = "it is no socket"
            raise self._failure("unreachable", why, hint) from None

    def _garbage(self) -> WireError:
        return self._failure("garbage", "its answer is not one line of JSON with a result or an error", _RELEASE_HINT)

    def _failure(self, kind: str, why: str, hint: str) -> WireError:
        self.close()
        return WireError(kind, f"cannot read the device model at {self.path}: {why}", hint)


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
