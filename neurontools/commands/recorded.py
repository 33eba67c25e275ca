"""How commands open recordings and name instants in them, and how they say what of a file could not be read."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from neurontools.commands import errors
from neurontools.recording import Recording, RecordingError
from neurontools.schema.source import SourceError
from neurontools.units import parse_duration_ns, parse_time_ns

_MOST_TOLD = 10


@contextmanager
def opened(name: str, path: str) -> Iterator[Recording]:
    """An open recording. Raises SourceError; at the end says for the program `name` what could not be read."""
    recording = _open(path)
    with recording:
        try:
            yield recording
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from None
        finally:
            told = [f"{path}: {damage}" for damage in recording.damage]
            more = [f"{path}: and {len(told) - _MOST_TOLD} places more"] if len(told) > _MOST_TOLD else []
            for line in (*told[:_MOST_TOLD], *more):
                print(f"{name}: note: {line}", file=sys.stderr, flush=True)


def _open(path: str) -> Recording:
    try:
        return Recording(path)
    except RecordingError as error:
        raise SourceError(f"cannot read {path}: {error}", "make one with: neuron-model record --for 1h FILE") from None
    except OSError as error:
        hint = f"`neuron-recorder list {path}` shows what is in it" if error.errno == errno.EISDIR else ""
        raise SourceError(f"cannot read {path}: {error.strerror}", hint) from None


def span_of(recording: Recording) -> tuple[int, int]:
    """The first and last instant. Raises SourceError for a recording without a reading."""
    blocks = [block for block in recording.blocks if block.frames]
    if not blocks:
        raise SourceError("there is no reading in it")
    return min(block.first_ns for block in blocks), max(block.last_ns for block in blocks)


def instant(option: str, text: str, span: tuple[int, int]) -> int:
    """An instant in ns: a duration before the end, after the start, or a time of day. Raises UsageError."""
    try:
        if text.startswith("-"):
            return span[1] - parse_duration_ns(text[1:])
        if text[:1].isdigit() and "-" in text:
            return parse_time_ns(text)
        return span[0] + parse_duration_ns(text.removeprefix("+"))
    except ValueError:
        raise errors.UsageError(
            f"--{option} takes -10m (before the end), 10m (after the start) or 2026-01-05T00:10:00Z, not {text!r:.40}"
        ) from None


def files_of(path: str) -> list[str]:
    """The file itself, or the recordings in a directory. Raises SourceError where there is none."""
    if not os.path.isdir(path):
        return [path]
    try:
        found = sorted(entry.path for entry in os.scandir(path) if entry.name.endswith(".nrec") and entry.is_file())
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    if not found:
        raise SourceError(f"there is no recording in {path}", "names of recordings end in .nrec")
    return found
