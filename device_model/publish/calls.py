"""What can be asked of a model over its socket: each call with its arguments, as a table."""

from collections.abc import Callable
from typing import Any

import msgspec

from device_model.save import saved
from device_model.simulation import CommandError, Simulation
from neurontools.schema.document import encode
from neurontools.schema.inventory import to_document
from neurontools.wire import WireError

MAX_NS = 1 << 62
"""The largest number accepted for a time or a sequence number."""

Call = Callable[[Simulation, dict[str, Any]], bytes]

_json = msgspec.json.Encoder()


def whole_number(args: dict[str, Any], name: str, default: int | None = None) -> int:
    """An argument that is a whole number from 0 up; raises WireError (bad_request)."""
    value = args.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NS:
        found = "it is missing" if value is None else f"found {_shown(value)}"
        raise WireError("bad_request", f"{name}: expected a whole number from 0 to {MAX_NS}, {found}")
    return value


def _shown(value: Any) -> str:
    # Only values of one piece: the text of deeply nested ones can need more stack than reading them did.
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"{value!r:.80}"


def _inventory(model: Simulation, args: dict[str, Any]) -> bytes:
    return _json.encode(to_document(model.inventory()))


def _snapshot(model: Simulation, args: dict[str, Any]) -> bytes:
    return encode(model.snapshot())


def _past(model: Simulation, args: dict[str, Any]) -> bytes:
    past = model.past(whole_number(args, "age_ns", 0))
    return b"null" if past is None else encode(past)


def _events(model: Simulation, args: dict[str, Any]) -> bytes:
    return encode(model.events(whole_number(args, "since", 0)))


def _allocations(model: Simulation, args: dict[str, Any]) -> bytes:
    device = whole_number(args, "device")
    try:
        return encode(model.allocations(device))
    except IndexError:
        raise WireError("not_found", f"there is no device {device}") from None


def _signal(model: Simulation, args: dict[str, Any]) -> bytes:
    try:
        model.signal(whole_number(args, "pid"), whole_number(args, "number"))
    except CommandError as error:
        raise WireError("refused", str(error)) from None
    return b"{}"


def _save(model: Simulation, args: dict[str, Any]) -> bytes:
    return _json.encode(saved(model))


CALLS: dict[str, Call] = {
    "inventory": _inventory,
    "snapshot": _snapshot,
    "past": _past,
    "events": _events,
    "allocations": _allocations,
    "signal": _signal,
    "save": _save,
}
"""Calls that are answered at once. The daemon adds those that concern time and its own life."""
