"""How commands open recordings and name instants in them, and how they say what of a file could not be read."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from neurontools.commands import errors
from neurontools.recording import Recording, RecordingError, Series, SeveralError, files_of, recordings_in
from neurontools.recording.instants import GRAMMAR, instant_ns
from neurontools.schema.source import SourceError

T = TypeVar("T", Recording, Series)

_MOST_TOLD = 10
_NO_FILE = "make one with: neuron-recorder record, or neuron-model record --for 1h FILE"


@contextmanager
def opened(name: str, path: str) -> Iterator[Recording]:
    """An open recording. Raises SourceError; at the end says for the program `name` what could not be read."""
    with _reading(path, lambda: Recording(path)) as recording:
        try:
            yield recording
        finally:
            _tell(name, [f"{path}: {damage}" for damage in recording.damage])


@contextmanager
def opened_series(name: str, path: str) -> Iterator[Series]:
    """The same of a file, or of what a recorder wrote into a directory."""
    with _reading(path, lambda: Series(files_of(path))) as series:
        try:
            yield series
        finally:
            _tell(name, series.damage)


def instant(option: str, text: str, span: tuple[int, int]) -> int:
    """An instant in ns: a duration before the end, after the start, or a time of day. Raises UsageError."""
    try:
        return instant_ns(text, span)
    except ValueError:
        raise errors.UsageError(f"--{option} takes {GRAMMAR}, not {text!r:.40}") from None


def recordings_at(path: str) -> list[str]:
    """The file itself, or the recordings in a directory. Raises SourceError where there is none."""
    try:
        return recordings_in(path)
    except RecordingError as error:
        raise SourceError(f"cannot read {path}: {error}", _NO_FILE) from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


@contextmanager
def _reading(path: str, make: Callable[[], T]) -> Iterator[T]:
    try:
        with make() as found:
            yield found
    except SeveralError as error:
        raise SourceError(f"cannot read {path}: {error}", _list_hint(path)) from None
    except RecordingError as error:
        raise SourceError(f"cannot read {path}: {error}", _NO_FILE) from None
    except OSError as error:
        hint = _list_hint(path) if error.errno == errno.EISDIR else ""
        raise SourceError(f"cannot read {path}: {error.strerror}", hint) from None


def _list_hint(path: str) -> str:
    return f"`neuron-recorder list {path}` shows what is in it"


def _tell(name: str, damage: Sequence[str]) -> None:
    more = len(damage) - _MOST_TOLD
    for line in (*damage[:_MOST_TOLD], *([f"and {more} places more"] if more > 0 else [])):
        errors.say(f"{name}: note: {line}")
