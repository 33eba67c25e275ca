"""The command line `neuron-model`: the one place where a failure becomes lines on stderr and an exit code."""

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import traceback
from typing import Any, NoReturn, TextIO, cast

from device_model.commands.failure import FAILED, SIGNALLED, SOFTWARE, Failure
from device_model.commands.options import parse
from neurontools.interrupts import EXIT_INTERRUPTED, Raising

_STDERR = 2


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns the exit code. Every foreseeable fault becomes a line on stderr."""
    try:
        with Raising():
            return _main(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _main(arguments: list[str]) -> int:
    _keep_numbers()
    # Where a stream is closed, print would write to stdout what is meant for stderr, and drop the rest without a word.
    sys.stdout, sys.stderr = sys.stdout or _Closed(), sys.stderr or _Nowhere()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows "?" in its place.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.stderr = cast("TextIO", _Talk(sys.stderr))
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except Failure as failure:
        _say([*failure.message.splitlines(), *([failure.hint] if failure.hint else [])])
        return failure.code
    except BrokenPipeError:
        _abandon(sys.stdout)
        return SIGNALLED + signal.SIGPIPE
    except OSError as error:
        _abandon(sys.stdout)
        if error.errno == errno.ENOENT and error.filename is None:
            _say(["the working directory does not exist any more", "change to another"])
            return FAILED
        # What verbs do with files they tell themselves; a failure without a file's name is that of their output.
        what = "cannot write the output" if error.filename is None else f"cannot use {error.filename}"
        _say([f"{what}: {error.strerror or error}"])
        return FAILED
    except Exception:
        traceback.print_exc()
        _say(["this is a defect of neurontools: please report it with the lines above"])
        return SOFTWARE


def entry() -> NoReturn:
    """The installed command."""
    sys.exit(main())


class _Closed(io.StringIO):
    """Standard output where there is none: nothing must seem to have been said."""

    def write(self, text: str, /) -> int:
        raise Failure("cannot write the output: it is closed")


class _Nowhere(io.StringIO):
    """Standard error where there is none."""

    def write(self, text: str, /) -> int:
        return len(text)


class _Talk:
    """Standard error where it may be full: what cannot be said must not keep a command from its work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _keep_numbers() -> None:
    """Keeps the numbers of standard streams that are closed from whatever is opened next, such as a socket."""
    while (fd := os.open(os.devnull, os.O_RDONLY)) <= _STDERR:
        pass
    os.close(fd)


def _run(arguments: list[str]) -> int:
    try:
        function, options = parse(arguments)
    except SystemExit:
        # The help has been printed; that it cannot be written shows now or never.
        sys.stdout.flush()
        raise
    module, _, name = function.partition(":")
    return int(getattr(importlib.import_module(module), name)(options))


def _say(lines: list[str]) -> None:
    with contextlib.suppress(OSError):
        print("\n".join(f"neuron-model: {line}" for line in lines), file=sys.stderr, flush=True)


def _abandon(stream: Any) -> None:
    """Points a stream at nothing, or the interpreter would complain when it flushes on its way out."""
    if isinstance(stream, _Closed):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    entry()
