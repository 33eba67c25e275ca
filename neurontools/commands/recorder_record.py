"""`neuron-recorder record`: readings of a host into a directory, until it is stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from neurontools.commands import errors
from neurontools.commands.publishing import say_as
from neurontools.commands.recorder_frames import Frames
from neurontools.commands.source_flags import open_source
from neurontools.commands.stream import Ended, Ending, ending
from neurontools.recording import Frame
from neurontools.recording.directory import STATE_DIRECTORY, Directory, Limits, LockedError, default_directory
from neurontools.schema.inventory import RECORDING
from neurontools.schema.source import Source, SourceError, pace
from neurontools.units import (
    MIB,
    NS_PER_S,
    format_bytes,
    format_duration_ns,
    format_time_ns,
    parse_bytes,
    parse_duration_ns,
)

_NAME = "neuron-recorder"

DEFAULT_PERIOD, DEFAULT_KEEP, DEFAULT_MOST = "1s", "7d", "1GB"

_HOUR_NS = 3600 * NS_PER_S
_PERIODS_NS = (NS_PER_S // 10, _HOUR_NS)
_KEEPS_NS = (60 * NS_PER_S, 36500 * 24 * _HOUR_NS)
_FOR_NS = (0, 36500 * 24 * _HOUR_NS)
_LEAST_BYTES = MIB

_SPARE = 0.5
"""The part of the time between two readings in which older recordings may be thinned."""


class _Options(NamedTuple):
    directory: str
    period_ns: int
    limits: Limits
    command_lines: bool
    for_ns: int | None


def record(given: Mapping[str, str], operands: list[str]) -> None:
    """Records until a signal stops it, which is a good end, or for as long as it was told."""
    options = _options(given)
    say = say_as(_NAME)
    source = open_source(_NAME, given)
    try:
        if "to" not in given and not os.environ.get(STATE_DIRECTORY):
            _only_of_this_host(source)
        pace(source, options.period_ns)
        directory = _directory(options, say)
        recorder = _Recorder(Frames(source), directory, options, say)
        try:
            with suppress(Ended), ending() as end:
                recorder.run(end)
        finally:
            with suppress(OSError):
                directory.close()
        say(recorder.summary())
    finally:
        source.close()


def _only_of_this_host(source: Source) -> None:
    """Raises UsageError where readings of no real host would come to lie among this host's."""
    inventory = source.inventory()
    if inventory.simulated or inventory.origin == RECORDING:
        what = "replayed" if inventory.origin == RECORDING else "simulated"
        raise errors.UsageError(f"a {what} host is not recorded among this host's recordings: say where, with --to DIR")


def _options(given: Mapping[str, str]) -> _Options:
    return _Options(
        directory=given.get("to") or default_directory(os.environ),
        period_ns=_duration("period", given.get("period", DEFAULT_PERIOD), _PERIODS_NS),
        limits=Limits(_duration("keep", given.get("keep", DEFAULT_KEEP), _KEEPS_NS), _size(given)),
        command_lines="command-lines" in given,
        for_ns=_duration("for", given["for"], _FOR_NS) if "for" in given else None,
    )


def _duration(flag: str, text: str, within: tuple[int, int]) -> int:
    try:
        found = parse_duration_ns(text)
    except ValueError as error:
        raise errors.UsageError(f"--{flag}: {error}") from None
    if not within[0] <= found <= within[1]:
        least, most = map(format_duration_ns, within)
        raise errors.UsageError(f"--{flag} takes {least} to {most}, not {text!r:.40}")
    return found


def _size(given: Mapping[str, str]) -> int:
    text = given.get("max-size", DEFAULT_MOST)
    try:
        found = parse_bytes(text)
    except ValueError as error:
        raise errors.UsageError(f"--max-size: {error}") from None
    if found < _LEAST_BYTES:
        raise errors.UsageError(f"--max-size takes {format_bytes(_LEAST_BYTES)} or more, not {text!r:.40}")
    return found


def _directory(options: _Options, say: Callable[[str], None]) -> Directory:
    try:
        return Directory(options.directory, options.limits, options.command_lines, say)
    except LockedError as error:
        raise errors.OutputError(f"cannot record to {options.directory}: {error}") from None
    except OSError as error:
        raise errors.OutputError(f"cannot record to {options.directory}: {error.strerror}") from None


class _Recorder:
    """Takes frames and keeps them; what is lost, and that it is no longer, is said once each."""

    def __init__(self, frames: Frames, directory: Directory, options: _Options, say: Callable[[str], None]) -> None:
        self._frames = frames
        self._directory = directory
        self._options = options
        self._say = say
        self._kept = 0
        self._lost = 0
        self._losing = False
        self._began_ns = time.monotonic_ns()

    def run(self, end: Ending) -> None:
        """A reading in each period. Raises SourceError where the first one fails."""
        due_ns = told_ns = self._began_ns
        ends_ns = None if self._options.for_ns is None else self._began_ns + self._options.for_ns
        while True:
            self._record(end)
            now_ns = time.monotonic_ns()
            if ends_ns is not None and now_ns + self._options.period_ns > ends_ns:
                return
            if now_ns - told_ns >= _HOUR_NS:
                told_ns = now_ns
                self._say(self.summary())
            # A reading that came too late is not caught up with.
            due_ns = max(due_ns + self._options.period_ns, now_ns)
            self._tidy(now_ns + int((due_ns - now_ns) * _SPARE))
            time.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)

    def summary(self) -> str:
        """What was recorded since it was started, and what there is in all."""
        lost = f", {self._lost:,} lost" if self._lost else ""
        since = format_duration_ns(time.monotonic_ns() - self._began_ns, 0)
        oldest_ns = self._directory.oldest_ns
        oldest = "" if oldest_ns is None else f", back to {format_time_ns(oldest_ns // NS_PER_S * NS_PER_S)}"
        kept = f"{format_bytes(self._directory.bytes)} in {self._options.directory}{oldest}"
        return f"{self._kept:,} readings in {since}{lost}; {kept}"

    def _record(self, end: Ending) -> None:
        try:
            frame = self._frames.take()
        except SourceError as error:
            if not self._kept and not self._lost:
                raise
            self._lose(f"no reading: {error.reason}")
            return
        if frame is not None:
            # Half a frame could be lost, and the index of its block would say otherwise.
            with end.deferred():
                self._keep(frame)

    def _keep(self, frame: Frame) -> None:
        try:
            self._directory.write(frame)
        except OSError as error:
            self._lose(f"cannot write to {self._options.directory}: {error.strerror}")
            return
        if not self._kept:
            self._say(self._greeting(frame))
        if self._losing:
            self._say(f"recording again; {self._lost:,} readings were lost so far")
            self._losing = False
        self._kept += 1

    def _lose(self, why: str) -> None:
        self._lost += 1
        if not self._losing:
            self._say(why)
        self._losing = True

    def _tidy(self, until_ns: int) -> None:
        try:
            self._directory.tidy(lambda: time.monotonic_ns() < until_ns)
        except OSError as error:
            self._say(f"cannot tidy {self._options.directory}: {error.strerror}")

    def _greeting(self, frame: Frame) -> str:
        origin, limits = frame.snapshot.head.origin, self._options.limits
        return (
            f"recording {frame.inventory.instance_type} ({origin.mark}) to {self._options.directory}, a reading in "
            f"{format_duration_ns(self._options.period_ns)}; kept for {format_duration_ns(limits.keep_ns)} "
            f"and up to {format_bytes(limits.most_bytes)}"
        )
