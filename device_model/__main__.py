"""The command line `neuron-model`: the one place where a failure becomes lines on stderr and an exit code."""

import contextlib
import importlib
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from device_model.commands.failure import FAILED, SIGNALLED, SOFTWARE, Failure
from device_model.commands.options import parse


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns the exit code. Every foreseeable fault becomes a line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows "?" in its place.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except Failure as failure:
        _say([*failure.message.splitlines(), *([failure.hint] if failure.hint else [])])
        return failure.code
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:
        _abandon(sys.stdout)
        return SIGNALLED + signal.SIGPIPE
    except OSError as error:
        # What verbs do with files they tell themselves; this is about their output.
        _abandon(sys.stdout)
        _say([f"cannot go on: {error.strerror or error}"])
        return FAILED
    except Exception:
        traceback.print_exc()
        _say(["this is a defect of neurontools: please report it with the lines above"])
        return SOFTWARE


def entry() -> NoReturn:
    """The installed command."""
    sys.exit(main())


def _run(arguments: list[str]) -> int:
    function, options = parse(arguments)
    module, _, name = function.partition(":")
    return int(getattr(importlib.import_module(module), name)(options))


def _say(lines: list[str]) -> None:
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):
        print("\n".join(f"neuron-model: {line}" for line in lines), file=sys.stderr, flush=True)


def _abandon(stream: Any) -> None:
    """Points a stream at nothing, or the interpreter would complain when it flushes on its way out."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    entry()
