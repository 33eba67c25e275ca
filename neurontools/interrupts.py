"""What Ctrl-C does to a program: it ends it without a word, at once where there is nothing to tidy up.

Loads nothing (`_signal` and `posix` are built in), because it comes before everything else that a program loads.
"""

import sys
from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIGINT,
    default_int_handler,
    getsignal,
    raise_signal,
    signal,
)
from posix import _exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

EXIT_INTERRUPTED = 130
"""128 + SIGINT."""


def end_at_once() -> None:
    """Gives SIGINT its default action, until `Raising`. Where it is ignored, as below nohup, it stays so."""
    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)


class Raising:
    """Inside, SIGINT raises KeyboardInterrupt where `end_at_once` would have it end the program."""

    def __enter__(self) -> None:
        self._taken = getsignal(SIGINT) == SIG_DFL
        if self._taken:
            sys.unraisablehook = _unraisable
            signal(SIGINT, _interrupted)

    def __exit__(self, *_: object) -> None:
        if self._taken:
            signal(SIGINT, SIG_DFL)


def leave_to_asyncio() -> None:
    """For a program that asyncio runs from here on: it handles SIGINT where nobody but Python does."""
    if getsignal(SIGINT) is _interrupted:
        signal(SIGINT, default_int_handler)


def end_if_importing(number: int, frame: "FrameType | None") -> None:
    """Ends the program by a signal that comes during an import, by the signal's default action.

    An exception there may be lost, in a callback of the interpreter's or in a module's C code, which then crashes.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal(number, SIG_DFL)
            raise_signal(number)
        frame = frame.f_back


def _interrupted(number: int, frame: "FrameType | None") -> None:
    end_if_importing(number, frame)
    raise KeyboardInterrupt


def _unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """An interrupt inside a destructor goes nowhere: Python would print it and go on."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        _exit(EXIT_INTERRUPTED)
    sys.__unraisablehook__(lost)
