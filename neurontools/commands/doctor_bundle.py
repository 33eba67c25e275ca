"""`neuron-doctor bundle`: what somebody needs who is to help, as one archive, without what identifies the host."""

from __future__ import annotations

import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from msgspec import to_builtins
from msgspec.structs import replace

from neurontools.commands import errors
from neurontools.commands.doctor_look import Look, Looked, look
from neurontools.commands.version import version
from neurontools.diagnosis.parts import why_no_log
from neurontools.recording import Frame, Writer
from neurontools.recording.anonymous import KINDS, Anonymous
from neurontools.schema.events import KERNEL_LOG, Events
from neurontools.schema.host_facts import HostFacts
from neurontools.schema.inventory import to_document
from neurontools.schema.snapshot import Gap
from neurontools.units import format_bytes, format_time_ns
from neurontools.views.doctor import documents, text

MANIFEST = "BUNDLE.json"
READINGS = "readings.nrec"
_NOT_READ = Gap(reason="this host could not be read at all")


class _Entry(NamedTuple):
    name: str
    content: bytes
    about: str


def bundle(given: Mapping[str, str], operands: Sequence[str]) -> None:
    """Writes the archive that the options name, and lists what is in it. Raises UsageError, OutputError."""
    target = given.get("to")
    if operands:
        raise errors.UsageError(f"bundle takes no operand, found {' '.join(operands)}; which archive: --to FILE.tar.gz")
    if not target:
        raise errors.UsageError("which archive? Name one: --to bundle.tar.gz")
    if os.path.exists(target):
        raise errors.OutputError(f"cannot write {target}: file exists")
    names = None if "unredacted" in given else Anonymous()
    looks: list[Look] = []
    looked = look(given, on_look=looks.append)
    entries = _entries(looked, looks, names)
    try:
        _write(target, [_manifest(entries, names is not None), *entries])
    except OSError as error:
        raise errors.OutputError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None
    replaced = f"replaced: {', '.join(KINDS)}\n" if names is not None else "nothing was replaced: --unredacted\n"
    width = max(len(entry.name) for entry in entries)
    listed = "".join(f"  {e.name:<{width}}  {format_bytes(len(e.content)):>10}  {e.about}\n" for e in entries)
    errors.write(f"written: {target}\n{listed}{replaced}look through it before you give it away\n")


def _entries(looked: Looked, looks: Sequence[Look], names: Anonymous | None) -> list[_Entry]:
    inventory = looked.inventory if names is None or looked.inventory is None else names.inventory(looked.inventory)
    frames = [_frame(each) for each in looks]
    shown = frames if names is None else [names.frame(frame) for frame in frames]
    facts = next((each.facts for each in reversed(looks) if each.facts is not None), None)
    page = text.render(looked.diagnosis, inventory)
    found = documents.render(looked.diagnosis, inventory)
    plain = page if names is None else names.text(page)
    entries = [
        _Entry("findings.txt", plain.encode(), "what neuron-doctor says"),
        _Entry("findings.json", (found if names is None else names.text(found)).encode(), "the same for programs"),
        _Entry("versions.json", _json(_versions(looks, facts)), "tools, driver, runtimes, kernel"),
        _kernel_log(shown),
    ]
    if inventory is not None:
        entries.append(_Entry("inventory.json", _json(to_document(inventory)), "what is installed"))
    if facts is not None:
        entries.append(
            _Entry("host.json", _json(to_builtins(_bare(facts, names))), "packages, buses, holders, network")
        )
    if shown:
        about = f"{len(shown)} readings; neuron-top --source replay:{READINGS}"
        entries.append(_Entry(READINGS, _recorded(shown, command_lines=names is None), about))
    return entries


def _kernel_log(frames: Sequence[Frame]) -> _Entry:
    """The driver's lines; where they could not be read, or not to the end, the reason, in the list too."""
    lines = [event for frame in frames for event in frame.events.events if event.kind == KERNEL_LOG]
    log = "".join(f"{format_time_ns(event.time_ns)} {event.text}\n" for event in lines)
    gap = why_no_log(frames[-1].snapshot.head) if frames else _NOT_READ
    if gap is None:
        return _Entry("kernel.log", log.encode(), "the driver's lines" if lines else "the driver has written no line")
    why = gap.reason if gap.supply is None else f"{gap.reason} ({gap.supply})"
    return _Entry("kernel.log", f"{log}# not read: {why}\n".encode(), f"the driver's lines, not read: {why}")


def _frame(each: Look) -> Frame:
    return Frame(each.snapshot, each.inventory, Events(events=tuple(each.events)))


def _bare(facts: HostFacts, names: Anonymous | None) -> HostFacts:
    return facts if names is None else replace(facts, gaps=names.gaps(facts.gaps))


def _versions(looks: Sequence[Look], facts: HostFacts | None) -> dict[str, object]:
    runtimes = {process.runtime_version for each in looks for process in each.snapshot.processes or ()}
    driver = next((each.inventory.driver_version for each in reversed(looks)), None)
    return {
        "neurontools": version(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "driver": driver,
        "installed_drivers": list(facts.installed_drivers or ()) if facts is not None else [],
        "runtimes": sorted(each for each in runtimes if each is not None),
    }


def _recorded(frames: Sequence[Frame], command_lines: bool) -> bytes:
    """The readings as a recording."""
    with tempfile.TemporaryFile() as file:
        writer = Writer(file.fileno(), command_lines)
        for frame in frames:
            writer.write(frame)
        writer.end_block()
        file.seek(0)
        return file.read()


def _manifest(entries: Sequence[_Entry], redacted: bool) -> _Entry:
    document = {
        "contents": {entry.name: {"bytes": len(entry.content), "about": entry.about} for entry in entries},
        "replaced": list(KINDS) if redacted else [],
    }
    return _Entry(MANIFEST, _json(document), "this list")


def _json(document: object) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(target: str, entries: Sequence[_Entry]) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for entry in entries:
                member = tarfile.TarInfo(entry.name)
                member.mode, member.size = 0o600, len(entry.content)
                archive.addfile(member, BytesIO(entry.content))
    except BaseException:
        os.unlink(target)
        raise
