"""neuron-top: utilization, vCPU and memory of this host's Neuron devices, live on the terminal or once as text."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import SOURCE_FLAGS, open_source, source_environment
from neurontools.commands.top_web import DEFAULT_PORT, HOST, is_web, port_of, serve
from neurontools.commands.version import version
from neurontools.interrupts import leave_to_asyncio
from neurontools.sources.choose import NO_DEVICES

if TYPE_CHECKING:
    from neurontools.views.top.reader import Reader, Reading

NAME = "neuron-top"

_ABOUT = "Shows what the Neuron devices of this host do, core by core, and what holds their memory."

_FLAGS = (
    *SOURCE_FLAGS,
    Flag("refresh", "Seconds between two readings, 0.5 to 60; else as kept in the settings, or 1", value="SECONDS"),
    Flag("once", "Print the sections once, as plain text"),
    Flag("ascii", "Draw with ASCII only; unless given, where the locale has no UTF-8"),
    Flag("readonly", "Send no signals to processes"),
    Flag("web", "Show it in a browser on this machine instead, read-only (needs neurontools[web])"),
    Flag("port", f"The port for --web on {HOST}; {DEFAULT_PORT} unless given", value="PORT"),
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    ("neuron-top", "this host's devices, live; q quits"),
    ("neuron-top --refresh 5", "a reading every five seconds"),
    ("neuron-top --web", "the same in a browser on this machine"),
    ("neuron-top --source replay:day.nrec", "what was recorded, at its pace or up to 16 times as fast"),
    ("neuron-top --once > before.txt", "the same sections as text"),
    ("neuron-model run -- neuron-top", "a simulated host, gone when you quit"),
)

_LEAST_REFRESH_S, _MOST_REFRESH_S = 0.5, 60.0
_SECOND_READING_S = 1.0
_SWITCH_S = 0.001
_HOW_TO_MOVE_IT = (
    "a stepped model moves by `neuron-model advance 1s` only, files while `neuron-model run --host` writes them"
)


def main(arguments: Sequence[str]) -> int:
    """Runs neuron-top with the words after its name; returns its exit code."""
    return errors.run(NAME, lambda: _run(arguments))


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> None:
    given = parse(_FLAGS, arguments)
    refresh_s = _refresh_s(given["refresh"]) if "refresh" in given else None
    if "port" in given:
        port_of(given["port"])
    if "help" in given:
        errors.write(usage(NAME, _ABOUT, _FLAGS, _EXAMPLES))
    elif "version" in given:
        errors.write(f"{NAME} {version()} (neurontools)\n")
    elif "once" in given:
        _print_once(given)
    elif "web" in given:
        serve(given, [flag.long for flag in _FLAGS if not flag.value])
    else:
        _watch(given, refresh_s)


def _refresh_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _LEAST_REFRESH_S <= seconds <= _MOST_REFRESH_S:
        raise errors.UsageError(f"--refresh takes {_LEAST_REFRESH_S:g} to {_MOST_REFRESH_S:g} seconds, not {text!r}")
    return seconds


def _print_once(given: Mapping[str, str]) -> None:
    from neurontools.commands.top_watch import watching
    from neurontools.views.top.reader import Reader

    source = open_source(NAME, given)
    try:
        reader = Reader(source, watching(given))
        reading = _first(reader)
        if reading.interval is None:
            time.sleep(_SECOND_READING_S)
            reading = _first(reader)
        diagnosis = reader.look()
    finally:
        source.close()
    if reading.interval is None or reading.inventory is None:
        from neurontools.schema.source import SourceError

        hint = _HOW_TO_MOVE_IT if _is_simulated(reading) else ""
        raise SourceError(f"there is nothing to show yet: {reading.waiting}", hint)
    from neurontools.views.top import text

    shown = text.render(reading.interval, reading.inventory, version(), diagnosis)
    # A file outlives the locale in which it was written.
    ascii_only = _in_ascii(given) if sys.stdout is not None and sys.stdout.isatty() else "ascii" in given
    errors.write(text.to_ascii(shown) if ascii_only else shown, text.to_ascii)


def _in_ascii(given: Mapping[str, str]) -> bool:
    from neurontools.views.top.plain import wants_ascii

    return "ascii" in given or wants_ascii(dict(os.environ))


def _is_simulated(reading: "Reading") -> bool:
    return reading.inventory is not None and reading.inventory.simulated


def _watch(given: Mapping[str, str], refresh_s: float | None) -> None:
    # Textual draws on stderr.
    _need_terminal(sys.stdout, sys.stderr)
    from neurontools.commands.top_settings import keeper
    from neurontools.commands.top_watch import watching
    from neurontools.schema.source import pace
    from neurontools.units import NS_PER_S
    from neurontools.views.top.reader import Reader

    kept = keeper()
    if refresh_s is not None:
        kept = kept._replace(settings=kept.settings._replace(refresh_s=refresh_s))
    source = open_source(NAME, given)
    try:
        pace(source, round(kept.settings.refresh_s * NS_PER_S))
        reader = Reader(source, watching(given))
        first = _first(reader)
        # Only now: a source that reads our stdin has put the keyboard in its place.
        _need_terminal(sys.stdin)
        from neurontools.commands.signals import control_of
        from neurontools.views.top.app import TopApp

        # A key must not wait for the thread that compares two readings: it would hold the interpreter for 5 ms.
        sys.setswitchinterval(_SWITCH_S)
        control = control_of(given.get("source"), source_environment(given), "readonly" in given)
        app = TopApp(reader, first, version(), kept, control)
        app.ascii = _in_ascii(given)
        leave_to_asyncio()
        app.run()
    finally:
        source.close()
    if app.return_code:
        raise SystemExit(app.return_code)


def _need_terminal(*streams: TextIO | None) -> None:
    if is_web():
        return
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise errors.UsageError("this needs a terminal as stdin, stdout and stderr; for plain text use --once")


def _first(reader: "Reader") -> "Reading":
    """The first reading: before there is a screen, a source that does not answer is an error like any other."""
    from neurontools.schema.source import SourceError

    reading = reader.read()
    if reading.error:
        raise SourceError(reading.error, reading.hint)
    if reading.inventory is not None and not reading.inventory.devices:
        raise SourceError(NO_DEVICES, reading.inventory.why_no_devices)
    return reading
