"""What can be asked of a model over its socket: each call with its arguments, as a table."""

from collections.abc import Callable
from typing import Any

import msgspec

from device_model.publish.tree.dialect import DialectError, dialect
from device_model.publish.tree.whole import document
from device_model.save import saved
from device_model.simulation import CommandError, Simulation
from neurontools.hardware.instances import lookup
from neurontools.schema.document import encode
from neurontools.schema.inventory import to_document
from neurontools.schema.lean import to_unseen, without
from neurontools.schema.snapshot import Snapshot
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
    return _encoded(model.snapshot(), args)


def _past(model: Simulation, args: dict[str, Any]) -> bytes:
    past = model.past(whole_number(args, "age_ns", 0))
    return b"null" if past is None else _encoded(past, args)


def _encoded(snapshot: Snapshot, args: dict[str, Any]) -> bytes:
    """Without what the client said that it does not look at: of a large host that is more than half."""
    unseen = args.get("unseen")
    if not unseen:
        return encode(snapshot)
    try:
        return encode(without(snapshot, to_unseen(unseen)))
    except ValueError as error:
        raise WireError("bad_request", f"unseen: {error}") from None


def _events(model: Simulation, args: dict[str, Any]) -> bytes:
    return encode(model.events(whole_number(args, "since", 0)))


def _allocations(model: Simulation, args: dict[str, Any]) -> bytes:
    device = whole_number(args, "device")
    try:
        return encode(model.allocations(device))
    except IndexError:
        raise WireError("not_found", f"there is no device {device}") from None


def _explain(model: Simulation, args: dict[str, Any]) -> bytes:
    core = whole_number(args, "core")
    try:
        return encode(model.explain(core))
    except IndexError:
        raise WireError(
            "not_found", f"there is no NeuronCore {core}, {model.instance} has 0 to {model.core_count - 1}"
        ) from None


def _signal(model: Simulation, args: dict[str, Any]) -> bytes:
    try:
        model.signal(whole_number(args, "pid"), whole_number(args, "number"))
    except CommandError as error:
        raise WireError("refused", str(error)) from None
    return b"{}"


def _inject(model: Simulation, args: dict[str, Any]) -> bytes:
    fault, target, parameters = args.get("fault"), args.get("target", {}), args.get("parameters", {})
    if not isinstance(fault, str) or not isinstance(target, dict) or not isinstance(parameters, dict):
        raise WireError("bad_request", "expected fault, a name, and target and parameters, objects")
    for_ns = None if args.get("for_ns") is None else whole_number(args, "for_ns")
    try:
        return _json.encode({"id": model.inject(fault, target, parameters, for_ns)})
    except CommandError as error:
        raise WireError("refused", str(error)) from None


def _heal(model: Simulation, args: dict[str, Any]) -> bytes:
    what = args.get("what")
    if not isinstance(what, str):
        what = whole_number(args, "what")
    try:
        return _json.encode({"healed": model.heal(what)})
    except CommandError as error:
        raise WireError("refused", str(error)) from None


def _faults(model: Simulation, args: dict[str, Any]) -> bytes:
    return _json.encode({"time_ns": model.now_ns, "active": [injection.document() for injection in model.faults()]})


def _save(model: Simulation, args: dict[str, Any]) -> bytes:
    return _json.encode(saved(model))


def _tree(model: Simulation, args: dict[str, Any]) -> bytes:
    named = args.get("driver_version")
    if named is not None and not isinstance(named, str):
        raise WireError("bad_request", "driver_version: expected a text such as 2.30.2")
    try:
        version = dialect(named, lookup(model.instance))
    except DialectError as error:
        raise WireError("refused", str(error)) from None
    return _json.encode(document(model, version, whole_number(args, "pid")))


CALLS: dict[str, Call] = {
    "inventory": _inventory,
    "snapshot": _snapshot,
    "past": _past,
    "events": _events,
    "allocations": _allocations,
    "explain": _explain,
    "signal": _signal,
    "inject": _inject,
    "heal": _heal,
    "faults": _faults,
    "tree": _tree,
    "save": _save,
}
"""Calls that are answered at once. The daemon adds those that concern time and its own life."""
