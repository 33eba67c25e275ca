"""One call to the daemon that a command's options name, and what goes wrong with it told to people."""

import contextlib
import os
import sys
from typing import Any

from device_model.commands.failure import USAGE, Failure
from device_model.commands.listen import holder_of, log_path
from neurontools.units import parse_duration_ns
from neurontools.wire import Client, WireError

TIMEOUT_S = 5.0
"""How long the answer to a call may take that needs no computing."""

LONGEST = "36500d"
"""A hundred years: a model's time ends in 2116, and the times in a recording reach twice as far."""


def ask(options: Any, call: str, timeout_s: float | None = None, **args: Any) -> Any:
    """The answer to one call; raises Failure."""
    need_output()
    with Client(options.socket, timeout_s or TIMEOUT_S) as client:
        return asked(client, call, **args)


def asked(client: Client, call: str, **args: Any) -> Any:
    """The answer to one call of several on a connection; raises Failure."""
    try:
        return client.call(call, **args)
    except WireError as error:
        raise Failure(error.message, _hint(error, client.path)) from None


def need_output() -> None:
    """Raises Failure where standard output is closed, before something is changed that could not be told."""
    sys.stdout.write("")


def duration(text: str, longest: str | None = LONGEST) -> int:
    """Nanoseconds; raises Failure with an example, or with the longest that makes sense."""
    try:
        found = parse_duration_ns(text)
    except ValueError as error:
        raise Failure(str(error), "", USAGE) from None
    if longest is not None and found > parse_duration_ns(longest):
        raise Failure(f"expected at most {longest}, found {text!r:.40}", "", USAGE)
    return found


def _hint(error: WireError, path: str) -> str:
    if error.kind == "timeout" and (pid := holder_of(path)) is not None:
        return f"if it hangs for good, end it with: kill -9 {pid}"
    if error.kind in ("unreachable", "closed"):
        with contextlib.suppress(OSError):
            if os.path.getsize(log_path(path)):
                return f"the last one there failed, {log_path(path)} says why; start another with: neuron-model start"
    return error.hint
