"""neurontools capture: a copy of a host's driver files, without what identifies the host, for those who have none."""

import os
import sys
from collections.abc import Mapping, Sequence

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage

NAME = "neurontools capture"

_ABOUT = (
    "Writes an archive of this host's driver files and of the processes that hold a device, so that people without\n"
    "such a host can test on it. Instance ids, serial numbers, host names, boot ids, command lines, environments and\n"
    "users are replaced; look through it before you give it away. Read again, it is marked as no live host."
)

_FLAGS = (
    Flag("to", "The archive to write; one that is there is not replaced", value="FILE.tar.gz"),
    Flag("root", "The directory that holds sys, proc and dev of the host; / unless given", value="ROOT"),
    Flag("unredacted", "Replace nothing"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    ("neurontools capture --to host.tar.gz", "this host; as root, to have all of it"),
    ("tar -tzf host.tar.gz | less", "what is in it; CAPTURE.json says what could not be read"),
    ("neuron-ls --source sysfs:DIRECTORY", "a copy that was unpacked"),
)


def main(arguments: Sequence[str]) -> int:
    """Runs the command with the words after its name; returns its exit code."""
    return errors.run(NAME, lambda: _run(arguments))


def entry() -> int:
    """The command by itself."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> None:
    given = parse(_FLAGS, arguments)
    if "help" in given:
        errors.write(usage(NAME, _ABOUT, _FLAGS, _EXAMPLES))
    else:
        copy(given)


def copy(given: Mapping[str, str], operands: Sequence[str] = ()) -> None:
    """Writes the archive that the options name. Raises UsageError, SourceError and OutputError."""
    if operands:
        raise errors.UsageError(f"unexpected argument {operands[0]!r:.60}; name the archive: --to host.tar.gz")
    target, root = given.get("to"), given.get("root", "/")
    if not target:
        raise errors.UsageError("which archive? Name one: --to host.tar.gz")
    from neurontools.schema.source import SourceError
    from neurontools.sources.sysfs.capture import MANIFEST, write_capture
    from neurontools.sources.sysfs.evidence import neuron_host
    from neurontools.sources.sysfs.redaction import Redaction

    if neuron_host(root) is None:
        raise SourceError(f"there is no Neuron host below {os.path.abspath(root)}: nothing was written")
    try:
        summary = write_capture(root, target, None if "unredacted" in given else Redaction())
    except OSError as error:
        raise errors.OutputError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None
    missing = f", {summary.failures} could not be read (see {MANIFEST} in it)" if summary.failures else ""
    replaced = f"; replaced: {', '.join(summary.replaced)}" if summary.replaced else ""
    errors.write(f"written: {target}, {summary.files} files{missing}{replaced}\n")
