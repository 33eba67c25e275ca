"""How a device model's answer line becomes a schema document, without decoding twice what is the same."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from neurontools.schema.document import Document, SchemaError, decode, kind_of, looked_at, narrowed
from neurontools.schema.lean import unseen
from neurontools.schema.snapshot import Core, Device, Snapshot
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


class SnapshotReader:
    """Reads snapshots of one kind. Where the cores of a device have the same text as the last time, they are the same
    objects as then.

    On most hosts most of the time most cores stand still, or what they count that this kind looks at.
    """

    def __init__(self, client: Client, kind: type[Snapshot]) -> None:
        self._client = client
        self._kind = kind
        self._device = cast(type[Device], kind_of(kind, "devices"))
        self._fields = [name for name in self._device.__struct_fields__ if name != "cores"]
        self._cores: Any = msgspec.json.Decoder(tuple[kind_of(self._device, "cores"), ...])  # type: ignore[misc]
        self._undecoded = _undecoded(kind, self._device)
        self._unseen = {"unseen": left_out} if (left_out := unseen(kind)) else {}
        self._known: dict[int, tuple[msgspec.Raw, tuple[Core, ...]]] = {}

    def read(self, call: str, args: Mapping[str, Any]) -> Snapshot | None:
        """The snapshot that a call results in; None where the server answers null.

        Raises WireError, also for an error that the server answers, and SchemaError for a result of another shape.
        """
        read = read_answer(self._client, self._undecoded, call, {**args, **self._unseen})
        if read is None:
            return None
        try:
            devices = tuple([self._decoded(device) for device in read.devices])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SchemaError(f"not a readable snapshot: {error}") from None
        return self._kind(
            version=read.version, head=read.head, devices=devices, processes=read.processes, host=read.host
        )

    def _decoded(self, device: Device) -> Device:
        cores, text = device.cores, cast("msgspec.Raw | tuple[()]", device.cores)
        if isinstance(text, msgspec.Raw):
            before, cores = self._known.get(device.index, (None, ()))
            if text != before:
                cores = self._cores.decode(text)
            # Of two equal texts the newer one is kept: each keeps the whole answer that it is a part of.
            self._known[device.index] = text, cores
        return self._device(cores=cores, **{name: getattr(device, name) for name in self._fields})


def _undecoded(kind: type[Snapshot], device: type[Device]) -> type[Snapshot]:
    """The kind of snapshot with the cores of each device as text."""
    if "devices" not in looked_at(kind) or "cores" not in looked_at(device):
        return kind
    texts: Any = narrowed(device, looked_at(device) - {"cores"}, cores=msgspec.Raw)
    return narrowed(kind, looked_at(kind) - {"devices"}, devices=tuple[texts, ...])


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
