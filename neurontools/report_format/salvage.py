"""A line of which something cannot be read: everything that can, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from neurontools.report_format import format as form
from neurontools.report_format.decode import ReportError, check_keys

T = TypeVar("T")

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_whole = msgspec.json.Decoder(form.Document)


class Salvage(NamedTuple):
    """What was read of a line. A group that was damaged is empty and carries the reason as its error; `lost` has the
    reason for the other parts by their keys. Of `neuron_runtime_data` some may have been lost, or all."""

    document: form.Document
    lost: Mapping[str, str]


def salvage(line: bytes) -> Salvage:
    """Reads one line as far as it can be read. Raises ReportError when it is no JSON object at all, or has no key of
    the format."""
    try:
        whole = _whole.decode(line)
    except _UNREADABLE:
        pass
    else:
        check_keys(line, whole)
        return Salvage(whole, {})
    lost: dict[str, str] = {}
    try:
        parts = msgspec.json.decode(line, type=_Parts)
    except _UNREADABLE as error:
        raise ReportError(f"not a document of neuron-monitor: {error}") from None
    document = form.Document(
        neuron_runtime_data=_runtimes(parts.neuron_runtime_data, lost),
        system_data=_groups(parts.system_data, form.SystemData, "system_data", lost),
        instance_info=_part(parts.instance_info, form.InstanceInfo, "instance_info", lost),
        neuron_hardware_info=_part(parts.neuron_hardware_info, form.HardwareInfo, "neuron_hardware_info", lost),
    )
    return Salvage(document, lost)


class _Parts(Struct):
    """The keys of a line; what they hold is read one by one."""

    neuron_runtime_data: Raw | UnsetType = UNSET
    system_data: Raw | UnsetType = UNSET
    instance_info: Raw | UnsetType = UNSET
    neuron_hardware_info: Raw | UnsetType = UNSET


class _Runtime(Struct):
    """A runtime whose groups are read one by one."""

    pid: form.Count
    neuron_runtime_tag: str = ""
    error: str = ""
    report: Raw | UnsetType = UNSET


def _runtimes(text: Raw | UnsetType, lost: dict[str, str]) -> list[form.RuntimeData]:
    name = "neuron_runtime_data"
    found = []
    for each in _read(text, list[Raw] | None, name, lost) or ():
        runtime = _read(each, _Runtime, name, lost)
        if runtime is not None:
            damaged: dict[str, str] = {}
            report = _groups(runtime.report, form.RuntimeReport, "report", damaged)
            error = runtime.error or damaged.get("report", "")
            found.append(
                form.RuntimeData(
                    pid=runtime.pid, neuron_runtime_tag=runtime.neuron_runtime_tag, error=error, report=report
                )
            )
    return found


def _groups(text: Raw | UnsetType, kind: type[T], name: str, lost: dict[str, str]) -> T:
    """The groups of one part; a group that is null was not due."""
    texts = _read(text, dict[str, Raw] | None, name, lost) or {}
    groups: dict[str, Any] = {}
    for key, group in _GROUPS[kind].items():
        if key in texts and bytes(texts[key]) != b"null":
            damaged: dict[str, str] = {}
            read = _part(texts[key], group, "error", damaged)
            groups[key] = group(**damaged) if damaged else read
    return kind(**groups)


def _part(text: Raw | UnsetType, kind: type[T], name: str, lost: dict[str, str]) -> T:
    part = _read(text, kind, name, lost)
    return kind() if part is None else part


def _read(text: Raw | UnsetType, kind: Any, name: str, lost: dict[str, str]) -> Any:
    """What a text holds; None where there is none, or where it cannot be read."""
    if text is UNSET:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except _UNREADABLE as error:
        lost[name] = f"cannot be read: {error}"
        return None


def _group_kinds(kind: type[Struct]) -> dict[str, type[Struct]]:
    """The struct of each group; every one is also UNSET where it was not due."""
    hints = get_type_hints(kind)
    return {name: hints[name].__args__[0] for name in kind.__struct_fields__}


_GROUPS: dict[Any, dict[str, Any]] = {kind: _group_kinds(kind) for kind in (form.RuntimeReport, form.SystemData)}
