"""How a device model's answer line becomes a schema document, without decoding its result twice."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from neurontools.schema.document import Document, decode
from neurontools.wire import Client, encode_answer

D = TypeVar("D", bound=Document)


class _Answer(msgspec.Struct):
    """One line; the result stays text until its own type decodes it."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Any = None


_decoder = msgspec.json.Decoder(_Answer)

_BEFORE, _AFTER = encode_answer(b"?").rstrip(b"\n").split(b"?")
"""What a server of ours writes around a result."""


def read_answer(client: Client, kind: type[D], call: str, args: Mapping[str, Any]) -> D | None:
    """The result of a call as a document of that kind; None where the server answers null.

    Raises WireError, also for an error that the server answers, and SchemaError for a result of another shape.
    """
    result = _result(client, client.exchange(call, args))
    return None if result == b"null" else decode(kind, result)


def _result(client: Client, line: bytes) -> bytes | memoryview:
    """The text of the result in a line."""
    if line.startswith(_BEFORE) and line.endswith(_AFTER):
        # A snapshot of a large host has 350 kB: a pass to find its end would cost a third of reading it.
        return memoryview(line)[len(_BEFORE) : -len(_AFTER)]
    try:
        answer = _decoder.decode(line)
    except msgspec.DecodeError:
        raise client.error_of(None) from None
    if answer.result is msgspec.UNSET:
        raise client.error_of({"error": answer.error})
    return bytes(answer.result)
