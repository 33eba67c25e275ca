"""`neuron-model inject`, `heal` and `faults`: what can go wrong with a model's host, made to happen and undone."""

import argparse
import json
import re
import sys
import textwrap
from typing import Any

from device_model.commands.ask import ask, duration
from device_model.commands.failure import USAGE, Failure
from device_model.commands.injected import short, spelled
from device_model.faults.fault import Fault, FaultError, Kind, Parameter
from device_model.faults.injections import ALL
from device_model.faults.table import FAULTS, fault_named
from device_model.faults.targets import OPTIONS, check_kind, kind_of
from neurontools.units import parse_bytes

WIDTH = 100
_SEE = "see `neuron-model faults`"
_TARGETS: tuple[Kind, ...] = ("device", "core", "link", "process")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `inject`: the fault, its target, and the parameters of all faults."""
    parser.add_argument("fault", metavar="FAULT", help=f"its name; {_SEE}")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--device", metavar="N", help="into a device")
    target.add_argument("--core", metavar="N", help="into a NeuronCore, counted over the host")
    target.add_argument("--link", metavar="A-B", help="into the link between two devices")
    target.add_argument("--process", metavar="TAG", help="into a process")
    parser.add_argument("--for", dest="for_", metavar="DURATION", help="heal it after this long (30s, 5m)")
    known: dict[str, list[tuple[str, Parameter]]] = {}
    for fault in FAULTS.values():
        for parameter in fault.parameters:
            known.setdefault(parameter.name, []).append((fault.name, parameter))
    for name, uses in known.items():
        faults = ", ".join(fault for fault, _ in uses)
        about = uses[0][1]
        if isinstance(about.default, bool):
            parser.add_argument(f"--{name}", action="store_true", default=None, help=f"{faults}: {about.help}")
        else:
            unit = f", {about.unit}" if about.unit else ""
            parser.add_argument(f"--{name}", metavar=name.upper(), help=f"{faults}: {about.range}{unit}")


def inject(options: Any) -> int:
    """Injects a fault; prints its number, under which it can be healed. Raises Failure."""
    try:
        fault = fault_named(options.fault)
        target = _target(options)
        check_kind(fault, kind_of(target))
        parameters = {parameter.name: _value(parameter, options) for parameter in _given(options)}
        values = fault.checked(parameters)
    except FaultError as error:
        raise Failure(str(error), _SEE, USAGE) from None
    for_ns = None if options.for_ is None else duration(options.for_)
    if for_ns is not None and not fault.lasting:
        raise Failure(f"{fault.name} happens once: it takes no --for", _SEE, USAGE)
    number = ask(options, "inject", fault=fault.name, target=target, parameters=parameters, for_ns=for_ns)["id"]
    said = "".join(f", {name} {spelled(value)}" for name, value in values.items() if value is not False)
    where = "the node" if not target else " ".join(f"{kind} {_spelled(value)}" for kind, value in target.items())
    if fault.lasting:
        print(f"injected: {number} {fault.name} on {where}{said}{f', for {options.for_}' if options.for_ else ''}")
        print(f"end it with: neuron-model heal {number}", file=sys.stderr)
    else:
        print(f"injected: {fault.name} on {where}{said}, once")
    return 0


def heal(options: Any) -> int:
    """Ends lasting faults; prints their numbers. Raises Failure."""
    if (options.what is None) == (not options.all):
        raise Failure("heal needs a number, a fault's name, or --all", "for example: neuron-model heal 3", USAGE)
    what: int | str = ALL
    if options.what is not None:
        what = int(options.what) if re.fullmatch(r"[0-9]{1,9}", options.what) else _known(options.what)
    healed = ask(options, "heal", what=what)["healed"]
    print(f"healed: {', '.join(map(str, healed))}" if healed else "nothing is injected")
    return 0


def faults(options: Any) -> int:
    """Prints the faults that are injected now, and every kind that can be; without a model the kinds alone."""
    try:
        found = ask(options, "faults")
    except Failure as failure:
        found = None
        print(f"neuron-model: {failure.message}", file=sys.stderr)
    if options.json:
        kinds = [_document(fault) for fault in FAULTS.values()]
        print(json.dumps({"active": None if found is None else found["active"], "kinds": kinds}, indent=1))
        return 0
    if found is not None:
        lines = [short(fault, found["time_ns"]) for fault in found["active"]]
        print("\n".join(["injected now:", *(f"  {line}" for line in lines)] if lines else ["nothing is injected now"]))
        print()
    print("\n\n".join(_text(fault) for fault in FAULTS.values()))
    return 0


def _known(name: str) -> str:
    try:
        return fault_named(name).name
    except FaultError as error:
        raise Failure(str(error), _SEE, USAGE) from None


def _target(options: Any) -> dict[str, Any]:
    """The target that the options name, as the model takes it; empty for the node."""
    given: dict[str, Any] = {kind: getattr(options, kind) for kind in _TARGETS if getattr(options, kind) is not None}
    for kind in ("device", "core"):
        if kind in given:
            given[kind] = _number(given[kind], f"--{kind}")
    if "link" in given:
        ends = given["link"].split("-")
        if len(ends) != 2:
            raise FaultError(f"--link: expected two devices such as 0-1, found {given['link']!r:.40}")
        given["link"] = [_number(end, "--link") for end in ends]
    return given


def _number(text: str, option: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise FaultError(f"{option}: expected a number from 0, found {text!r:.40}")
    return int(text)


def _spelled(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _given(options: Any) -> list[Parameter]:
    """The parameters that the options name, whichever fault's they are."""
    known = {parameter.name: parameter for fault in FAULTS.values() for parameter in fault.parameters}
    return [parameter for name, parameter in known.items() if getattr(options, name) is not None]


def _value(parameter: Parameter, options: Any) -> Any:
    """What an option says, in its parameter's type; as it stands where it cannot be read, for the check to refuse."""
    text = getattr(options, parameter.name)
    if isinstance(parameter.default, bool | str):
        return text
    try:
        if parameter.name == "bytes":
            return parse_bytes(text)
        return int(text) if isinstance(parameter.default, int) else float(text)
    except ValueError:
        return text


def _text(fault: Fault) -> str:
    """A kind of fault in lines of at most WIDTH columns."""
    options = "".join(
        f" [--{each.name}{'' if isinstance(each.default, bool) else f' {spelled(each.default)}'}]"
        for each in fault.parameters
    )
    target = "" if fault.target == "node" else f" {OPTIONS[fault.target]}"
    lines = [f"{fault.name}{target}{options}   {'lasting' if fault.lasting else 'once'}{_chips(fault)}"]
    for parameter in fault.parameters:
        ranged = "" if isinstance(parameter.default, bool) else f" ({parameter.range})"
        lines += _wrapped(f"--{parameter.name}", f"{parameter.help}{ranged}")
    for number, sentence in enumerate(fault.shows):
        lines += _wrapped("" if number else "shows", sentence)
    return "\n".join([*lines, *_wrapped("recovery", fault.recovery)])


def _chips(fault: Fault) -> str:
    return "" if fault.families is None else f", on {' and '.join(fault.chips)} only"


def _wrapped(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH, initial_indent=f"  {label:<10}", subsequent_indent=" " * 12)
    return [line.rstrip() for line in lines]


def _document(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "target": fault.target,
        "lasting": fault.lasting,
        "families": fault.families,
        "parameters": [
            {"name": each.name, "default": each.default, "range": each.range, "unit": each.unit, "help": each.help}
            for each in fault.parameters
        ],
        "shows": fault.shows,
        "recovery": fault.recovery,
        "changes": [change._asdict() for change in fault.changes],
    }
