"""What neuron-top may do to processes, handed to it by the command: send a signal, or say why it does not."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import NamedTuple

SIGNALS = (
    (signal.SIGTERM, "SIGTERM", "asks it to end"),
    (signal.SIGINT, "SIGINT", "as Ctrl+C would"),
    (signal.SIGHUP, "SIGHUP", "asks many servers to read their configuration again"),
    (signal.SIGSTOP, "SIGSTOP", "stops it until SIGCONT"),
    (signal.SIGCONT, "SIGCONT", "lets it go on"),
    (signal.SIGKILL, "SIGKILL", "ends it at once, without cleaning up"),
)
"""What can be sent, the mildest first."""


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """A signal was not sent; the text is one line for people."""


class Control(NamedTuple):
    """`send(pid, started_ns, number)` sends a signal to that very process or raises Refused; without it, `why_not`."""

    send: Callable[[int, int, int], None] | None = None
    why_not: str = "this source can only be looked at"
