"""The one place that turns an error into a line and an exit code, and through which text leaves."""

import os
import sys
from collections.abc import Callable

from neurontools.commands.flags import FlagError
from neurontools.interrupts import EXIT_INTERRUPTED, Raising

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell sees of AWS's tools when `head` has read enough."""

# Tools of AWS's that programs run: options they do not know are answered on stdout, all usage errors exit 1, and a
# failure is a line of logfmt.
_OFFICIAL = ("neuron-ls", "neuron-monitor")

_FATAL = "Failed to load MLA system information"


class UsageError(Exception):
    """A command line that is understood but asks for something impossible."""


class OutputError(Exception):
    """Standard output cannot be written."""


class _NobodyReadsError(Exception):
    """The reader of standard output has gone."""


def run(name: str, body: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit code, the one that it gives itself if it gives one; an error that is not the
    program's fault becomes a line or two.
    """
    try:
        with Raising():
            return _run(name, body)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except _NobodyReadsError:
        return EXIT_BROKEN_PIPE
    except OutputError as error:
        say(f"{name}: {error}")
        return EXIT_FAILURE


def write(text: str, plain: Callable[[str], str] = str) -> None:
    """Writes to stdout. Where its encoding lacks a character, `plain` of the text, and "?" for what is still missing.

    Raises what `run` understands when the text cannot be written.
    """
    stdout = sys.stdout
    if stdout is None:
        raise OutputError("cannot write the output: it is closed")
    try:
        text.encode(stdout.encoding)
    except UnicodeEncodeError:
        text = plain(text).encode(stdout.encoding, "replace").decode(stdout.encoding)
    try:
        stdout.write(text)
        stdout.flush()
    except OSError as error:
        _abandon(stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise _NobodyReadsError from None
        raise OutputError(f"cannot write the output: {error.strerror}") from None


def _run(name: str, body: Callable[[], int | None]) -> int:
    try:
        return body() or EXIT_OK
    except FlagError as error:
        if name in _OFFICIAL:
            write(f"{error}\n")
        else:
            say(f"{name}: {error}")
        return _usage_code(name)
    except (OutputError, _NobodyReadsError):
        raise
    except Exception as error:
        return _report(name, error)


def _report(name: str, error: Exception) -> int:
    # Imported here because they bring msgspec: a neuron-ls that succeeds never needs it.
    from neurontools.schema.source import SourceError
    from neurontools.sources.choose import SpecError

    if isinstance(error, SpecError | UsageError):
        say(f"{name}: {error}")
        return _usage_code(name)
    if isinstance(error, SourceError):
        say(_fatal(error.reason) if name in _OFFICIAL else f"{name}: {error.reason}")
        if error.hint:
            say(f"{name}: {error.hint}")
        return EXIT_FAILURE
    if isinstance(error, FileNotFoundError) and error.filename is None:
        # The only call that says so of no file is getcwd.
        say(f"{name}: the working directory does not exist any more: change to another")
        return EXIT_FAILURE
    raise error


def _usage_code(name: str) -> int:
    return EXIT_FAILURE if name in _OFFICIAL else EXIT_USAGE


def say(line: str) -> None:
    """Writes a line to stderr; where nobody can read it, the exit code has to do."""
    if sys.stderr is None:
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr.fileno())


def _fatal(reason: str) -> str:
    """The line of AWS's tools, in UTC."""
    from time import gmtime, strftime

    time = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    return f"time={_quoted(time)} level=fatal msg={_quoted(_FATAL)} error={_quoted(reason)}"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _abandon(descriptor: int) -> None:
    """Points a stream at nothing, or the interpreter would complain when it flushes on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
