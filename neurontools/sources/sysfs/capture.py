"""A copy of a host's files as an archive that other people may see: what identifies the host is replaced in it.

Read below another root, the copy is a host again, and marked as one that is not live.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from neurontools.hardware.driver import DIRECTORIES, PCI_DRIVER_DIRECTORY
from neurontools.sources.sysfs.files import Root, why
from neurontools.sources.sysfs.kernel_log import PATH as KERNEL_LOG
from neurontools.sources.sysfs.kernel_log import KernelLog, parse
from neurontools.sources.sysfs.layout import bound_functions, device_nodes
from neurontools.sources.sysfs.marker import PATH as MARKER
from neurontools.sources.sysfs.redaction import Redaction
from neurontools.sources.sysfs.watch import Watch

MANIFEST = "CAPTURE.json"
"""In the archive: what was copied, what could not be read and why, and what was replaced."""

_MODULE = f"sys/{DIRECTORIES['module']}"
_TREES = (f"{_MODULE}/parameters", f"sys/{os.path.dirname(DIRECTORIES['device'])}")
_CLASS = f"sys/{DIRECTORIES['class']}"
_DMI = (f"sys/{DIRECTORIES['dmi']}/product_name", f"sys/{DIRECTORIES['dmi']}/board_asset_tag")
_PCI = ("vendor", "device", "numa_node", "local_cpulist")
_HOST = ("proc/devices", "proc/stat", "proc/meminfo", "proc/vmstat", "proc/sys/kernel/random/boot_id")
_OF_PROCESS = ("stat", "status", "cmdline", "environ")
_MOST_BYTES = 1 << 20
_MOST_FILES = 200_000


class Entry(NamedTuple):
    """One file, or a symbolic link to `target`, below the root. `failure` says why its content is missing."""

    path: str
    mode: int = 0o444
    content: bytes = b""
    target: str | None = None
    failure: str = ""


class Summary(NamedTuple):
    """What was written."""

    files: int
    failures: int
    replaced: tuple[str, ...]


def write_capture(root: str, target: str, redaction: Redaction | None) -> Summary:
    """Writes the archive `target` (.tar.gz) of the host below `root`; without `redaction` everything is as it is there.

    Raises OSError where the archive cannot be written; files of the host that cannot be read are listed in it.
    """
    host = Root(root)
    entries = list(_entries(host))
    if redaction is not None:
        entries = [_redacted(entry, redaction) for entry in entries]
    replaced = redaction.kinds if redaction is not None else ()
    _write(target, [_manifest(entries, replaced), *entries])
    return Summary(len(entries), sum(bool(entry.failure) for entry in entries), replaced)


def _write(target: str, entries: list[Entry]) -> None:
    with open(target, "xb") as file:
        try:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for entry in entries:
                    _add(archive, entry)
        except BaseException:
            os.unlink(target)
            raise


def _entries(host: Root) -> Iterator[Entry]:
    for top in _TREES:
        yield from _tree(host, top)
    for name in host.names(_CLASS):
        yield _file(host, f"{_CLASS}/{name}")
    for path in (f"{_MODULE}/version", *_DMI, *_HOST):
        yield _file(host, path)
    for bdf in bound_functions(host):
        yield _file(host, f"sys/{PCI_DRIVER_DIRECTORY}/{bdf}")
        directory = "sys/" + DIRECTORIES["pci"].format(bdf=bdf)
        yield from (_file(host, f"{directory}/{name}") for name in (*_PCI, "driver"))
    nodes = device_nodes(host) or {}
    # On another machine a name is all that a node can be: they get those of their devices.
    yield from (Entry(f"dev/neuron{device}") for device in sorted(set(nodes.values())))
    yield from _processes(host, nodes)
    yield _kernel_log(host)
    if not os.path.exists(host.of(MARKER)):
        # What is read from a copy can then never be taken for a live host's.
        yield Entry(MARKER, content=f"scenario capture\ntime_ns {time.time_ns()}\nsequence 0\n".encode())


def _tree(host: Root, top: str) -> Iterator[Entry]:
    """All files below a directory; links inside it are kept as links and not followed."""
    for count, (directory, names, files) in enumerate(os.walk(host.of(top))):
        names.sort()
        below = directory.removeprefix(host.of(""))
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        yield from (_file(host, f"{below}/{name}") for name in sorted((*files, *links)))
        if count > _MOST_FILES:
            return


def _file(host: Root, path: str) -> Entry:
    whole = host.of(path)
    try:
        if os.path.islink(whole):
            return Entry(path, target=os.readlink(whole))
        mode = os.stat(whole).st_mode & 0o777
    except OSError as error:
        return Entry(path, failure=why(error))
    try:
        return Entry(path, mode, host.read(path, _MOST_BYTES))
    except OSError as error:
        return Entry(path, mode, failure=why(error))


def _processes(host: Root, nodes: dict[int, int]) -> Iterator[Entry]:
    """Those that hold a device: who they are, and these descriptors of theirs."""
    for held in Watch(host).look(0, nodes):
        home = f"proc/{held.pid}"
        yield from (_file(host, f"{home}/{name}") for name in _OF_PROCESS)
        for descriptor in host.names(f"{home}/fd"):
            entry = _file(host, f"{home}/fd/{descriptor}")
            number = re.match(r"/dev/neuron(\d+)", entry.target or "")
            if number is not None:
                device = held.handles.names.get(int(number[1]), int(number[1]))
                yield entry._replace(target=f"/dev/neuron{device}")
                yield _file(host, f"{home}/fdinfo/{descriptor}")


def _kernel_log(host: Root) -> Entry:
    """The driver's lines of the kernel's log."""
    log = KernelLog(host)
    try:
        records = log.records()
    except OSError as error:
        return Entry(KERNEL_LOG, failure=why(error))
    finally:
        log.close()
    kept = [record.split(b"\n", 1)[0] + b"\n" for record in records if parse(record) is not None]
    return Entry(KERNEL_LOG, content=b"".join(kept))


def _redacted(entry: Entry, redaction: Redaction) -> Entry:
    return entry._replace(content=redaction.content(entry.path, entry.content))


def _manifest(entries: list[Entry], replaced: tuple[str, ...]) -> Entry:
    failures = {entry.path: {"mode": f"{entry.mode:04o}", "why": entry.failure} for entry in entries if entry.failure}
    document = {"files": len(entries), "not_read": failures, "replaced": list(replaced)}
    return Entry(MANIFEST, content=json.dumps(document, indent=4).encode() + b"\n")


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    """Owned by root, as on the host, and of no time: two copies of the same files are the same."""
    member = tarfile.TarInfo(entry.path)
    member.mode = entry.mode
    if entry.target is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.target
        archive.addfile(member)
    elif not entry.failure:
        member.size = len(entry.content)
        archive.addfile(member, BytesIO(entry.content))
